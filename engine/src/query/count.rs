//! Counting rows.

use datafusion::error::DataFusionError;
use datafusion::prelude::Expr;

use super::planner::{CellQuestion, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::slices::{Seen, Wanted};
use super::time_range::TimeRange;

/// How many rows of `range` meet the condition.
pub(super) async fn count(
    session: &QuerySession,
    condition: Expr,
    range: TimeRange,
) -> Result<u64, DataFusionError> {
    if range.is_empty() {
        return Ok(0);
    }
    let mut num_rows = 0;
    let question = CellQuestion { condition: &condition, range, interval: None, group_by: GroupBy::Nothing };
    let rest = answer_from_cells(session, &question, |total| {
        num_rows += total.num_rows;
        Ok(())
    })
    .await?;
    rest.visit_times(session, &condition, Wanted::Number, |seen| {
        num_rows += match seen {
            Seen::Times(times) => times.len() as u64,
            Seen::Number(number) => number,
        };
        Ok(())
    })
    .await?;
    Ok(num_rows)
}
