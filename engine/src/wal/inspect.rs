//! Looking at the log without changing it: for repairs of a stopped folder.

use std::collections::BTreeSet;
use std::fs::{read, read_dir};
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use super::format::{Frame, SEGMENT_HEADER_BYTES, SegmentHeader, WalBatch, decode_frame, has_frame_after};
use super::io_error;
use super::segment_file::segment_number;
use crate::error::Result;
use crate::schema::{BatchStamp, TableId};

/// Which batches a log holds, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct WalContents {
    /// Oldest first.
    pub(crate) batches: Vec<(TableId, BatchStamp)>,
    keys: BTreeSet<(Uuid, TableId, u64)>,
    pub(crate) num_segments: usize,
    pub(crate) last_epoch: u64,
    /// Segments that refuse a start, and why.
    pub(crate) problems: Vec<(PathBuf, String)>,
}

impl WalContents {
    /// A log with these batches.
    #[cfg(test)]
    pub(crate) fn of(keys: impl IntoIterator<Item = (Uuid, TableId, u64)>) -> Self {
        Self { keys: keys.into_iter().collect(), ..Self::default() }
    }

    /// Whether the log holds a batch.
    pub(crate) fn holds(&self, writer: Uuid, table: TableId, sequence: u64) -> bool {
        self.keys.contains(&(writer, table, sequence))
    }

    /// Whether the log holds any batch of a table in a range of sequence numbers, both ends included.
    pub(crate) fn holds_any(&self, writer: Uuid, table: TableId, first: u64, last: u64) -> bool {
        first <= last && self.keys.range((writer, table, first)..=(writer, table, last)).next().is_some()
    }

    fn note(&mut self, batches: &[WalBatch]) {
        for batch in batches {
            self.batches.push((batch.table, batch.stamp));
            self.keys.insert((batch.stamp.writer, batch.table, batch.stamp.sequence));
        }
    }
}

/// Reads all segments of a directory, which may not exist. One segment is in memory at a time.
///
/// # Errors
/// `Unavailable` when a file cannot be read. Damage is no error here.
pub(crate) fn inspect(directory: &Path) -> Result<WalContents> {
    let mut contents = WalContents::default();
    let paths = segment_paths(directory)?;
    contents.num_segments = paths.len();
    for (index, path) in paths.iter().enumerate() {
        let segment = Bytes::from(read(path).map_err(|error| io_error("read", path, error))?);
        if let Err(problem) = inspect_segment(&segment, index + 1 == paths.len(), &mut contents) {
            contents.problems.push((path.clone(), problem));
        }
    }
    Ok(contents)
}

fn segment_paths(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = match read_dir(directory) {
        Err(error) if error.kind() == IoErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| io_error("read", directory, error))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(|error| io_error("read", directory, error))?.path());
    }
    paths.retain(|path| segment_number(path).is_some());
    paths.sort();
    Ok(paths)
}

/// Notes the batches of a segment; the error says why a replay would refuse it.
fn inspect_segment(segment: &Bytes, is_last: bool, contents: &mut WalContents) -> Result<(), String> {
    let header = match SegmentHeader::decode(segment) {
        Ok(Some(header)) => header,
        Ok(None) if is_last => return Ok(()),
        Ok(None) => return Err("its header is damaged, and later segments follow".to_owned()),
        Err(error) => return Err(error.message().to_owned()),
    };
    contents.last_epoch = contents.last_epoch.max(header.epoch);
    let mut offset = SEGMENT_HEADER_BYTES;
    loop {
        match decode_frame(segment, offset, &header) {
            Frame::Commit { batches, next_offset } => {
                contents.note(&batches);
                offset = next_offset;
            }
            Frame::End if !has_frame_after(segment, offset, &header) => return Ok(()),
            Frame::Damaged if is_last && !has_frame_after(segment, offset, &header) => return Ok(()),
            Frame::End | Frame::Damaged => {
                return Err(format!("it is damaged at offset {offset}, before records that are whole"));
            }
        }
    }
}
