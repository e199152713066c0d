//! One file of the write-ahead log: preallocated, appended to, synced.

use rustix::fs::{FallocateFlags, fallocate};
use std::fs::{File, OpenOptions, remove_file};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::storage::sync_directory;

/// A segment that is being written.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
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
    /// An error leaves no file behind, and the next attempt may succeed.
    pub(super) fn create(directory: &Path, header: &SegmentHeader, capacity_bytes: u64) -> io::Result<Self> {
        let path = segment_path(directory, header.number);
        let created = Self::create_at(&path, header, capacity_bytes).and_then(|file| {
            sync_directory(directory)?;
            Ok(file)
        });
        if created.is_err() {
            // The error that matters is the first one; a leftover is removed at the next start too.
            let _ = remove_file(&path);
        }
        Ok(Self {
            file: created?,
            path,
            number: header.number,
            written_bytes: SEGMENT_HEADER_BYTES as u64,
            capacity_bytes,
        })
    }

    fn create_at(path: &Path, header: &SegmentHeader, capacity_bytes: u64) -> io::Result<File> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        fallocate(&file, FallocateFlags::empty(), 0, capacity_bytes)?;
        file.write_all(&header.encode())?;
        file.sync_all()?;
        Ok(file)
    }

    /// Whether a frame fits into the allocated space.
    pub(super) fn fits(&self, frame_bytes: usize) -> bool {
        self.written_bytes + frame_bytes as u64 <= self.capacity_bytes
    }

    /// Writes a frame and waits until it is on the disk.
    pub(super) fn append(&mut self, frame: &[u8]) -> io::Result<()> {
        self.file.write_all(frame)?;
        self.file.sync_data()?;
        self.written_bytes += frame.len() as u64;
        Ok(())
    }
}
