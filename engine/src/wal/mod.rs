//! The write-ahead log: what makes a 200 durable.
//!
//! [`Wal::append`] writes one group commit and syncs it. A segment file is removed once every batch in it is in
//! data files whose catalog transaction and manifest are out. The bytes are drawn in `format.rs`.
//!
//! A failed sync leaves it unknown what is on the disk, so it is never tried again: the log is sealed and
//! refuses writes until a restart has read it back. A full disk is found when a segment is allocated, before
//! anything is written, and is not a failure of the log: the next attempt may succeed.

mod disk;
mod format;
mod inspect;
mod payload;
mod replay;
mod segment_file;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

#[cfg(test)]
pub(crate) use disk::AppendFile;
pub(crate) use disk::{Disk, LocalDisk};
pub(crate) use format::WalBatch;
pub(crate) use inspect::{WalContents, inspect};
pub(crate) use payload::{decode_payload, encode_payload};
pub(crate) use replay::Replay;
#[cfg(test)]
pub(crate) use replay::replay;

use crate::error::{Error, Result};
use crate::schema::TableId;
use format::{SEGMENT_HEADER_BYTES, SegmentHeader, encode_frame};
use segment_file::SegmentFile;

/// Per table, the highest sequence number of something.
pub(crate) type Sequences = HashMap<TableId, u64>;

/// The write-ahead log of one writer.
#[derive(Debug)]
pub(crate) struct Wal {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    writer: Uuid,
    epoch: u64,
    segment_bytes: u64,
    next_segment: u64,
    active: Option<ActiveSegment>,
    /// Oldest first.
    closed: Vec<ClosedSegment>,
    is_sealed: bool,
    /// Bytes of all segment files, readable without the log's lock.
    size_bytes: Arc<AtomicU64>,
}

#[derive(Debug)]
struct ActiveSegment {
    file: SegmentFile,
    contents: SegmentContents,
}

/// A segment that is written no more.
#[derive(Debug)]
pub(crate) struct ClosedSegment {
    path: PathBuf,
    size_bytes: u64,
    contents: SegmentContents,
}

/// Which batches a segment holds.
#[derive(Debug, Default)]
struct SegmentContents {
    first_sequence: Option<u64>,
    last_sequences: Sequences,
}

impl SegmentContents {
    fn note(&mut self, batches: &[WalBatch]) {
        for batch in batches {
            let sequence = batch.stamp.sequence;
            self.first_sequence.get_or_insert(sequence);
            let last = self.last_sequences.entry(batch.table).or_default();
            *last = (*last).max(sequence);
        }
    }

    fn is_empty(&self) -> bool {
        self.last_sequences.is_empty()
    }

    fn is_covered_by(&self, durable: &Sequences) -> bool {
        self.last_sequences.iter().all(|(table, last)| durable.get(table).is_some_and(|done| done >= last))
    }
}

impl Wal {
    /// Opens the log of `directory` for a writer's new epoch, after a [`Replay`], which gave `closed`.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        directory: &Path,
        writer: Uuid,
        epoch: u64,
        segment_bytes: u64,
        closed: Vec<ClosedSegment>,
    ) -> Self {
        let last_number =
            closed.iter().filter_map(|segment| segment_file::segment_number(&segment.path)).max();
        let size_bytes = closed.iter().map(|segment| segment.size_bytes).sum();
        Self {
            disk,
            directory: directory.to_owned(),
            writer,
            epoch,
            segment_bytes,
            next_segment: last_number.map_or(0, |number| number + 1),
            active: None,
            closed,
            is_sealed: false,
            size_bytes: Arc::new(AtomicU64::new(size_bytes)),
        }
    }

    /// A gauge of the bytes that all segments take on disk.
    pub(crate) fn size_gauge(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.size_bytes)
    }

    /// Makes one group commit durable, all or nothing.
    ///
    /// # Errors
    /// `Unavailable`: nothing of it will be there after a restart if the disk was full; if writing or syncing
    /// failed, that is unknown, and every later call fails too.
    pub(crate) fn append(&mut self, batches: &[WalBatch]) -> Result<()> {
        if self.is_sealed {
            return Err(Error::unavailable(
                "the write-ahead log is sealed after a failed write; restart to go on writing",
            ));
        }
        let frame = encode_frame(batches);
        let segment = self.segment_for(frame.len())?;
        if let Err(error) = segment.file.append(&frame) {
            let error = io_error("write", &segment.file.path, error);
            self.is_sealed = true;
            return Err(error);
        }
        segment.contents.note(batches);
        Ok(())
    }

    /// The active segment, or a new one when the frame does not fit.
    fn segment_for(&mut self, frame_bytes: usize) -> Result<&mut ActiveSegment> {
        if self.active.as_ref().is_none_or(|active| !active.file.fits(frame_bytes)) {
            let capacity = self.segment_bytes.max((SEGMENT_HEADER_BYTES + frame_bytes) as u64);
            let header = SegmentHeader { writer: self.writer, epoch: self.epoch, number: self.next_segment };
            let file = SegmentFile::create(&*self.disk, &self.directory, &header, capacity)
                .map_err(|error| io_error("allocate a segment in", &self.directory, error))?;
            self.next_segment += 1;
            self.size_bytes.fetch_add(capacity, Ordering::Relaxed);
            self.close_active();
            self.active = Some(ActiveSegment { file, contents: SegmentContents::default() });
        }
        Ok(self.active.as_mut().expect("BUG: a segment was just opened"))
    }

    /// Ends the active segment, so that truncation may take it.
    pub(crate) fn close_active(&mut self) {
        if let Some(ActiveSegment { file, contents }) = self.active.take() {
            tracing::debug!(segment = file.number, "closed a segment of the write-ahead log");
            self.closed.push(ClosedSegment { path: file.path, size_bytes: file.capacity_bytes, contents });
        }
    }

    /// Removes closed segments of which every batch is durable elsewhere. `durable` says up to which sequence
    /// number each table is. Returns whether any was removed.
    ///
    /// # Errors
    /// When the disk fails: segments that are still there are still known, and the call can be repeated.
    pub(crate) fn truncate(&mut self, durable: &Sequences) -> Result<bool> {
        let mut removed_any = false;
        while let Some(index) = self.closed.iter().position(|segment| segment.contents.is_covered_by(durable))
        {
            let segment = &self.closed[index];
            match self.disk.remove(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error("remove", &segment.path, error));
                }
                _ => {}
            }
            self.size_bytes.fetch_sub(segment.size_bytes, Ordering::Relaxed);
            self.closed.remove(index);
            removed_any = true;
        }
        if removed_any {
            let synced = self.disk.sync_directory(&self.directory);
            synced.map_err(|error| io_error("sync", &self.directory, error))?;
        }
        Ok(removed_any)
    }

    /// The tables whose rows keep the oldest closed segment from being removed.
    pub(crate) fn tables_in_oldest_segment(&self) -> Vec<TableId> {
        self.closed
            .first()
            .map(|segment| segment.contents.last_sequences.keys().copied().collect())
            .unwrap_or_default()
    }

    /// No batch below this sequence number is in the log: ranges that end below it will not be asked for by a
    /// replay.
    pub(crate) fn oldest_sequence(&self) -> u64 {
        let active = self.active.iter().map(|segment| &segment.contents);
        let contents = self.closed.iter().map(|segment| &segment.contents).chain(active);
        contents.filter_map(|contents| contents.first_sequence).min().unwrap_or(u64::MAX)
    }
}

/// Makes the directory of the log.
pub(crate) fn create_directory(disk: &dyn Disk, directory: &Path) -> Result<()> {
    disk.create_directory(directory).map_err(|error| io_error("create", directory, error))
}

fn io_error(action: &str, path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("cannot {action} {}", path.display())).with_source(error)
}
