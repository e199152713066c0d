//! Counting rows.

use datafusion::error::DataFusionError;
use datafusion::prelude::Expr;

use super::filter::in_range;
use super::session::QuerySession;
use super::time_range::TimeRange;

/// How many rows of `range` meet the condition.
pub(super) async fn count(
    session: &QuerySession,
    filter: Expr,
    range: TimeRange,
) -> Result<u64, DataFusionError> {
    if range.is_empty() {
        return Ok(0);
    }
    let num_rows = session.rows_where(in_range(range).and(filter))?.count().await?;
    Ok(num_rows as u64)
}
