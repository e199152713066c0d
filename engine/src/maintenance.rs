//! Background work of an engine: flushes that are due, expiry, manifests, truncation of the write-ahead log.

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::catalog::{BufferFacts, StateName, checkpoint_if_due, publish_manifest};
use crate::config::EngineConfig;
use crate::error::Result;
use crate::expire::{expire, remove_files};
use crate::flush::Flusher;
use crate::limits::{SMALL_FLUSH_PATIENCE, SMALL_FLUSH_SHARE};
use crate::retention::RetentionTables;
use crate::schema::TableId;
use crate::storage::sidecar_path;
use crate::wal::{Sequences, Wal};

/// How often due work is looked for. Manifests are batched to the same rhythm.
const TICK: Duration = Duration::from_secs(1);

/// How often expired files are looked for. The removal clock counts on it.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(60);

/// Everything that background work touches.
#[derive(Debug)]
pub(crate) struct Maintenance {
    flusher: Flusher,
    retention: Arc<RetentionTables>,
    wal: Arc<Mutex<Wal>>,
    wal_bytes: Arc<AtomicU64>,
    config: EngineConfig,
    /// Up to where each table's batches are in data files that a manifest names.
    published: Mutex<Sequences>,
    /// Manifests tell of every catalog transaction up to this one.
    last_published: AtomicI64,
    /// One writes manifests at a time: of two that tell of the same transactions the later one may know less.
    publishing: tokio::sync::Mutex<()>,
    /// One deletes at a time: who comes second finds deleted what the first has taken.
    deleting: tokio::sync::Mutex<()>,
    /// Rings when rows were refused for want of room.
    pressure: Notify,
    is_room_wanted: AtomicBool,
    /// Whether nothing of earlier lives is left to be removed.
    is_swept: AtomicBool,
}

impl Maintenance {
    pub(crate) fn new(
        flusher: Flusher,
        retention: Arc<RetentionTables>,
        wal: Arc<Mutex<Wal>>,
        config: EngineConfig,
        last_published: i64,
    ) -> Self {
        let wal_bytes = wal.lock().size_gauge();
        let published = Mutex::default();
        let (pressure, is_room_wanted) = (Notify::new(), AtomicBool::new(false));
        let last_published = AtomicI64::new(last_published);
        Self {
            flusher,
            retention,
            wal,
            wal_bytes,
            config,
            published,
            last_published,
            publishing: tokio::sync::Mutex::default(),
            deleting: tokio::sync::Mutex::default(),
            pressure,
            is_room_wanted,
            is_swept: AtomicBool::new(false),
        }
    }

    /// Asks for memory and disk to be freed now, not when flushes would be due.
    pub(crate) fn make_room(&self) {
        self.is_room_wanted.store(true, Ordering::Relaxed);
        self.pressure.notify_one();
    }

    /// Works until told to stop. A failure is logged and tried again at the next tick.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut expiry_due = Instant::now() + EXPIRY_INTERVAL;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.pressure.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
            let is_expiry_due = Instant::now() >= expiry_due;
            if is_expiry_due {
                expiry_due = Instant::now() + EXPIRY_INTERVAL;
            }
            self.tick(is_expiry_due).await;
        }
    }

    /// Does what is due. A failure is logged.
    pub(crate) async fn tick(&self, is_expiry_due: bool) {
        self.flush(&self.due_tables()).await;
        if is_expiry_due && let Err(error) = self.expire().await {
            tracing::error!(%error, "cannot remove expired data files");
        }
        if let Err(error) = self.publish_and_truncate().await {
            tracing::error!(%error, "cannot publish a manifest or truncate the write-ahead log");
        }
        if let Err(error) = self.sweep().await {
            tracing::error!(%error, "cannot remove objects that were never committed");
        }
        if let Err(error) = self.delete_condemned().await {
            tracing::error!(%error, "cannot delete data files that were replaced");
        }
    }

    /// Flushes tables one after another; one that fails does not stop the others.
    async fn flush(&self, tables: &[TableId]) {
        for &table in tables {
            if let Err(error) = self.flusher.flush_table(table).await {
                tracing::error!(%error, %table, "cannot flush");
            }
        }
    }

    /// Flushes every table.
    ///
    /// # Errors
    /// The first failure; the other tables have been tried.
    pub(crate) async fn flush_all(&self) -> Result<()> {
        let mut result = Ok(());
        for facts in self.flusher.tables.buffers() {
            let flushed = self.flusher.flush_table(facts.table).await;
            result = result.and(flushed);
        }
        result
    }

    /// Flushes one table.
    #[cfg(test)]
    pub(crate) async fn flush_table(&self, table: TableId) -> Result<()> {
        self.flusher.flush_table(table).await
    }

    /// Takes files away whose rows have all expired, by the removal clock, which follows by one step.
    ///
    /// # Errors
    /// The first failure; the other tables have been tried.
    pub(crate) async fn expire(&self) -> Result<()> {
        expire(&self.flusher, &self.retention).await
    }

    /// Removes every row of a table. They are flushed first, so that the log need not hold them any more.
    ///
    /// # Errors
    /// When storage or the catalog fails; what is left is removed by another call.
    pub(crate) async fn remove_table(&self, table: TableId) -> Result<()> {
        self.flusher.flush_table(table).await?;
        remove_files(&self.flusher, table).await?;
        self.publish_and_truncate().await?;
        self.delete_condemned().await
    }

    /// Bytes of the log, and the most that they may be.
    pub(crate) fn wal_fill(&self) -> (u64, u64) {
        (self.wal_bytes.load(Ordering::Relaxed), self.config.max_wal_bytes)
    }

    /// Whether the log has no room for more.
    pub(crate) fn is_wal_full(&self) -> bool {
        self.wal_bytes.load(Ordering::Relaxed) > self.config.max_wal_bytes
    }

    fn due_tables(&self) -> Vec<TableId> {
        let now_us = self.flusher.clock.now_us();
        let is_room_wanted = self.is_room_wanted.swap(false, Ordering::Relaxed);
        let is_log_half_full = self.wal_bytes.load(Ordering::Relaxed) > self.config.max_wal_bytes / 2;
        let holders =
            if is_room_wanted || is_log_half_full { self.log_holders(is_room_wanted) } else { Vec::new() };
        let buffers = self.flusher.tables.buffers();
        let is_memory_scarce = is_room_wanted || self.flusher.tables.is_half_full();
        let largest = is_memory_scarce.then(|| largest(&buffers)).flatten();
        let is_due = |facts: &BufferFacts| {
            is_flush_due(facts, now_us, &self.config)
                || holders.contains(&facts.table)
                || largest == Some(facts.table)
        };
        buffers.iter().filter(|facts| is_due(facts)).map(|facts| facts.table).collect()
    }

    /// The tables that keep the oldest segment of the log. When room is wanted the segment that is being written
    /// counts too: on a full disk it may be the only one, and no next one can be allocated.
    fn log_holders(&self, is_room_wanted: bool) -> Vec<TableId> {
        let mut wal = self.wal.lock();
        if is_room_wanted {
            wal.close_active();
        }
        wal.tables_in_oldest_segment()
    }

    /// Names new data files in a manifest, and all of them in a checkpoint when one is due, then removes what the log no longer has to hold.
    pub(crate) async fn publish_and_truncate(&self) -> Result<()> {
        let _turn = self.publishing.lock().await;
        while let Some(published) = publish_manifest(&self.flusher.catalog, &self.flusher.storage).await? {
            for range in &published.flushed {
                self.note_published(range.table, range.last_sequence);
            }
            self.last_published.store(published.last_snapshot, Ordering::Release);
            if !published.has_more {
                break;
            }
        }
        checkpoint_if_due(&self.flusher.catalog, &self.flusher.storage).await?;
        let (removed_any, oldest_sequence) = {
            let mut wal = self.wal.lock();
            (wal.truncate(&self.published.lock())?, wal.oldest_sequence())
        };
        if removed_any {
            self.flusher.catalog.forget_ranges_below(oldest_sequence).await?;
        }
        Ok(())
    }

    /// Removes objects that an earlier life wrote and did not commit. Done once; does nothing after that.
    ///
    /// # Errors
    /// When the store or the catalog fails; what is left is tried again at the next call.
    pub(crate) async fn sweep(&self) -> Result<()> {
        if self.is_swept.load(Ordering::Acquire) {
            return Ok(());
        }
        let Flusher { storage, catalog, .. } = &self.flusher;
        if catalog.state(StateName::SweepPaused).await? != 0 {
            tracing::warn!(
                "the catalog was rebuilt or restored: nothing is swept before `timberline doctor --repair`"
            );
        } else {
            for (file_id, path) in catalog.dead_intents().await? {
                storage.delete(&path).await?;
                storage.delete(&sidecar_path(&path)).await?;
                catalog.forget_intent(file_id).await?;
                tracing::info!(%path, "removed an object that was never committed");
            }
        }
        self.is_swept.store(true, Ordering::Release);
        Ok(())
    }

    /// Deletes the objects of files that were replaced or have expired, once manifests say so and no snapshot holds
    /// them.
    ///
    /// # Errors
    /// When the store or the catalog fails; what is left is tried again at the next call.
    pub(crate) async fn delete_condemned(&self) -> Result<()> {
        let _turn = self.deleting.lock().await;
        let Flusher { tables, storage, catalog, .. } = &self.flusher;
        let mut deletable = tables.take_deletable(self.last_published.load(Ordering::Acquire));
        let mut deleted = Vec::new();
        let mut result = Ok(());
        while let Some(condemned) = deletable.pop() {
            let file = &condemned.file;
            let removed = async {
                storage.delete(&file.sidecar_path()).await?;
                storage.delete(&file.path).await
            };
            match removed.await {
                Ok(()) => deleted.push(file.id),
                Err(error) => {
                    result = Err(error);
                    deletable.push(condemned);
                    break;
                }
            }
        }
        tables.condemn_again(deletable);
        if !deleted.is_empty() {
            catalog.forget_files(&deleted).await?;
        }
        result
    }

    /// Notes batches that an earlier life flushed and published.
    pub(crate) fn note_published(&self, table: TableId, last_sequence: u64) {
        let mut published = self.published.lock();
        let last = published.entry(table).or_default();
        *last = (*last).max(last_sequence);
    }
}

/// Few rows wait longer, so that thousands of quiet projects do not make a tiny file each every few minutes; the
/// log keeps them safe, and it asks for their flush when it needs the room.
fn is_flush_due(facts: &BufferFacts, now_us: i64, config: &EngineConfig) -> bool {
    let age_us = now_us.saturating_sub(facts.oldest_us);
    let interval_us = i64::try_from(config.flush_interval.as_micros()).unwrap_or(i64::MAX);
    let is_small = facts.size_bytes < config.flush_bytes / SMALL_FLUSH_SHARE;
    let due_age_us = if is_small { interval_us.saturating_mul(SMALL_FLUSH_PATIENCE) } else { interval_us };
    facts.size_bytes >= config.flush_bytes || age_us >= due_age_us
}

fn largest(buffers: &[BufferFacts]) -> Option<TableId> {
    buffers.iter().max_by_key(|facts| facts.size_bytes).map(|facts| facts.table)
}
