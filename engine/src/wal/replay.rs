//! Reading the log back after a stop of any kind.

use bytes::Bytes;
use std::fs::{File, OpenOptions, read, read_dir, remove_file};
use std::io;
use std::path::{Path, PathBuf};

use super::format::{Frame, SEGMENT_HEADER_BYTES, SegmentHeader, WalBatch, decode_frame, has_frame_after};
use super::segment_file::segment_number;
use super::{ClosedSegment, SegmentContents, io_error};
use crate::error::{Error, Result};
use crate::storage::sync_directory;

/// Reads all segments of a directory and shows every batch, oldest first. One segment is in memory at a time. A
/// torn tail is cut from its file. Returns the segments that hold anything.
///
/// # Errors
/// `CorruptData` when a damaged frame has whole ones after it: acknowledged records would be lost. The message
/// names the file and the offset. Any error of `visit`.
pub(crate) fn replay(
    directory: &Path,
    visit: &mut dyn FnMut(&WalBatch) -> Result<()>,
) -> Result<Vec<ClosedSegment>> {
    let paths = segment_paths(directory).map_err(|error| io_error("read", directory, error))?;
    let mut segments = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let is_last = index + 1 == paths.len();
        segments.extend(replay_segment(path, is_last, visit)?);
    }
    sync_directory(directory).map_err(|error| io_error("sync", directory, error))?;
    Ok(segments)
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

fn replay_segment(
    path: &Path,
    is_last: bool,
    visit: &mut dyn FnMut(&WalBatch) -> Result<()>,
) -> Result<Option<ClosedSegment>> {
    let segment = Bytes::from(read(path).map_err(|error| io_error("read", path, error))?);
    let Some(header) = SegmentHeader::decode(&segment)? else {
        // A segment's header is synced before its first frame is written.
        return if is_last { remove(path) } else { Err(damaged(path, 0)) };
    };
    let mut contents = SegmentContents::default();
    let mut offset = SEGMENT_HEADER_BYTES;
    loop {
        match decode_frame(&segment, offset, &header) {
            Frame::Commit { batches, next_offset } => {
                contents.note(&batches);
                batches.iter().try_for_each(&mut *visit)?;
                offset = next_offset;
            }
            Frame::End if !has_frame_after(&segment, offset, &header) => break,
            Frame::Damaged if is_last && !has_frame_after(&segment, offset, &header) => break,
            Frame::End | Frame::Damaged => return Err(damaged(path, offset)),
        }
    }
    if contents.is_empty() {
        return remove(path);
    }
    let size_bytes = offset as u64;
    cut(path, size_bytes)?;
    Ok(Some(ClosedSegment { path: path.to_owned(), size_bytes, contents }))
}

/// Cuts what follows the last whole frame, so that it can never stand before another one.
fn cut(path: &Path, length: u64) -> Result<()> {
    let cut = |file: File| {
        file.set_len(length)?;
        file.sync_all()
    };
    OpenOptions::new().write(true).open(path).and_then(cut).map_err(|error| io_error("cut", path, error))
}

/// Removes a segment that holds nothing.
fn remove(path: &Path) -> Result<Option<ClosedSegment>> {
    remove_file(path).map_err(|error| io_error("remove", path, error))?;
    Ok(None)
}

fn damaged(path: &Path, offset: usize) -> Error {
    Error::corrupt_data(format!(
        "write-ahead log {} is damaged at offset {offset}, before records that are whole; \
         restore the file, or move it away to give up what it holds",
        path.display()
    ))
}
