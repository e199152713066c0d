//! Pauses in plans that would otherwise run until they are done.
//!
//! A plan can only be ended where it pauses. DataFusion lets what reads pause now and then, but a join makes millions of
//! rows of few that were read, and a recursion reads nothing at all. So these pause too; and since the condition of a
//! join may be tried on millions of pairs before one row comes out, it asks each time whether the statement has to end.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, HashJoinExecBuilder, NestedLoopJoinExec, NestedLoopJoinExecBuilder,
    SortMergeJoinExec,
};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::unnest::UnnestExec;

use super::stop::Stop;

/// Puts pauses into finished plans.
#[derive(Debug)]
pub(super) struct Pauses {
    stop: Arc<Stop>,
}

impl Pauses {
    pub(super) fn new(stop: &Arc<Stop>) -> Self {
        Self { stop: Arc::clone(stop) }
    }

    fn asking(&self, filter: &JoinFilter) -> JoinFilter {
        let expression =
            Arc::new(Asking { inner: Arc::clone(filter.expression()), stop: Arc::clone(&self.stop) });
        JoinFilter::new(expression, filter.column_indices().to_vec(), Arc::clone(filter.schema()))
    }

    /// The same step with a condition that asks, if it has one, and whether it makes many rows of few.
    fn with_pauses(&self, plan: Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, bool)> {
        if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
            let Some(filter) = join.filter() else { return Ok((plan, true)) };
            let asking = NestedLoopJoinExecBuilder::from(join).with_filter(Some(self.asking(filter)));
            return Ok((Arc::new(asking.build()?), true));
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            let Some(filter) = join.filter() else { return Ok((plan, true)) };
            let asking = HashJoinExecBuilder::from(join).with_filter(Some(self.asking(filter)));
            return Ok((Arc::new(asking.build()?), true));
        }
        let is_many = plan.is::<CrossJoinExec>()
            || plan.is::<SortMergeJoinExec>()
            || plan.is::<RecursiveQueryExec>()
            || plan.is::<UnnestExec>();
        Ok((plan, is_many))
    }

    /// The plan with pauses.
    pub(super) fn put_into(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|step| {
            let (step, is_many) = self.with_pauses(step)?;
            Ok(match is_many {
                true => Transformed::yes(Arc::new(CooperativeExec::new(step)) as _),
                false => Transformed::no(step),
            })
        })
        .data()
    }
}

/// A condition that fails when the statement has to end, and is another one otherwise.
#[derive(Debug)]
struct Asking {
    inner: Arc<dyn PhysicalExpr>,
    stop: Arc<Stop>,
}

impl fmt::Display for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PartialEq for Asking {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Asking {}

impl Hash for Asking {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl PhysicalExpr for Asking {
    fn data_type(&self, input_schema: &Schema) -> Result<DataType> {
        self.inner.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        self.inner.nullable(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.stop.check()?;
        self.inner.evaluate(batch)
    }

    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input_schema)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self { inner, stop: Arc::clone(&self.stop) }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}
