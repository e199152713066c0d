//! Expressions over whole rows as they are computed from the columns of a file, and of rows in memory.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take;
use datafusion::common::{DFSchema, Result};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_adapter::PhysicalExprAdapterFactory;
use datafusion::prelude::{Expr, SessionContext};

use super::super::file_columns::FileColumnsFactory;
use super::condition::FilePart;
use super::open_file::OpenFile;
use super::reader::SliceReader;
use crate::schema::logs_schema;

/// Expressions over whole rows.
#[derive(Clone, Debug)]
pub(super) struct Projection {
    parts: Vec<Arc<dyn PhysicalExpr>>,
}

impl Projection {
    pub(super) fn new(session: &SessionContext, wanted: &[Expr]) -> Result<Self> {
        let described = DFSchema::try_from(logs_schema())?;
        let parts = wanted.iter().map(|part| session.create_physical_expr(part.clone(), &described));
        Ok(Self { parts: parts.collect::<Result<_>>()? })
    }

    /// Of some rows in memory.
    pub(super) fn of_whole_rows(&self, batch: &RecordBatch, rows: Vec<u32>) -> Result<Vec<ArrayRef>> {
        let rows = UInt32Array::from(rows);
        let values = self.parts.iter().map(|part| {
            let value = part.evaluate(batch)?.into_array(batch.num_rows())?;
            Ok(take(&value, &rows, None)?)
        });
        values.collect()
    }

    /// As they are computed from a file's columns. A text that is a column of the file is left as it is decoded, with
    /// its dictionary.
    pub(super) fn of_file(&self, open: &OpenFile) -> Result<FileProjection> {
        let adapter = FileColumnsFactory.create(logs_schema(), Arc::clone(&open.schema))?;
        let parts = self.parts.iter().map(|part| {
            let expr = adapter.rewrite(Arc::clone(part))?;
            FilePart::value(expr, open.decoded_schema())
        });
        Ok(FileProjection { parts: parts.collect::<Result<_>>()? })
    }
}

/// Expressions over the columns of one file.
#[derive(Clone, Debug)]
pub(super) struct FileProjection {
    parts: Vec<FilePart>,
}

impl FileProjection {
    /// Of some rows of a slice, which rise.
    pub(super) async fn of_rows(
        &self,
        reader: &SliceReader,
        open: &OpenFile,
        slice: usize,
        rows: &[u32],
    ) -> Result<Vec<ArrayRef>> {
        let num_rows = open.slices[slice].rows.len();
        let mut values = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let batch = match rows.len() == num_rows {
                true => reader.columns(open, slice, part.columns()).await?,
                false => reader.rows(open, slice, rows, part.columns()).await?,
            };
            values.push(part.evaluate(&batch)?);
        }
        Ok(values)
    }
}
