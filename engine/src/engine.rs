//! The engine behind one handle: open, ingest, keep, stop. What it is asked is in `questions`.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};
use uuid::Uuid;

use crate::activity::ActivityChains;
use crate::background::BackgroundThread;
use crate::catalog::{CatalogStore, LiveTables, Snapshot, open_catalog};
use crate::clock::Clock;
use crate::committer::Committer;
use crate::compaction::{CompactionSettings, Compactor, Expiry};
use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::flush::Flusher;
use crate::folder_lock::lock_folder;
use crate::ingest::DecodedLogs;
use crate::maintenance::Maintenance;
use crate::operations::{Backup, BackupMode};
use crate::query::{QueryContext, QuerySettings, RetentionPreview};
use crate::recovery::{read_log, tolerate_outage};
use crate::retention::{RetentionPolicy, RetentionTables};
use crate::schema::{ProjectId, TableId};
use crate::storage::Storage;
use crate::wal::{self, Disk, LocalDisk, Wal};

/// A storage and query engine over one folder.
#[derive(Debug)]
pub struct Engine {
    pub(crate) tables: Arc<LiveTables>,
    pub(crate) retention: Arc<RetentionTables>,
    pub(crate) queries: Arc<QueryContext>,
    committer: Committer,
    maintenance: Arc<Maintenance>,
    catalog: CatalogStore,
    storage: Storage,
    wal: Arc<Mutex<Wal>>,
    clock: Arc<dyn Clock>,
    pub(crate) stop: CancellationToken,
    background: Mutex<Option<JoinHandle<()>>>,
    /// Where the chains of the audit trail end.
    pub(crate) chains: ActivityChains,
    compactor: Arc<Compactor>,
    /// Where merges run.
    compaction: Mutex<Option<BackgroundThread>>,
    is_stopped: AtomicBool,
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
        let storage = Storage::open(&config.storage, &config.data_dir).await?;
        let is_compacting = config.compaction;
        let engine = Self::open_on(config, clock, lock, storage, Arc::new(LocalDisk)).await?;
        if is_compacting {
            *engine.compaction.lock() = Some(start_compaction(&engine.compactor, &engine.stop)?);
        }
        let (maintenance, stop) = (Arc::clone(&engine.maintenance), engine.stop.clone());
        *engine.background.lock() = Some(tokio::spawn(async move { maintenance.run(stop).await }));
        Ok(engine)
    }

    /// Opens an engine that does no background work. `lock` is that of its folder.
    pub(crate) async fn open_on(
        config: EngineConfig,
        clock: Arc<dyn Clock>,
        lock: File,
        storage: Storage,
        disk: Arc<dyn Disk>,
    ) -> Result<Arc<Self>> {
        let (catalog, mut state) = open_catalog(&config.data_dir, &storage).await?;

        let files = std::mem::take(&mut state.files);
        let newest = (state.last_ingested_us, state.last_sequence);
        let tables = Arc::new(LiveTables::new(files, newest, config.max_buffer_bytes));
        let flusher = Flusher {
            catalog: catalog.clone(),
            storage: storage.clone(),
            tables: Arc::clone(&tables),
            clock: Arc::clone(&clock),
            min_sidecar_rows: config.min_sidecar_rows,
            turn: Arc::default(),
        };
        let wal_directory = config.data_dir.join("wal");
        wal::create_directory(&*disk, &wal_directory)?;
        let (segments, position) = read_log(&*disk, &wal_directory, &flusher, &state).await?;
        let wal = Wal::open(
            disk,
            &wal_directory,
            position.writer,
            position.epoch,
            config.wal_segment_bytes,
            segments,
        );
        let wal = Arc::new(Mutex::new(wal));

        let queries = QueryContext::new(storage.object_store(), query_settings(&config))?
            .with_clock(Arc::clone(&clock));
        let queries = Arc::new(queries);
        let retention = Arc::new(RetentionTables::new(Arc::clone(&clock), tables.time_bounds().into_iter()));
        let expiry = Expiry::new(Arc::clone(&retention), Arc::clone(&queries));
        let compactor = Arc::new(Compactor::new(&flusher, expiry, compaction_settings(&config)));
        let maintenance = Arc::new(Maintenance::new(
            flusher,
            Arc::clone(&retention),
            Arc::clone(&wal),
            config,
            state.last_published,
        ));
        state.flushed.iter().for_each(|range| maintenance.note_published(range.table, range.last_sequence));
        tolerate_outage(&storage, maintenance.sweep().await)?;
        tolerate_outage(&storage, maintenance.publish_and_truncate().await)?;
        let committer =
            Committer::start(Arc::clone(&wal), Arc::clone(&tables), Arc::clone(&clock), position)?;
        Ok(Arc::new(Self {
            tables,
            retention,
            queries,
            committer,
            maintenance,
            catalog,
            storage,
            wal,
            clock,
            stop: CancellationToken::new(),
            background: Mutex::default(),
            chains: ActivityChains::default(),
            compactor,
            compaction: Mutex::default(),
            is_stopped: AtomicBool::new(false),
            _lock: lock,
        }))
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
        self.ingest_rows(table, logs.batch).await
    }

    /// Takes in rows of the table's decoded schema, at least one.
    pub(crate) fn ingest_rows(&self, table: TableId, rows: RecordBatch) -> BoxFuture<'_, Result<()>> {
        let span = info_span!("ingest", %table, rows = rows.num_rows() as i64);
        Box::pin(self.take_in(table, rows).instrument(span))
    }

    async fn take_in(&self, table: TableId, rows: RecordBatch) -> Result<()> {
        if self.maintenance.is_wal_full() {
            self.maintenance.make_room();
            return Err(Error::unavailable("the write-ahead log is full until rows have been flushed"));
        }
        let admission =
            self.tables.admit(rows.get_array_memory_size()).inspect_err(|_| self.maintenance.make_room())?;
        let (rows, payload) = tokio::task::spawn_blocking(move || {
            let payload = wal::encode_payload(&rows)?;
            Ok::<_, Error>((rows, payload))
        })
        .await
        .map_err(|error| Error::internal("encoding rows was ended").with_source(error))??;
        let committed = self.committer.commit(table, rows, payload, admission).await;
        committed.inspect_err(|_| self.maintenance.make_room())
    }

    /// The id of what writes in this folder: the same after every start, and no other folder's.
    pub fn writer_id(&self) -> Uuid {
        self.catalog.writer()
    }

    /// The rows of a project's logs at this moment that have not expired.
    pub fn snapshot(&self, project: ProjectId) -> Snapshot {
        let table = TableId::logs(project);
        self.tables.snapshot(table, self.retention.cutoff(table))
    }

    /// Sets how long the rows of a table are kept, from the next question on and for the rows that are there as
    /// well. The engine does not keep it on disk: it is to be told at each start. What has been removed from the
    /// storage does not come back under a longer one.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming what is wrong; the table keeps the policy that it had.
    pub fn set_retention(&self, table: TableId, policy: RetentionPolicy) -> Result<()> {
        self.retention.set(table, policy)
    }

    /// What a policy would take away from what can be read of a table now.
    ///
    /// # Errors
    /// As [`Self::set_retention`] and [`QueryContext::count`].
    pub async fn retention_preview(
        &self,
        table: TableId,
        policy: RetentionPolicy,
    ) -> Result<RetentionPreview> {
        let snapshot = self.tables.snapshot(table, self.retention.cutoff(table));
        self.queries.retention_preview(&snapshot, policy).await
    }

    /// Removes the data files whose rows have all expired, as happens once a minute. By the removal clock, which
    /// follows the machine's by one step with each call.
    ///
    /// # Errors
    /// When the catalog fails; what is left is removed at the next call.
    pub async fn expire(&self) -> Result<()> {
        self.maintenance.expire().await
    }

    /// Removes every row of a table, in memory and in storage. Rows that come in meanwhile may stay: nothing should.
    ///
    /// # Errors
    /// When storage or the catalog fails; what is left is removed by another call.
    pub async fn remove_table(&self, table: TableId) -> Result<()> {
        self.maintenance.remove_table(table).await
    }

    /// Bytes of the write-ahead log, and the most that they may be.
    pub(crate) fn wal_fill(&self) -> (u64, u64) {
        self.maintenance.wal_fill()
    }

    /// Bytes of the data files that merges due now would read.
    pub(crate) fn compaction_waiting_bytes(&self) -> u64 {
        self.compactor.waiting_bytes(self.clock.now_us())
    }

    /// Makes data files of all rows in memory.
    ///
    /// # Errors
    /// When storage fails; the rows stay in memory and in the log.
    pub async fn flush(&self) -> Result<()> {
        self.maintenance.flush_all().await
    }

    /// Merges data files until no more are worth merging. With `everything`, also the last small files of months that
    /// still get rows, as if all were quiet. Then rewrites files without their expired rows where that is worth it.
    ///
    /// # Errors
    /// When a file cannot be read or written; nothing has changed by the merge that failed.
    pub async fn compact(&self, everything: bool) -> Result<()> {
        let now_us = if everything { i64::MAX } else { self.clock.now_us() };
        while self.compactor.compact_as_of(now_us, &self.stop).await? {}
        while self.compactor.rewrite_expired(&self.stop).await? {}
        self.maintenance.publish_and_truncate().await?;
        self.maintenance.delete_condemned().await
    }

    /// Begins a backup in `folder`, which is empty or does not exist: every row that was acknowledged before this
    /// call, and perhaps later ones. When it returns all data files are copied; they cannot be deleted meanwhile.
    /// The backup counts once [`Backup::finish`] has returned.
    ///
    /// # Errors
    /// `InvalidRequest` when the folder is not empty; `CorruptData` naming a data file that is missing or of another
    /// size; `Unavailable` when something cannot be read or written.
    pub async fn backup(&self, folder: &Path, mode: BackupMode) -> Result<Backup> {
        let backup = Backup::begin(folder, mode)?;
        self.flush().await?;
        // Held until all are copied: what a snapshot holds is not deleted.
        let pinned = self.tables.files();
        backup.copy_files(&self.storage, &self.catalog, &pinned).await
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
        if self.is_stopped.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let background = self.background.lock().take();
        if let Some(background) = background {
            background.await.map_err(|error| Error::internal("background work failed").with_source(error))?;
        }
        let compaction = self.compaction.lock().take();
        if let Some(compaction) = compaction {
            compaction.ended().await?;
        }
        self.flush().await?;
        self.wal.lock().close_active();
        self.maintenance.publish_and_truncate().await?;
        self.catalog.close().await;
        Ok(())
    }
}

/// What the simulation drives by hand.
#[cfg(test)]
impl Engine {
    pub(crate) fn maintenance(&self) -> &Maintenance {
        &self.maintenance
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }

    pub(crate) fn catalog(&self) -> &CatalogStore {
        &self.catalog
    }

    pub(crate) fn compactor(&self) -> &Compactor {
        &self.compactor
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Without a shutdown the rows stay in the log; background work must not outlive the lock for long.
        self.stop.cancel();
    }
}

fn start_compaction(compactor: &Arc<Compactor>, stop: &CancellationToken) -> Result<BackgroundThread> {
    let (compactor, stop) = (Arc::clone(compactor), stop.clone());
    BackgroundThread::start("compaction", async move { compactor.run(&stop).await })
}

fn compaction_settings(config: &EngineConfig) -> CompactionSettings {
    CompactionSettings {
        target_bytes: config.target_file_bytes,
        max_memory_bytes: config.merge_memory_bytes,
        min_sidecar_rows: config.min_sidecar_rows,
    }
}

fn query_settings(config: &EngineConfig) -> QuerySettings {
    QuerySettings {
        max_memory_bytes: config.query_memory_bytes,
        footer_cache_bytes: config.cache_bytes / 4,
        sidecar_cache_bytes: config.cache_bytes / 4,
        // Behind a network small reads cost more than they save.
        slice_cache_bytes: if config.storage.url.is_none() { config.cache_bytes / 2 } else { 0 },
        deadline: config.query_timeout,
        aggregate_deadline: config.aggregate_timeout,
        max_read_bytes: config.max_read_bytes,
        max_sql_statements: config.max_sql_statements,
        // Several exports may wait for their readers, and other queries want memory too.
        export_window_bytes: (config.query_memory_bytes as u64 / 24).clamp(1 << 20, 32 << 20),
        ..QuerySettings::default()
    }
}

#[cfg(test)]
mod tests {
    use object_store::path::Path as ObjectPath;
    use uuid::Uuid;

    use super::*;
    use crate::clock::{ManualClock, SystemClock};
    use crate::ingest::{RecordLimits, decode_otlp_json};
    use crate::query::TimeRange;
    use crate::query::model::LogFilter;

    async fn open(data_dir: &Path) -> Arc<Engine> {
        Engine::open(EngineConfig::new(data_dir), Arc::new(SystemClock)).await.unwrap()
    }

    #[tokio::test]
    async fn an_object_that_was_written_and_not_committed_is_removed_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = ObjectPath::from("logs/project=1/date=2026-01-01/orphan.parquet");
        let object = folder.path().join(path.as_ref());
        let engine = open(folder.path()).await;
        engine.catalog.record_intents(&[(Uuid::now_v7(), path)]).await.unwrap();
        std::fs::create_dir_all(object.parent().unwrap()).unwrap();
        std::fs::write(&object, b"half of a flush").unwrap();
        assert_eq!(engine.catalog.dead_intents().await.unwrap(), [], "the intent is of this life");
        drop(engine);
        let engine = open(folder.path()).await;
        assert!(!object.exists());
        assert_eq!(engine.catalog.dead_intents().await.unwrap(), []);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_objects_of_expired_files_stay_while_a_snapshot_holds_them() {
        let folder = tempfile::tempdir().unwrap();
        let project = ProjectId(1);
        let three_days_us = 3 * 86_400_000_000;
        let clock = Arc::new(ManualClock::new(three_days_us));
        let engine = Engine::open(EngineConfig::new(folder.path()), Arc::clone(&clock) as Arc<dyn Clock>)
            .await
            .unwrap();
        // Only what the test calls is done.
        engine.stop.cancel();
        let background = engine.background.lock().take();
        background.unwrap().await.unwrap();

        let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1000"}]}]}]}"#;
        let logs = decode_otlp_json(json, three_days_us, &RecordLimits::default()).unwrap();
        engine.ingest(TableId::logs(project), logs).await.unwrap();
        engine.flush().await.unwrap();
        let held = engine.snapshot(project);
        let object = folder.path().join(held.files[0].path.as_ref());
        engine.set_retention(TableId::logs(project), RetentionPolicy::of_days(Some(2))).unwrap();
        engine.expire().await.unwrap();
        engine.maintenance.publish_and_truncate().await.unwrap();
        engine.maintenance.delete_condemned().await.unwrap();
        let all_time = TimeRange { start_us: i64::MIN, end_us: i64::MAX };
        let filter = LogFilter::default();
        assert_eq!(engine.queries.count(&held, &filter, all_time).await.unwrap(), 1);
        assert!(engine.snapshot(project).files.is_empty());
        drop(held);
        engine.maintenance.delete_condemned().await.unwrap();
        assert!(!object.exists());
    }
}
