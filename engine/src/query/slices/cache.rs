//! Decoded columns of slices, within a budget of bytes.

use std::sync::Arc;

use arrow::array::ArrayRef;
use moka::sync::Cache;
use uuid::Uuid;

use super::open_file::OpenFile;

/// Memory that an entry takes beside its content.
const ENTRY_OVERHEAD_BYTES: usize = 256;
/// Slices of which it is remembered that rows were taken from them.
const MAX_REMEMBERED: u64 = 4_096;

/// What is remembered between questions: how files are cut into slices, and columns that were asked for lately. Data
/// files never change, so that nothing in it is ever stale.
pub(crate) struct SliceCache {
    entries: Cache<Key, Entry>,
    /// Slices from which rows were taken.
    visited: Cache<(Uuid, u32), ()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    File(Uuid),
    Column { file: Uuid, slice: u32, column: u32 },
}

#[derive(Clone)]
enum Entry {
    File(Arc<OpenFile>),
    Column(ArrayRef),
}

impl std::fmt::Debug for SliceCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SliceCache")
            .field("size_bytes", &self.entries.weighted_size())
            .finish_non_exhaustive()
    }
}

impl SliceCache {
    /// Keeps at most about `max_bytes`; what was not asked for lately makes room. None of no bytes.
    pub(crate) fn new(max_bytes: usize) -> Option<Self> {
        if max_bytes == 0 {
            return None;
        }
        let entries = Cache::builder()
            .max_capacity(max_bytes as u64)
            .weigher(|_, entry: &Entry| u32::try_from(entry.memory_bytes()).unwrap_or(u32::MAX))
            .build();
        Some(Self { entries, visited: Cache::new(MAX_REMEMBERED) })
    }

    pub(super) fn file(&self, file: Uuid) -> Option<Arc<OpenFile>> {
        match self.entries.get(&Key::File(file))? {
            Entry::File(open) => Some(open),
            Entry::Column(_) => None,
        }
    }

    pub(super) fn keep_file(&self, open: &Arc<OpenFile>) {
        self.entries.insert(Key::File(open.file.id), Entry::File(Arc::clone(open)));
    }

    pub(super) fn column(&self, file: Uuid, slice: usize, column: usize) -> Option<ArrayRef> {
        match self.entries.get(&Key::of_column(file, slice, column))? {
            Entry::Column(column) => Some(column),
            Entry::File(_) => None,
        }
    }

    pub(super) fn keep_column(&self, file: Uuid, slice: usize, column: usize, values: &ArrayRef) {
        self.entries.insert(Key::of_column(file, slice, column), Entry::Column(Arc::clone(values)));
    }

    /// Notes that rows are taken from a slice, and says whether some were lately.
    pub(super) fn visit(&self, file: Uuid, slice: usize) -> bool {
        let key = (file, slice as u32);
        let was_visited = self.visited.contains_key(&key);
        self.visited.insert(key, ());
        was_visited
    }
}

impl Key {
    fn of_column(file: Uuid, slice: usize, column: usize) -> Self {
        Self::Column { file, slice: slice as u32, column: column as u32 }
    }
}

impl Entry {
    fn memory_bytes(&self) -> usize {
        ENTRY_OVERHEAD_BYTES
            + match self {
                Self::File(open) => open.memory_bytes(),
                Self::Column(column) => column.get_array_memory_size(),
            }
    }
}
