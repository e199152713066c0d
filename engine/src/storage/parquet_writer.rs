//! The bytes of a data file: layout version 0.

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use super::{LAYOUT_VERSION, PlannedFile};
use crate::error::{Error, Result};
use crate::limits::{ROW_GROUP_ROWS, WRITE_BATCH_ROWS};
use crate::schema::{TableId, columns, logs_schema};

/// zstd's default level: higher ones cost more write time than they save bytes.
const ZSTD_LEVEL: i32 = 3;

/// Where a file's rows come from; written into its footer, so that a catalog can be rebuilt from files alone.
#[derive(Clone, Debug)]
pub(crate) struct FileOrigin {
    pub(crate) file_id: Uuid,
    pub(crate) table: TableId,
    pub(crate) writer: Uuid,
    pub(crate) epoch: u64,
    /// The batches of the table that the flush took, of which this file holds a part.
    pub(crate) first_sequence: u64,
    /// Inclusive.
    pub(crate) last_sequence: u64,
}

impl FileOrigin {
    fn footer(&self) -> Vec<KeyValue> {
        let entry = |key: &str, value: String| KeyValue::new(format!("timberline.{key}"), value);
        vec![
            entry("layout_version", LAYOUT_VERSION.to_string()),
            entry("file_id", self.file_id.to_string()),
            entry("table", self.table.to_string()),
            entry("writer", self.writer.to_string()),
            entry("epoch", self.epoch.to_string()),
            entry("first_sequence", self.first_sequence.to_string()),
            entry("last_sequence", self.last_sequence.to_string()),
        ]
    }
}

/// Encodes the planned rows of some segments as one file. Takes CPU time in proportion to the rows, and memory
/// for the encoded file.
pub(crate) fn encode_data_file(
    segments: &[&RecordBatch],
    plan: &PlannedFile,
    origin: &FileOrigin,
) -> Result<Bytes> {
    let properties = writer_properties(origin)?;
    let mut writer =
        ArrowWriter::try_new(Vec::new(), logs_schema(), Some(properties)).map_err(cannot_encode)?;
    for rows in plan.rows.chunks(WRITE_BATCH_ROWS) {
        let batch = interleave_record_batch(segments, rows)
            .map_err(|error| Error::internal("cannot gather rows for a data file").with_source(error))?;
        writer.write(&batch).map_err(cannot_encode)?;
    }
    writer.into_inner().map(Bytes::from).map_err(cannot_encode)
}

fn writer_properties(origin: &FileOrigin) -> Result<WriterProperties> {
    let zstd = ZstdLevel::try_new(ZSTD_LEVEL).map_err(cannot_encode)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_key_value_metadata(Some(origin.footer()));
    for time in [columns::TIMESTAMP, columns::OBSERVED_TIMESTAMP, columns::INGESTED_TIMESTAMP] {
        properties = without_dictionary(properties, time, Encoding::DELTA_BINARY_PACKED);
    }
    // Row ids rise within a batch, so that each shares most of its bytes with the one before.
    properties = without_dictionary(properties, columns::UUID, Encoding::DELTA_BYTE_ARRAY);
    for unique in [columns::TRACE_ID, columns::SPAN_ID, columns::BODY] {
        properties = without_dictionary(properties, unique, Encoding::PLAIN);
    }
    // Bounds of long text prune nothing and cost bytes in each footer.
    properties =
        properties.set_column_statistics_enabled(ColumnPath::from(columns::BODY), EnabledStatistics::None);
    Ok(properties.build())
}

fn without_dictionary(
    properties: WriterPropertiesBuilder,
    column: &str,
    encoding: Encoding,
) -> WriterPropertiesBuilder {
    let path = ColumnPath::from(column);
    properties.set_column_dictionary_enabled(path.clone(), false).set_column_encoding(path, encoding)
}

fn cannot_encode(error: parquet::errors::ParquetError) -> Error {
    Error::internal("cannot encode a data file").with_source(error)
}
