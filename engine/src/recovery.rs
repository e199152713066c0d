//! What a start brings back from the write-ahead log, within the memory that fresh rows may take.

use std::path::Path;

use crate::catalog::{CatalogState, FlushedRange, LiveTables};
use crate::committer::{IngestPosition, stamp_segments};
use crate::error::{Error, ErrorKind, Result};
use crate::flush::Flusher;
use crate::storage::Storage;
use crate::wal::{self, ClosedSegment, Disk, Replay, WalBatch};

/// While a remote store is down, rows of the log may take this many times the memory of fresh rows: they were
/// admitted before the stop, and may take a little more when they are read back.
const MAX_OVERCOMMIT: usize = 2;

/// Reads the log back: rows that no data file holds are visible again. When they take more memory than they may, data
/// files are made of them before more is read. Returns the log's segments and where ingestion stands.
///
/// # Errors
/// `CorruptData` naming what is damaged in the log; `Unavailable` when the disk fails, or storage does and the rows do
/// not fit into memory. What was flushed stays so, and the next start goes on from there.
pub(crate) async fn read_log(
    disk: &dyn Disk,
    directory: &Path,
    flusher: &Flusher,
    state: &CatalogState,
) -> Result<(Vec<ClosedSegment>, IngestPosition)> {
    let position = IngestPosition {
        writer: flusher.catalog.writer(),
        epoch: flusher.catalog.epoch(),
        last_sequence: state.last_sequence,
        last_ingested_us: state.last_ingested_us,
    };
    let mut restored = Restored { tables: &flusher.tables, flushed: &state.flushed, position };
    let mut replay = Replay::open(disk, directory)?;
    let mut is_storage_down = false;
    while let Some(batches) = replay.next_commit()? {
        batches.iter().try_for_each(|batch| restored.take(batch))?;
        if flusher.tables.is_full() && !is_storage_down {
            is_storage_down = make_room(flusher).await? == Room::StorageIsDown;
        }
        if flusher.tables.is_overfull(MAX_OVERCOMMIT) {
            return Err(Error::unavailable(
                "the rows of the write-ahead log need more memory than they may have, and storage does not take them",
            ));
        }
    }
    Ok((replay.finish()?, restored.position))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    Made,
    StorageIsDown,
}

/// Flushes the largest tables until fresh rows take less than half of what they may.
async fn make_room(flusher: &Flusher) -> Result<Room> {
    while flusher.tables.is_half_full() {
        let largest = flusher.tables.buffers().into_iter().max_by_key(|facts| facts.size_bytes);
        let Some(largest) = largest else { break };
        match flusher.flush_table(largest.table).await {
            Err(error) if is_outage(&flusher.storage, &error) => {
                tracing::warn!(%error, "rows of the write-ahead log stay in memory");
                return Ok(Room::StorageIsDown);
            }
            flushed => flushed?,
        }
    }
    Ok(Room::Made)
}

/// A remote store that is down holds up neither a start nor ingestion. What was to be done there is done later: at
/// the next tick of maintenance, or at the next start.
pub(crate) fn tolerate_outage(storage: &Storage, result: Result<()>) -> Result<()> {
    match result {
        Err(error) if is_outage(storage, &error) => {
            tracing::warn!(%error, "storage cannot be used yet");
            Ok(())
        }
        result => result,
    }
}

fn is_outage(storage: &Storage, error: &Error) -> bool {
    storage.is_remote() && error.kind() == ErrorKind::Unavailable
}

/// What a replay brings back.
struct Restored<'a> {
    tables: &'a LiveTables,
    flushed: &'a [FlushedRange],
    position: IngestPosition,
}

impl Restored<'_> {
    /// Brings back the rows of a batch, unless data files hold them.
    fn take(&mut self, batch: &WalBatch) -> Result<()> {
        let stamp = &batch.stamp;
        self.position.last_sequence = self.position.last_sequence.max(stamp.sequence);
        self.position.last_ingested_us = self.position.last_ingested_us.max(stamp.ingested_us);
        if self.flushed.iter().any(|range| range.holds(batch.table, stamp)) {
            return Ok(());
        }
        let payloads = batch.payloads.iter().map(wal::decode_payload).collect::<Result<Vec<_>>>()?;
        // The columns of decoded rows share the memory of one payload.
        let rows = payloads.iter().zip(&batch.payloads).map(|(rows, payload)| (rows, payload.len()));
        self.tables.restore(
            batch.table,
            stamp_segments(batch.table.dataset(), rows, stamp)?,
            stamp.ingested_us,
        );
        Ok(())
    }
}
