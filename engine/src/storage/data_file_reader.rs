//! Reading a data file by its footer, without a query.

use std::error::Error as StdError;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::{BlockChecksums, DataFile, Storage, read_metadata};
use crate::error::{Error, ErrorKind};

/// What is read of a file whose footer may have any length; most have a shorter one.
const UNKNOWN_METADATA_BYTES: u64 = 64 << 10;

/// The bytes of one data file, checked as they are read.
pub(crate) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
    metadata_bytes: u64,
    /// Known once the metadata have been read.
    blocks: Option<Arc<BlockChecksums>>,
}

impl Storage {
    /// A reader of a data file that reads it once; its footer costs one read.
    pub(crate) fn parquet_reader(&self, file: &DataFile) -> ObjectReader {
        ObjectReader::new(self.object_store_for_one_pass(), file)
    }

    /// A reader of an object that has the name of a data file and of which only the size is known.
    pub(crate) fn unknown_parquet_reader(&self, path: &Path, size_bytes: u64) -> ObjectReader {
        let metadata_bytes = size_bytes.min(UNKNOWN_METADATA_BYTES);
        ObjectReader {
            store: self.object_store_for_one_pass(),
            path: path.clone(),
            size_bytes,
            metadata_bytes,
            blocks: None,
        }
    }
}

impl ObjectReader {
    /// Reads a file in any store.
    pub(crate) fn new(store: Arc<dyn ObjectStore>, file: &DataFile) -> Self {
        let (path, size_bytes, metadata_bytes) = (file.path.clone(), file.size_bytes, file.metadata_bytes);
        Self { store, path, size_bytes, metadata_bytes, blocks: None }
    }

    /// Takes over what another reader of the same file has read of its metadata.
    #[must_use]
    pub(crate) fn with_blocks_of(self, other: &Self) -> Self {
        Self { blocks: other.blocks.clone(), ..self }
    }

    async fn metadata(&mut self) -> Result<ParquetMetaData, ParquetError> {
        let (store, path) = (self.store.as_ref(), &self.path);
        let metadata = match read_metadata(store, path, self.size_bytes, self.metadata_bytes).await {
            Ok(metadata) => metadata,
            Err(error) => return Err(explain_size(store, path, self.size_bytes, error).await),
        };
        self.blocks = Some(Arc::new(BlockChecksums::of(&metadata)?));
        Ok(metadata)
    }

    async fn read(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>, ParquetError> {
        let blocks = match &self.blocks {
            Some(blocks) => Arc::clone(blocks),
            None => Arc::new(BlockChecksums::of(&self.metadata().await?)?),
        };
        let (store, path) = (self.store.as_ref(), &self.path);
        let fetch = |runs: Vec<Range<u64>>| async move { Ok(store.get_ranges(path, &runs).await?) };
        match blocks.fetch(ranges, fetch).await {
            Ok(parts) => Ok(parts),
            Err(error) => Err(explain_size(store, path, self.size_bytes, error).await),
        }
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move { Ok(self.read(&[range]).await?.pop().unwrap_or_default()) }.boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.read(&ranges).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move { Ok(Arc::new(self.metadata().await?)) }.boxed()
    }
}

/// Why an object could not be read that should have `size_bytes`: one of another size is damaged, whatever its store
/// says about reading beyond its end.
pub(crate) async fn explain_size(
    store: &dyn ObjectStore,
    path: &Path,
    size_bytes: u64,
    error: ParquetError,
) -> ParquetError {
    match store.head(path).await {
        Ok(found) if found.size != size_bytes => {
            ParquetError::General(format!("it has {} bytes and should have {size_bytes}", found.size))
        }
        _ => error,
    }
}

/// What an error of reading a file means, with the file's name: damage, unless the store did not answer.
pub(crate) fn cannot_read(file: &DataFile, error: ParquetError) -> Error {
    cannot_read_object(&file.path, error)
}

/// The same for an object that the catalog may not know.
pub(crate) fn cannot_read_object(path: &Path, error: ParquetError) -> Error {
    match store_error(&error) {
        Some(object_store::Error::NotFound { .. }) => {
            Error::corrupt_data(format!("data file {path} is missing")).with_source(error)
        }
        None => Error::corrupt_data(format!("data file {path} is damaged")).with_source(error),
        Some(_) => Error::new(ErrorKind::Unavailable, format!("data file {path} cannot be read now"))
            .with_source(error),
    }
}

fn store_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e object_store::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<object_store::Error>() {
            return Some(found);
        }
        next = match error.downcast_ref::<ParquetError>() {
            Some(ParquetError::External(inner)) => Some(inner.as_ref()),
            _ => error.source(),
        };
    }
    None
}
