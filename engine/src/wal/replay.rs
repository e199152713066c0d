//! Reading the log back after a stop of any kind.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::format::{Frame, SEGMENT_HEADER_BYTES, SegmentHeader, WalBatch, decode_frame, has_frame_after};
use super::segment_file::segment_number;
use super::{ClosedSegment, SegmentContents, io_error};
use crate::error::{Error, Result};

/// Reads all segments of a directory and shows every batch, oldest first. One segment is in memory at a time. A
/// torn tail is cut from its file. Returns the segments that hold anything.
///
/// # Errors
/// `CorruptData` when a damaged frame has whole ones after it: acknowledged records would be lost. The message
/// names the file and the offset. Any error of `visit`.
pub(crate) fn replay(
    disk: &dyn Disk,
    directory: &Path,
    visit: &mut dyn FnMut(&WalBatch) -> Result<()>,
) -> Result<Vec<ClosedSegment>> {
    let paths = segment_paths(disk, directory).map_err(|error| io_error("read", directory, error))?;
    let mut segments = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let is_last = index + 1 == paths.len();
        segments.extend(replay_segment(disk, path, is_last, visit)?);
    }
    disk.sync_directory(directory).map_err(|error| io_error("sync", directory, error))?;
    Ok(segments)
}

fn segment_paths(disk: &dyn Disk, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = disk.list(directory)?;
    paths.retain(|path| segment_number(path).is_some());
    paths.sort();
    Ok(paths)
}

fn replay_segment(
    disk: &dyn Disk,
    path: &Path,
    is_last: bool,
    visit: &mut dyn FnMut(&WalBatch) -> Result<()>,
) -> Result<Option<ClosedSegment>> {
    let segment = disk.read(path).map_err(|error| io_error("read", path, error))?;
    let Some(header) = SegmentHeader::decode(&segment)? else {
        // A segment's header is synced before its first frame is written.
        return if is_last { remove(disk, path) } else { Err(damaged(path, 0)) };
    };
    let mut contents = SegmentContents::default();
    let (mut last_frame, mut offset) = (SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
    loop {
        match decode_frame(&segment, offset, &header) {
            Frame::Commit { batches, next_offset } => {
                contents.note(&batches);
                batches.iter().try_for_each(&mut *visit)?;
                (last_frame, offset) = (offset, next_offset);
            }
            Frame::End if !has_frame_after(&segment, offset, &header) => break,
            Frame::Damaged if is_last && !has_frame_after(&segment, offset, &header) => break,
            Frame::End | Frame::Damaged => return Err(damaged(path, offset)),
        }
    }
    if contents.is_empty() {
        return remove(disk, path);
    }
    // Behind the last whole frame nothing may ever stand before another one.
    let tail = &segment[last_frame..offset];
    disk.settle(path, last_frame as u64, tail).map_err(|error| io_error("cut", path, error))?;
    Ok(Some(ClosedSegment { path: path.to_owned(), size_bytes: offset as u64, contents }))
}

/// Removes a segment that holds nothing.
fn remove(disk: &dyn Disk, path: &Path) -> Result<Option<ClosedSegment>> {
    disk.remove(path).map_err(|error| io_error("remove", path, error))?;
    Ok(None)
}

fn damaged(path: &Path, offset: usize) -> Error {
    Error::corrupt_data(format!(
        "write-ahead log {} is damaged at offset {offset}, before records that are whole; \
         restore the file, or move it away to give up what it holds",
        path.display()
    ))
}
