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

use super::{DataFile, Storage, read_metadata};
use crate::error::{Error, ErrorKind};

/// What is read of a file whose footer may have any length; most have a shorter one.
const UNKNOWN_METADATA_BYTES: u64 = 64 << 10;

/// The bytes of one data file.
pub(crate) struct ObjectReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    size_bytes: u64,
    metadata_bytes: u64,
}

impl Storage {
    /// A reader of a data file that reads it once; its footer costs one read.
    pub(crate) fn parquet_reader(&self, file: &DataFile) -> ObjectReader {
        ObjectReader {
            store: self.object_store_for_one_pass(),
            path: file.path.clone(),
            size_bytes: file.size_bytes,
            metadata_bytes: file.metadata_bytes,
        }
    }
}

impl Storage {
    /// A reader of an object that has the name of a data file and of which only the size is known.
    pub(crate) fn unknown_parquet_reader(&self, path: &Path, size_bytes: u64) -> ObjectReader {
        let metadata_bytes = size_bytes.min(UNKNOWN_METADATA_BYTES);
        ObjectReader {
            store: self.object_store_for_one_pass(),
            path: path.clone(),
            size_bytes,
            metadata_bytes,
        }
    }
}

impl ObjectReader {
    fn is_short(&self) -> ParquetError {
        ParquetError::EOF(format!("{} is shorter than it should be", self.path))
    }
}

impl AsyncFileReader for ObjectReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            let length = range.end - range.start;
            let bytes = self.store.get_range(&self.path, range).await?;
            if bytes.len() as u64 == length { Ok(bytes) } else { Err(self.is_short()) }
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let parts = self.store.get_ranges(&self.path, &ranges).await?;
            let lengths = ranges.iter().map(|range| range.end - range.start);
            if parts.iter().map(|part| part.len() as u64).eq(lengths) {
                Ok(parts)
            } else {
                Err(self.is_short())
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let (store, path) = (self.store.as_ref(), &self.path);
            Ok(Arc::new(read_metadata(store, path, self.size_bytes, self.metadata_bytes).await?))
        }
        .boxed()
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
