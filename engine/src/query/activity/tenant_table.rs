//! What a reader may see of the audit trail, as a table.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::TableProviderFilterPushDown;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::prelude::Expr;

use super::condition::condition;
use super::model::ActivityFilter;
use crate::query::session::QuerySession;
use crate::query::table::SnapshotTable;

/// The entries of a session that a filter lets through.
///
/// # Errors
/// When the filter means nothing.
pub(crate) fn tenant_table(
    entries: &QuerySession,
    filter: &ActivityFilter,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let condition = condition(filter).map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(Arc::new(TenantTable { entries: Arc::clone(&entries.table), condition }))
}

/// Entries that meet a condition. Nothing that a statement says is asked of the others, not even to fail on them.
#[derive(Debug)]
struct TenantTable {
    entries: Arc<SnapshotTable>,
    condition: Expr,
}

impl TenantTable {
    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.entries.schema();
        let described = DFSchema::try_from(Arc::clone(&schema))?;
        let condition = state.create_physical_expr(self.condition.clone(), &described)?;
        let asked = projection.cloned().unwrap_or_else(|| (0..schema.fields().len()).collect());
        // What the condition reads comes after what was asked for.
        let mut read = asked.clone();
        let mut of_condition: Vec<usize> =
            collect_columns(&condition).iter().map(|column| column.index()).collect();
        of_condition.sort_unstable();
        for column in of_condition {
            if !read.contains(&column) {
                read.push(column);
            }
        }
        // The statement's filters leave out files by their times; no row is tested with them here.
        let input = self.entries.scan(state, Some(&read), filters, None).await?;
        let condition = reassign_expr_columns(condition, &input.schema())?;
        let filter = FilterExecBuilder::new(condition, input)
            .apply_projection(Some((0..asked.len()).collect()))?
            .with_batch_size(state.config().batch_size())
            .build()?;
        Ok(Arc::new(TenantExec { input: Arc::new(filter) }))
    }
}

impl TableProvider for TenantTable {
    fn schema(&self) -> SchemaRef {
        self.entries.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        filters: &'life3 [Expr],
        _limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
    {
        Box::pin(self.plan(state, projection, filters))
    }
}

/// Hands rows on and nothing down: conditions and expressions of a statement stay above, where the rows of others have
/// been left out. Its errors could tell what those contain.
#[derive(Debug)]
struct TenantExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for TenantExec {
    fn fmt_as(&self, _form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TenantExec")
    }
}

impl ExecutionPlan for TenantExec {
    fn name(&self) -> &str {
        "TenantExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => internal_err!("TenantExec has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
