//! Compaction: many small data files of a table become few large ones.
//!
//! `plan` decides which, `merge` reads their rows in order of time, and this module writes them and swaps the files:
//! intents, objects, one catalog transaction, then queries see the new files and the old ones are condemned. A stop
//! anywhere before the transaction leaves objects that the next start removes by their intents; after it, old
//! files that the next start knows as condemned. Rows that have expired are left out; `rewrite` does that for files
//! that no merge takes.

mod merge;
mod plan;
mod rewrite;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::catalog::{CatalogStore, LiveTables, Transaction};
use crate::clock::Clock;
use crate::data_file_writer::DataFileWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::flush::Flusher;
use crate::schema::TableId;
use crate::storage::{
    DataFile, DataFilePath, Effort, FileOrigin, FileSource, Promotion, Storage, TimeBucket,
};
use merge::{ReadFailure, Slice, TimeMerge};
use plan::plan_merge;

pub(crate) use merge::Keep;
pub(crate) use plan::Merge;
pub(crate) use rewrite::Expiry;

/// How long until files are looked at again when there was nothing to merge.
const IDLE_PAUSE: Duration = Duration::from_secs(1);

/// How often files are looked for that have expired rows to leave out.
const REWRITE_INTERVAL: Duration = Duration::from_secs(60);

/// How long until the next attempt after a failure.
const FAILURE_PAUSE: Duration = Duration::from_secs(30);

/// What compaction works with.
#[derive(Debug)]
pub(crate) struct Compactor {
    catalog: CatalogStore,
    storage: Storage,
    tables: Arc<LiveTables>,
    clock: Arc<dyn Clock>,
    expiry: Expiry,
    settings: CompactionSettings,
    /// Tables of which it is unknown whether the last merge was committed: left alone until a restart, which can
    /// tell.
    in_doubt: Mutex<HashSet<TableId>>,
    /// Files that cannot be read: left alone until a restart, so that they do not hold up the others.
    damaged: Mutex<HashSet<Uuid>>,
    /// Held by the merge that runs: one at a time bounds memory and leaves the machine to queries.
    turn: tokio::sync::Mutex<()>,
}

/// Bounds of compaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompactionSettings {
    /// Size that data files should reach.
    pub(crate) target_bytes: u64,
    /// Uncompressed bytes of the row groups that one merge holds at a time.
    pub(crate) max_memory_bytes: u64,
    /// Data files of fewer rows get no sidecar.
    pub(crate) min_sidecar_rows: u64,
}

/// The output of a merge so far.
struct Output {
    compaction: Uuid,
    inputs: Vec<Uuid>,
    level: u32,
    bucket: TimeBucket,
    promotion: Promotion,
    effort: Effort,
    files: Vec<DataFile>,
}

impl Compactor {
    /// A compactor over what a flusher writes to.
    pub(crate) fn new(flusher: &Flusher, expiry: Expiry, settings: CompactionSettings) -> Self {
        Self {
            catalog: flusher.catalog.clone(),
            storage: flusher.storage.clone(),
            tables: Arc::clone(&flusher.tables),
            clock: Arc::clone(&flusher.clock),
            expiry,
            settings,
            in_doubt: Mutex::default(),
            damaged: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Merges the files that need it most, of any table. Returns whether there was anything to merge.
    ///
    /// # Errors
    /// When a file cannot be read or written, or the catalog fails: nothing has changed.
    pub(crate) async fn compact_once(&self, stop: &CancellationToken) -> Result<bool> {
        self.compact_as_of(self.clock.now_us(), stop).await
    }

    /// The same, as if it were another time: far in the future everything is quiet and merged.
    pub(crate) async fn compact_as_of(&self, now_us: i64, stop: &CancellationToken) -> Result<bool> {
        let _turn = self.turn.lock().await;
        let Some((table, merge)) = self.next_merge(now_us) else { return Ok(false) };
        self.merge(table, &merge, self.expiry.keep(table), stop).await?;
        Ok(true)
    }

    /// Merges whenever there is something to merge, and otherwise rewrites files that have expired rows, until told to
    /// stop. A failure is logged and tried again later.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut rewrite_due = Instant::now() + REWRITE_INTERVAL;
        loop {
            let worked = match self.compact_once(stop).await {
                Ok(false) if Instant::now() >= rewrite_due => {
                    rewrite_due = Instant::now() + REWRITE_INTERVAL;
                    self.rewrite_expired(stop).await
                }
                worked => worked,
            };
            let pause = match worked {
                Ok(true) => continue,
                Ok(false) => IDLE_PAUSE,
                Err(_) if stop.is_cancelled() => return,
                Err(error) => {
                    tracing::error!(%error, "cannot merge data files");
                    FAILURE_PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Bytes of the files that merges due now would read.
    pub(crate) fn waiting_bytes(&self, now_us: i64) -> u64 {
        let tables = self.tables.files();
        tables.iter().map(|(_, files)| plan::waiting_bytes(files, now_us, self.settings.target_bytes)).sum()
    }

    fn next_merge(&self, now_us: i64) -> Option<(TableId, Merge)> {
        let in_doubt = self.in_doubt.lock();
        let tables = self.tables.files().into_iter().filter(|(table, _)| !in_doubt.contains(table));
        let damaged = self.damaged.lock();
        let merges = tables.filter_map(|(table, files)| {
            let readable: Vec<_> = files.iter().filter(|file| !damaged.contains(&file.id)).cloned().collect();
            Some((table, plan_merge(&readable, now_us, self.settings.target_bytes)?))
        });
        merges.min_by_key(|(_, merge)| merge.size_bytes())
    }

    /// Replaces files by merged ones, with the rows that `keep` lets through.
    pub(crate) async fn merge(
        &self,
        table: TableId,
        merge: &Merge,
        keep: Option<Arc<Keep>>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let began = Instant::now();
        let merged = self.merge_now(table, merge, keep, stop).await;
        self.tables.meters().note_merge(began.elapsed(), merged.is_ok());
        merged
    }

    #[tracing::instrument(name = "merge", skip_all, fields(%table, inputs = merge.inputs.len() as i64))]
    async fn merge_now(
        &self,
        table: TableId,
        merge: &Merge,
        keep: Option<Arc<Keep>>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut merge = merge.clone();
        let rows = self.open_within_memory(table, &mut merge, keep).await?;
        let inputs: Vec<Uuid> = merge.inputs.iter().map(|file| file.id).collect();
        let mut output = Output {
            compaction: Uuid::now_v7(),
            inputs: inputs.clone(),
            level: merge.inputs.iter().map(|file| file.level).max().unwrap_or(0) + 1,
            bucket: bucket_of(&merge.inputs),
            promotion: Promotion::choose(&rows.promoted_counts(), merge.num_rows()),
            effort: if merge.is_last { Effort::Thorough } else { Effort::Quick },
            files: Vec::new(),
        };
        let (num_inputs, num_bytes) = (merge.inputs.len(), merge.size_bytes());
        if let Err(error) = self.write(table, rows, &merge, &mut output, stop).await {
            self.catalog.discard(&self.storage, &output.files).await;
            return Err(error);
        }
        let added = output.files;
        let transaction =
            Transaction { table, committed_us: self.clock.now_us(), added, removed: inputs, flushed: None };
        let snapshot = self.commit(&transaction).await?;
        let num_outputs = transaction.added.len();
        self.tables.replace_files(table, &transaction.removed, transaction.added, snapshot);
        tracing::debug!(%table, num_inputs, num_outputs, num_bytes, "merged data files");
        Ok(())
    }

    /// Opens a merge and leaves out the last inputs while their row groups would not fit into memory together.
    async fn open_within_memory(
        &self,
        table: TableId,
        merge: &mut Merge,
        keep: Option<Arc<Keep>>,
    ) -> Result<TimeMerge> {
        loop {
            let rows = TimeMerge::open(&self.storage, table.dataset(), &merge.inputs, keep.clone())
                .await
                .map_err(|failure| self.note(failure))?;
            if rows.peak_bytes() <= self.settings.max_memory_bytes || merge.inputs.len() <= 2 {
                return Ok(rows);
            }
            merge.inputs.truncate((merge.inputs.len() / 2).max(2));
        }
    }

    /// Writes the rows to one file after another, each up to the target size.
    async fn write(
        &self,
        table: TableId,
        mut rows: TimeMerge,
        merge: &Merge,
        output: &mut Output,
        stop: &CancellationToken,
    ) -> Result<()> {
        let mut rows_left = merge.num_rows();
        let mut next = rows.next_slice().await.map_err(|failure| self.note(failure))?;
        while let Some(first) = next {
            let id = Uuid::now_v7();
            let path = DataFilePath { table, bucket: output.bucket, id }.to_path();
            self.catalog.record_intents(&[(id, path.clone())]).await?;
            let mut writer = self.create_file(table, path, output);
            let mut slice = first;
            let mut rows_in_file = 0;
            next = loop {
                if stop.is_cancelled() {
                    return Err(Error::unavailable("compaction was stopped"));
                }
                let Slice { batches, rows: addresses } = slice;
                let num_rows = addresses.len() as u64;
                rows_left = rows_left.saturating_sub(num_rows);
                rows_in_file += num_rows;
                let size_bytes = writer.write_slice(batches, addresses).await?;
                let more = rows.next_slice().await.map_err(|failure| self.note(failure))?;
                let Some(more) = more else { break None };
                if is_file_full(size_bytes, rows_in_file, rows_left, self.settings.target_bytes) {
                    break Some(more);
                }
                slice = more;
            };
            let origin = FileOrigin {
                file_id: id,
                table,
                level: output.level,
                writer: self.catalog.writer(),
                epoch: self.catalog.epoch(),
                source: FileSource::Compaction {
                    id: output.compaction,
                    part: output.files.len() as u32,
                    is_last: next.is_none(),
                    inputs: output.inputs.clone(),
                },
            };
            output.files.push(writer.finish(origin).await?);
        }
        Ok(())
    }

    fn create_file(&self, table: TableId, path: Path, output: &Output) -> DataFileWriter {
        let promotion = output.promotion.clone();
        DataFileWriter::create(&self.storage, table.dataset(), path, promotion, output.effort)
            .with_min_sidecar_rows(self.settings.min_sidecar_rows)
    }

    /// Remembers a file that is damaged.
    fn note(&self, failure: ReadFailure) -> Error {
        let ReadFailure { file_id, error } = failure;
        if error.kind() == ErrorKind::CorruptData {
            self.damaged.lock().insert(file_id);
        }
        error
    }

    /// Commits; when it cannot be told whether it was, the table is left alone until a restart.
    async fn commit(&self, transaction: &Transaction) -> Result<i64> {
        let error = match self.catalog.commit(transaction).await {
            Ok(snapshot) => return Ok(snapshot),
            Err(error) => error,
        };
        match self.catalog.committed_as(transaction).await {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => {
                self.catalog.discard(&self.storage, &transaction.added).await;
                Err(error)
            }
            Err(_) => {
                self.in_doubt.lock().insert(transaction.table);
                Err(error)
            }
        }
    }
}

/// Whether the rest of the rows should go into another file: not for a rest that would make a small one.
fn is_file_full(size_bytes: u64, rows_in_file: u64, rows_left: u64, target_bytes: u64) -> bool {
    let bytes_left = size_bytes as f64 / rows_in_file.max(1) as f64 * rows_left as f64;
    size_bytes >= target_bytes && bytes_left >= target_bytes as f64 / 2.0
}

/// The directory of files with the rows of these.
fn bucket_of(files: &[Arc<DataFile>]) -> TimeBucket {
    let first = files.iter().map(|file| file.min_timestamp_us).min();
    let last = files.iter().map(|file| file.max_timestamp_us).max();
    first.zip(last).map_or(TimeBucket::Wide, |(first, last)| TimeBucket::spanning(first, last))
}
