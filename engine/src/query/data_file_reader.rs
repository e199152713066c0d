//! Reading data files so that what is damaged is noticed and a failure says which file it was.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use chrono::DateTime;
use datafusion::common::{HashMap, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadata, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use tokio_util::task::AbortOnDropHandle;

use super::error::DataFileError;
use super::read_budget::ReadBudget;
use crate::storage::{BlockChecksums, DataFile, ObjectReader, explain_size, read_metadata};

/// What is read of a file whose metadata may have any length; most have shorter ones.
const UNKNOWN_METADATA_BYTES: u64 = 64 << 10;

/// Makes readers of data files that share one cache of footers.
#[derive(Debug)]
pub(super) struct DataFileReaderFactory {
    store: Arc<dyn ObjectStore>,
    metadata_cache: Arc<FileMetadataCache>,
    inner: CachedParquetFileReaderFactory,
    /// Of all that its readers read.
    budget: Arc<ReadBudget>,
}

impl DataFileReaderFactory {
    /// What is read is of `budget`.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        metadata_cache: Arc<FileMetadataCache>,
        budget: Arc<ReadBudget>,
    ) -> Self {
        let inner = CachedParquetFileReaderFactory::new(Arc::clone(&store), Arc::clone(&metadata_cache));
        Self { store, metadata_cache, inner, budget }
    }
}

impl DataFileReaderFactory {
    /// Reads a data file outside of a plan.
    pub(super) fn open(&self, file: &DataFile) -> Result<DataFileReader> {
        let hint = usize::try_from(file.metadata_bytes).unwrap_or(usize::MAX);
        let described = PartitionedFile::new_from_meta(object_meta(file));
        self.reader(0, described, Some(hint), &ExecutionPlanMetricsSet::new())
    }

    fn reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        metadata_size_hint: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<DataFileReader> {
        Ok(DataFileReader {
            store: Arc::clone(&self.store),
            metadata_cache: Arc::clone(&self.metadata_cache),
            metadata_size_hint,
            object: file.object_meta.clone(),
            blocks: None,
            budget: Arc::clone(&self.budget),
            inner: self.inner.create_reader(partition_index, file, metadata_size_hint, metrics)?,
        })
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
        Ok(Box::new(self.reader(partition_index, file, metadata_size_hint, metrics)?))
    }
}

/// One data file, checked as it is read.
pub(super) struct DataFileReader {
    store: Arc<dyn ObjectStore>,
    metadata_cache: Arc<FileMetadataCache>,
    metadata_size_hint: Option<usize>,
    object: ObjectMeta,
    /// Known once the metadata are.
    blocks: Option<Arc<BlockChecksums>>,
    budget: Arc<ReadBudget>,
    /// Reads bytes and counts them.
    inner: Box<dyn AsyncFileReader + Send>,
}

impl AsyncFileReader for DataFileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { Ok(self.read(&[range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.read(&ranges).await }.boxed()
    }

    /// Reads the metadata itself: checked before they are first believed, in one read, and without turning causes into
    /// text.
    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move { Ok(self.metadata().await?.parquet) }.boxed()
    }
}

impl DataFileReader {
    async fn read(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ParquetError> {
        let blocks = match &self.blocks {
            Some(blocks) => Arc::clone(blocks),
            None => self.metadata().await?.blocks,
        };
        self.take(ranges.iter().map(|range| range.end - range.start).sum())?;
        match blocks.fetch(ranges, |runs| self.inner.get_byte_ranges(runs)).await {
            Ok(parts) => {
                let num_bytes = parts.iter().map(|part| part.len() as u64).sum();
                self.budget.add_read(num_bytes);
                Ok(parts)
            }
            Err(error) => Err(self.explain(error).await),
        }
    }

    /// Refusal is no fault of the file.
    fn take(&self, num_bytes: u64) -> Result<(), ParquetError> {
        self.budget.take(num_bytes).map_err(|error| ParquetError::External(Box::new(error)))
    }

    async fn metadata(&mut self) -> Result<CheckedMetadata, ParquetError> {
        let metadata = match self.known_metadata() {
            Some(known) => known,
            None => {
                self.take(self.metadata_bytes())?;
                match self.read_metadata().await {
                    Ok(metadata) => self.remember(metadata),
                    Err(error) => return Err(self.explain(error).await),
                }
            }
        };
        self.blocks = Some(Arc::clone(&metadata.blocks));
        Ok(metadata)
    }

    async fn read_metadata(&mut self) -> Result<CheckedMetadata, ParquetError> {
        let ObjectMeta { location, size, .. } = &self.object;
        let hint = self.metadata_bytes();
        let parquet = read_metadata(self.store.as_ref(), location, *size, hint).await?;
        self.budget.add_read(hint);
        let blocks = Arc::new(BlockChecksums::of(&parquet)?);
        Ok(CheckedMetadata { parquet: Arc::new(parquet), blocks })
    }

    fn metadata_bytes(&self) -> u64 {
        let hint = self.metadata_size_hint.map_or(UNKNOWN_METADATA_BYTES, |hint| hint as u64);
        hint.min(self.object.size)
    }

    fn known_metadata(&self) -> Option<CheckedMetadata> {
        let cached = self.metadata_cache.get(&self.object.location)?;
        let metadata = cached.file_metadata.as_any().downcast_ref::<CheckedMetadata>()?;
        cached.is_valid_for(&self.object).then(|| metadata.clone())
    }

    fn remember(&self, metadata: CheckedMetadata) -> CheckedMetadata {
        let entry = CachedFileMetadataEntry::new(self.object.clone(), Arc::new(metadata.clone()));
        self.metadata_cache.put(&self.object.location, entry);
        metadata
    }

    /// Names the file that could not be read.
    async fn explain(&mut self, error: ParquetError) -> ParquetError {
        let ObjectMeta { location, size, .. } = &self.object;
        let source = explain_size(self.store.as_ref(), location, *size, error).await.into();
        ParquetError::External(Box::new(DataFileError { path: location.clone(), source }))
    }
}

/// The metadata of a file, and the checksums of its pages.
#[derive(Clone)]
struct CheckedMetadata {
    parquet: Arc<ParquetMetaData>,
    blocks: Arc<BlockChecksums>,
}

impl FileMetadata for CheckedMetadata {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn memory_size(&self) -> usize {
        self.parquet.memory_size() + self.blocks.size_bytes()
    }

    fn extra_info(&self) -> HashMap<String, String> {
        HashMap::new()
    }
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
    let reader = ObjectReader::new(store, file);
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
