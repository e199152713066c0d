//! The live tables: data files and fresh rows of each table, as queries see them.

use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use uuid::Uuid;

use super::store::CatalogFile;
use super::{CommitSignals, IngestMark, Snapshot};
use crate::buffer::{BufferSegment, SequenceRange, TableBuffer};
use crate::error::{Error, Result};
use crate::retention::{RetentionCutoff, TimeBounds};
use crate::schema::TableId;
use crate::stats::Meters;
use crate::storage::DataFile;

/// Every table that has rows.
#[derive(Debug)]
pub(crate) struct LiveTables {
    /// Held for moments only: no I/O, no waiting.
    tables: RwLock<HashMap<TableId, LiveTable>>,
    /// Bytes of fresh rows, of rows on their way into the write-ahead log, and of rows that only queries hold.
    admitted_bytes: AtomicUsize,
    max_bytes: usize,
    /// Segments that have left their tables while queries held them, with the bytes that are given back with them.
    pinned: Mutex<Vec<(Weak<BufferSegment>, usize)>>,
    /// Files that no new snapshot has, and older ones may.
    condemned: Mutex<Vec<Condemned>>,
    signals: CommitSignals,
    meters: Meters,
}

/// A file that is live no more and whose object is still there.
#[derive(Clone, Debug)]
pub(crate) struct Condemned {
    pub(crate) file: Arc<DataFile>,
    /// The transaction that took it away.
    pub(crate) removed_snapshot: i64,
}

/// Memory reserved for rows; given back when this is dropped before the rows are visible.
#[derive(Debug)]
pub(crate) struct Admission {
    tables: Arc<LiveTables>,
    size_bytes: usize,
}

impl Admission {
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The rows are visible: their flush gives the memory back.
    pub(crate) fn keep(mut self) {
        self.size_bytes = 0;
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.tables.release(self.size_bytes);
    }
}

#[derive(Debug, Default)]
struct LiveTable {
    files: Arc<Vec<Arc<DataFile>>>,
    buffer: TableBuffer,
    /// No later row came in after this, microseconds.
    newest_us: i64,
    /// No later row is of a batch after this.
    newest_sequence: u64,
}

impl LiveTable {
    fn mark(&self) -> IngestMark {
        IngestMark::after(self.newest_us, self.newest_sequence)
    }
}

/// A table whose fresh rows are being flushed.
#[derive(Debug)]
pub(crate) struct PendingFlush {
    /// The rows, in order of ingestion.
    pub(crate) segments: Vec<Arc<BufferSegment>>,
    /// The batches they came in.
    pub(crate) sequences: SequenceRange,
    /// Ingest time of the newest of them or of a later one, microseconds.
    pub(crate) last_ingested_us: i64,
}

/// What decides whether a table is flushed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BufferFacts {
    pub(crate) table: TableId,
    pub(crate) size_bytes: usize,
    /// When its oldest fresh row came in, microseconds.
    pub(crate) oldest_us: i64,
}

impl LiveTables {
    /// `newest` is the latest ingest time of the files' rows and the number of their newest batch; `max_bytes` bounds
    /// the fresh rows of all tables.
    pub(crate) fn new(files: Vec<CatalogFile>, newest: (i64, u64), max_bytes: usize) -> Self {
        let (newest_us, newest_sequence) = newest;
        let mut by_table: HashMap<TableId, Vec<Arc<DataFile>>> = HashMap::new();
        let mut condemned = Vec::new();
        for CatalogFile { table, file, removed_snapshot, .. } in files {
            let file = Arc::new(file);
            match removed_snapshot {
                Some(removed_snapshot) => condemned.push(Condemned { file, removed_snapshot }),
                None => by_table.entry(table).or_default().push(file),
            }
        }
        let live =
            |files| LiveTable { files: Arc::new(files), newest_us, newest_sequence, ..LiveTable::default() };
        let tables = by_table.into_iter().map(|(table, files)| (table, live(files))).collect();
        Self {
            tables: RwLock::new(tables),
            admitted_bytes: AtomicUsize::new(0),
            max_bytes,
            pinned: Mutex::default(),
            condemned: Mutex::new(condemned),
            signals: CommitSignals::default(),
            meters: Meters::default(),
        }
    }

    /// What is measured of the work on these tables.
    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Bytes that are admitted now.
    pub(crate) fn admitted_bytes(&self) -> usize {
        self.release_unpinned();
        self.admitted_bytes.load(Ordering::Relaxed)
    }

    /// The most bytes that may be admitted.
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Reserves memory for rows before they are written anywhere.
    ///
    /// # Errors
    /// `Unavailable` when there is no room.
    pub(crate) fn admit(self: &Arc<Self>, size_bytes: usize) -> Result<Admission> {
        self.release_unpinned();
        let admitted = self.admitted_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        let admission = Admission { tables: Arc::clone(self), size_bytes };
        // One request may always go in, or a small limit would refuse it for ever.
        if admitted > 0 && admitted + size_bytes > self.max_bytes {
            return Err(Error::unavailable(format!(
                "{admitted} bytes of rows wait for storage or are read by queries, the limit is {} bytes",
                self.max_bytes
            )));
        }
        Ok(admission)
    }

    fn release(&self, size_bytes: usize) {
        self.admitted_bytes.fetch_sub(size_bytes, Ordering::Relaxed);
    }

    /// Takes note of segments that have left their table. Those that queries hold go on counting until they let go.
    fn retire(&self, segments: Vec<Arc<BufferSegment>>) {
        let mut pinned = self.pinned.lock();
        for segment in segments {
            let size_bytes = segment.size_bytes;
            let weak = Arc::downgrade(&segment);
            match Arc::into_inner(segment) {
                Some(_unpinned) => self.release(size_bytes),
                None => pinned.push((weak, size_bytes)),
            }
        }
    }

    /// Gives back the memory of retired segments that no query holds any more.
    fn release_unpinned(&self) {
        self.pinned.lock().retain(|(segment, size_bytes)| {
            let is_held = segment.strong_count() > 0;
            if !is_held {
                self.release(*size_bytes);
            }
            is_held
        });
    }

    /// Whether rows take more than half of what they may.
    pub(crate) fn is_half_full(&self) -> bool {
        self.release_unpinned();
        self.admitted_bytes.load(Ordering::Relaxed) > self.max_bytes / 2
    }

    /// Whether rows take more than they may, as they can when they are read back.
    pub(crate) fn is_full(&self) -> bool {
        self.is_overfull(1)
    }

    /// Whether rows take more than a multiple of what they may.
    pub(crate) fn is_overfull(&self, times: usize) -> bool {
        self.admitted_bytes.load(Ordering::Relaxed) > self.max_bytes.saturating_mul(times)
    }

    /// Makes durable rows visible. Their memory has been admitted.
    pub(crate) fn push(&self, table: TableId, segments: Vec<BufferSegment>, ingested_us: i64) {
        let mut tables = self.tables.write();
        let live = tables.entry(table).or_default();
        live.newest_us = live.newest_us.max(ingested_us);
        let mut joined = Vec::new();
        for segment in segments {
            live.newest_sequence = live.newest_sequence.max(segment.sequence);
            joined.extend(live.buffer.push(segment, ingested_us));
        }
        drop(tables);
        // The rows are in the joined segments too, which have taken over what was admitted for them.
        let joined_bytes = joined.iter().map(|segment| segment.size_bytes).sum();
        self.admitted_bytes.fetch_add(joined_bytes, Ordering::Relaxed);
        self.retire(joined);
        self.signals.notify(table);
    }

    /// Tells whenever rows of a table have become visible.
    pub(crate) fn signals(&self) -> &CommitSignals {
        &self.signals
    }

    /// The rows of a table in memory that came in after a mark, in segments that may have earlier ones too, and a
    /// mark after them. None when some of these rows have left memory.
    pub(crate) fn fresh_after(
        &self,
        table: TableId,
        mark: IngestMark,
    ) -> Option<(Vec<Arc<BufferSegment>>, IngestMark)> {
        let tables = self.tables.read();
        let Some(live) = tables.get(&table) else { return Some((Vec::new(), mark)) };
        let segments = live.buffer.segments_after(mark.sequence)?;
        Some((segments.to_vec(), live.mark()))
    }

    /// A mark after all rows of a table.
    pub(crate) fn mark(&self, table: TableId) -> IngestMark {
        self.tables.read().get(&table).map_or(IngestMark::BEFORE_ALL, LiveTable::mark)
    }

    /// Makes rows visible again that were acknowledged before a stop, whatever room there is.
    pub(crate) fn restore(&self, table: TableId, segments: Vec<BufferSegment>, ingested_us: i64) {
        let size_bytes = segments.iter().map(|segment| segment.size_bytes).sum();
        self.admitted_bytes.fetch_add(size_bytes, Ordering::Relaxed);
        self.push(table, segments, ingested_us);
    }

    /// The rows of a table at this moment, without those that the cutoff says have expired.
    pub(crate) fn snapshot(&self, table: TableId, cutoff: Option<Arc<RetentionCutoff>>) -> Snapshot {
        let tables = self.tables.read();
        let live = tables.get(&table);
        let snapshot = Snapshot {
            table,
            files: live.map(|live| Arc::clone(&live.files)).unwrap_or_default(),
            segments: live.map(|live| live.buffer.segments().to_vec()).unwrap_or_default(),
            retention: None,
        };
        drop(tables);
        match cutoff {
            Some(cutoff) => snapshot.without_expired(cutoff),
            None => snapshot,
        }
    }

    /// What is known of the times of all rows, in files and in memory.
    pub(crate) fn time_bounds(&self) -> Vec<TimeBounds> {
        let tables = self.tables.read();
        let bounds = tables.values().flat_map(|live| {
            let files = live.files.iter().map(|file| TimeBounds::from(file.as_ref()));
            files.chain(live.buffer.segments().iter().map(|segment| TimeBounds::from(segment.as_ref())))
        });
        bounds.collect()
    }

    /// An instant below which all rows of a table have come in, microseconds: later ones get this ingest time
    /// or a later one. `None` for a table without rows.
    pub(crate) fn newest_us(&self, table: TableId) -> Option<i64> {
        self.tables.read().get(&table).map(|live| live.newest_us)
    }

    /// Tables with fresh rows, in a fixed order.
    pub(crate) fn buffers(&self) -> Vec<BufferFacts> {
        let tables = self.tables.read();
        let facts = tables.iter().filter_map(|(&table, live)| {
            let oldest_us = live.buffer.oldest_us()?;
            Some(BufferFacts { table, size_bytes: live.buffer.size_bytes(), oldest_us })
        });
        let mut facts: Vec<_> = facts.collect();
        facts.sort_unstable_by_key(|facts| facts.table);
        facts
    }

    /// Begins to flush a table; `None` when there is nothing to flush.
    ///
    /// # Errors
    /// `Unavailable` when an earlier flush has neither ended nor failed.
    pub(crate) fn begin_flush(&self, table: TableId) -> Result<Option<PendingFlush>> {
        let mut tables = self.tables.write();
        let Some(live) = tables.get_mut(&table) else { return Ok(None) };
        if live.buffer.is_flushing() {
            let message = format!("it is unknown whether the last flush of {table} was committed: restart");
            return Err(Error::unavailable(message));
        }
        let Some(sequences) = live.buffer.begin_flush() else { return Ok(None) };
        let segments = live.buffer.segments().to_vec();
        Ok(Some(PendingFlush { segments, sequences, last_ingested_us: live.newest_us }))
    }

    /// The flush failed; the rows stay where they are.
    pub(crate) fn abandon_flush(&self, table: TableId) {
        if let Some(live) = self.tables.write().get_mut(&table) {
            live.buffer.abandon_flush();
        }
    }

    /// The flush is committed: in one step the rows leave and their files appear. `began_us` is when the flush
    /// began.
    pub(crate) fn finish_flush(&self, table: TableId, files: Vec<DataFile>, began_us: i64) {
        let mut tables = self.tables.write();
        let live = tables.entry(table).or_default();
        let all = live.files.iter().cloned().chain(files.into_iter().map(Arc::new));
        live.files = Arc::new(all.collect());
        let flushed = live.buffer.finish_flush(began_us);
        drop(tables);
        self.retire(flushed);
    }

    /// A transaction is committed that replaces files: in one step the old ones leave and the new ones appear.
    /// The old ones are condemned: their objects stay while a snapshot holds them.
    pub(crate) fn replace_files(
        &self,
        table: TableId,
        removed: &[Uuid],
        added: Vec<DataFile>,
        removed_snapshot: i64,
    ) {
        let mut tables = self.tables.write();
        let live = tables.entry(table).or_default();
        let (leaving, staying): (Vec<_>, Vec<_>) =
            live.files.iter().cloned().partition(|file| removed.contains(&file.id));
        live.files = Arc::new(staying.into_iter().chain(added.into_iter().map(Arc::new)).collect());
        drop(tables);
        let condemned = leaving.into_iter().map(|file| Condemned { file, removed_snapshot });
        self.condemned.lock().extend(condemned);
    }

    /// Takes the condemned files that no snapshot holds and whose removal manifests tell of, which go up to
    /// `last_published`.
    pub(crate) fn take_deletable(&self, last_published: i64) -> Vec<Condemned> {
        let mut condemned = self.condemned.lock();
        // Nobody can begin to hold a file that only this list has.
        let is_deletable = |condemned: &Condemned| {
            condemned.removed_snapshot <= last_published && Arc::strong_count(&condemned.file) == 1
        };
        let (deletable, kept) = condemned.drain(..).partition(is_deletable);
        *condemned = kept;
        deletable
    }

    /// Takes back files whose objects could not be deleted.
    pub(crate) fn condemn_again(&self, files: Vec<Condemned>) {
        self.condemned.lock().extend(files);
    }

    /// The live files of every table, in a fixed order.
    pub(crate) fn files(&self) -> Vec<(TableId, Arc<Vec<Arc<DataFile>>>)> {
        let tables = self.tables.read();
        let mut files: Vec<_> =
            tables.iter().map(|(&table, live)| (table, Arc::clone(&live.files))).collect();
        files.sort_unstable_by_key(|(table, _)| *table);
        files
    }
}
