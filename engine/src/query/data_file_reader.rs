//! Reading data files so that a failure says which file it was.

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use datafusion::common::Result;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::{
    CachedParquetFileReaderFactory, CachedParquetMetaData, DefaultParquetFileReaderFactory,
};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio_util::task::AbortOnDropHandle;

use super::error::DataFileError;
use crate::storage::{DataFile, read_metadata};

/// What is read of a file whose metadata may have any length; most have shorter ones.
const UNKNOWN_METADATA_BYTES: u64 = 64 << 10;

/// What a store does not say that gives less than was asked for.
const SHORT: &str = "the object is shorter than it should be";

/// Makes readers of data files that share one cache of footers.
#[derive(Debug)]
pub(super) struct DataFileReaderFactory {
    store: Arc<dyn ObjectStore>,
    metadata_cache: Arc<FileMetadataCache>,
    inner: CachedParquetFileReaderFactory,
}

impl DataFileReaderFactory {
    pub(super) fn new(store: Arc<dyn ObjectStore>, metadata_cache: Arc<FileMetadataCache>) -> Self {
        let inner = CachedParquetFileReaderFactory::new(Arc::clone(&store), Arc::clone(&metadata_cache));
        Self { store, metadata_cache, inner }
    }
}

impl ParquetFileReaderFactory for DataFileReaderFactory {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        Ok(Box::new(DataFileReader {
            store: Arc::clone(&self.store),
            metadata_cache: Arc::clone(&self.metadata_cache),
            metadata_size_hint,
            object: file.object_meta.clone(),
            inner: self.inner.create_reader(partition_index, file, metadata_size_hint, metrics)?,
        }))
    }
}

struct DataFileReader {
    store: Arc<dyn ObjectStore>,
    metadata_cache: Arc<FileMetadataCache>,
    metadata_size_hint: Option<usize>,
    object: ObjectMeta,
    /// Reads bytes and counts them.
    inner: Box<dyn AsyncFileReader + Send>,
}

impl AsyncFileReader for DataFileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        let Self { store, object, inner, .. } = self;
        async move {
            let length = range.end - range.start;
            match inner.get_bytes(range).await {
                Ok(bytes) if bytes.len() as u64 == length => Ok(bytes),
                Ok(_) => Err(explain(store.as_ref(), object, SHORT.into()).await),
                Err(error) => Err(explain(store.as_ref(), object, error.into()).await),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        let Self { store, object, inner, .. } = self;
        async move {
            let lengths: Vec<u64> = ranges.iter().map(|range| range.end - range.start).collect();
            match inner.get_byte_ranges(ranges).await {
                Ok(parts) if parts.iter().map(|part| part.len() as u64).eq(lengths) => Ok(parts),
                Ok(_) => Err(explain(store.as_ref(), object, SHORT.into()).await),
                Err(error) => Err(explain(store.as_ref(), object, error.into()).await),
            }
        }
        .boxed()
    }

    /// Reads the metadata itself: checked before they are first believed, in one read, and without turning causes into
    /// text.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            if let Some(known) = self.known_metadata() {
                return Ok(known);
            }
            let ObjectMeta { location, size, .. } = &self.object;
            let hint = self.metadata_size_hint.map_or(UNKNOWN_METADATA_BYTES, |hint| hint as u64);
            match read_metadata(self.store.as_ref(), location, *size, hint).await {
                Ok(metadata) => Ok(self.remember(Arc::new(metadata))),
                Err(error) => Err(explain(self.store.as_ref(), &self.object, error.into()).await),
            }
        }
        .boxed()
    }
}

impl DataFileReader {
    fn known_metadata(&self) -> Option<Arc<ParquetMetaData>> {
        let cached = self.metadata_cache.get(&self.object.location)?;
        let metadata = cached.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()?;
        cached.is_valid_for(&self.object).then(|| Arc::clone(metadata.parquet_metadata()))
    }

    fn remember(&self, metadata: Arc<ParquetMetaData>) -> Arc<ParquetMetaData> {
        let cached = Arc::new(CachedParquetMetaData::new(Arc::clone(&metadata)));
        let entry = CachedFileMetadataEntry::new(self.object.clone(), cached);
        self.metadata_cache.put(&self.object.location, entry);
        metadata
    }
}

/// Names the file that could not be read. A file of another size than the catalog knows is damaged, whatever
/// its store says about reading beyond its end.
async fn explain(
    store: &dyn ObjectStore,
    object: &ObjectMeta,
    source: Box<dyn StdError + Send + Sync>,
) -> ParquetError {
    let found = store.head(&object.location).await;
    let source = match found {
        Ok(found) if found.size != object.size => {
            ParquetError::General(format!("it has {} bytes and should have {}", found.size, object.size))
                .into()
        }
        _ => source,
    };
    ParquetError::External(Box::new(DataFileError { path: object.location.clone(), source }))
}

/// The first of `files` that cannot be decoded, and why. Reads them whole: only for explaining an error.
pub(super) async fn find_damaged(
    store: &Arc<dyn ObjectStore>,
    files: &[Arc<DataFile>],
) -> Option<(Path, ParquetError)> {
    for file in files {
        let (store, decoded) = (Arc::clone(store), Arc::clone(file));
        // A task of its own, because decoders panic on some damage.
        let decoded = tokio::spawn(async move { decode(store, &decoded).await });
        let outcome = AbortOnDropHandle::new(decoded).await;
        let outcome = outcome.unwrap_or_else(|error| Err(ParquetError::External(Box::new(error))));
        if let Err(error) = outcome {
            return Some((file.path.clone(), error));
        }
    }
    None
}

async fn decode(store: Arc<dyn ObjectStore>, file: &DataFile) -> Result<(), ParquetError> {
    let object = object_meta(file);
    let reader: Box<dyn AsyncFileReader> = DefaultParquetFileReaderFactory::new(store)
        .create_reader(0, PartitionedFile::new_from_meta(object), None, &ExecutionPlanMetricsSet::new())
        .map_err(|error| ParquetError::External(Box::new(error)))?;
    let mut batches = ParquetRecordBatchStreamBuilder::new(reader).await?.build()?;
    while let Some(batch) = batches.next().await {
        batch?;
    }
    Ok(())
}

/// A file as the object that storage holds. Data files never change, so that no time tells versions apart.
pub(super) fn object_meta(file: &DataFile) -> ObjectMeta {
    ObjectMeta {
        location: file.path.clone(),
        last_modified: DateTime::UNIX_EPOCH,
        size: file.size_bytes,
        e_tag: None,
        version: None,
    }
}
