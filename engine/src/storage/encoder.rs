//! The bytes of a data file.
//!
//! A file is encoded slice by slice, and its bytes can be taken while it grows, so that memory does not grow with the
//! file. The first slice decides how the promoted columns are encoded.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use object_store::path::Path;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use super::block_checksums::BlockHasher;
use super::checksums::{PagesChecksum, metadata_placeholder, seal_metadata};
use super::encoding::{Effort, writer_properties};
use super::file_origin::FileOrigin;
use super::layout::to_file_columns;
use super::{DataFile, Promotion};
use crate::error::{Error, Result};
use crate::limits::SLICES_PER_ROW_GROUP;
use crate::schema::{Dataset, columns};

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

impl EncodedFacts {
    /// The file as the catalog knows it.
    pub(crate) fn data_file(&self, id: Uuid, level: u32, path: Path, sidecar_bytes: u64) -> DataFile {
        DataFile {
            id,
            path,
            level,
            min_timestamp_us: self.min_timestamp_us,
            max_timestamp_us: self.max_timestamp_us,
            min_ingested_us: self.min_ingested_us,
            max_ingested_us: self.max_ingested_us,
            num_rows: self.num_rows,
            size_bytes: self.size_bytes,
            metadata_bytes: self.metadata_bytes,
            sidecar_bytes,
        }
    }
}

/// Encodes one data file.
pub(crate) struct DataFileEncoder {
    /// Made with the first slice.
    writer: Option<ArrowWriter<Vec<u8>>>,
    dataset: Dataset,
    promotion: Promotion,
    effort: Effort,
    timestamps: Bounds,
    ingested: Bounds,
    num_rows: u64,
    slices_in_row_group: usize,
    /// Of the bytes that have been taken.
    pages: Xxh3,
    blocks: BlockHasher,
}

impl DataFileEncoder {
    pub(crate) fn new(dataset: Dataset, promotion: Promotion, effort: Effort) -> Self {
        let (timestamps, ingested) = (Bounds::default(), Bounds::default());
        Self {
            writer: None,
            dataset,
            promotion,
            effort,
            timestamps,
            ingested,
            num_rows: 0,
            slices_in_row_group: 0,
            pages: Xxh3::new(),
            blocks: BlockHasher::default(),
        }
    }

    /// Adds whole rows, a slice in the order of the file. Takes CPU time in proportion to them.
    pub(crate) fn write_slice(&mut self, rows: &RecordBatch) -> Result<()> {
        self.timestamps.add(rows, columns::TIMESTAMP)?;
        self.ingested.add(rows, columns::INGESTED_TIMESTAMP)?;
        self.num_rows += rows.num_rows() as u64;
        let columns = to_file_columns(self.dataset, rows, &self.promotion)?;
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let properties = writer_properties(&columns, self.effort)?;
                let writer = ArrowWriter::try_new(Vec::new(), columns.schema(), Some(properties));
                none.insert(writer.map_err(cannot_encode)?)
            }
        };
        writer.write(&columns).map_err(cannot_encode)?;
        self.slices_in_row_group += 1;
        if self.slices_in_row_group == SLICES_PER_ROW_GROUP {
            self.slices_in_row_group = 0;
            writer.flush().map_err(cannot_encode)?;
        }
        Ok(())
    }

    /// Bytes of the file so far, those that are being gathered for the next row group included.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| (writer.bytes_written() + writer.in_progress_size()) as u64)
    }

    /// Takes the bytes that have been added since the last time.
    pub(crate) fn take_bytes(&mut self) -> Bytes {
        let bytes = self.writer.as_mut().map(|writer| std::mem::take(writer.inner_mut())).unwrap_or_default();
        self.add_pages(&bytes);
        bytes.into()
    }

    fn add_pages(&mut self, bytes: &[u8]) {
        self.pages.update(bytes);
        self.blocks.update(bytes);
    }

    /// Ends the file with its footer, which says where the rows come from. Returns the bytes that have not been
    /// taken.
    pub(crate) fn finish(mut self, origin: &FileOrigin) -> Result<(Bytes, EncodedFacts)> {
        let Some(mut writer) = self.writer.take() else {
            return Err(Error::internal("a data file without rows"));
        };
        writer.flush().map_err(cannot_encode)?;
        writer.sync().map_err(|error| cannot_encode(error.into()))?;
        let mut bytes = std::mem::take(writer.inner_mut());
        self.add_pages(&bytes);
        // What follows is metadata.
        let pages = PagesChecksum { num_bytes: writer.bytes_written() as u64, xxh3: self.pages.digest() };
        let blocks = std::mem::take(&mut self.blocks);
        let checksums = [pages.footer(), blocks.footer(), metadata_placeholder()];
        for entry in origin.footer().into_iter().chain(checksums) {
            writer.append_key_value_metadata(entry);
        }
        let metadata = writer.finish().map_err(cannot_encode)?;
        let pages_end = bytes.len();
        bytes.extend_from_slice(&std::mem::take(writer.inner_mut()));
        seal_metadata(&mut bytes[pages_end..])?;
        let size_bytes = writer.bytes_written() as u64;
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
            metadata_bytes: size_bytes - metadata_start(&metadata, size_bytes),
        };
        Ok((bytes.into(), facts))
    }
}

/// Where the page indexes begin: behind the last page. The footer follows them.
pub(super) fn metadata_start(metadata: &ParquetMetaData, size_bytes: u64) -> u64 {
    let columns = metadata.row_groups().iter().flat_map(|row_group| row_group.columns());
    let ends = columns.map(|column| {
        let (start, length) = column.byte_range();
        start + length
    });
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

fn cannot_encode(error: ParquetError) -> Error {
    Error::internal("cannot encode a data file").with_source(error)
}
