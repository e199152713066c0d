//! Looking at what a store holds.

use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::{Storage, cannot};
use crate::error::{Error, Result};

/// An object of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) path: Path,
    pub(crate) size_bytes: u64,
}

impl Storage {
    /// Every object below a folder, in the order of their paths.
    pub(crate) async fn list_objects(&self, folder: &str) -> Result<Vec<Object>> {
        let folder = Path::from(folder);
        let listed: Vec<_> = self
            .store
            .list(Some(&folder))
            .map_ok(|object| Object { path: object.location, size_bytes: object.size })
            .try_collect()
            .await
            .map_err(|error| cannot("list", &folder, error))?;
        let mut objects = listed;
        objects.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(objects)
    }

    /// Whether anything is below a folder.
    pub(crate) async fn has_objects(&self, folder: &str) -> Result<bool> {
        let folder = Path::from(folder);
        let first = self.store.list(Some(&folder)).try_next().await;
        Ok(first.map_err(|error| cannot("list", &folder, error))?.is_some())
    }

    /// Where an object is on the local disk; `None` for stores elsewhere.
    pub(crate) fn local_path(&self, path: &Path) -> Option<PathBuf> {
        Some(self.local_root.as_ref()?.join(path.as_ref()))
    }

    /// The bytes of a small object.
    ///
    /// # Errors
    /// `CorruptData` when it is not there, `Unavailable` when the store does not answer.
    pub(crate) async fn read_object(&self, path: &Path) -> Result<Bytes> {
        let read = async { self.store.get(path).await?.bytes().await };
        read.await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => {
                Error::corrupt_data(format!("{path} is missing")).with_source(error)
            }
            error => cannot("read", path, error),
        })
    }
}
