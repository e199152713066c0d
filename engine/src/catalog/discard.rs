//! Taking back what was written and will not be committed.

use super::CatalogStore;
use crate::storage::{DataFile, Storage};

impl CatalogStore {
    /// Removes objects that will not be committed. What cannot be removed now is left to the next start, by its
    /// intent.
    pub(crate) async fn discard(&self, storage: &Storage, files: &[DataFile]) {
        for file in files {
            let removed = async {
                storage.delete(&file.path).await?;
                storage.delete(&file.sidecar_path()).await?;
                self.forget_intent(file.id).await
            };
            if let Err(error) = removed.await {
                tracing::warn!(%error, path = %file.path, "cannot remove an object that was not committed");
            }
        }
    }
}
