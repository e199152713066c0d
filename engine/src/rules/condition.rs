//! A filter, ready to be tested on rows that are not stored yet.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::SchemaRef;
use datafusion::common::DFSchema;
use datafusion::common::cast::as_boolean_array;
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::prelude::{SessionContext, lit};

use crate::error::{Error, Result};
use crate::query::filter::{FilterContext, translate};
use crate::query::model::{FilterLeaf, FilterNode, LogFilter, Namespace};
use crate::schema::{columns, decoded_logs_schema};

/// No condition of a rule may depend on the time it is asked at.
const AT_ANY_TIME: FilterContext = FilterContext { now_us: 0 };
const AT_ANOTHER_TIME: FilterContext = FilterContext { now_us: 1_765_881_156_184_820 };

/// Makes expressions, and knows no tables.
static PLANNER: LazyLock<SessionContext> = LazyLock::new(SessionContext::new);

/// A filter, ready to be tested on rows that are not stored yet.
#[derive(Clone, Debug)]
pub(crate) struct Condition(Arc<dyn PhysicalExpr>);

impl Condition {
    /// Compiles a filter over decoded rows.
    ///
    /// Rules drop records for ever, so that nothing in them may mean more than it says: each condition must say
    /// something, the same at any time, about what a record has before it is stored.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming the condition.
    pub(crate) fn new(filter: &LogFilter) -> Result<Self> {
        filter.properties.iter().try_for_each(check_node)?;
        let condition = translate(filter, &AT_ANY_TIME)?;
        let compile = || {
            let schema = DFSchema::try_from(decoded_logs_schema())?;
            PLANNER.create_physical_expr(condition, &schema)
        };
        compile().map(Self).map_err(cannot_test)
    }

    /// The columns that it reads.
    pub(crate) fn columns(&self) -> impl Iterator<Item = String> {
        collect_columns(&self.0).into_iter().map(|column| column.name().to_owned())
    }

    /// The same over rows of another schema that has its columns.
    ///
    /// # Errors
    /// `Internal` when it has not.
    pub(crate) fn over(&self, schema: &SchemaRef) -> Result<Self> {
        reassign_expr_columns(Arc::clone(&self.0), schema).map(Self).map_err(cannot_test)
    }

    /// Which rows meet it.
    ///
    /// # Errors
    /// `Internal` when the rows have another schema.
    pub(crate) fn test(&self, rows: &RecordBatch) -> Result<BooleanBuffer> {
        let test = || {
            let tested = self.0.evaluate(rows)?.into_array(rows.num_rows())?;
            let tested = as_boolean_array(&tested)?;
            Ok(match tested.nulls() {
                Some(nulls) => tested.values() & nulls.inner(),
                None => tested.values().clone(),
            })
        };
        test().map_err(cannot_test)
    }
}

fn cannot_test(error: DataFusionError) -> Error {
    Error::internal("cannot test a rule's condition").with_source(error)
}

fn check_node(node: &FilterNode) -> Result<()> {
    match node {
        FilterNode::Leaf(leaf) => check_leaf(leaf),
        FilterNode::Group { nodes, .. } => nodes.iter().try_for_each(check_node),
    }
}

fn check_leaf(leaf: &FilterLeaf) -> Result<()> {
    let refuse = |reason: &str| Err(Error::invalid_request(format!("{}: {reason}", leaf.path)));
    let is_decided_later = [columns::UUID, columns::INGESTED_TIMESTAMP].contains(&leaf.key.as_str());
    if leaf.namespace == Namespace::Log && is_decided_later {
        return refuse("a record has no such column before it is stored");
    }
    let filter = LogFilter { properties: vec![FilterNode::Leaf(leaf.clone())], ..LogFilter::default() };
    let condition = translate(&filter, &AT_ANY_TIME)?;
    if condition == lit(true) {
        return refuse("the condition says nothing, and the rule would be for every record");
    }
    if condition != translate(&filter, &AT_ANOTHER_TIME)? {
        return refuse("a rule cannot depend on a relative date");
    }
    Ok(())
}
