//! The files of the write-ahead log as an operating system keeps them: what is written is not yet durable, and
//! neither is a name.

use rustix::fs::{FallocateFlags, fallocate};
use std::fmt;
use std::fs::{File, OpenOptions, create_dir_all, read, read_dir, remove_file};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::storage::sync_directory;

/// Where the write-ahead log keeps its files.
///
/// Only what the methods say is durable survives a power cut. After an error it is unknown how far an
/// operation went.
pub(crate) trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory and those above it, unless they are there.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// The paths in a directory, in no particular order.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// The content of a file, durable or not.
    fn read(&self, path: &Path) -> io::Result<Bytes>;

    /// Makes a file of `capacity_bytes` that begins with `header` and is zero after it. Its space is allocated,
    /// so that no append within it can find the disk full. The content is durable; the name is after
    /// [`Disk::sync_directory`].
    ///
    /// # Errors
    /// `AlreadyExists`, and then the file is as it was; `StorageFull`.
    fn create(&self, path: &Path, header: &[u8], capacity_bytes: u64) -> io::Result<Box<dyn AppendFile>>;

    /// Writes `tail` at `offset` again and cuts the file behind it. The content is durable then, also what an
    /// earlier sync has failed for: a system may take what it could not write for written, unless it is written
    /// anew.
    fn settle(&self, path: &Path, offset: u64, tail: &[u8]) -> io::Result<()>;

    /// Removes a file. That is durable after [`Disk::sync_directory`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;
}

/// A file that is open for appending.
pub(crate) trait AppendFile: Send + fmt::Debug {
    /// Writes bytes behind those written so far and makes them durable.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        create_dir_all(directory)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        read_dir(directory)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn read(&self, path: &Path) -> io::Result<Bytes> {
        read(path).map(Bytes::from)
    }

    fn create(&self, path: &Path, header: &[u8], capacity_bytes: u64) -> io::Result<Box<dyn AppendFile>> {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        fallocate(&file, FallocateFlags::empty(), 0, capacity_bytes)?;
        file.write_all(header)?;
        file.sync_all()?;
        Ok(Box::new(file))
    }

    fn settle(&self, path: &Path, offset: u64, tail: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.write_all_at(tail, offset)?;
        file.set_len(offset + tail.len() as u64)?;
        file.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        remove_file(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        sync_directory(directory)
    }
}

impl AppendFile for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)?;
        self.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_allocated_appended_to_settled_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("a/b");
        let path = directory.join("file");
        let disk = LocalDisk;
        disk.create_directory(&directory).unwrap();
        let mut file = disk.create(&path, b"header", 100).unwrap();
        let again = disk.create(&path, b"other", 100).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        file.append(b"one").unwrap();
        file.append(b"two").unwrap();
        let content = disk.read(&path).unwrap();
        assert_eq!((content.len(), &content[..12], content[12]), (100, &b"headeronetwo"[..], 0));
        disk.settle(&path, 6, b"one").unwrap();
        assert_eq!(disk.read(&path).unwrap(), b"headerone"[..]);
        assert_eq!(disk.list(&directory).unwrap(), std::slice::from_ref(&path));
        disk.remove(&path).unwrap();
        disk.sync_directory(&directory).unwrap();
        assert_eq!(disk.list(&directory).unwrap(), [] as [PathBuf; 0]);
    }
}
