//! Which transactions manifests hold.

use uuid::Uuid;

use super::columns::{column, failed};
use super::files::Which;
use super::state::StateName;
use super::{CatalogStore, FlushedRange, SqlTransaction, files, ranges, state};
use crate::error::Result;
use crate::schema::TableId;
use crate::storage::DataFile;

/// A catalog transaction that no manifest holds yet.
#[derive(Debug)]
pub(crate) struct UnpublishedSnapshot {
    pub(crate) snapshot_id: i64,
    pub(crate) added: Vec<(TableId, DataFile)>,
    pub(crate) removed: Vec<(TableId, Uuid)>,
    pub(crate) flushed: Vec<FlushedRange>,
}

impl CatalogStore {
    /// The oldest catalog transactions that no manifest holds yet, at most `max_snapshots` of them, in order.
    pub(crate) async fn unpublished(&self, max_snapshots: usize) -> Result<Vec<UnpublishedSnapshot>> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let rows = sqlx::query(
            "SELECT snapshot_id FROM snapshots WHERE is_published = 0 ORDER BY snapshot_id LIMIT $1",
        )
        .bind(i64::try_from(max_snapshots).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await
        .map_err(failed)?;
        let ids: Vec<i64> = rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
        let Some(&first) = ids.first() else { return Ok(Vec::new()) };
        let files = files::read(&mut transaction, Which::ChangedSince(first)).await?;
        let flushed = ranges::read(&mut transaction, first).await?;
        transaction.commit().await.map_err(failed)?;
        let snapshots = ids.into_iter().map(|id| {
            let added = files.iter().filter(|file| file.added_snapshot == id);
            let removed = files.iter().filter(|file| file.removed_snapshot == Some(id));
            UnpublishedSnapshot {
                snapshot_id: id,
                added: added.map(|added| (added.table, added.file.clone())).collect(),
                removed: removed.map(|removed| (removed.table, removed.file.id)).collect(),
                flushed: flushed.iter().filter(|(at, _)| *at == id).map(|(_, range)| *range).collect(),
            }
        });
        Ok(snapshots.collect())
    }

    /// Notes that manifests hold everything up to a snapshot.
    pub(crate) async fn mark_published(&self, up_to: i64) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        for statement in [
            "UPDATE snapshots SET is_published = 1 WHERE snapshot_id <= $1 AND is_published = 0",
            // The last one stays: the next number follows from it.
            "DELETE FROM snapshots WHERE snapshot_id < $1",
        ] {
            sqlx::query(statement).bind(up_to).execute(&mut *transaction).await.map_err(failed)?;
        }
        state::add(&mut transaction, StateName::ManifestsSinceCheckpoint, 1).await?;
        transaction.commit().await.map_err(failed)
    }
}

/// The newest transaction that manifests hold; 0 without one.
pub(super) async fn last_published(transaction: &mut SqlTransaction) -> Result<i64> {
    let row = sqlx::query("SELECT COALESCE(MAX(snapshot_id), 0) FROM snapshots WHERE is_published = 1")
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed)?;
    column(&row, 0)
}
