//! How many rows a policy lets expire, by the rule that is for them.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType, UInt64Type};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::logical_expr::when;
use datafusion::prelude::{Expr, cast, ident, lit};

use super::context::QueryContext;
use super::filter::timestamp_literal;
use super::session::QuerySession;
use super::settings::QueryKind;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::retention::{
    CompiledRetention, FileFate, KindRows, RetentionCutoff, RetentionPolicy, fate_of_counted, files_to_drop,
};
use crate::schema::{TableId, columns};
use crate::storage::DataFile;

/// What a policy would take away from what can be read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPreview {
    /// All rows that would expire.
    pub total: ExpiredRows,
    /// Those that each rule is for, in the order of the rules.
    pub rules: Vec<ExpiredRows>,
    /// Those that no rule is for.
    pub rest: ExpiredRows,
    /// Data files all of whose rows would expire, as their bounds tell: they are removed unread.
    pub files_dropped: u64,
}

/// Some expired rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpiredRows {
    /// How many.
    pub rows: u64,
    /// Their uncompressed size.
    pub bytes_uncompressed: u64,
    /// The earliest `timestamp` among them, microseconds.
    pub oldest_us: Option<i64>,
    /// The latest `timestamp` among them, microseconds.
    pub newest_us: Option<i64>,
}

/// The rows of one kind: those that one rule is for, or no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindExpiry {
    /// How many have not expired.
    pub live_rows: u64,
    /// Those that have.
    pub expired: ExpiredRows,
}

/// Rows by kind, in the order of [`RetentionCutoff::cutoffs_us`].
pub type ExpiryByKind = Vec<KindExpiry>;

/// Which rows are counted.
#[derive(Clone, Copy, Debug)]
enum Counted {
    /// All.
    All,
    /// Only such as have expired.
    Expired,
}

impl QueryContext {
    /// What a policy would take away from a snapshot, which may have a policy already.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` when the policy is not valid, and as [`Self::count`].
    pub async fn retention_preview(
        &self,
        snapshot: &Snapshot,
        policy: RetentionPolicy,
    ) -> Result<RetentionPreview> {
        let (session, files) = (self.session(snapshot), Arc::clone(&snapshot.files));
        let (dataset, now_us) = (snapshot.table.dataset(), self.now_us());
        let work = async move {
            let retention = CompiledRetention::of(dataset, policy)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            let cutoff = RetentionCutoff::new(Arc::new(retention), now_us);
            let kinds = expiry_by_kind(&session, &cutoff, Counted::Expired).await?;
            Ok(RetentionPreview::of(&kinds, files_to_drop(&cutoff, &files).len()))
        };
        self.run_on_threads(QueryKind::Aggregate, snapshot, work).await
    }

    /// The rows of a snapshot by what a cutoff, which need not be the snapshot's own, says of them.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn expiry_by_kind(
        &self,
        snapshot: &Snapshot,
        cutoff: &Arc<RetentionCutoff>,
    ) -> Result<ExpiryByKind> {
        let (session, cutoff) = (self.session_of(QueryKind::Upkeep, snapshot), Arc::clone(cutoff));
        let work = async move { expiry_by_kind(&session, &cutoff, Counted::All).await };
        self.run_on_threads(QueryKind::Upkeep, snapshot, work).await
    }

    /// What happens to a file of a table under a cutoff: its rows are counted.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn fate(
        &self,
        table: TableId,
        cutoff: &Arc<RetentionCutoff>,
        file: &Arc<DataFile>,
    ) -> Result<FileFate> {
        let files = Arc::new(vec![Arc::clone(file)]);
        let snapshot = Snapshot { table, files, segments: Vec::new(), retention: None };
        let kinds = self.expiry_by_kind(&snapshot, cutoff).await?;
        let kinds: Vec<KindRows> = kinds.iter().map(KindRows::from).collect();
        Ok(fate_of_counted(cutoff, file, &kinds))
    }
}

/// Counts the rows of a session by what a cutoff says of them.
async fn expiry_by_kind(
    session: &QuerySession,
    cutoff: &RetentionCutoff,
    counted: Counted,
) -> DataFusionResult<ExpiryByKind> {
    let candidates = match counted {
        Counted::All => lit(true),
        Counted::Expired => is_before(cutoff, cutoff.latest_us()),
    };
    let bytes = cast(ident(columns::BYTES_UNCOMPRESSED), DataType::UInt64);
    let groups = session.rows_where(candidates)?.aggregate(
        vec![kind(cutoff)?.alias("kind"), is_expired(cutoff)?.alias("is_expired")],
        vec![count(lit(1)), sum(bytes), min(ident(columns::TIMESTAMP)), max(ident(columns::TIMESTAMP))],
    )?;
    let mut kinds = vec![KindExpiry::default(); cutoff.cutoffs_us().len()];
    for batch in &session.collect(groups).await?.batches {
        add_groups(&mut kinds, batch)?;
    }
    Ok(kinds)
}

/// The kind of a row, by its place.
fn kind(cutoff: &RetentionCutoff) -> DataFusionResult<Expr> {
    let kinds = (0_i32..).map(lit);
    by_kind(cutoff, kinds)
}

fn is_expired(cutoff: &RetentionCutoff) -> DataFusionResult<Expr> {
    by_kind(cutoff, cutoff.cutoffs_us().iter().map(|&cutoff_us| is_before(cutoff, cutoff_us)))
}

/// The expression for the kind of a row; there is one for each kind.
fn by_kind(cutoff: &RetentionCutoff, mut of_kinds: impl Iterator<Item = Expr>) -> DataFusionResult<Expr> {
    let mut next = || of_kinds.next().map_or_else(|| internal_err!("a kind of rows is missing"), Ok);
    let mut rules = cutoff.retention().expressions().iter().cloned();
    let Some(first) = rules.next() else { return next() };
    let mut choice = when(first, next()?);
    for condition in rules {
        choice = choice.when(condition, next()?);
    }
    choice.otherwise(next()?)
}

/// The condition that a row's time is before a cutoff.
fn is_before(cutoff: &RetentionCutoff, cutoff_us: i64) -> Expr {
    if cutoff_us == i64::MIN {
        return lit(false);
    }
    let columns = cutoff.retention().age_columns().iter();
    let before = columns.map(|column| ident(*column).lt(timestamp_literal(cutoff_us)));
    before.reduce(Expr::or).unwrap_or_else(|| lit(false))
}

fn add_groups(kinds: &mut [KindExpiry], batch: &RecordBatch) -> DataFusionResult<()> {
    let columns = (
        batch.column(0).as_primitive_opt::<Int32Type>(),
        batch.column(1).as_boolean_opt(),
        batch.column(2).as_primitive_opt::<Int64Type>(),
        batch.column(3).as_primitive_opt::<UInt64Type>(),
        batch.column(4).as_primitive_opt::<TimestampMicrosecondType>(),
        batch.column(5).as_primitive_opt::<TimestampMicrosecondType>(),
    );
    let (Some(kind), Some(is_expired), Some(rows), Some(bytes), Some(oldest), Some(newest)) = columns else {
        return internal_err!("rows by kind have other types than they should");
    };
    for row in 0..batch.num_rows() {
        let place = usize::try_from(kind.value(row)).ok();
        let Some(kind) = place.and_then(|place| kinds.get_mut(place)) else {
            return internal_err!("rows of a kind that there is not");
        };
        let num_rows = u64::try_from(rows.value(row)).unwrap_or_default();
        if is_expired.is_valid(row) && is_expired.value(row) {
            kind.expired = ExpiredRows {
                rows: num_rows,
                bytes_uncompressed: bytes.value(row),
                oldest_us: Some(oldest.value(row)),
                newest_us: Some(newest.value(row)),
            };
        } else {
            kind.live_rows = num_rows;
        }
    }
    Ok(())
}

impl ExpiredRows {
    /// These rows and others.
    #[must_use]
    fn and(self, other: Self) -> Self {
        let either = |pick: fn(i64, i64) -> i64, left: Option<i64>, right: Option<i64>| match (left, right) {
            (Some(left), Some(right)) => Some(pick(left, right)),
            (one, other) => one.or(other),
        };
        Self {
            rows: self.rows + other.rows,
            bytes_uncompressed: self.bytes_uncompressed + other.bytes_uncompressed,
            oldest_us: either(i64::min, self.oldest_us, other.oldest_us),
            newest_us: either(i64::max, self.newest_us, other.newest_us),
        }
    }
}

impl RetentionPreview {
    /// Of the rows by kind, the rest last.
    fn of(kinds: &[KindExpiry], num_files_dropped: usize) -> Self {
        let expired = || kinds.iter().map(|kind| kind.expired);
        let (rest, rules) = match expired().collect::<Vec<_>>().split_last() {
            Some((rest, rules)) => (*rest, rules.to_vec()),
            None => Default::default(),
        };
        Self {
            total: expired().fold(ExpiredRows::default(), ExpiredRows::and),
            rules,
            rest,
            files_dropped: num_files_dropped as u64,
        }
    }
}

impl From<&KindExpiry> for KindRows {
    fn from(kind: &KindExpiry) -> Self {
        Self { live: kind.live_rows, expired: kind.expired.rows }
    }
}
