//! The engine behind one handle: open, ingest, ask, stop.

use parking_lot::Mutex;
use std::fs::{File, OpenOptions, TryLockError, create_dir_all};
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::catalog::{CatalogState, CatalogStore, FlushedRange, LiveTables, Snapshot};
use crate::clock::Clock;
use crate::committer::{Committer, IngestPosition, stamp_segments};
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::flush::Flusher;
use crate::ingest::DecodedLogs;
use crate::maintenance::Maintenance;
use crate::schema::{ProjectId, TableId};
use crate::storage::Storage;
use crate::wal::{self, Replayed, Wal, WalBatch};

/// Held while an engine has a folder open.
const LOCK_FILE_NAME: &str = "LOCK";

/// A storage and query engine over one folder.
#[derive(Debug)]
pub struct Engine {
    tables: Arc<LiveTables>,
    committer: Committer,
    maintenance: Arc<Maintenance>,
    catalog: CatalogStore,
    wal: Arc<Mutex<Wal>>,
    stop: CancellationToken,
    background: Mutex<Option<JoinHandle<()>>>,
    /// Released when the engine is dropped.
    _lock: File,
}

impl Engine {
    /// Opens a folder, makes it when it does not exist, and reads back what the write-ahead log holds.
    ///
    /// # Errors
    /// `InvalidRequest` for settings that cannot work; `Unavailable` when the folder cannot be used or another
    /// process has it open; `CorruptData` when what is stored cannot be trusted.
    pub async fn open(config: EngineConfig, clock: Arc<dyn Clock>) -> Result<Arc<Self>> {
        config.validate()?;
        let lock = lock_folder(&config.data_dir)?;
        let storage = Storage::local(&config.data_dir)?;
        let (catalog, state) = CatalogStore::open(&config.data_dir).await?;
        sweep_dead_intents(&catalog, &storage).await?;

        let wal_directory = config.data_dir.join("wal");
        wal::create_directory(&wal_directory)?;
        let mut replayed = wal::replay(&wal_directory)?;
        let wal = Wal::open(
            &wal_directory,
            catalog.writer(),
            catalog.epoch(),
            config.wal_segment_bytes,
            &mut replayed,
        );
        let wal = Arc::new(Mutex::new(wal));
        let position = ingest_position(&catalog, &state, &replayed);
        let tables = Arc::new(LiveTables::new(state.files, state.last_ingested_us, config.max_buffer_bytes));
        restore_rows(&tables, &replayed, &state.flushed)?;

        let flusher = Flusher {
            catalog: catalog.clone(),
            storage: storage.clone(),
            tables: Arc::clone(&tables),
            clock: Arc::clone(&clock),
        };
        let maintenance = Arc::new(Maintenance::new(flusher, Arc::clone(&wal), config));
        state.flushed.iter().for_each(|range| maintenance.note_published(range.table, range.last_sequence));
        maintenance.publish_and_truncate().await?;
        let committer = Committer::start(Arc::clone(&wal), Arc::clone(&tables), clock, position)?;
        let stop = CancellationToken::new();
        let background = {
            let (maintenance, stop) = (Arc::clone(&maintenance), stop.clone());
            tokio::spawn(async move { maintenance.run(stop).await })
        };
        let background = Mutex::new(Some(background));
        Ok(Arc::new(Self { tables, committer, maintenance, catalog, wal, stop, background, _lock: lock }))
    }

    /// Takes rows in. When this returns they survive a crash of the process or the machine, and queries see
    /// them, each once.
    ///
    /// # Errors
    /// `Unavailable` when rows come in faster than they can be stored, the disk is full or the log is sealed:
    /// nothing was taken, and the call can be repeated later.
    pub async fn ingest(&self, table: TableId, logs: DecodedLogs) -> Result<()> {
        if logs.num_rows() == 0 {
            return Ok(());
        }
        if self.maintenance.is_wal_full() {
            self.maintenance.pressure.notify_one();
            return Err(Error::unavailable("the write-ahead log is full until rows have been flushed"));
        }
        let rows = logs.batch;
        let admission = self
            .tables
            .admit(rows.get_array_memory_size())
            .inspect_err(|_| self.maintenance.pressure.notify_one())?;
        let (rows, payload) = tokio::task::spawn_blocking(move || {
            let payload = wal::encode_payload(&rows)?;
            Ok::<_, Error>((rows, payload))
        })
        .await
        .map_err(|error| Error::internal("encoding rows was ended").with_source(error))??;
        self.committer.commit(table, rows, payload, admission).await
    }

    /// The rows of a project's logs at this moment.
    pub fn snapshot(&self, project: ProjectId) -> Snapshot {
        self.tables.snapshot(TableId::logs(project))
    }

    /// Whether a project has any log record.
    pub fn has_logs(&self, project: ProjectId) -> bool {
        !self.snapshot(project).is_empty()
    }

    /// The earliest `timestamp` of a project's logs, microseconds.
    pub fn earliest_timestamp_us(&self, project: ProjectId) -> Option<i64> {
        self.snapshot(project).min_timestamp_us()
    }

    /// An instant, in ingest time, below which every record of a project has come in, microseconds.
    pub fn live_checkpoint_us(&self, project: ProjectId) -> Option<i64> {
        self.tables.newest_us(TableId::logs(project))
    }

    /// Makes data files of all rows in memory.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory and in the log.
    pub async fn flush(&self) -> Result<()> {
        self.maintenance.flush_all().await
    }

    /// Stops: takes no more rows, finishes the requests that wait, flushes, and closes. Calling it again does
    /// nothing.
    ///
    /// # Errors
    /// When a flush fails; the rows are still in the log, for the next start.
    pub async fn shutdown(self: &Arc<Self>) -> Result<()> {
        let engine = Arc::clone(self);
        let stopped = tokio::task::spawn_blocking(move || engine.committer.stop()).await;
        stopped
            .map_err(|error| Error::internal("the commit thread could not be ended").with_source(error))?;
        self.stop.cancel();
        let background = self.background.lock().take();
        let Some(background) = background else { return Ok(()) };
        background.await.map_err(|error| Error::internal("background work failed").with_source(error))?;
        self.flush().await?;
        self.wal.lock().close_active();
        self.maintenance.publish_and_truncate().await?;
        self.catalog.close().await;
        Ok(())
    }
}

fn lock_folder(data_dir: &Path) -> Result<File> {
    let name = data_dir.display();
    create_dir_all(data_dir)
        .map_err(|error| Error::unavailable(format!("cannot create the folder {name}")).with_source(error))?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(data_dir.join(LOCK_FILE_NAME))
        .map_err(|error| {
            Error::unavailable(format!("cannot write in the folder {name}")).with_source(error)
        })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            Err(Error::unavailable(format!("the folder {name} is in use by another process")))
        }
        Err(TryLockError::Error(error)) => {
            Err(Error::unavailable(format!("cannot lock the folder {name}")).with_source(error))
        }
    }
}

/// Removes objects that an earlier life wrote and did not commit.
async fn sweep_dead_intents(catalog: &CatalogStore, storage: &Storage) -> Result<()> {
    for (file_id, path) in catalog.dead_intents().await? {
        storage.delete(&path).await?;
        catalog.forget_intent(file_id).await?;
        tracing::info!(%path, "removed an object that was never committed");
    }
    Ok(())
}

fn ingest_position(catalog: &CatalogStore, state: &CatalogState, replayed: &Replayed) -> IngestPosition {
    let stamps = || replayed.batches.iter().map(|batch| batch.stamp);
    IngestPosition {
        writer: catalog.writer(),
        epoch: catalog.epoch(),
        last_sequence: stamps().map(|stamp| stamp.sequence).fold(state.last_sequence, u64::max),
        last_ingested_us: stamps().map(|stamp| stamp.ingested_us).fold(state.last_ingested_us, i64::max),
    }
}

/// Brings back the rows of batches that no data file holds.
fn restore_rows(tables: &Arc<LiveTables>, replayed: &Replayed, flushed: &[FlushedRange]) -> Result<()> {
    let is_flushed = |batch: &WalBatch| flushed.iter().any(|range| range.holds(batch.table, &batch.stamp));
    for batch in replayed.batches.iter().filter(|batch| !is_flushed(batch)) {
        let payloads = batch.payloads.iter().map(wal::decode_payload).collect::<Result<Vec<_>>>()?;
        let rows = payloads.iter().map(|rows| (rows, rows.get_array_memory_size()));
        let segments = stamp_segments(rows, &batch.stamp)?;
        tables.restore(batch.table, segments, batch.stamp.ingested_us);
    }
    Ok(())
}
