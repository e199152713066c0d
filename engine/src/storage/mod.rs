//! Rows in objects: data files, their paths and bytes, and the store they are kept in.
//!
//! Knows Parquet and the object store; does not know DataFusion, SQL or what a severity is.

mod block_checksums;
mod cache;
pub(crate) mod checked_json;
mod checksums;
mod config;
mod data_file;
mod data_file_reader;
mod encoder;
mod encoding;
mod failure;
mod file_origin;
mod flush_plan;
mod footer;
mod layer;
mod layout;
mod local_store;
mod local_sync;
mod metadata;
mod objects;
mod paths;
mod promotion;
mod remote_builder;
mod remote_store;
mod slice;
mod upload;

use std::ops::Range;
use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

pub(crate) use block_checksums::BlockChecksums;
pub use cache::CacheStats;
use cache::{CacheLimits, CacheState, CachedStore};
pub(crate) use checksums::{PagesChecksum, PagesHasher};
use config::Location;
pub use config::StorageConfig;
pub use data_file::DataFile;
pub(crate) use data_file::sidecar_path;
pub(crate) use data_file_reader::{ObjectReader, cannot_read, cannot_read_object, explain_size};
pub(crate) use encoder::DataFileEncoder;
pub(crate) use encoding::Effort;
pub(crate) use file_origin::{FileOrigin, FileSource};
pub(crate) use flush_plan::{PlannedFile, plan_flush};
pub(crate) use footer::Footer;
pub(crate) use layout::{
    OBSERVED_DELAY, file_columns_of, null_as_unset, observed_time, to_whole_rows, whole_columns,
};
pub(crate) use local_sync::sync_directory;
pub(crate) use metadata::read_metadata;
pub(crate) use paths::{DataFilePath, TimeBucket};
pub(crate) use promotion::{KeyCounts, MAP_COLUMNS, Promotion, assemble_map, column_name, parse_column_name};
pub(crate) use slice::{RowAddress, gather_slice, slice_len};
pub use upload::ObjectUpload;

use self::failure::{cannot, cannot_use, is_lasting};
use self::layer::Layered;
use self::local_store::LocalStore;
use self::remote_builder::build_remote_store;
use crate::error::{Error, Result};

/// The version of the data file layout that this code writes; it reads every earlier one.
pub const LAYOUT_VERSION: u32 = 1;

/// Where blocks of a remote store's objects are cached, in the data folder.
pub(crate) const CACHE_DIRECTORY: &str = "cache";

/// How much of the disk stays free of cached blocks.
const MIN_FREE_BYTES: u64 = 1 << 30;

/// Where objects are kept.
///
/// Every object has a name of its own, once and for ever, and never changes. So a write that is repeated is
/// harmless, no write has a condition, and what is cached is never stale.
#[derive(Clone, Debug)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The same store for work that reads every object once.
    one_pass: Arc<dyn ObjectStore>,
    cache: Option<Arc<CacheState>>,
    is_remote: bool,
    /// The folder, when the store is the local disk.
    local_root: Option<PathBuf>,
}

impl Storage {
    /// Opens the store that the settings name, with a cache in the data folder when it is remote.
    ///
    /// A remote store that does not answer is no error: rows wait in the write-ahead log until it does.
    ///
    /// # Errors
    /// `InvalidRequest` naming the setting or option that is wrong; `Unavailable` naming the folder that cannot be
    /// used, or the bucket that does not exist or refuses the credentials.
    pub async fn open(config: &StorageConfig, data_dir: &LocalPath) -> Result<Self> {
        config.validate()?;
        match config.location()? {
            Location::DataFolder => Self::local(data_dir),
            Location::Folder(folder) => {
                std::fs::create_dir_all(&folder).map_err(|error| cannot_use(&folder, error))?;
                Self::local(&folder)
            }
            Location::Bucket(address) => {
                let remote = build_remote_store(&address, config)?;
                check_access(&remote, config.request_timeout).await?;
                Ok(Self::cached(remote, data_dir.join(CACHE_DIRECTORY), config.cache_bytes).await)
            }
        }
    }

    /// Opens the store that the settings name to read from it alone: a folder is left as it is, whoever else uses it.
    ///
    /// # Errors
    /// As [`Self::open`]; a folder that does not exist is not made.
    pub(crate) async fn open_for_reading(config: &StorageConfig, data_dir: &LocalPath) -> Result<Self> {
        config.validate()?;
        let folder = match config.location()? {
            Location::DataFolder => data_dir.to_owned(),
            Location::Folder(folder) => folder,
            Location::Bucket(address) => {
                let remote = build_remote_store(&address, config)?;
                check_access(&remote, config.request_timeout).await?;
                return Ok(Self::over(remote));
            }
        };
        let files = LocalFileSystem::new_with_prefix(&folder).map_err(|error| cannot_use(&folder, error))?;
        Ok(Self::over(Arc::new(files)))
    }

    /// Keeps objects in a folder, which exists.
    ///
    /// # Errors
    /// `Unavailable` naming the folder.
    pub fn local(root: &LocalPath) -> Result<Self> {
        let store = LocalStore::open(root).map_err(|error| cannot_use(root, error))?;
        let store = Self::over(Arc::new(Layered(store)));
        Ok(Self { is_remote: false, local_root: Some(root.to_owned()), ..store })
    }

    /// Keeps objects in another store, as it is.
    pub fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { one_pass: Arc::clone(&store), store, cache: None, is_remote: true, local_root: None }
    }

    /// Keeps objects in another store that is as near as the local disk: a failure of it fails a start.
    #[cfg(test)]
    pub(crate) fn at_hand(store: Arc<dyn ObjectStore>) -> Self {
        Self { is_remote: false, ..Self::over(store) }
    }

    async fn cached(remote: Arc<dyn ObjectStore>, directory: PathBuf, max_bytes: u64) -> Self {
        if max_bytes == 0 {
            return Self::over(remote);
        }
        let limits = CacheLimits { max_bytes, min_free_bytes: MIN_FREE_BYTES };
        let below = Arc::clone(&remote);
        let opened = tokio::task::spawn_blocking(move || CachedStore::open(below, directory, limits)).await;
        match opened.map_err(std::io::Error::other).flatten() {
            Ok(cached) => {
                let cache = Some(cached.state());
                let one_pass = Arc::new(Layered(cached.for_one_pass()));
                Self { cache, one_pass, ..Self::over(Arc::new(Layered(cached))) }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot open the cache; going on without");
                Self::over(remote)
            }
        }
    }

    /// Reads and writes as the store itself does: through the cache, durable, without conditions.
    pub fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// The same for work that reads every object once, like compaction: it leaves the cache as it is.
    pub(crate) fn object_store_for_one_pass(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.one_pass)
    }

    /// Whether the store is behind a network, where failures pass.
    pub fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// What the cache has done, when there is one.
    pub fn cache_stats(&self) -> Option<CacheStats> {
        self.cache.as_ref().map(|cache| cache.stats())
    }

    /// Writes an object: when this returns it is durable and whole, and until then it is not there.
    ///
    /// # Errors
    /// `Unavailable` when the store fails: the object may then be there, whole, or not be there.
    pub async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        let written = self.store.put(path, PutPayload::from(bytes)).await;
        written.map(drop).map_err(|error| cannot("write", path, error))
    }

    /// Begins to write an object piece by piece.
    pub fn upload(&self, path: &Path) -> ObjectUpload {
        ObjectUpload::new(self.object_store(), path.clone())
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// `NotFound` when it does not exist, `Unavailable` when the store fails.
    pub async fn get(&self, path: &Path) -> Result<Bytes> {
        let read = async { self.store.get(path).await?.bytes().await };
        read.await.map_err(|error| cannot("read", path, error))
    }

    /// A part of an object.
    ///
    /// # Errors
    /// As [`get`](Self::get), and `Unavailable` when the object is shorter.
    pub async fn get_range(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let mut parts = self.get_ranges(path, std::slice::from_ref(&range)).await?;
        parts.pop().ok_or_else(|| Error::internal(format!("no part of {path} where one was asked for")))
    }

    /// Parts of an object, in the order of `ranges`. What is not cached is fetched at once.
    ///
    /// # Errors
    /// As [`get_range`](Self::get_range).
    pub async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let parts = self.store.get_ranges(path, ranges).await.map_err(|error| cannot("read", path, error))?;
        let is_short = parts.iter().zip(ranges).any(|(part, range)| {
            range.end.checked_sub(range.start).is_none_or(|length| part.len() as u64 != length)
        });
        if is_short {
            return Err(Error::unavailable(format!("cannot read {path}: it is shorter than it should be")));
        }
        Ok(parts)
    }

    /// The size of an object.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn size(&self, path: &Path) -> Result<u64> {
        let head = self.store.head(path).await.map_err(|error| cannot("find", path, error))?;
        Ok(head.size)
    }

    /// The objects below a path, in no order.
    ///
    /// # Errors
    /// Items are `Unavailable` when the store fails; nothing follows them.
    pub fn list(&self, prefix: &Path) -> BoxStream<'static, Result<StoredObject>> {
        let listed = self.store.list(Some(prefix));
        let prefix = prefix.clone();
        let objects = listed.map(move |object| match object {
            Ok(object) => Ok(StoredObject { path: object.location, size_bytes: object.size }),
            Err(error) => Err(Error::unavailable(format!("cannot list {prefix}")).with_source(error)),
        });
        objects.boxed()
    }

    /// Removes an object; one that is not there is as good as removed.
    ///
    /// # Errors
    /// `Unavailable` when the store fails.
    pub async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(cannot("delete", path, error)),
        }
    }
}

/// An object that storage holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name.
    pub path: Path,
    /// Its size.
    pub size_bytes: u64,
}

/// Asks a remote store one question, so that wrong credentials show at the start and not at the first flush.
async fn check_access(store: &Arc<dyn ObjectStore>, timeout: Duration) -> Result<()> {
    let manifests = Path::from("_catalog");
    let answer = tokio::time::timeout(timeout, store.list(Some(&manifests)).next()).await;
    match answer {
        Ok(Some(Err(error))) if is_lasting(&error) => {
            Err(Error::unavailable(format!("cannot use {store}")).with_source(error))
        }
        Ok(Some(Err(error))) => {
            tracing::warn!(%error, %store, "storage cannot be reached; rows wait in the write-ahead log");
            Ok(())
        }
        Ok(Some(Ok(_)) | None) => Ok(()),
        Err(_elapsed) => {
            tracing::warn!(%store, "storage does not answer; rows wait in the write-ahead log");
            Ok(())
        }
    }
}
