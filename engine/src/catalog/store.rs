//! The catalog database: which data files are live, which batches they hold, who may write.

use std::path::Path;

use object_store::path::Path as ObjectPath;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row};
use uuid::Uuid;

use super::Transaction;
use crate::database::{self, SchemaStep};
use crate::error::{Error, Result};
use crate::schema::{BatchStamp, Dataset, ProjectId, TableId};
use crate::storage::{DataFile, LAYOUT_VERSION};

/// Name of the database in the data folder.
const FILE_NAME: &str = "catalog.db";

const SCHEMA: &[SchemaStep] = &[SchemaStep {
    version: 1,
    description: "writers, snapshots, data files, ranges of the write-ahead log, intents",
    sql: include_str!("migrations/0001_catalog.sql"),
}];

/// A transaction of the catalog database.
type SqlTransaction = sqlx::Transaction<'static, Any>;

/// The one writer: a second connection would only wait for the first.
const MAX_CONNECTIONS: u32 = 1;

/// The catalog of one folder, opened for one life of its writer.
#[derive(Clone, Debug)]
pub(crate) struct CatalogStore {
    pool: AnyPool,
    writer: Uuid,
    epoch: u64,
}

/// What the catalog knows of earlier lives when it is opened.
#[derive(Debug)]
pub(crate) struct CatalogState {
    pub(crate) files: Vec<(TableId, DataFile)>,
    pub(crate) flushed: Vec<FlushedRange>,
    /// Highest sequence number that a data file holds.
    pub(crate) last_sequence: u64,
    /// Latest ingest time that a data file holds, microseconds.
    pub(crate) last_ingested_us: i64,
}

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

/// A catalog transaction that no manifest holds yet.
#[derive(Debug)]
pub(crate) struct UnpublishedSnapshot {
    pub(crate) snapshot_id: i64,
    pub(crate) files: Vec<(TableId, DataFile)>,
    pub(crate) flushed: Vec<FlushedRange>,
}

impl CatalogStore {
    /// Opens the catalog of a folder and begins a new epoch of its writer: any earlier life that still runs can
    /// commit nothing from here on.
    pub(crate) async fn open(data_dir: &Path) -> Result<(Self, CatalogState)> {
        let path = data_dir.join(FILE_NAME);
        let pool = database::open_sqlite(&path, MAX_CONNECTIONS, SCHEMA).await.map_err(|error| {
            Error::corrupt_data(format!("cannot open the catalog {}", path.display())).with_source(error)
        })?;
        let mut transaction = pool.begin().await.map_err(failed)?;
        let (writer, epoch, last_sequence, last_ingested_us) = begin_epoch(&mut transaction).await?;
        let files = read_files(&mut transaction, 0).await?;
        let flushed = read_ranges(&mut transaction, 0).await?;
        transaction.commit().await.map_err(failed)?;
        let files = files.into_iter().map(|(_, table, file)| (table, file)).collect();
        let flushed = flushed.into_iter().map(|(_, range)| range).collect();
        Ok((Self { pool, writer, epoch }, CatalogState { files, flushed, last_sequence, last_ingested_us }))
    }

    pub(crate) fn writer(&self) -> Uuid {
        self.writer
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

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

    /// Commits new data files together with the batches they hold, all or nothing.
    ///
    /// # Errors
    /// `Unavailable` when the database fails, or when another life of the writer has begun.
    pub(crate) async fn commit(&self, changes: &Transaction) -> Result<()> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        self.advance_writer(&mut transaction, changes).await?;
        let snapshot_id = next_snapshot(&mut transaction, changes.committed_us).await?;
        for file in &changes.files {
            insert_file(&mut transaction, changes.flushed.table, file, snapshot_id).await?;
            sqlx::query("DELETE FROM intents WHERE file_id = $1")
                .bind(file.id.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        insert_range(&mut transaction, &changes.flushed, snapshot_id).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Whether the catalog holds these files, which one transaction would have added.
    pub(crate) async fn has_files(&self, files: &[DataFile]) -> Result<bool> {
        let Some(file) = files.first() else { return Ok(false) };
        let row = sqlx::query("SELECT 1 FROM data_files WHERE file_id = $1")
            .bind(file.id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(failed)?;
        Ok(row.is_some())
    }

    /// Checks that this life is still the writer's and moves its high-water marks.
    async fn advance_writer(&self, transaction: &mut SqlTransaction, changes: &Transaction) -> Result<()> {
        let updated = sqlx::query(
            "UPDATE writers SET \
             last_sequence = CASE WHEN last_sequence < $1 THEN $1 ELSE last_sequence END, \
             last_ingested_us = CASE WHEN last_ingested_us < $2 THEN $2 ELSE last_ingested_us END \
             WHERE writer_id = $3 AND epoch = $4",
        )
        .bind(changes.flushed.last_sequence as i64)
        .bind(changes.last_ingested_us)
        .bind(self.writer.to_string())
        .bind(self.epoch as i64)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
        if updated.rows_affected() != 1 {
            return Err(Error::unavailable("another process has taken over this data folder"));
        }
        Ok(())
    }

    /// Catalog transactions that no manifest holds yet, oldest first.
    pub(crate) async fn unpublished(&self) -> Result<Vec<UnpublishedSnapshot>> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let rows =
            sqlx::query("SELECT snapshot_id FROM snapshots WHERE is_published = 0 ORDER BY snapshot_id")
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed)?;
        let ids: Vec<i64> = rows.iter().map(|row| column(row, 0)).collect::<Result<_>>()?;
        let Some(&first) = ids.first() else { return Ok(Vec::new()) };
        let files = read_files(&mut transaction, first).await?;
        let flushed = read_ranges(&mut transaction, first).await?;
        transaction.commit().await.map_err(failed)?;
        let snapshots = ids.into_iter().map(|id| UnpublishedSnapshot {
            snapshot_id: id,
            files: files.iter().filter(|(at, ..)| *at == id).map(|(_, t, f)| (*t, f.clone())).collect(),
            flushed: flushed.iter().filter(|(at, _)| *at == id).map(|(_, range)| *range).collect(),
        });
        Ok(snapshots.collect())
    }

    /// Notes that manifests hold everything up to a snapshot.
    pub(crate) async fn mark_published(&self, up_to: i64) -> Result<()> {
        sqlx::query("UPDATE snapshots SET is_published = 1 WHERE snapshot_id <= $1 AND is_published = 0")
            .bind(up_to)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Forgets published ranges that end below a sequence number: no replay will ask for them.
    pub(crate) async fn forget_ranges_below(&self, sequence: u64) -> Result<()> {
        sqlx::query(
            "DELETE FROM wal_ranges WHERE last_sequence < $1 AND snapshot_id IN \
             (SELECT snapshot_id FROM snapshots WHERE is_published = 1)",
        )
        .bind(i64::try_from(sequence).unwrap_or(i64::MAX))
        .execute(&self.pool)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Closes the database; its journal is folded into the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn begin_epoch(transaction: &mut SqlTransaction) -> Result<(Uuid, u64, u64, i64)> {
    let row = sqlx::query("SELECT writer_id, epoch, last_sequence, last_ingested_us FROM writers")
        .fetch_optional(&mut **transaction)
        .await
        .map_err(failed)?;
    let Some(row) = row else {
        let writer = Uuid::now_v7();
        sqlx::query(
            "INSERT INTO writers (writer_id, epoch, last_sequence, last_ingested_us) VALUES ($1, 1, 0, 0)",
        )
        .bind(writer.to_string())
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
        return Ok((writer, 1, 0, 0));
    };
    let writer = uuid_at(&row, 0)?;
    let epoch = column::<i64>(&row, 1)? + 1;
    sqlx::query("UPDATE writers SET epoch = $1 WHERE writer_id = $2")
        .bind(epoch)
        .bind(writer.to_string())
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
    Ok((writer, epoch as u64, column::<i64>(&row, 2)? as u64, column(&row, 3)?))
}

async fn next_snapshot(transaction: &mut SqlTransaction, committed_us: i64) -> Result<i64> {
    let row = sqlx::query("SELECT COALESCE(MAX(snapshot_id), 0) + 1 FROM snapshots")
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed)?;
    let snapshot_id = column(&row, 0)?;
    sqlx::query("INSERT INTO snapshots (snapshot_id, committed_us, is_published) VALUES ($1, $2, 0)")
        .bind(snapshot_id)
        .bind(committed_us)
        .execute(&mut **transaction)
        .await
        .map_err(failed)?;
    Ok(snapshot_id)
}

async fn insert_file(
    transaction: &mut SqlTransaction,
    table: TableId,
    file: &DataFile,
    snapshot_id: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO data_files (file_id, dataset, project_id, path, layout_version, min_timestamp_us, \
         max_timestamp_us, num_rows, size_bytes, added_snapshot) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(file.id.to_string())
    .bind(table.dataset.as_str())
    .bind(table.project.0)
    .bind(file.path.to_string())
    .bind(i64::from(LAYOUT_VERSION))
    .bind(file.min_timestamp_us)
    .bind(file.max_timestamp_us)
    .bind(file.num_rows as i64)
    .bind(file.size_bytes as i64)
    .bind(snapshot_id)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn insert_range(
    transaction: &mut SqlTransaction,
    range: &FlushedRange,
    snapshot_id: i64,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO wal_ranges (writer_id, dataset, project_id, first_sequence, last_sequence, snapshot_id) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(range.writer.to_string())
    .bind(range.table.dataset.as_str())
    .bind(range.table.project.0)
    .bind(range.first_sequence as i64)
    .bind(range.last_sequence as i64)
    .bind(snapshot_id)
    .execute(&mut **transaction)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn read_files(
    transaction: &mut SqlTransaction,
    from_snapshot: i64,
) -> Result<Vec<(i64, TableId, DataFile)>> {
    let rows = sqlx::query(
        "SELECT added_snapshot, dataset, project_id, file_id, path, layout_version, min_timestamp_us, \
         max_timestamp_us, num_rows, size_bytes FROM data_files WHERE added_snapshot >= $1 \
         ORDER BY added_snapshot, file_id",
    )
    .bind(from_snapshot)
    .fetch_all(&mut **transaction)
    .await
    .map_err(failed)?;
    rows.iter().map(read_file).collect()
}

fn read_file(row: &AnyRow) -> Result<(i64, TableId, DataFile)> {
    let path = path_at(row, 4)?;
    let layout_version: i64 = column(row, 5)?;
    if layout_version > i64::from(LAYOUT_VERSION) {
        return Err(Error::corrupt_data(format!(
            "data file {path} has layout version {layout_version}, and this program knows up to {LAYOUT_VERSION}"
        )));
    }
    let file = DataFile {
        id: uuid_at(row, 3)?,
        path,
        min_timestamp_us: column(row, 6)?,
        max_timestamp_us: column(row, 7)?,
        num_rows: column::<i64>(row, 8)? as u64,
        size_bytes: column::<i64>(row, 9)? as u64,
    };
    Ok((column(row, 0)?, table_at(row, 1)?, file))
}

async fn read_ranges(
    transaction: &mut SqlTransaction,
    from_snapshot: i64,
) -> Result<Vec<(i64, FlushedRange)>> {
    let rows = sqlx::query(
        "SELECT snapshot_id, dataset, project_id, writer_id, first_sequence, last_sequence FROM wal_ranges \
         WHERE snapshot_id >= $1 ORDER BY snapshot_id",
    )
    .bind(from_snapshot)
    .fetch_all(&mut **transaction)
    .await
    .map_err(failed)?;
    let read = |row: &AnyRow| {
        let range = FlushedRange {
            writer: uuid_at(row, 3)?,
            table: table_at(row, 1)?,
            first_sequence: column::<i64>(row, 4)? as u64,
            last_sequence: column::<i64>(row, 5)? as u64,
        };
        Ok((column(row, 0)?, range))
    };
    rows.iter().map(read).collect()
}

/// A table from its dataset's column and the project's after it.
fn table_at(row: &AnyRow, index: usize) -> Result<TableId> {
    let dataset: Dataset = column::<String>(row, index)?.parse()?;
    Ok(TableId { dataset, project: ProjectId(column(row, index + 1)?) })
}

fn uuid_at(row: &AnyRow, index: usize) -> Result<Uuid> {
    let text: String = column(row, index)?;
    Uuid::parse_str(&text)
        .map_err(|error| Error::corrupt_data(format!("bad id {text:?} in the catalog")).with_source(error))
}

fn path_at(row: &AnyRow, index: usize) -> Result<ObjectPath> {
    let text: String = column(row, index)?;
    ObjectPath::parse(&text)
        .map_err(|error| Error::corrupt_data(format!("bad path {text:?} in the catalog")).with_source(error))
}

fn column<'r, T>(row: &'r AnyRow, index: usize) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
{
    row.try_get(index).map_err(|error| Error::corrupt_data("bad column in the catalog").with_source(error))
}

fn failed(error: sqlx::Error) -> Error {
    Error::unavailable("the catalog database does not answer").with_source(error)
}
