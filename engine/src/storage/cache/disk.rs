//! Blocks in files, within a bound of bytes. Nothing here is an error: what cannot be read is a miss, and what
//! cannot be written is not kept.
//!
//! Blocks survive a restart. They cannot go stale, because the name of an object is used once, and a server that
//! was restarted would otherwise fetch again what it had fetched yesterday.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path as LocalPath, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::block_file::{Block, BlockKey, HEADER_BYTES, ObjectKey, decode, encode_header};
use super::index::BlockIndex;
use super::plan::BLOCK_BYTES;

/// How much of the disk a cache may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheLimits {
    /// Most bytes of all blocks.
    pub(crate) max_bytes: u64,
    /// The cache shrinks when the disk has less left than this: the write-ahead log is on the same disk, and
    /// comes first.
    pub(crate) min_free_bytes: u64,
}

/// The blocks on the disk. Its methods block, except where they say that they do not.
#[derive(Debug)]
pub(super) struct DiskCache {
    directory: PathBuf,
    min_free_bytes: u64,
    index: Mutex<BlockIndex>,
    /// Whether the last write failed, so that a full disk is logged once and not for each block.
    is_failing: AtomicBool,
}

impl DiskCache {
    /// Opens a folder, makes it when it does not exist, and takes up the blocks in it.
    pub(super) fn open(directory: PathBuf, limits: CacheLimits) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let mut found = find_blocks(&directory)?;
        // Without a record of use, the block that was written last is the newest.
        found.sort_by_key(|block| block.written);
        let cache = Self {
            directory,
            min_free_bytes: limits.min_free_bytes,
            index: Mutex::new(BlockIndex::new(limits.max_bytes)),
            is_failing: AtomicBool::new(false),
        };
        for block in found {
            match cache.reserve(block.bytes) {
                true => cache.index.lock().insert(block.key, block.bytes),
                false => cache.remove_file(block.key),
            }
        }
        Ok(cache)
    }

    /// Does not block.
    pub(super) fn contains(&self, key: BlockKey) -> bool {
        self.index.lock().contains(key)
    }

    /// Does not block.
    pub(super) fn contains_any(&self, object: ObjectKey, numbers: &[u64]) -> bool {
        let index = self.index.lock();
        numbers.iter().any(|&number| index.contains(BlockKey { object, number }))
    }

    /// Number and bytes of the blocks. Does not block.
    pub(super) fn size(&self) -> (usize, u64) {
        let index = self.index.lock();
        (index.num_blocks(), index.bytes())
    }

    /// Those of the blocks that are there and whole.
    pub(super) fn read(&self, object: ObjectKey, numbers: &[u64]) -> BTreeMap<u64, Block> {
        let mut blocks = BTreeMap::new();
        for &number in numbers {
            let key = BlockKey { object, number };
            if !self.index.lock().touch(key) {
                continue;
            }
            let path = self.path(key);
            match fs::read(&path).map(|file| decode(key, file)) {
                Ok(Some(block)) => {
                    blocks.insert(number, block);
                }
                Ok(None) => {
                    tracing::warn!(path = %path.display(), "a cached block is damaged and is fetched again");
                    self.forget(key);
                }
                // A block that had to go since it was looked up.
                Err(_) => self.forget(key),
            }
        }
        blocks
    }

    /// Keeps neighbouring blocks of an object, from block `first`.
    pub(super) fn write(&self, object: ObjectKey, first: u64, object_bytes: u64, bytes: &[u8]) {
        if self.is_disk_short(bytes.len() as u64) {
            let victims = self.index.lock().shrink(2 * bytes.len() as u64);
            victims.into_iter().for_each(|key| self.remove_file(key));
            return;
        }
        for (number, block) in (first..).zip(bytes.chunks(BLOCK_BYTES as usize)) {
            let key = BlockKey { object, number };
            let size = (HEADER_BYTES + block.len()) as u64;
            if !self.reserve(size) {
                continue;
            }
            match self.write_file(key, object_bytes, block) {
                Ok(()) => self.index.lock().insert(key, size),
                Err(error) => {
                    self.index.lock().give_up(size);
                    self.remove_file(key);
                    if !self.is_failing.swap(true, Ordering::Relaxed) {
                        let directory = self.directory.display();
                        tracing::warn!(%error, %directory, "cannot write to the cache; going on without");
                    }
                    return;
                }
            }
        }
        self.is_failing.store(false, Ordering::Relaxed);
    }

    /// Drops the blocks of an object.
    pub(super) fn remove_object(&self, object: ObjectKey) {
        let keys = self.index.lock().remove_object(object);
        keys.into_iter().for_each(|key| self.remove_file(key));
    }

    fn reserve(&self, bytes: u64) -> bool {
        let victims = self.index.lock().reserve(bytes);
        let is_reserved = victims.is_some();
        victims.into_iter().flatten().for_each(|key| self.remove_file(key));
        is_reserved
    }

    fn forget(&self, key: BlockKey) {
        self.index.lock().remove(key);
        self.remove_file(key);
    }

    /// Blocks with the first two digits in common share a folder: one folder of all of them is slow on some file
    /// systems.
    fn path(&self, key: BlockKey) -> PathBuf {
        let name = key.file_name();
        self.directory.join(&name[..2]).join(name)
    }

    fn write_file(&self, key: BlockKey, object_bytes: u64, block: &[u8]) -> io::Result<()> {
        let path = self.path(key);
        let created = File::create(&path).or_else(|error| match (error.kind(), path.parent()) {
            (io::ErrorKind::NotFound, Some(parent)) => {
                fs::create_dir_all(parent)?;
                File::create(&path)
            }
            _ => Err(error),
        });
        let mut file = created?;
        file.write_all(&encode_header(key, object_bytes, block))?;
        file.write_all(block)
    }

    fn remove_file(&self, key: BlockKey) {
        // One that stays is found at the next start.
        let _ = fs::remove_file(self.path(key));
    }

    fn is_disk_short(&self, wanted_bytes: u64) -> bool {
        let Ok(disk) = rustix::fs::statvfs(&self.directory) else { return false };
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        free_bytes < self.min_free_bytes.saturating_add(wanted_bytes)
    }
}

/// A block that an earlier life left.
struct FoundBlock {
    key: BlockKey,
    bytes: u64,
    written: Option<std::time::SystemTime>,
}

/// The blocks in a folder. Files that are none are removed: the folder is the cache's own.
fn find_blocks(directory: &LocalPath) -> io::Result<Vec<FoundBlock>> {
    let mut blocks = Vec::new();
    for folder in fs::read_dir(directory)? {
        let folder = folder?.path();
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let key = entry.file_name().to_str().and_then(BlockKey::of_file);
            match (key, entry.metadata()) {
                (Some(key), Ok(metadata)) => {
                    blocks.push(FoundBlock { key, bytes: metadata.len(), written: metadata.modified().ok() });
                }
                _ => fs::remove_file(entry.path())?,
            }
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECT: ObjectKey = ObjectKey(7);

    fn open(directory: &LocalPath, max_bytes: u64) -> DiskCache {
        DiskCache::open(directory.to_owned(), CacheLimits { max_bytes, min_free_bytes: 0 }).unwrap()
    }

    /// Three blocks, the last one short.
    fn object() -> Vec<u8> {
        (0..2 * BLOCK_BYTES + 10).map(|at| (at % 251) as u8).collect()
    }

    fn fill(cache: &DiskCache) {
        let object = object();
        cache.write(OBJECT, 0, object.len() as u64, &object);
    }

    fn numbers(cache: &DiskCache) -> Vec<u64> {
        cache.read(OBJECT, &[0, 1, 2, 3]).into_keys().collect()
    }

    fn file_of(cache: &DiskCache, number: u64) -> PathBuf {
        cache.path(BlockKey { object: OBJECT, number })
    }

    #[test]
    fn blocks_are_read_back_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        fill(&open(folder.path(), 10 << 20));
        let cache = open(folder.path(), 10 << 20);
        let blocks = cache.read(OBJECT, &[0, 1, 2, 3]);
        let bytes: Vec<u8> = blocks.values().flat_map(|block| block.bytes.clone()).collect();
        assert!(bytes == object());
        assert!(blocks.values().all(|block| block.object_bytes == bytes.len() as u64));
        assert_eq!(cache.size(), (3, (bytes.len() + 3 * HEADER_BYTES) as u64));
    }

    #[test]
    fn a_damaged_or_missing_file_is_a_miss_and_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 10 << 20);
        fill(&cache);
        let mut damaged = fs::read(file_of(&cache, 0)).unwrap();
        damaged[1000] ^= 1;
        fs::write(file_of(&cache, 0), damaged).unwrap();
        File::options().write(true).open(file_of(&cache, 1)).unwrap().set_len(100).unwrap();
        fs::remove_file(file_of(&cache, 2)).unwrap();
        assert!(numbers(&cache).is_empty());
        assert_eq!(cache.size(), (0, 0));
        assert!(!file_of(&cache, 0).exists());
        fill(&cache);
        assert_eq!(numbers(&cache), [0, 1, 2]);
    }

    #[test]
    fn the_bound_holds_on_the_disk_and_at_a_restart_with_a_lower_one() {
        let folder = tempfile::tempdir().unwrap();
        let bound = 2 * (BLOCK_BYTES + HEADER_BYTES as u64);
        let cache = open(folder.path(), bound);
        fill(&cache);
        assert_eq!(numbers(&cache), [1, 2], "block 0 is the oldest");
        assert!(!file_of(&cache, 0).exists());
        let cache = open(folder.path(), bound / 2);
        assert_eq!(cache.size().0, 1);
        assert_eq!(numbers(&cache).len(), 1);
        let left = [0, 1, 2].map(|number| file_of(&cache, number).exists());
        assert_eq!(left.iter().filter(|exists| **exists).count(), 1);
    }

    #[test]
    fn an_object_goes_with_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path(), 10 << 20);
        fill(&cache);
        cache.write(ObjectKey(8), 0, 3, b"abc");
        cache.remove_object(OBJECT);
        assert!(numbers(&cache).is_empty());
        assert!(!file_of(&cache, 1).exists());
        assert_eq!(cache.size().0, 1);
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_not_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(&folder.path().join("cache"), 10 << 20);
        fs::remove_dir_all(folder.path().join("cache")).unwrap();
        fs::write(folder.path().join("cache"), b"a file where the folder was").unwrap();
        fill(&cache);
        assert_eq!(cache.size(), (0, 0));
        assert_eq!(cache.index.lock().reserve(10 << 20), Some(vec![]), "nothing stays reserved");
    }

    #[test]
    fn a_disk_with_little_left_is_given_room() {
        let folder = tempfile::tempdir().unwrap();
        let roomy = open(folder.path(), 10 << 20);
        fill(&roomy);
        let limits = CacheLimits { max_bytes: 10 << 20, min_free_bytes: u64::MAX };
        let cache = DiskCache::open(folder.path().to_owned(), limits).unwrap();
        assert_eq!(cache.size().0, 3);
        cache.write(ObjectKey(8), 0, 3, b"abc");
        assert_eq!(cache.size().0, 2, "one block went, none came");
    }

    #[test]
    fn foreign_files_in_the_folder_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ab")).unwrap();
        let foreign = folder.path().join("ab/half-written");
        fs::write(&foreign, b"x").unwrap();
        assert_eq!(open(folder.path(), 10 << 20).size(), (0, 0));
        assert!(!foreign.exists());
    }
}
