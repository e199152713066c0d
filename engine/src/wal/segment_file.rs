//! One file of the write-ahead log: preallocated, appended to, synced.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{AppendFile, Disk};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: Box<dyn AppendFile>,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    written_bytes: u64,
    pub(super) capacity_bytes: u64,
}

/// The file name of a segment; names sort as numbers do.
pub(super) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.wal"))
}

/// The number of a segment's file; `None` for other files.
pub(super) fn segment_number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(".wal")?.parse().ok()
}

impl SegmentFile {
    /// Makes a segment and its header durable. Its space is allocated, so that a later append cannot find the
    /// disk full.
    ///
    /// # Errors
    /// An error leaves at most a file without frames behind, and the next attempt may succeed.
    pub(super) fn create(
        disk: &dyn Disk,
        directory: &Path,
        header: &SegmentHeader,
        capacity_bytes: u64,
    ) -> io::Result<Self> {
        let path = segment_path(directory, header.number);
        let created = create_anew(disk, &path, &header.encode(), capacity_bytes).and_then(|file| {
            disk.sync_directory(directory)?;
            Ok(file)
        });
        if created.is_err() {
            // The error that matters is the first one; a leftover gives way to the next attempt.
            let _ = disk.remove(&path);
        }
        Ok(Self {
            file: created?,
            path,
            number: header.number,
            written_bytes: SEGMENT_HEADER_BYTES as u64,
            capacity_bytes,
        })
    }

    /// Whether a frame fits into the allocated space.
    pub(super) fn fits(&self, frame_bytes: usize) -> bool {
        self.written_bytes + frame_bytes as u64 <= self.capacity_bytes
    }

    /// Writes a frame and waits until it is on the disk.
    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.append(frame)?;
        self.written_bytes += frame.len() as u64;
        Ok(())
    }
}

/// Makes a file of which no other can be in use: one with its number is left over from an attempt that failed
/// and whose file could not be removed.
fn create_anew(
    disk: &dyn Disk,
    path: &Path,
    header: &[u8],
    capacity_bytes: u64,
) -> io::Result<Box<dyn AppendFile>> {
    match disk.create(path, header, capacity_bytes) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(path)?;
            disk.create(path, header, capacity_bytes)
        }
        created => created,
    }
}
