//! Reading the log back after a stop of any kind.

use bytes::Bytes;
use std::fs::{File, OpenOptions, read, read_dir, remove_file};
use std::io;
use std::path::{Path, PathBuf};

use super::format::{Frame, SEGMENT_HEADER_BYTES, SegmentHeader, WalBatch, decode_frame, has_frame_after};
use super::segment_file::segment_number;
use super::{ClosedSegment, io_error};
use crate::error::{Error, Result};
use crate::storage::sync_directory;

/// Everything that the log holds, oldest first. A torn tail has been cut from the files.
#[derive(Debug, Default)]
pub(crate) struct Replayed {
    pub(crate) batches: Vec<WalBatch>,
    pub(super) segments: Vec<ClosedSegment>,
}

/// Reads all segments of a directory.
///
/// # Errors
/// `CorruptData` when a damaged frame has whole ones after it: acknowledged records would be lost. The message
/// names the file and the offset.
pub(crate) fn replay(directory: &Path) -> Result<Replayed> {
    let paths = segment_paths(directory).map_err(|error| io_error("read", directory, error))?;
    let mut replayed = Replayed::default();
    for (index, path) in paths.iter().enumerate() {
        let is_last = index + 1 == paths.len();
        replay_segment(path, is_last, &mut replayed)?;
    }
    sync_directory(directory).map_err(|error| io_error("sync", directory, error))?;
    Ok(replayed)
}

fn segment_paths(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in read_dir(directory)? {
        paths.push(entry?.path());
    }
    paths.retain(|path| segment_number(path).is_some());
    paths.sort();
    Ok(paths)
}

fn replay_segment(path: &Path, is_last: bool, replayed: &mut Replayed) -> Result<()> {
    let segment = Bytes::from(read(path).map_err(|error| io_error("read", path, error))?);
    let Some(header) = SegmentHeader::decode(&segment)? else {
        // A segment's header is synced before its first frame is written.
        return if is_last { remove(path) } else { Err(damaged(path, 0)) };
    };
    let mut batches = Vec::new();
    let mut offset = SEGMENT_HEADER_BYTES;
    loop {
        match decode_frame(&segment, offset, &header) {
            Frame::Commit { batches: read, next_offset } => {
                batches.extend(read);
                offset = next_offset;
            }
            Frame::End if !has_frame_after(&segment, offset, &header) => break,
            Frame::Damaged if is_last && !has_frame_after(&segment, offset, &header) => break,
            Frame::End | Frame::Damaged => return Err(damaged(path, offset)),
        }
    }
    if batches.is_empty() {
        return remove(path);
    }
    cut(path, offset as u64)?;
    replayed.segments.push(ClosedSegment::new(path.to_owned(), offset as u64, &batches));
    replayed.batches.extend(batches);
    Ok(())
}

/// Cuts what follows the last whole frame, so that it can never stand before another one.
fn cut(path: &Path, length: u64) -> Result<()> {
    let cut = |file: File| {
        file.set_len(length)?;
        file.sync_all()
    };
    OpenOptions::new().write(true).open(path).and_then(cut).map_err(|error| io_error("cut", path, error))
}

fn remove(path: &Path) -> Result<()> {
    remove_file(path).map_err(|error| io_error("remove", path, error))
}

fn damaged(path: &Path, offset: usize) -> Error {
    Error::corrupt_data(format!(
        "write-ahead log {} is damaged at offset {offset}, before records that are whole; \
         restore the file, or move it away to give up what it holds",
        path.display()
    ))
}
