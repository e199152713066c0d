//! An export as a Parquet file.

use std::mem;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use datafusion::common::Result as DataFusionResult;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::stream::Pieces;
use crate::error::{Error, Result};
use crate::schema::{columns, logs_schema};

/// The columns that a Parquet export can have, as they are stored.
pub const PARQUET_COLUMNS: [&str; 15] = [
    columns::TIMESTAMP,
    columns::OBSERVED_TIMESTAMP,
    columns::UUID,
    columns::TRACE_ID,
    columns::SPAN_ID,
    columns::TRACE_FLAGS,
    columns::SEVERITY_TEXT,
    columns::SEVERITY_NUMBER,
    columns::SERVICE_NAME,
    columns::BODY,
    columns::ATTRIBUTES,
    columns::RESOURCE_ATTRIBUTES,
    columns::RESOURCE_FINGERPRINT,
    columns::INSTRUMENTATION_SCOPE,
    columns::EVENT_NAME,
];

/// Memory of a row group while it is made: what one export holds beside its sort.
const ROW_GROUP_BYTES: usize = 32 << 20;
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// A piece is handed on from this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Writes rows into a file whose beginning has gone already.
pub(super) struct ParquetPieces {
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetPieces {
    pub(super) fn new(names: &[String]) -> Result<Self> {
        let stored = logs_schema();
        let field = |name: &String| stored.field_with_name(name).cloned();
        let fields: Vec<Field> = names.iter().map(field).collect::<Result<_, _>>().map_err(cannot_write)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::new(Schema::new(fields)), Some(properties));
        Ok(Self { writer: writer.map_err(cannot_write)? })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<Option<Bytes>, ParquetError> {
        self.writer.write(rows)?;
        if self.writer.memory_size() >= ROW_GROUP_BYTES {
            self.writer.flush()?;
        }
        let written = self.writer.inner_mut();
        Ok((written.len() >= PIECE_BYTES).then(|| mem::take(written).into()))
    }
}

impl Pieces for ParquetPieces {
    type Piece = Bytes;

    fn take(&mut self, rows: &RecordBatch) -> DataFusionResult<Vec<Bytes>> {
        Ok(self.write(rows)?.into_iter().collect())
    }

    fn finish(self) -> DataFusionResult<Option<Bytes>> {
        Ok(Some(self.writer.into_inner()?.into()))
    }
}

fn cannot_write(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("cannot begin a Parquet file").with_source(error)
}
