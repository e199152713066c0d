//! The scan of files and segments some of whose rows have expired.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::projection::ProjectionExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::projection::ProjectionExec;

use super::file_columns::looked_up;
use crate::retention::RetentionCutoff;

/// The columns of `projection`, all when absent, of the rows that have not expired. `scan` reads columns of
/// `schema`, the stored one.
pub(super) fn unexpired_rows(
    state: &dyn Session,
    schema: &SchemaRef,
    cutoff: &RetentionCutoff,
    projection: Option<&Vec<usize>>,
    scan: impl FnOnce(&Vec<usize>) -> Result<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let asked = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
    let num_asked = asked.len();
    let Lifted { condition, lookups } = lift_lookups(cutoff.keep_expression()?)?;

    // What the condition reads comes after what was asked for.
    let mut kept = asked;
    for column in
        columns_of(&condition).filter(|column| lookups.iter().all(|lookup| lookup.alias != column.name()))
    {
        add(&mut kept, schema.index_of(column.name())?);
    }
    let mut read = kept.clone();
    for column in lookups.iter().flat_map(|lookup| columns_of(&lookup.expr)) {
        add(&mut read, schema.index_of(column.name())?);
    }
    let mut input = scan(&read)?;
    if !lookups.is_empty() {
        input = with_lookups(input, kept.len(), lookups)?;
    }
    let condition = reassign_expr_columns(condition, &input.schema())?;
    let filter = FilterExecBuilder::new(condition, input)
        .apply_projection(Some((0..num_asked).collect()))?
        .with_batch_size(state.config().batch_size())
        .build()?;
    Ok(Arc::new(filter))
}

/// In a fixed order, so that equal questions have equal plans.
fn columns_of(expr: &Arc<dyn PhysicalExpr>) -> impl Iterator<Item = Column> {
    let mut columns: Vec<Column> = collect_columns(expr).into_iter().collect();
    columns.sort_by_key(Column::index);
    columns.into_iter()
}

fn add(columns: &mut Vec<usize>, column: usize) {
    if !columns.contains(&column) {
        columns.push(column);
    }
}

/// A condition whose attributes are columns.
struct Lifted {
    condition: Arc<dyn PhysicalExpr>,
    lookups: Vec<ProjectionExpr>,
}

/// Takes the look-ups of attributes out of a condition: below the filter they become part of the scan, which can
/// read the one column of a promoted key in place of the whole map.
fn lift_lookups(condition: Arc<dyn PhysicalExpr>) -> Result<Lifted> {
    let mut lookups: Vec<ProjectionExpr> = Vec::new();
    let condition = condition.transform_down(|expr| {
        if looked_up(&expr).is_none() {
            return Ok(Transformed::no(expr));
        }
        let known = lookups.iter().position(|lookup| lookup.expr.eq(&expr));
        let place = known.unwrap_or(lookups.len());
        if known.is_none() {
            lookups.push(ProjectionExpr { expr, alias: format!("_lookup_{place}") });
        }
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&lookups[place].alias, place));
        Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
    });
    Ok(Lifted { condition: condition.data()?, lookups })
}

/// The first columns of a scan, then look-ups.
fn with_lookups(
    scan: Arc<dyn ExecutionPlan>,
    num_kept: usize,
    lookups: Vec<ProjectionExpr>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = scan.schema();
    let mut columns: Vec<ProjectionExpr> = Vec::with_capacity(num_kept + lookups.len());
    for (index, field) in schema.fields().iter().take(num_kept).enumerate() {
        columns.push(ProjectionExpr {
            expr: Arc::new(Column::new(field.name(), index)),
            alias: field.name().clone(),
        });
    }
    for ProjectionExpr { expr, alias } in lookups {
        columns.push(ProjectionExpr { expr: reassign_expr_columns(expr, &schema)?, alias });
    }
    let projection = ProjectionExec::try_new(columns, Arc::clone(&scan))?;
    let in_scan = scan.try_swapping_with_projection(&projection)?;
    Ok(in_scan.unwrap_or_else(|| Arc::new(projection)))
}
