//! The catalog database: which data files are live, which batches they hold, who may write.

mod columns;
mod files;
mod image;
mod ranges;
mod rebuilt;
mod state;

use std::path::Path;

use object_store::path::Path as ObjectPath;
use sqlx::{Any, AnyPool};
use uuid::Uuid;

use super::Transaction;
use crate::database::{self, SchemaStep};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::DataFile;
use columns::{column, failed, path_at, uuid_at};
use files::Which;

pub(crate) use files::CatalogFile;
pub(crate) use image::{CatalogImage, WriterMarks};
pub(crate) use ranges::FlushedRange;
pub(crate) use rebuilt::create_rebuilt;
pub(crate) use state::StateName;

/// Name of the database in the data folder.
pub(crate) const CATALOG_FILE_NAME: &str = "catalog.db";

const SCHEMA: &[SchemaStep] = &[
    SchemaStep {
        version: 1,
        description: "writers, snapshots, data files, ranges of the write-ahead log, intents",
        sql: include_str!("../migrations/0001_catalog.sql"),
    },
    SchemaStep {
        version: 2,
        description: "tables of organizations",
        sql: include_str!("../migrations/0002_organizations.sql"),
    },
];

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
    /// How many answers get lost from here on: to commits that took place, and to questions about them.
    #[cfg(test)]
    pub(crate) lost_answers: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

/// What the catalog knows of earlier lives when it is opened.
#[derive(Debug)]
pub(crate) struct CatalogState {
    /// Live files, and files that are live no more and whose objects may still be there.
    pub(crate) files: Vec<CatalogFile>,
    pub(crate) flushed: Vec<FlushedRange>,
    /// Highest sequence number that a data file holds.
    pub(crate) last_sequence: u64,
    /// Latest ingest time that a data file holds, microseconds.
    pub(crate) last_ingested_us: i64,
    /// Manifests hold every transaction up to this one.
    pub(crate) last_published: i64,
}

/// A catalog transaction that no manifest holds yet.
#[derive(Debug)]
pub(crate) struct UnpublishedSnapshot {
    pub(crate) snapshot_id: i64,
    pub(crate) added: Vec<(TableId, DataFile)>,
    pub(crate) removed: Vec<(TableId, Uuid)>,
    pub(crate) flushed: Vec<FlushedRange>,
}

impl CatalogStore {
    /// Opens the catalog of a folder and begins a new epoch of its writer: any earlier life that still runs can
    /// commit nothing from here on.
    pub(crate) async fn open(data_dir: &Path) -> Result<(Self, CatalogState)> {
        let pool = open_pool(&data_dir.join(CATALOG_FILE_NAME)).await?;
        let mut transaction = pool.begin().await.map_err(failed)?;
        let (writer, epoch, last_sequence, last_ingested_us) = begin_epoch(&mut transaction).await?;
        let files = files::read(&mut transaction, Which::All).await?;
        let flushed = ranges::read(&mut transaction, 0).await?;
        let last_published = last_published(&mut transaction).await?;
        transaction.commit().await.map_err(failed)?;
        let flushed = flushed.into_iter().map(|(_, range)| range).collect();
        let state = CatalogState { files, flushed, last_sequence, last_ingested_us, last_published };
        let store = Self {
            pool,
            writer,
            epoch,
            #[cfg(test)]
            lost_answers: std::sync::Arc::default(),
        };
        Ok((store, state))
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

    /// Commits changes, all or nothing, and returns the number of the snapshot that they make.
    ///
    /// # Errors
    /// `Unavailable` when the database fails, when a file to be removed is not live, or when another life of the
    /// writer has begun.
    pub(crate) async fn commit(&self, changes: &Transaction) -> Result<i64> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        self.advance_writer(&mut transaction, changes).await?;
        let snapshot_id = next_snapshot(&mut transaction, changes.committed_us).await?;
        for file in &changes.added {
            files::insert(&mut transaction, changes.table, file, snapshot_id).await?;
            sqlx::query("DELETE FROM intents WHERE file_id = $1")
                .bind(file.id.to_string())
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        for &file_id in &changes.removed {
            files::remove(&mut transaction, changes.table, file_id, snapshot_id).await?;
        }
        if let Some(flushed) = &changes.flushed {
            ranges::insert(&mut transaction, &flushed.range, snapshot_id).await?;
        }
        transaction.commit().await.map_err(failed)?;
        #[cfg(test)]
        self.lose_answer()?;
        Ok(snapshot_id)
    }

    /// The snapshot that a transaction has made, if it has been committed: for when its answer was lost.
    pub(crate) async fn committed_as(&self, changes: &Transaction) -> Result<Option<i64>> {
        if let Some(file) = changes.added.first() {
            let query = "SELECT added_snapshot FROM data_files WHERE file_id = $1";
            return self.snapshot_of(query, file.id).await;
        }
        // Another transaction may have removed some of the files, but not have removed these together.
        let mut committed = None;
        for &id in &changes.removed {
            let query =
                "SELECT removed_snapshot FROM data_files WHERE file_id = $1 AND removed_snapshot IS NOT NULL";
            let removed = self.snapshot_of(query, id).await?;
            if removed.is_none() || committed.is_some_and(|committed| removed != Some(committed)) {
                return Ok(None);
            }
            committed = removed;
        }
        Ok(committed)
    }

    /// Those of some files that are live no more, and the snapshots that removed them.
    pub(crate) async fn removed_among(&self, file_ids: &[Uuid]) -> Result<Vec<(Uuid, i64)>> {
        let mut removed = Vec::new();
        for &id in file_ids {
            let query =
                "SELECT removed_snapshot FROM data_files WHERE file_id = $1 AND removed_snapshot IS NOT NULL";
            removed.extend(self.snapshot_of(query, id).await?.map(|snapshot| (id, snapshot)));
        }
        Ok(removed)
    }

    async fn snapshot_of(&self, query: &'static str, file_id: Uuid) -> Result<Option<i64>> {
        let query = sqlx::query(query).bind(file_id.to_string());
        let row = query.fetch_optional(&self.pool).await.map_err(failed)?;
        #[cfg(test)]
        self.lose_answer()?;
        row.map(|row| column(&row, 0)).transpose()
    }

    #[cfg(test)]
    fn lose_answer(&self) -> Result<()> {
        use std::sync::atomic::Ordering::SeqCst;
        let lost = self.lost_answers.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        lost.map_or(Ok(()), |_| Err(Error::unavailable("the answer of the catalog was lost")))
    }

    /// Checks that this life is still the writer's and moves its high-water marks.
    async fn advance_writer(&self, transaction: &mut SqlTransaction, changes: &Transaction) -> Result<()> {
        let flushed = changes.flushed.as_ref();
        let updated = sqlx::query(
            "UPDATE writers SET \
             last_sequence = CASE WHEN last_sequence < $1 THEN $1 ELSE last_sequence END, \
             last_ingested_us = CASE WHEN last_ingested_us < $2 THEN $2 ELSE last_ingested_us END \
             WHERE writer_id = $3 AND epoch = $4",
        )
        .bind(flushed.map_or(0, |flushed| flushed.range.last_sequence as i64))
        .bind(flushed.map_or(i64::MIN, |flushed| flushed.last_ingested_us))
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

    /// Closes the database; its journal is folded into the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Opens the database of a catalog, makes it when it does not exist.
async fn open_pool(path: &Path) -> Result<AnyPool> {
    let cannot_open = |error| {
        Error::corrupt_data(format!(
            "cannot open the catalog {}; if it is damaged, `timberline catalog rebuild` makes it anew",
            path.display()
        ))
        .with_source(error)
    };
    let pool = database::open_sqlite(path, MAX_CONNECTIONS, SCHEMA).await.map_err(cannot_open)?;
    if let Some(damage) = database::find_sqlite_damage(&pool).await {
        return Err(Error::corrupt_data(format!(
            "the catalog {} is damaged: {damage}; `timberline catalog rebuild` makes it anew",
            path.display()
        )));
    }
    Ok(pool)
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
    let epoch: i64 = column::<i64>(&row, 1)?.saturating_add(1);
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

async fn last_published(transaction: &mut SqlTransaction) -> Result<i64> {
    let row = sqlx::query("SELECT COALESCE(MAX(snapshot_id), 0) FROM snapshots WHERE is_published = 1")
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed)?;
    column(&row, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ProjectId;

    fn file() -> DataFile {
        let id = Uuid::now_v7();
        DataFile {
            id,
            path: ObjectPath::from(id.to_string()),
            level: 0,
            min_timestamp_us: 1,
            max_timestamp_us: 2,
            min_ingested_us: 1,
            max_ingested_us: 2,
            num_rows: 1,
            size_bytes: 1,
            metadata_bytes: 1,
            sidecar_bytes: 0,
        }
    }

    fn changes(added: Vec<DataFile>, removed: &[Uuid]) -> Transaction {
        let table = TableId::logs(ProjectId(1));
        Transaction { table, committed_us: 5, added, removed: removed.to_vec(), flushed: None }
    }

    #[tokio::test]
    async fn a_removal_is_committed_when_one_snapshot_has_removed_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, _) = CatalogStore::open(folder.path()).await.unwrap();
        let files = [file(), file(), file()];
        let [first, second, third] = [files[0].id, files[1].id, files[2].id];
        catalog.commit(&changes(files.to_vec(), &[])).await.unwrap();
        let snapshot = catalog.commit(&changes(Vec::new(), &[first, third])).await.unwrap();
        assert_eq!(
            catalog.committed_as(&changes(Vec::new(), &[first, third])).await.unwrap(),
            Some(snapshot)
        );
        // The first file is gone, and yet this transaction did not remove it: the second one is live.
        let late = changes(Vec::new(), &[first, second]);
        catalog.commit(&late).await.unwrap_err();
        assert_eq!(catalog.committed_as(&late).await.unwrap(), None);
        assert_eq!(catalog.removed_among(&late.removed).await.unwrap(), [(first, snapshot)]);
        catalog.commit(&changes(Vec::new(), &[second])).await.unwrap();
        assert_eq!(catalog.committed_as(&changes(Vec::new(), &[first, second])).await.unwrap(), None);
    }
}
