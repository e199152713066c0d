//! Looking at what a store holds.

use std::path::PathBuf;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::{Storage, StoredObject, cannot};
use crate::error::{Error, Result};

impl Storage {
    /// Every object below a folder, in the order of their paths.
    pub(crate) async fn list_objects(&self, folder: &str) -> Result<Vec<StoredObject>> {
        let mut objects: Vec<StoredObject> = self.list(&Path::from(folder)).try_collect().await?;
        objects.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(objects)
    }

    /// Whether anything is below a folder.
    pub(crate) async fn has_objects(&self, folder: &str) -> Result<bool> {
        Ok(self.list(&Path::from(folder)).try_next().await?.is_some())
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
