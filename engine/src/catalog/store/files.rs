//! Rows of the catalog that say which data files there are.

use sqlx::any::AnyRow;
use uuid::Uuid;

use super::columns::{column, count_at, failed, of_table, path_at, table_at, uuid_at};
use super::{CatalogStore, SqlTransaction};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::{DataFile, LAYOUT_VERSION};

/// A data file with what the catalog knows about its life.
#[derive(Clone, Debug)]
pub(crate) struct CatalogFile {
    pub(crate) table: TableId,
    pub(crate) file: DataFile,
    pub(crate) added_snapshot: i64,
    /// The transaction that took it away, when it is live no more.
    pub(crate) removed_snapshot: Option<i64>,
}

/// Which rows a reading takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Which {
    All,
    /// Files that a snapshot or a later one added or removed.
    ChangedSince(i64),
}

impl CatalogStore {
    /// Forgets files that are live no more and whose objects are gone.
    pub(crate) async fn forget_files(&self, file_ids: &[Uuid]) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        for file_id in file_ids {
            sqlx::query("DELETE FROM data_files WHERE file_id = $1 AND removed_snapshot IS NOT NULL")
                .bind(file_id.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// Notes that a file has another sidecar than before.
    pub(crate) async fn set_sidecar_bytes(&self, file_id: Uuid, sidecar_bytes: u64) -> Result<()> {
        sqlx::query("UPDATE data_files SET sidecar_bytes = $1 WHERE file_id = $2")
            .bind(sidecar_bytes as i64)
            .bind(file_id.to_string())
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

pub(super) async fn insert(
    transaction: &mut SqlTransaction,
    table: TableId,
    file: &DataFile,
    snapshot_id: i64,
) -> Result<()> {
    let (dataset, project, organization) = of_table(table);
    sqlx::query(
        "INSERT INTO data_files (file_id, dataset, project_id, organization_id, path, layout_version, level, min_timestamp_us, \
         max_timestamp_us, min_ingested_us, max_ingested_us, num_rows, size_bytes, metadata_bytes, \
         sidecar_bytes, added_snapshot) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
    )
    .bind(file.id.to_string())
    .bind(dataset)
    .bind(project)
    .bind(organization)
    .bind(file.path.to_string())
    .bind(i64::from(LAYOUT_VERSION))
    .bind(i64::from(file.level))
    .bind(file.min_timestamp_us)
    .bind(file.max_timestamp_us)
    .bind(file.min_ingested_us)
    .bind(file.max_ingested_us)
    .bind(file.num_rows as i64)
    .bind(file.size_bytes as i64)
    .bind(file.metadata_bytes as i64)
    .bind(file.sidecar_bytes as i64)
    .bind(snapshot_id)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

/// Takes a file out of the live ones.
///
/// # Errors
/// `Unavailable` when it is not among them: another transaction has been faster.
pub(super) async fn remove(
    transaction: &mut SqlTransaction,
    table: TableId,
    file_id: Uuid,
    snapshot_id: i64,
) -> Result<()> {
    let (dataset, project, organization) = of_table(table);
    let updated = sqlx::query(
        "UPDATE data_files SET removed_snapshot = $1 WHERE file_id = $2 AND dataset = $3 AND project_id = $4 \
         AND organization_id = $5 AND removed_snapshot IS NULL",
    )
    .bind(snapshot_id)
    .bind(file_id.to_string())
    .bind(dataset)
    .bind(project)
    .bind(organization)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    if updated.rows_affected() != 1 {
        return Err(Error::unavailable(format!("data file {file_id} of {table} is no longer live")));
    }
    Ok(())
}

pub(super) async fn read(transaction: &mut SqlTransaction, which: Which) -> Result<Vec<CatalogFile>> {
    const COLUMNS: &str = "SELECT added_snapshot, removed_snapshot, dataset, project_id, organization_id, file_id, path, \
         layout_version, level, min_timestamp_us, max_timestamp_us, min_ingested_us, max_ingested_us, num_rows, \
         size_bytes, metadata_bytes, sidecar_bytes FROM data_files";
    let query = match which {
        Which::All => sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY added_snapshot, file_id"))),
        Which::ChangedSince(snapshot) => sqlx::query(sqlx::AssertSqlSafe(format!(
            "{COLUMNS} WHERE added_snapshot >= $1 OR removed_snapshot >= $1 ORDER BY added_snapshot, file_id"
        )))
        .bind(snapshot),
    };
    let rows = query.fetch_all(&mut **transaction).await.map_err(failed)?;
    rows.iter().map(read_row).collect()
}

fn read_row(row: &AnyRow) -> Result<CatalogFile> {
    let path = path_at(row, 6)?;
    let layout_version: i64 = column(row, 7)?;
    if layout_version > i64::from(LAYOUT_VERSION) {
        return Err(Error::corrupt_data(format!(
            "data file {path} has layout version {layout_version}, and this program knows up to {LAYOUT_VERSION}"
        )));
    }
    let level = u32::try_from(column::<i64>(row, 8)?).map_err(|error| {
        Error::corrupt_data(format!("bad level of {path} in the catalog")).with_source(error)
    })?;
    let file = DataFile {
        id: uuid_at(row, 5)?,
        path,
        level,
        min_timestamp_us: column(row, 9)?,
        max_timestamp_us: column(row, 10)?,
        min_ingested_us: column(row, 11)?,
        max_ingested_us: column(row, 12)?,
        num_rows: count_at(row, 13)?,
        size_bytes: count_at(row, 14)?,
        metadata_bytes: count_at(row, 15)?,
        sidecar_bytes: count_at(row, 16)?,
    };
    Ok(CatalogFile {
        table: table_at(row, 2)?,
        file,
        added_snapshot: column(row, 0)?,
        removed_snapshot: column(row, 1)?,
    })
}
