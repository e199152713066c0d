//! Rows per time bucket, service and severity: what many questions about these have in common.

use std::collections::BTreeMap;

use datafusion::common::Result as DataFusionResult;
use datafusion::error::DataFusionError;
use datafusion::prelude::Expr;

use super::context::QueryContext;
use super::interval::Interval;
use super::model::LogFilter;
use super::planner::{CellQuestion, CellTotal, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind, Result};

/// Most cells of one answer.
const MAX_CELLS: usize = 500_000;
/// What a cell without its texts takes up, generously.
const CELL_BYTES: usize = 160;

/// The rows of one time bucket, service and severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellCount {
    /// Where the bucket begins, microseconds; perhaps before the range does.
    pub start_us: i64,
    /// The service; empty for rows without one.
    pub service_name: String,
    /// The severity's name.
    pub severity: String,
    /// Number of rows, at least 1.
    pub count: u64,
}

impl QueryContext {
    /// How many rows of `range` pass the filter, per bucket of so many minutes since the epoch in UTC, per service and
    /// severity: the cells that have rows, in the order of time. Conditions on services and severities alone are
    /// answered from sidecars, as by [`Self::count`].
    ///
    /// # Errors
    /// `InvalidRequest` for a width of zero, `LimitExceeded` for more than 500,000 cells, and as [`Self::count`].
    pub async fn count_cells(
        &self,
        snapshot: &Snapshot,
        filter: &LogFilter,
        range: TimeRange,
        minutes: u32,
    ) -> Result<Vec<CellCount>> {
        if minutes == 0 {
            return Err(Error::invalid_request("a bucket of no minutes has no rows"));
        }
        let interval = Interval::of_minutes(minutes);
        let work =
            move |session, filter| async move { count_cells(&session, filter, range, &interval).await };
        self.run(snapshot, filter, work).await
    }
}

/// Time, service and severity.
type Cell = (i64, String, String);

async fn count_cells(
    session: &QuerySession,
    condition: Expr,
    range: TimeRange,
    interval: &Interval,
) -> DataFusionResult<Vec<CellCount>> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let reservation = session.reserve("cells");
    let mut cells: BTreeMap<Cell, u64> = BTreeMap::new();
    let mut add = |cell: Cell, num_rows: u64| {
        if let Some(count) = cells.get_mut(&cell) {
            *count += num_rows;
            return Ok(());
        }
        if cells.len() == MAX_CELLS {
            let message = format!("more than {MAX_CELLS} services, severities and minutes together");
            let error = Error::new(ErrorKind::LimitExceeded, message);
            return Err(DataFusionError::External(Box::new(error)));
        }
        reservation.try_grow(CELL_BYTES + cell.1.len() + cell.2.len())?;
        cells.insert(cell, num_rows);
        Ok(())
    };
    let group_by = GroupBy::ServiceAndSeverity;
    let question = CellQuestion { condition: &condition, range, interval: Some(interval), group_by };
    let mut add_total = |total: &CellTotal<'_>| {
        add((total.bucket_us, total.service.to_owned(), total.severity.to_owned()), total.num_rows)
    };
    let rest = answer_from_cells(session, &question, &mut add_total).await?;
    rest.visit_cells(session, &question, &mut add_total).await?;
    let cell =
        |((start_us, service_name, severity), count)| CellCount { start_us, service_name, severity, count };
    Ok(cells.into_iter().map(cell).collect())
}
