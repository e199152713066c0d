//! What a data file says about itself, read from its footer alone.

use std::sync::Arc;

use object_store::path::Path;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::data_file_reader::cannot_read_object;
use super::encoder::{EncodedFacts, metadata_start};
use super::{DataFile, FileOrigin, PagesChecksum, Storage};
use crate::error::{Error, Result};
use crate::schema::columns;

/// A data file's footer.
#[derive(Clone, Debug)]
pub(crate) struct Footer {
    pub(crate) origin: FileOrigin,
    pub(crate) facts: EncodedFacts,
    pub(crate) pages: PagesChecksum,
    pub(crate) metadata: Arc<ParquetMetaData>,
}

impl Storage {
    /// Reads the footer of the data file at `path`, of a known size.
    ///
    /// # Errors
    /// `CorruptData` naming the file when it is missing, is no data file or one of a later version; `Unavailable` when
    /// the store does not answer.
    pub(crate) async fn read_footer(&self, path: &Path, size_bytes: u64) -> Result<Footer> {
        let mut reader = self.unknown_parquet_reader(path, size_bytes);
        // A task of its own: what a damaged footer does to the decoder must not reach the caller.
        let task = tokio::spawn(async move {
            let metadata = reader.get_metadata(None).await?;
            Ok((facts(&metadata, size_bytes), metadata))
        });
        let (facts, metadata) = match task.await {
            Ok(read) => read.map_err(|error| cannot_read_object(path, error))?,
            Err(error) if error.is_panic() => return Err(damaged(path, "its footer cannot be decoded")),
            Err(error) => return Err(Error::internal("reading a footer was ended").with_source(error)),
        };
        let entries = metadata.file_metadata().key_value_metadata().map_or(&[][..], Vec::as_slice);
        let origin = FileOrigin::parse(entries).map_err(|error| damaged(path, error.message()))?;
        let pages = PagesChecksum::parse(entries).map_err(|error| damaged(path, error.message()))?;
        let pages = pages.ok_or_else(|| damaged(path, "its footer has no checksums"))?;
        let facts = facts
            .ok_or_else(|| damaged(path, "its footer does not tell where its rows are and of what time"))?;
        Ok(Footer { origin, facts, pages, metadata })
    }
}

impl Footer {
    /// The file as the catalog knows it.
    pub(crate) fn data_file(&self, path: Path, sidecar_bytes: u64) -> DataFile {
        self.facts.data_file(self.origin.file_id, self.origin.level, path, sidecar_bytes)
    }
}

/// What the catalog holds about a file; `None` when its footer does not tell.
fn facts(metadata: &ParquetMetaData, size_bytes: u64) -> Option<EncodedFacts> {
    let ends = metadata.row_groups().iter().flat_map(RowGroupMetaData::columns).map(|column| {
        let (start, length) = column.byte_range();
        start.saturating_add(length)
    });
    if ends.max()? > size_bytes {
        return None;
    }
    let mut row_groups = metadata.row_groups().iter();
    let bounds = |row_group: &RowGroupMetaData| {
        Some((bounds(row_group, columns::TIMESTAMP)?, bounds(row_group, columns::INGESTED_TIMESTAMP)?))
    };
    let first = bounds(row_groups.next()?)?;
    let (timestamps, ingested) = row_groups.try_fold(first, |(timestamps, ingested), row_group| {
        let (next_timestamps, next_ingested) = bounds(row_group)?;
        Some((union(timestamps, next_timestamps), union(ingested, next_ingested)))
    })?;
    Some(EncodedFacts {
        min_timestamp_us: timestamps.0,
        max_timestamp_us: timestamps.1,
        min_ingested_us: ingested.0,
        max_ingested_us: ingested.1,
        num_rows: u64::try_from(metadata.file_metadata().num_rows()).ok()?,
        size_bytes,
        metadata_bytes: size_bytes - metadata_start(metadata, size_bytes),
    })
}

fn union(left: (i64, i64), right: (i64, i64)) -> (i64, i64) {
    (left.0.min(right.0), left.1.max(right.1))
}

/// The least and the greatest value of a time column of a row group.
fn bounds(row_group: &RowGroupMetaData, name: &str) -> Option<(i64, i64)> {
    let column = row_group.columns().iter().find(|column| column.column_path().parts() == [name])?;
    match column.statistics()? {
        Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
        _ => None,
    }
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::corrupt_data(format!("data file {path} is damaged: {reason}"))
}
