//! Rows in objects: data files, their paths and bytes, and the store they are kept in.
//!
//! Knows Parquet and the object store; does not know DataFusion, SQL or what a severity is.

pub(crate) mod checked_json;
mod data_file;
mod data_file_reader;
mod data_file_writer;
mod encoder;
mod encoding;
mod file_origin;
mod flush_plan;
mod footer;
mod layout;
mod local_sync;
mod objects;
mod pages_checksum;
mod paths;
mod promotion;
mod slice;
mod upload;

use std::path::{Path as LocalPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

pub use data_file::DataFile;
pub(crate) use data_file::sidecar_path;
pub(crate) use data_file_reader::{cannot_read, cannot_read_object};
pub(crate) use data_file_writer::{DataFileWriter, blocking};
pub(crate) use encoder::DataFileEncoder;
pub(crate) use encoding::Effort;
pub(crate) use file_origin::{FileOrigin, FileSource};
pub(crate) use flush_plan::{PlannedFile, plan_flush};
pub(crate) use footer::Footer;
pub(crate) use layout::{OBSERVED_DELAY, null_as_unset, observed_time, to_whole_rows};
pub(crate) use local_sync::sync_directory;
pub(crate) use pages_checksum::{PagesChecksum, PagesHasher};
pub(crate) use paths::{DataFilePath, TimeBucket};
pub(crate) use promotion::{KeyCounts, MAP_COLUMNS, Promotion, assemble_map, column_name, parse_column_name};
pub(crate) use slice::{RowAddress, gather_slice, slice_len};
pub(crate) use upload::ObjectUpload;

use crate::error::{Error, ErrorKind, Result};

/// The version of the data file layout that this code writes; it reads every earlier one.
pub const LAYOUT_VERSION: u32 = 1;

/// Where objects are kept.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The folder, when the store is the local disk.
    local_root: Option<PathBuf>,
}

impl Storage {
    /// Keeps objects in a folder, which exists.
    pub(crate) fn local(root: &LocalPath) -> Result<Self> {
        let store = LocalFileSystem::new_with_prefix(root).map_err(|error| {
            Error::unavailable(format!("cannot use the folder {}", root.display())).with_source(error)
        })?;
        Ok(Self { store: Arc::new(store), local_root: Some(root.to_owned()) })
    }

    /// Keeps objects in another store, as it is.
    #[cfg(test)]
    pub(crate) fn over(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, local_root: None }
    }

    pub(crate) fn object_store(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.store)
    }

    /// Writes an object: when this returns it is durable and whole, and until then it is not there.
    pub(crate) async fn put(&self, path: &Path, bytes: Bytes) -> Result<()> {
        self.store.put(path, PutPayload::from(bytes)).await.map_err(|error| cannot("write", path, error))?;
        let Some(root) = self.local_root.clone() else { return Ok(()) };
        let relative = path.to_string();
        // The local store renames a finished file into its place but syncs neither file nor directories.
        let synced = tokio::task::spawn_blocking(move || local_sync::sync_file_below(&root, &relative)).await;
        synced
            .map_err(|error| Error::internal("the sync of an object was ended").with_source(error))?
            .map_err(|error| Error::unavailable(format!("cannot sync {path}")).with_source(error))
    }

    /// Begins to write an object piece by piece.
    pub(crate) fn upload(&self, path: &Path) -> ObjectUpload {
        ObjectUpload::new(self.clone(), path.clone())
    }

    /// Removes an object; one that is not there is as good as removed.
    pub(crate) async fn delete(&self, path: &Path) -> Result<()> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(cannot("delete", path, error)),
        }
    }
}

fn cannot(action: &str, path: &Path, error: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot {action} {path}")).with_source(error)
}
