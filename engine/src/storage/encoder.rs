//! The bytes of a data file: layout version 1.
//!
//! A file is encoded slice by slice, each a row group, and its bytes can be taken while it grows, so that memory
//! does not grow with the file.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::{Bytes, BytesMut};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use xxhash_rust::xxh3::Xxh3;

use super::file_origin::FileOrigin;
use super::{PagesChecksum, Promotion};
use crate::error::{Error, Result};
use crate::schema::columns;

/// zstd's default level: higher ones cost more write time than they save bytes.
const ZSTD_LEVEL: i32 = 3;

/// What is known of a file once it is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncodedFacts {
    pub(crate) min_timestamp_us: i64,
    pub(crate) max_timestamp_us: i64,
    pub(crate) min_ingested_us: i64,
    pub(crate) max_ingested_us: i64,
    pub(crate) num_rows: u64,
    pub(crate) size_bytes: u64,
    pub(crate) metadata_bytes: u64,
}

/// Encodes one data file.
pub(crate) struct DataFileEncoder {
    writer: ArrowWriter<Vec<u8>>,
    promotion: Promotion,
    timestamps: Bounds,
    ingested: Bounds,
    num_rows: u64,
    /// Of the bytes that have been taken.
    pages: Xxh3,
}

impl DataFileEncoder {
    pub(crate) fn new(promotion: Promotion) -> Result<Self> {
        let properties = writer_properties(&promotion)?;
        let writer =
            ArrowWriter::try_new(Vec::new(), promotion.schema(), Some(properties)).map_err(cannot_encode)?;
        let (timestamps, ingested) = (Bounds::default(), Bounds::default());
        Ok(Self { writer, promotion, timestamps, ingested, num_rows: 0, pages: Xxh3::new() })
    }

    /// Adds whole rows as the next row group. Takes CPU time in proportion to them.
    pub(crate) fn write_slice(&mut self, rows: &RecordBatch) -> Result<()> {
        self.timestamps.add(rows, columns::TIMESTAMP)?;
        self.ingested.add(rows, columns::INGESTED_TIMESTAMP)?;
        self.num_rows += rows.num_rows() as u64;
        self.writer.write(&self.promotion.split(rows)?).map_err(cannot_encode)?;
        self.writer.flush().map_err(cannot_encode)
    }

    /// Bytes of the file so far.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// Takes the bytes that have been added since the last time.
    pub(crate) fn take_bytes(&mut self) -> Bytes {
        let bytes = std::mem::take(self.writer.inner_mut());
        self.pages.update(&bytes);
        bytes.into()
    }

    /// Ends the file with its footer, which says where the rows come from. Returns the bytes that have not been
    /// taken.
    pub(crate) fn finish(mut self, origin: &FileOrigin) -> Result<(Bytes, EncodedFacts)> {
        // Every row group is written: what follows them is metadata.
        self.writer
            .sync()
            .map_err(|error| Error::internal("cannot encode a data file").with_source(error))?;
        let mut bytes = BytesMut::from(self.take_bytes());
        let pages =
            PagesChecksum { num_bytes: self.writer.bytes_written() as u64, xxh3: self.pages.digest() };
        for entry in origin.footer().into_iter().chain([pages.footer()]) {
            self.writer.append_key_value_metadata(entry);
        }
        let metadata = self.writer.finish().map_err(cannot_encode)?;
        bytes.extend_from_slice(&std::mem::take(self.writer.inner_mut()));
        let size_bytes = self.writer.bytes_written() as u64;
        let metadata_bytes = size_bytes - metadata_start(&metadata, size_bytes);
        let bounds = self.timestamps.known().zip(self.ingested.known());
        let ((min_timestamp_us, max_timestamp_us), (min_ingested_us, max_ingested_us)) =
            bounds.ok_or_else(|| Error::internal("a data file without rows"))?;
        let facts = EncodedFacts {
            min_timestamp_us,
            max_timestamp_us,
            min_ingested_us,
            max_ingested_us,
            num_rows: self.num_rows,
            size_bytes,
            metadata_bytes,
        };
        Ok((bytes.freeze(), facts))
    }
}

/// Where the page indexes begin; the footer follows them.
pub(super) fn metadata_start(metadata: &ParquetMetaData, size_bytes: u64) -> u64 {
    let columns = metadata.row_groups().iter().flat_map(|row_group| row_group.columns());
    let ends = columns.map(|column| {
        let (start, length) = column.byte_range();
        start + length
    });
    // What lies behind the last page is metadata.
    ends.max().unwrap_or(0).min(size_bytes)
}

/// The least and the greatest time of a column.
#[derive(Clone, Copy, Debug, Default)]
struct Bounds(Option<(i64, i64)>);

impl Bounds {
    fn add(&mut self, rows: &RecordBatch, column: &str) -> Result<()> {
        let times = rows
            .column_by_name(column)
            .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
        let times = times.ok_or_else(|| Error::internal(format!("rows without the time {column:?}")))?;
        if let Some((least, greatest)) = min(times).zip(max(times)) {
            let known = self.0.unwrap_or((least, greatest));
            self.0 = Some((known.0.min(least), known.1.max(greatest)));
        }
        Ok(())
    }

    fn known(self) -> Option<(i64, i64)> {
        self.0
    }
}

fn writer_properties(promotion: &Promotion) -> Result<WriterProperties> {
    let zstd = ZstdLevel::try_new(ZSTD_LEVEL).map_err(cannot_encode)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        // A slice is a row group, whatever its size.
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::Page);
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
    for column in promotion.column_names() {
        properties =
            properties.set_column_statistics_enabled(ColumnPath::from(column), EnabledStatistics::Chunk);
    }
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

fn cannot_encode(error: ParquetError) -> Error {
    Error::internal("cannot encode a data file").with_source(error)
}
