//! Objects that are about to be written, so that what a crash leaves behind can be removed.

use object_store::path::Path as ObjectPath;
use uuid::Uuid;

use super::CatalogStore;
use super::columns::{failed, path_at, uuid_at};
use crate::error::Result;

impl CatalogStore {
    /// Records objects that are about to be written, before any of them is.
    pub(crate) async fn record_intents(&self, files: &[(Uuid, ObjectPath)]) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        for (file_id, path) in files {
            sqlx::query("INSERT INTO intents (file_id, path, writer_id, epoch) VALUES ($1, $2, $3, $4)")
                .bind(file_id.to_string())
                .bind(path.to_string())
                .bind(self.writer.to_string())
                .bind(self.epoch as i64)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Objects that an earlier life meant to write and did not commit.
    pub(crate) async fn dead_intents(&self) -> Result<Vec<(Uuid, ObjectPath)>> {
        let rows = sqlx::query("SELECT file_id, path FROM intents WHERE writer_id = $1 AND epoch < $2")
            .bind(self.writer.to_string())
            .bind(self.epoch as i64)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        rows.iter().map(|row| Ok((uuid_at(row, 0)?, path_at(row, 1)?))).collect()
    }

    /// Forgets an intent whose object is gone.
    pub(crate) async fn forget_intent(&self, file_id: Uuid) -> Result<()> {
        sqlx::query("DELETE FROM intents WHERE file_id = $1")
            .bind(file_id.to_string())
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }
}
