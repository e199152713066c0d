//! A condition over whole rows as it is tested on the columns of a file, and of rows in memory.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Int32Type, SchemaRef};
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
use super::met_rows::MetRows;
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
    /// Whether the columns are long, so that they are read for the rows alone that are still in question.
    is_long: bool,
}

/// A part over long columns that is to be tested on less than one row in so many looks at these alone.
const FEW_OF: usize = 4;

impl FileCondition {
    /// The rows of a slice that meet it; `candidates` are all that can, none for any.
    pub(super) async fn rows_of(
        &self,
        reader: &SliceReader,
        open: &OpenFile,
        slice: usize,
        candidates: Option<Vec<u32>>,
    ) -> Result<MetRows> {
        let num_rows = open.slices[slice].rows.len();
        let mut met = candidates.map_or(MetRows::All(num_rows), MetRows::List);
        reader.add_rows(met.len());
        for part in &self.parts {
            if met.is_empty() {
                break;
            }
            met = if part.is_long && met.len() < num_rows / FEW_OF {
                let rows = met.into_rows();
                let batch = reader.few_rows(open, slice, &rows, &part.columns).await?;
                let truth = part.truth(&batch)?;
                MetRows::List(
                    rows.into_iter().zip(&truth).filter(|(_, met)| *met).map(|(row, _)| row).collect(),
                )
            } else {
                met.and(part.truth(&reader.columns(open, slice, &part.columns).await?)?)
            };
        }
        Ok(met)
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
        let is_long = read.fields().iter().any(|field| {
            let name = field.name().as_str();
            matches!(name, columns::BODY | activity::DETAIL) || MAP_COLUMNS.contains(&name)
        });
        Ok(Self { expr: reassign_expr_columns(expr, &read)?, columns, is_long })
    }

    /// For which rows of these columns it is true; a condition that is null is not met.
    fn truth(&self, rows: &RecordBatch) -> Result<BooleanBuffer> {
        if let [column] = rows.columns()
            && let Some(dictionary) = column.as_dictionary_opt::<Int32Type>()
            && dictionary.values().len() < rows.num_rows()
        {
            return self.truth_by_value(&rows.schema(), dictionary);
        }
        Ok(truth(self.expr.as_ref(), rows)?.values().clone())
    }

    /// The same of texts with a dictionary: each value is tested once, and rows have what their value has.
    fn truth_by_value(&self, schema: &SchemaRef, rows: &DictionaryArray<Int32Type>) -> Result<BooleanBuffer> {
        let values = rows.values();
        let null = schema.field(0).is_nullable().then_some(None);
        let each: Int32Array = (0..values.len() as i32).map(Some).chain(null).collect();
        let each = DictionaryArray::try_new(each, Arc::clone(values))?;
        let tested =
            truth(self.expr.as_ref(), &RecordBatch::try_new(Arc::clone(schema), vec![Arc::new(each)])?)?;
        let met: Vec<bool> = tested.values().iter().collect();
        let (met, of_null) = (&met[..values.len()], met.get(values.len()).copied().unwrap_or(false));
        let mut places = met.iter().enumerate().filter(|(_, met)| **met).map(|(place, _)| place);
        let bits = match (places.next(), places.next()) {
            (None, _) => BooleanBuffer::new_unset(rows.len()),
            (Some(place), None) => eq(rows.keys(), &Int32Array::new_scalar(place as i32))?.values().clone(),
            _ => {
                let codes = rows.keys().values();
                let is_met = |row: usize| met.get(codes[row] as usize).copied().unwrap_or(false);
                BooleanBuffer::collect_bool(rows.len(), is_met)
            }
        };
        Ok(match rows.keys().nulls() {
            Some(nulls) if of_null => &bits | &!nulls.inner(),
            Some(nulls) => &bits & nulls.inner(),
            None => bits,
        })
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
