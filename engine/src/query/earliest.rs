//! The earliest row, and whether there is one.

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::prelude::{ident, lit};

use super::context::QueryContext;
use super::filter::timestamp_literal;
use super::session::QuerySession;
use super::settings::QueryKind;
use super::time_range::{LowerBound, ResolvedRange};
use crate::catalog::{Snapshot, Sources};
use crate::error::Result;
use crate::schema::columns;

impl QueryContext {
    /// The earliest `timestamp` of the rows, microseconds; `None` without rows. Reads only files some of whose rows
    /// have expired and that may have an earlier row than the others.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn earliest_timestamp_us(&self, snapshot: &Snapshot) -> Result<Option<i64>> {
        let KnownRows { earliest_us, unknown } = KnownRows::of(snapshot);
        let Some(unknown) = unknown else { return Ok(earliest_us) };
        let session = self.session(&unknown);
        let work = async move { earliest(&session, earliest_us).await };
        self.run_on_threads(QueryKind::Aggregate, &unknown, work).await
    }

    /// The same, if a time range begins with it: only then it has to be known.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn earliest_of(&self, snapshot: &Snapshot, range: &ResolvedRange) -> Result<Option<i64>> {
        match range.from {
            LowerBound::Earliest => self.earliest_timestamp_us(snapshot).await,
            LowerBound::At(_) => Ok(None),
        }
    }

    /// Whether there is a row. Reads only files some of whose rows have expired, and only when there are no others.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn has_rows(&self, snapshot: &Snapshot) -> Result<bool> {
        let KnownRows { earliest_us, unknown } = KnownRows::of(snapshot);
        let Some(unknown) = unknown.filter(|_| earliest_us.is_none()) else {
            return Ok(earliest_us.is_some());
        };
        let session = self.session(&unknown);
        let work = async move { has_rows(&session).await };
        self.run_on_threads(QueryKind::Aggregate, &unknown, work).await
    }
}

/// What bounds say of the rows of a snapshot.
struct KnownRows {
    /// The earliest `timestamp` of the files and segments none of whose rows have expired, microseconds.
    earliest_us: Option<i64>,
    /// The rest of the snapshot, where it may have an earlier row.
    unknown: Option<Snapshot>,
}

impl KnownRows {
    /// Reads no file.
    fn of(snapshot: &Snapshot) -> Self {
        let cutoff = snapshot.retention.as_deref();
        let (live, straddling) = snapshot.sources().split(cutoff);
        let earliest_us = live.min_timestamp_us();
        // A row that has not expired is not from before the earliest cutoff.
        let floor_us = cutoff.map_or(i64::MIN, |cutoff| cutoff.earliest_us());
        let may_be_earlier = |min_timestamp_us: i64| {
            earliest_us.is_none_or(|known_us| min_timestamp_us.max(floor_us) < known_us)
        };
        let Sources { mut files, mut segments } = straddling;
        files.retain(|file| may_be_earlier(file.min_timestamp_us));
        segments.retain(|segment| may_be_earlier(segment.min_timestamp_us));
        let unknown = (!files.is_empty() || !segments.is_empty()).then(|| Snapshot {
            table: snapshot.table,
            files: files.into(),
            segments,
            retention: snapshot.retention.clone(),
        });
        Self { earliest_us, unknown }
    }
}

/// The earliest `timestamp` of the rows of a session, which is earlier than `known_us` or that.
async fn earliest(session: &QuerySession, known_us: Option<i64>) -> DataFusionResult<Option<i64>> {
    let earlier = match known_us {
        Some(known_us) => ident(columns::TIMESTAMP).lt(timestamp_literal(known_us)),
        None => lit(true),
    };
    let query = session.rows_where(earlier)?.aggregate(vec![], vec![min(ident(columns::TIMESTAMP))])?;
    let found = session.collect(query).await?;
    let Some(batch) = found.batches.iter().find(|batch| batch.num_rows() > 0) else {
        return internal_err!("an aggregate without a row");
    };
    let Some(minimum) = batch.column(0).as_primitive_opt::<TimestampMicrosecondType>() else {
        return internal_err!("the earliest time is no time");
    };
    Ok(minimum.iter().next().flatten().or(known_us))
}

/// Whether a session has a row.
async fn has_rows(session: &QuerySession) -> DataFusionResult<bool> {
    let query = session.rows_where(lit(true))?.select(vec![ident(columns::TIMESTAMP)])?.limit(0, Some(1))?;
    let found = session.collect(query).await?;
    Ok(found.batches.iter().any(|batch| batch.num_rows() > 0))
}
