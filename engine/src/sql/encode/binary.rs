//! Answers as an Arrow IPC stream and as a Parquet file.

use std::mem;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{Encoder, cannot_write};
use crate::error::{Error, Result};

/// Memory of a row group while it is made.
const ROW_GROUP_BYTES: usize = 16 << 20;
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// An Arrow IPC stream.
pub(super) struct ArrowStream {
    writer: StreamWriter<Vec<u8>>,
}

impl ArrowStream {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), schema).map_err(cannot_write)? })
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.get_mut());
    }
}

impl Encoder for ArrowStream {
    /// Texts of a batch share their bytes: cut up, each part would bring all of them.
    fn slice_rows(&self) -> Option<usize> {
        None
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.take(out);
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        self.writer.write(rows).map_err(cannot_write)?;
        self.take(out);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.writer.finish().map_err(cannot_write)?;
        self.take(out);
        Ok(())
    }

    fn failed(&mut self, _error: &Error, _out: &mut Vec<u8>) {}
}

/// A Parquet file. Its writer is gone once its end is written.
pub(super) struct ParquetFile {
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ParquetFile {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(schema), Some(properties));
        Ok(Self { writer: Some(writer.map_err(cannot_write)?) })
    }
}

impl Encoder for ParquetFile {
    fn slice_rows(&self) -> Option<usize> {
        None
    }

    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, rows: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.write(rows).map_err(cannot_write)?;
        if writer.memory_size() >= ROW_GROUP_BYTES {
            writer.flush().map_err(cannot_write)?;
        }
        out.append(&mut mem::take(writer.inner_mut()));
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if let Some(writer) = self.writer.take() {
            out.append(&mut writer.into_inner().map_err(cannot_write)?);
        }
        Ok(())
    }

    fn failed(&mut self, _error: &Error, _out: &mut Vec<u8>) {}
}
