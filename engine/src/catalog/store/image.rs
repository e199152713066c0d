//! The catalog as it is at one moment, read in one transaction.

use std::path::Path;

use object_store::path::Path as ObjectPath;
use sqlx::AnyPool;
use uuid::Uuid;

use super::columns::{column, count_at, failed, path_at, uuid_at};
use super::files::Which;
use super::publishing::last_published;
use super::state::StateName;
use super::{
    CATALOG_FILE_NAME, CatalogFile, CatalogStore, FlushedRange, SqlTransaction, files, open_pool, ranges,
    state,
};
use crate::error::{Error, Result};

/// A writer and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WriterMarks {
    pub(crate) writer: Uuid,
    pub(crate) epoch: u64,
    /// Highest sequence number that a data file holds.
    pub(crate) last_sequence: u64,
    /// Latest ingest time that a data file holds, microseconds.
    pub(crate) last_ingested_us: i64,
}

impl WriterMarks {
    /// Takes what is ahead of it in others.
    pub(crate) fn advance(&mut self, others: Self) {
        if others.epoch > self.epoch {
            (self.writer, self.epoch) = (others.writer, others.epoch);
        }
        self.last_sequence = self.last_sequence.max(others.last_sequence);
        self.last_ingested_us = self.last_ingested_us.max(others.last_ingested_us);
    }
}

/// Everything that a catalog holds.
#[derive(Debug)]
pub(crate) struct CatalogImage {
    /// `None` before the first start.
    pub(crate) marks: Option<WriterMarks>,
    pub(crate) last_snapshot: i64,
    /// Manifests hold every transaction up to this one.
    pub(crate) last_published: i64,
    pub(crate) last_checkpoint: i64,
    pub(crate) is_sweep_paused: bool,
    /// Live files, and files that are live no more and whose objects may still be there.
    pub(crate) files: Vec<CatalogFile>,
    /// Each with its snapshot.
    pub(crate) ranges: Vec<(i64, FlushedRange)>,
    /// Objects that may have been written and were not committed.
    pub(crate) intents: Vec<(Uuid, ObjectPath)>,
}

impl CatalogImage {
    /// Reads the catalog of a stopped folder, without beginning a new life of its writer.
    ///
    /// # Errors
    /// `CorruptData` naming the file when it is missing, damaged or of a later version.
    pub(crate) async fn of_folder(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(CATALOG_FILE_NAME);
        if !path.is_file() {
            return Err(Error::corrupt_data(format!("the catalog {} is missing", path.display())));
        }
        let pool = open_pool(&path).await?;
        let image = read(&pool).await;
        pool.close().await;
        image
    }
}

impl CatalogStore {
    /// How far the writer has come.
    pub(crate) async fn marks(&self) -> Result<WriterMarks> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let marks = marks(&mut transaction).await?;
        transaction.commit().await.map_err(failed)?;
        marks.ok_or_else(|| Error::internal("a catalog without a writer"))
    }

    /// The number of the last transaction.
    pub(crate) async fn last_snapshot(&self) -> Result<i64> {
        let mut transaction = self.pool.begin().await.map_err(failed)?;
        let snapshot = last_snapshot(&mut transaction).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(snapshot)
    }

    /// Everything that the catalog holds now.
    pub(crate) async fn image(&self) -> Result<CatalogImage> {
        read(&self.pool).await
    }
}

async fn read(pool: &AnyPool) -> Result<CatalogImage> {
    let mut transaction = pool.begin().await.map_err(failed)?;
    let image = CatalogImage {
        marks: marks(&mut transaction).await?,
        last_snapshot: last_snapshot(&mut transaction).await?,
        last_published: last_published(&mut transaction).await?,
        last_checkpoint: state::read(&mut transaction, StateName::LastCheckpoint).await?,
        is_sweep_paused: state::read(&mut transaction, StateName::SweepPaused).await? != 0,
        files: files::read(&mut transaction, Which::All).await?,
        ranges: ranges::read(&mut transaction, 0).await?,
        intents: intents(&mut transaction).await?,
    };
    transaction.commit().await.map_err(failed)?;
    Ok(image)
}

async fn marks(transaction: &mut SqlTransaction) -> Result<Option<WriterMarks>> {
    let row = sqlx::query("SELECT writer_id, epoch, last_sequence, last_ingested_us FROM writers")
        .fetch_optional(&mut **transaction)
        .await
        .map_err(failed)?;
    let marks = row.map(|row| {
        Ok(WriterMarks {
            writer: uuid_at(&row, 0)?,
            epoch: count_at(&row, 1)?,
            last_sequence: count_at(&row, 2)?,
            last_ingested_us: column(&row, 3)?,
        })
    });
    marks.transpose()
}

async fn last_snapshot(transaction: &mut SqlTransaction) -> Result<i64> {
    let row = sqlx::query("SELECT COALESCE(MAX(snapshot_id), 0) FROM snapshots")
        .fetch_one(&mut **transaction)
        .await
        .map_err(failed)?;
    column(&row, 0)
}

async fn intents(transaction: &mut SqlTransaction) -> Result<Vec<(Uuid, ObjectPath)>> {
    let rows = sqlx::query("SELECT file_id, path FROM intents ORDER BY file_id")
        .fetch_all(&mut **transaction)
        .await
        .map_err(failed)?;
    rows.iter().map(|row| Ok((uuid_at(row, 0)?, path_at(row, 1)?))).collect()
}
