//! Counting rows.

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn;
use datafusion::prelude::{Expr, lit};

use super::planner::{CellQuestion, GroupBy, answer_from_cells};
use super::session::QuerySession;
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
    if let Some(rows) = rest.rows_where(session, &condition)? {
        let counted = session.collect(rows.aggregate(vec![], vec![expr_fn::count(lit(1))])?).await?;
        for batch in &counted.batches {
            num_rows +=
                batch.column(0).as_primitive::<Int64Type>().iter().flatten().sum::<i64>().unsigned_abs();
        }
    }
    Ok(num_rows)
}
