//! Rows of the catalog that say which batches of the write-ahead log are in data files.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::columns::{column, count_at, failed, of_table, table_at, uuid_at};
use super::{CatalogStore, SqlTransaction};
use crate::error::Result;
use crate::schema::{BatchStamp, TableId};

/// Batches of one table that are in data files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlushedRange {
    pub(crate) writer: Uuid,
    pub(crate) table: TableId,
    pub(crate) first_sequence: u64,
    /// Inclusive.
    pub(crate) last_sequence: u64,
}

impl FlushedRange {
    /// Whether a batch is in the range.
    pub(crate) fn holds(&self, table: TableId, stamp: &BatchStamp) -> bool {
        self.table == table
            && self.writer == stamp.writer
            && (self.first_sequence..=self.last_sequence).contains(&stamp.sequence)
    }
}

impl CatalogStore {
    /// Forgets published ranges that end below a sequence number: no replay will ask for them.
    pub(crate) async fn forget_ranges_below(&self, sequence: u64) -> Result<()> {
        sqlx::query(
            "DELETE FROM wal_ranges WHERE last_sequence < $1 AND snapshot_id <= \
             (SELECT COALESCE(MAX(snapshot_id), 0) FROM snapshots WHERE is_published = 1)",
        )
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }
}

pub(super) async fn insert(
    transaction: &mut SqlTransaction,
    range: &FlushedRange,
    snapshot_id: i64,
) -> Result<()> {
    let (dataset, project, organization) = of_table(range.table);
    sqlx::query(
        "INSERT INTO wal_ranges \
         (writer_id, dataset, project_id, organization_id, first_sequence, last_sequence, snapshot_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(range.writer.to_string())
    .bind(dataset)
    .bind(project)
    .bind(organization)
    .bind(range.first_sequence as i64)
    .bind(range.last_sequence as i64)
    .bind(snapshot_id)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Ranges that a snapshot or a later one added, with that snapshot.
pub(super) async fn read(
    transaction: &mut SqlTransaction,
    from_snapshot: i64,
) -> Result<Vec<(i64, FlushedRange)>> {
    let rows = sqlx::query(
        "SELECT snapshot_id, dataset, project_id, organization_id, writer_id, first_sequence, last_sequence FROM wal_ranges \
         WHERE snapshot_id >= $1 ORDER BY snapshot_id",
    )
    .bind(from_snapshot)
    .fetch_all(&mut **transaction)
    .await
    .map_err(failed)?;
    let read = |row: &AnyRow| {
        let range = FlushedRange {
            writer: uuid_at(row, 4)?,
            table: table_at(row, 1)?,
            first_sequence: count_at(row, 5)?,
            last_sequence: count_at(row, 6)?,
        };
        Ok((column(row, 0)?, range))
    };
    rows.iter().map(read).collect()
}
