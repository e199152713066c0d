//! A condition over whole rows as it is tested on the columns of a file, and of rows in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, exec_err};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory;
use datafusion::prelude::Expr;

use super::super::file_columns::FileColumnsFactory;
use super::super::filter::tests_each_value_once;
use super::super::session::QuerySession;
use super::open_file::OpenFile;
use super::reader::SliceReader;
use crate::schema::{activity, columns};
use crate::storage::MAP_COLUMNS;

/// A condition over whole rows: parts that must all hold, those that read little first.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// Of whole rows.
    schema: SchemaRef,
    parts: Vec<Arc<dyn PhysicalExpr>>,
}

impl Condition {
    pub(super) fn new(session: &QuerySession, condition: &Expr) -> Result<Self> {
        let schema = session.table.snapshot().table.dataset().schema();
        let described = DFSchema::try_from(Arc::clone(&schema))?;
        let mut parts: Vec<&Expr> = split_conjunction(condition);
        parts.sort_by_key(|part| weight(part));
        let session = &session.session;
        let parts = parts.into_iter().map(|part| session.create_physical_expr(part.clone(), &described));
        let parts = parts.collect::<Result<_>>()?;
        Ok(Self { schema, parts })
    }

    /// Which rows in memory meet it.
    pub(super) fn test_whole_rows(&self, rows: &RecordBatch) -> Result<BooleanArray> {
        let mut met = BooleanArray::from(vec![true; rows.num_rows()]);
        for part in &self.parts {
            met = arrow::compute::and(&met, &truth(part.as_ref(), rows)?)?;
        }
        Ok(met)
    }

    /// As it is tested on a file's columns.
    pub(super) fn of_file(&self, open: &OpenFile) -> Result<FileCondition> {
        let adapter = FileColumnsFactory.create(Arc::clone(&self.schema), Arc::clone(&open.schema))?;
        let parts = self.parts.iter().map(|part| {
            let expr = adapter.rewrite(Arc::clone(part))?;
            FilePart::new(expr, open.decoded_schema())
        });
        Ok(FileCondition { parts: parts.collect::<Result<_>>()? })
    }
}

/// How much a part of a condition reads, more or less.
fn weight(part: &Expr) -> usize {
    let weight = |name: &str| match name {
        columns::TIMESTAMP | columns::SERVICE_NAME | columns::SEVERITY_TEXT | columns::SEVERITY_NUMBER => 1,
        columns::BODY | activity::DETAIL => 8,
        _ if MAP_COLUMNS.contains(&name) => 2,
        _ => 3,
    };
    part.column_refs().iter().map(|column| weight(&column.name)).sum()
}

/// A condition on the columns of one file.
#[derive(Clone, Debug)]
pub(super) struct FileCondition {
    parts: Vec<FilePart>,
}

/// An expression over some columns of a file.
#[derive(Clone, Debug)]
pub(super) struct FilePart {
    /// Over the columns below, in their order.
    expr: Arc<dyn PhysicalExpr>,
    /// Of the file, rising.
    columns: Vec<usize>,
}

/// A part that is to be tested on less than one row in so many reads these alone.
const FEW_OF: usize = 4;

impl FileCondition {
    /// The rows of a slice that meet it, rising; `candidates` are all that can, none for any.
    pub(super) async fn rows_of(
        &self,
        reader: &SliceReader,
        open: &OpenFile,
        slice: usize,
        candidates: Option<Vec<u32>>,
    ) -> Result<Vec<u32>> {
        let num_rows = open.slices[slice].rows.len();
        reader.add_rows(candidates.as_ref().map_or(num_rows, Vec::len));
        let mut rows = candidates;
        for part in &self.parts {
            if rows.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
            rows = Some(match rows {
                Some(rows) if rows.len() < num_rows / FEW_OF && !part.columns.is_empty() => {
                    let batch = reader.some_rows(open, slice, &rows, &part.columns).await?;
                    let met = truth(part.expr.as_ref(), &batch)?;
                    rows.into_iter().zip(met.values()).filter(|(_, met)| *met).map(|(row, _)| row).collect()
                }
                rows => {
                    let batch = reader.columns(open, slice, &part.columns).await?;
                    let met = truth(part.expr.as_ref(), &batch)?;
                    match rows {
                        Some(rows) => rows.into_iter().filter(|row| met.value(*row as usize)).collect(),
                        None => met.values().set_indices_u32().collect(),
                    }
                }
            });
        }
        Ok(rows.unwrap_or_else(|| (0..num_rows as u32).collect()))
    }
}

impl FilePart {
    fn new(expr: Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> Result<Self> {
        Self::over(with_texts(expr, decoded)?, decoded)
    }

    /// Of a value, which keeps its dictionary when it is a column.
    pub(super) fn value(expr: Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> Result<Self> {
        if expr.is::<Column>() { Self::over(expr, decoded) } else { Self::new(expr, decoded) }
    }

    /// The columns of the file that it reads, rising.
    pub(super) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// Its value for rows of these columns.
    pub(super) fn evaluate(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        self.expr.evaluate(rows)?.into_array(rows.num_rows())
    }

    fn over(expr: Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(&expr).iter().map(Column::index).collect();
        columns.sort_unstable();
        let read = Arc::new(decoded.project(&columns)?);
        Ok(Self { expr: reassign_expr_columns(expr, &read)?, columns })
    }
}

/// Only tests of single values know what to do with a dictionary; everything else is given the texts.
fn with_texts(expr: Arc<dyn PhysicalExpr>, decoded: &SchemaRef) -> Result<Arc<dyn PhysicalExpr>> {
    let rewritten = expr.transform_down(|expr| {
        if let Some(call) = expr.downcast_ref::<ScalarFunctionExpr>()
            && tests_each_value_once(call.fun())
            && call.args().iter().all(|argument| argument.is::<Column>())
        {
            return Ok(Transformed::new(expr, false, TreeNodeRecursion::Jump));
        }
        let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
        let is_promoted = crate::storage::parse_column_name(column.name()).is_some();
        if !is_promoted || *decoded.field(column.index()).data_type() == DataType::Utf8 {
            return Ok(Transformed::no(expr));
        }
        let texts: Arc<dyn PhysicalExpr> = Arc::new(CastExpr::new(expr, DataType::Utf8, None));
        Ok(Transformed::new(texts, true, TreeNodeRecursion::Jump))
    });
    rewritten.data()
}

/// For which rows an expression is true; a condition that is null is not met.
fn truth(expr: &dyn PhysicalExpr, rows: &RecordBatch) -> Result<BooleanArray> {
    let tested = expr.evaluate(rows)?.into_array(rows.num_rows())?;
    let Some(tested) = tested.as_boolean_opt() else {
        return exec_err!("a condition is {} and not a truth value", tested.data_type());
    };
    Ok(match tested.nulls() {
        Some(nulls) => BooleanArray::new(tested.values() & nulls.inner(), None),
        None => tested.clone(),
    })
}
