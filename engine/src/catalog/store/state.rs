//! What the catalog knows about itself: named numbers.

use sqlx::any::AnyRow;

use super::columns::{column, failed};
use super::{CatalogStore, SqlTransaction};
use crate::error::Result;

/// A number that the catalog keeps; 0 while it has not been set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateName {
    /// 1 after a rebuild: objects that the catalog does not know may be all that is left of some rows.
    SweepPaused,
    /// The snapshot of the newest checkpoint.
    LastCheckpoint,
    /// How many manifests follow it.
    ManifestsSinceCheckpoint,
}

impl StateName {
    fn as_str(self) -> &'static str {
        match self {
            Self::SweepPaused => "sweep_paused",
            Self::LastCheckpoint => "last_checkpoint",
            Self::ManifestsSinceCheckpoint => "manifests_since_checkpoint",
        }
    }
}

pub(super) async fn read(transaction: &mut SqlTransaction, name: StateName) -> Result<i64> {
    let row: Option<AnyRow> = sqlx::query("SELECT value FROM catalog_state WHERE name = $1")
        .bind(name.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(failed)?;
    row.map_or(Ok(0), |row| column(&row, 0))
}

pub(super) async fn write(transaction: &mut SqlTransaction, name: StateName, value: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO catalog_state (name, value) VALUES ($1, $2) \
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    )
    .bind(name.as_str())
    .bind(value)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

pub(super) async fn add(transaction: &mut SqlTransaction, name: StateName, more: i64) -> Result<()> {
    let value = read(transaction, name).await?;
    write(transaction, name, value.saturating_add(more)).await
}

impl CatalogStore {
    pub(crate) async fn state(&self, name: StateName) -> Result<i64> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let value = read(&mut transaction, name).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(value)
    }

    /// Notes that a checkpoint tells of everything up to a snapshot.
    pub(crate) async fn note_checkpoint(&self, snapshot: i64) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        write(&mut transaction, StateName::LastCheckpoint, snapshot).await?;
        write(&mut transaction, StateName::ManifestsSinceCheckpoint, 0).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Ends the pause of the sweep: somebody has looked at the objects that the catalog does not know.
    pub(crate) async fn resume_sweep(&self) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        write(&mut transaction, StateName::SweepPaused, 0).await?;
        transaction.commit().await.map_err(failed)
    }
}
