//! The catalog database: which data files are live, which batches they hold, who may write.
//!
//! | module | what |
//! |---|---|
//! | `commit` | changes, all or nothing |
//! | `intents` | objects that are about to be written |
//! | `publishing` | which transactions manifests hold |
//! | `files`, `ranges` | rows that say which data files there are, and which batches they hold |
//! | `state` | what the catalog knows about itself |
//! | `image` | all of it at one moment |
//! | `rebuilt` | a catalog made anew |
//! | `columns` | reading the columns of rows |

mod columns;
mod commit;
mod files;
mod image;
mod intents;
mod publishing;
mod ranges;
mod rebuilt;
mod state;

use std::path::Path;

use sqlx::{Any, AnyPool};
use uuid::Uuid;

use crate::database::{self, SchemaStep};
use crate::error::{Error, Result};
use columns::{column, failed, uuid_at};
use files::Which;
use publishing::last_published;

pub(crate) use files::CatalogFile;
pub(crate) use image::{CatalogImage, WriterMarks};
pub(crate) use publishing::UnpublishedSnapshot;
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
