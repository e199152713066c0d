//! Reading the log back after a stop of any kind.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use super::disk::Disk;
use super::format::{Frame, SEGMENT_HEADER_BYTES, SegmentHeader, WalBatch, decode_frame, has_frame_after};
use super::segment_file::segment_number;
use super::{ClosedSegment, SegmentContents, io_error};
use crate::error::{Error, Result};

/// A log that is read back commit by commit, oldest first. One segment is in memory at a time. A torn tail is cut from
/// its file.
#[derive(Debug)]
pub(crate) struct Replay<'d> {
    disk: &'d dyn Disk,
    directory: PathBuf,
    unread: VecDeque<PathBuf>,
    open: Option<OpenSegment>,
    read: Vec<ClosedSegment>,
}

/// A segment that is being read.
#[derive(Debug)]
struct OpenSegment {
    path: PathBuf,
    bytes: Bytes,
    header: SegmentHeader,
    contents: SegmentContents,
    is_last: bool,
    /// Where the frame before `offset` begins.
    last_frame: usize,
    offset: usize,
}

impl<'d> Replay<'d> {
    /// Finds the segments of a directory.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails; `CorruptData` when a segment is of a later version.
    pub(crate) fn open(disk: &'d dyn Disk, directory: &Path) -> Result<Self> {
        let mut paths = segment_paths(disk, directory).map_err(|error| io_error("read", directory, error))?;
        // Segments that could not be made and not be removed either may follow the one that was written last.
        while let Some(path) = paths.last()
            && !holds_frames(disk, path)?
        {
            remove(disk, path)?;
            paths.pop();
        }
        let (directory, unread) = (directory.to_owned(), paths.into());
        Ok(Self { disk, directory, unread, open: None, read: Vec::new() })
    }

    /// The batches of the next commit; `None` after the last one.
    ///
    /// # Errors
    /// `CorruptData` when a damaged frame has whole ones after it: acknowledged records would be lost. The message
    /// names the file and the offset. `Unavailable` when the disk fails.
    pub(crate) fn next_commit(&mut self) -> Result<Option<Vec<WalBatch>>> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(batches) = open.next_commit()? {
                    return Ok(Some(batches));
                }
                let read = self.open.take().map(|open| open.close(self.disk)).transpose()?;
                self.read.extend(read.flatten());
            }
            let Some(path) = self.unread.pop_front() else { return Ok(None) };
            self.open = Some(OpenSegment::open(self.disk, path, self.unread.is_empty())?);
        }
    }

    /// Ends a replay that has given its last commit. Returns the segments that hold anything.
    ///
    /// # Errors
    /// `Unavailable` when the disk fails.
    pub(crate) fn finish(self) -> Result<Vec<ClosedSegment>> {
        let synced = self.disk.sync_directory(&self.directory);
        synced.map_err(|error| io_error("sync", &self.directory, error))?;
        Ok(self.read)
    }
}

impl OpenSegment {
    fn open(disk: &dyn Disk, path: PathBuf, is_last: bool) -> Result<Self> {
        let bytes = disk.read(&path).map_err(|error| io_error("read", &path, error))?;
        // A segment's header is synced before its first frame is written.
        let header = decode_header(&path, &bytes)?.ok_or_else(|| damaged(&path, 0))?;
        let (last_frame, offset) = (SEGMENT_HEADER_BYTES, SEGMENT_HEADER_BYTES);
        Ok(Self { path, bytes, header, contents: SegmentContents::default(), is_last, last_frame, offset })
    }

    fn next_commit(&mut self) -> Result<Option<Vec<WalBatch>>> {
        let is_behind_all = || !has_frame_after(&self.bytes, self.offset, &self.header);
        match decode_frame(&self.bytes, self.offset, &self.header) {
            Frame::Commit { batches, next_offset } => {
                self.contents.note(&batches);
                (self.last_frame, self.offset) = (self.offset, next_offset);
                Ok(Some(batches))
            }
            Frame::End if is_behind_all() => Ok(None),
            Frame::Damaged if self.is_last && is_behind_all() => Ok(None),
            Frame::End | Frame::Damaged => Err(damaged(&self.path, self.offset)),
        }
    }

    /// Cuts what is torn; `None` for a segment that holds nothing, which is removed.
    fn close(self, disk: &dyn Disk) -> Result<Option<ClosedSegment>> {
        let Self { path, bytes, contents, last_frame, offset, .. } = self;
        if contents.is_empty() {
            remove(disk, &path)?;
            return Ok(None);
        }
        // Behind the last whole frame nothing may ever stand before another one.
        let tail = &bytes[last_frame..offset];
        disk.settle(&path, last_frame as u64, tail).map_err(|error| io_error("cut", &path, error))?;
        Ok(Some(ClosedSegment { path, size_bytes: offset as u64, contents }))
    }
}

/// Reads all segments of a directory and shows every batch.
///
/// # Errors
/// As [`Replay`], and any error of `visit`.
#[cfg(test)]
pub(crate) fn replay(
    disk: &dyn Disk,
    directory: &Path,
    visit: &mut dyn FnMut(&WalBatch) -> Result<()>,
) -> Result<Vec<ClosedSegment>> {
    let mut replay = Replay::open(disk, directory)?;
    while let Some(batches) = replay.next_commit()? {
        batches.iter().try_for_each(&mut *visit)?;
    }
    replay.finish()
}

/// Whether a segment has a whole frame, of whatever its header says.
fn holds_frames(disk: &dyn Disk, path: &Path) -> Result<bool> {
    let segment = disk.read(path).map_err(|error| io_error("read", path, error))?;
    // The writer's position goes into the batches, which nobody looks at here.
    let unknown = SegmentHeader { writer: Uuid::nil(), epoch: 0, number: 0 };
    let header = decode_header(path, &segment)?.unwrap_or(unknown);
    Ok(has_frame_after(&segment, 0, &header))
}

fn segment_paths(disk: &dyn Disk, directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = disk.list(directory)?;
    paths.retain(|path| segment_number(path).is_some());
    paths.sort();
    Ok(paths)
}

/// A segment's header; `None` when it is torn.
fn decode_header(path: &Path, segment: &[u8]) -> Result<Option<SegmentHeader>> {
    SegmentHeader::decode(segment)
        .map_err(|error| Error::new(error.kind(), format!("{}: {}", path.display(), error.message())))
}

/// Removes a segment that holds nothing.
fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.remove(path).map_err(|error| io_error("remove", path, error))
}

fn damaged(path: &Path, offset: usize) -> Error {
    Error::corrupt_data(format!(
        "write-ahead log {} is damaged at offset {offset}, before records that are whole; \
         restore the file, or move it away to give up what it holds",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{BatchStamp, ProjectId, TableId};
    use crate::wal::disk::LocalDisk;
    use crate::wal::format::encode_frame;
    use crate::wal::segment_file::segment_path;

    /// A segment with a frame for each sequence number; the last `num_torn` bytes of its frames are missing.
    fn write(directory: &Path, number: u64, sequences: &[u64], num_torn: usize) {
        let header = SegmentHeader { writer: Uuid::from_u128(7), epoch: 1, number };
        let mut bytes = header.encode().to_vec();
        for &sequence in sequences {
            let stamp = BatchStamp { writer: header.writer, epoch: 1, sequence, ingested_us: 5 };
            bytes.extend(encode_frame(&[WalBatch {
                table: TableId::logs(ProjectId(1)),
                stamp,
                payloads: vec!["rows".into()],
            }]));
        }
        bytes.truncate(bytes.len() - num_torn);
        bytes.resize(4096, 0);
        std::fs::write(segment_path(directory, number), bytes).unwrap();
    }

    /// The sequence numbers of all batches, or what is wrong.
    fn read(directory: &Path) -> Result<Vec<u64>> {
        let mut sequences = Vec::new();
        let mut visit = |batch: &WalBatch| {
            sequences.push(batch.stamp.sequence);
            Ok(())
        };
        replay(&LocalDisk, directory, &mut visit)?;
        Ok(sequences)
    }

    #[test]
    fn segments_that_were_never_finished_do_not_make_a_torn_frame_damage() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path();
        write(directory, 0, &[1, 2], 0);
        write(directory, 1, &[3, 4], 5);
        write(directory, 2, &[], 0);
        std::fs::write(segment_path(directory, 3), b"half a hea").unwrap();
        assert_eq!(read(directory).unwrap(), [1, 2, 3]);
        assert_eq!(LocalDisk.list(directory).unwrap().len(), 2);
        assert_eq!(read(directory).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_torn_frame_before_whole_segments_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, &[1, 2], 5);
        write(folder.path(), 1, &[3], 0);
        let error = read(folder.path()).unwrap_err();
        assert!(error.message().contains("00000.wal is damaged"), "{error}");
    }

    #[test]
    fn a_damaged_header_before_whole_frames_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 0, &[1], 0);
        let path = segment_path(folder.path(), 0);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(error.message().contains("damaged at offset 0"), "{error}");
        assert!(path.exists());
    }
}
