//! Rows by value: how many rows share the values of some dimensions.

use std::num::NonZeroUsize;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::{ArrowPrimitiveType, Int64Type, TimestampMicrosecondType};
use datafusion::common::{Result as DataFusionResult, internal_err};
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::ExprFunctionExt;
use datafusion::logical_expr::utils::conjunction;
use datafusion::prelude::{Expr, ident, lit};
use futures::StreamExt;
use parking_lot::Mutex;

use super::context::QueryContext;
use super::dimension::{Dimension, text_at};
use super::filter::{has_severity, in_range};
use super::group_table::{GroupTable, GroupTotals};
use super::model::LogFilter;
use super::planner::Rest;
use super::session::QuerySession;
use super::slices::Make;
use super::time_range::{ResolvedRange, TimeRange};
use super::top::Top;
use crate::catalog::Snapshot;
use crate::error::Result;
use crate::schema::columns;

/// Severities that count as errors.
pub(super) const ERROR_SEVERITIES: [&str; 2] = ["error", "fatal"];

/// A request for rows by value.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupsRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time, without its end.
    pub range: ResolvedRange,
    /// What rows are grouped by; at least one. Rows that have no value of one of them are left out.
    pub dimensions: Vec<Dimension>,
    /// Which groups come first.
    pub order: GroupOrder,
    /// How many groups are wanted.
    pub limit: NonZeroUsize,
}

/// Which groups come first; of equal ones those that come first by their values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupOrder {
    /// Those with the most rows.
    #[default]
    LogCount,
    /// Those with the most errors.
    ErrorCount,
    /// Those with the newest row.
    LastSeen,
}

/// The rows of a request by value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The first groups of the order.
    pub groups: Vec<Group>,
    /// The number of all groups.
    pub total_groups: u64,
    /// The number of the rows of all groups.
    pub total_logs: u64,
}

/// The rows that share their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The value of each dimension.
    pub values: Vec<String>,
    /// Number of rows.
    pub log_count: u64,
    /// How many of them are errors or worse.
    pub error_count: u64,
    /// The `timestamp` of the newest, microseconds.
    pub last_seen_us: i64,
}

impl QueryContext {
    /// The rows of a range that pass the filter, by the values of some dimensions. Every number is exact; groups
    /// that do not fit into memory spill, and only the wanted ones are held.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn groups(&self, snapshot: &Snapshot, request: &GroupsRequest) -> Result<Groups> {
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let range = request.range.half_open(earliest_us);
        let asked = request.clone();
        let work = move |session, filter: Expr| async move {
            if range.is_empty() {
                return Ok(Groups::default());
            }
            let question = GroupsQuestion {
                range,
                dimensions: &asked.dimensions,
                order: asked.order,
                limit: asked.limit,
            };
            groups(&session, &filter, &question).await
        };
        self.run(snapshot, &request.filter, work).await
    }
}

/// Which groups are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupsQuestion<'a> {
    pub(super) range: TimeRange,
    pub(super) dimensions: &'a [Dimension],
    pub(super) order: GroupOrder,
    pub(super) limit: NonZeroUsize,
}

/// The rows of a range that meet a condition, by value: in one table as long as it fits into memory, else in DataFusion's
/// aggregation, which spills.
pub(super) async fn groups(
    session: &QuerySession,
    condition: &Expr,
    question: &GroupsQuestion<'_>,
) -> DataFusionResult<Groups> {
    let mut wanted: Vec<Expr> = question.dimensions.iter().map(Dimension::value).collect();
    wanted.extend([ident(columns::TIMESTAMP), ident(columns::SEVERITY_TEXT)]);
    let rest = Rest::everything(question.range);
    let tables = Arc::new(Tables::new(session, question.dimensions.len()));
    let make: Make<()> = {
        let tables = Arc::clone(&tables);
        Arc::new(move |columns| tables.add(&columns))
    };
    let visited = rest.visit_made(session, condition, &wanted, &make, Ok).await;
    match visited.and_then(|()| tables.merged()) {
        Ok(table) => of_table(session, &table, question),
        Err(error) if matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) => {
            tables.clear();
            spilled_groups(session, condition, question).await
        }
        Err(error) => Err(error),
    }
}

/// A table for each thread that adds to them, so that none waits for another.
struct Tables {
    num_dimensions: usize,
    memory: MemoryReservation,
    free: Mutex<Vec<GroupTable>>,
}

impl Tables {
    fn new(session: &QuerySession, num_dimensions: usize) -> Self {
        Self { num_dimensions, memory: session.reserve("groups"), free: Mutex::default() }
    }

    fn table(&self) -> GroupTable {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| GroupTable::new(self.num_dimensions, self.memory.new_empty()))
    }

    fn add(&self, columns: &[ArrayRef]) -> DataFusionResult<()> {
        let mut table = self.table();
        table.add(columns)?;
        self.free.lock().push(table);
        Ok(())
    }

    /// One table of all.
    fn merged(&self) -> DataFusionResult<GroupTable> {
        let mut table = self.table();
        for other in std::mem::take(&mut *self.free.lock()) {
            table.merge(other)?;
        }
        Ok(table)
    }

    fn clear(&self) {
        self.free.lock().clear();
    }
}

fn of_table(
    session: &QuerySession,
    table: &GroupTable,
    question: &GroupsQuestion<'_>,
) -> DataFusionResult<Groups> {
    let mut top = Top::new(question.limit.get(), session.reserve("first groups"));
    let mut total_logs = 0;
    for (key, totals) in table.iter() {
        total_logs += totals.log_count;
        let rank = match question.order {
            GroupOrder::LogCount => totals.log_count.cast_signed(),
            GroupOrder::ErrorCount => totals.error_count.cast_signed(),
            GroupOrder::LastSeen => totals.last_seen_us,
        };
        let values = || {
            let values = question.dimensions.iter().zip(key.values());
            Ok(values.map(|(dimension, value)| dimension.text_of(value)).collect())
        };
        top.offer(rank, totals, values)?;
    }
    let group = |(values, totals): (_, GroupTotals)| Group {
        values,
        log_count: totals.log_count,
        error_count: totals.error_count,
        last_seen_us: totals.last_seen_us,
    };
    let groups = top.into_ranked().map(group).collect();
    Ok(Groups { groups, total_groups: table.len() as u64, total_logs })
}

/// The same by a plan of DataFusion, of which groups that do not fit into memory are written to disk.
async fn spilled_groups(
    session: &QuerySession,
    condition: &Expr,
    question: &GroupsQuestion<'_>,
) -> DataFusionResult<Groups> {
    let GroupsQuestion { range, dimensions, order, limit } = *question;
    let condition = in_range(range).and(condition.clone());
    let mut top = Top::new(limit.get(), session.reserve("groups"));
    let mut answer = Groups::default();
    let mut batches = session.execute(grouped(session, condition, dimensions)?).await?;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        let log_counts = totals::<Int64Type>(&batch, LOG_COUNT)?;
        let error_counts = totals::<Int64Type>(&batch, ERROR_COUNT)?;
        let last_seen = totals::<TimestampMicrosecondType>(&batch, LAST_SEEN)?;
        let ranks = match order {
            GroupOrder::LogCount => log_counts.values(),
            GroupOrder::ErrorCount => error_counts.values(),
            GroupOrder::LastSeen => last_seen.values(),
        };
        answer.total_groups += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let totals = (log_counts.value(row), error_counts.value(row), last_seen.value(row));
            answer.total_logs += totals.0.unsigned_abs();
            let values =
                || batch.columns()[..dimensions.len()].iter().map(|column| text_at(column, row)).collect();
            top.offer(ranks[row], totals, values)?;
        }
    }
    let group = |(values, (log_count, error_count, last_seen_us)): (_, (i64, i64, i64))| Group {
        values,
        log_count: log_count.unsigned_abs(),
        error_count: error_count.unsigned_abs(),
        last_seen_us,
    };
    answer.groups = top.into_ranked().map(group).collect();
    Ok(answer)
}

const LOG_COUNT: &str = "log_count";
const ERROR_COUNT: &str = "error_count";
const LAST_SEEN: &str = "last_seen";

/// One row per group: its values, then its totals.
fn grouped(session: &QuerySession, condition: Expr, dimensions: &[Dimension]) -> DataFusionResult<DataFrame> {
    // Names of our own, because keys may be named like columns.
    let names: Vec<String> = (0..dimensions.len()).map(|index| format!("dimension_{index}")).collect();
    let named = || dimensions.iter().zip(&names);
    let mut selected: Vec<Expr> = named().map(|(dimension, name)| dimension.value().alias(name)).collect();
    selected.extend([ident(columns::TIMESTAMP), ident(columns::SEVERITY_TEXT)]);
    let present = conjunction(named().map(|(dimension, name)| dimension.is_present(ident(name))));
    let totals = vec![
        count(lit(1)).alias(LOG_COUNT),
        count(lit(1)).filter(has_severity(&ERROR_SEVERITIES)).build()?.alias(ERROR_COUNT),
        max(ident(columns::TIMESTAMP)).alias(LAST_SEEN),
    ];
    session
        .rows_where(condition)?
        .select(selected)?
        .filter(present.unwrap_or_else(|| lit(true)))?
        .aggregate(names.iter().map(ident).collect(), totals)
}

/// A column of totals by its name.
pub(super) fn totals<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> DataFusionResult<&'a PrimitiveArray<T>> {
    match batch.column_by_name(name).and_then(|column| column.as_primitive_opt()) {
        Some(totals) => Ok(totals),
        None => internal_err!("the total {name} is not of the type it should be"),
    }
}
