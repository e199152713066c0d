//! Writing an object piece by piece.

use bytes::{Bytes, BytesMut};
use object_store::path::Path;

use super::Storage;
use crate::error::Result;

/// An object that is not there before [`finish`](Self::finish).
pub(crate) struct ObjectUpload {
    storage: Storage,
    path: Path,
    bytes: BytesMut,
}

impl ObjectUpload {
    pub(super) fn new(storage: Storage, path: Path) -> Self {
        Self { storage, path, bytes: BytesMut::new() }
    }

    /// Adds bytes.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    /// Makes the object durable and whole.
    pub(crate) async fn finish(self) -> Result<()> {
        self.storage.put(&self.path, self.bytes.freeze()).await
    }
}
