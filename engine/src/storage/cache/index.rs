//! Which blocks are on the disk, and which of them is the oldest.

use std::collections::BTreeMap;

use super::block_file::{BlockKey, ObjectKey};

/// The blocks of a cache and their sizes, within a bound. Knows nothing of files.
#[derive(Debug)]
pub(super) struct BlockIndex {
    max_bytes: u64,
    /// Bytes of the blocks.
    bytes: u64,
    /// Bytes of blocks that are being written.
    reserved_bytes: u64,
    next_age: u64,
    blocks: BTreeMap<BlockKey, Entry>,
    /// The block that was used longest ago comes first.
    ages: BTreeMap<u64, BlockKey>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bytes: u64,
    age: u64,
}

impl BlockIndex {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: 0,
            reserved_bytes: 0,
            next_age: 0,
            blocks: BTreeMap::new(),
            ages: BTreeMap::new(),
        }
    }

    pub(super) fn contains(&self, key: BlockKey) -> bool {
        self.blocks.contains_key(&key)
    }

    pub(super) fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Notes that a block is used now. Returns whether it is there.
    pub(super) fn touch(&mut self, key: BlockKey) -> bool {
        let Some(entry) = self.blocks.get_mut(&key) else { return false };
        self.ages.remove(&entry.age);
        entry.age = self.next_age;
        self.ages.insert(self.next_age, key);
        self.next_age += 1;
        true
    }

    /// Makes room for bytes that will be [inserted](Self::insert) or [given up](Self::give_up). Returns the blocks
    /// that have to go for it, or `None` when there can be no room.
    pub(super) fn reserve(&mut self, bytes: u64) -> Option<Vec<BlockKey>> {
        let wanted = self.reserved_bytes.checked_add(bytes).filter(|&wanted| wanted <= self.max_bytes)?;
        self.reserved_bytes = wanted;
        Some(self.evict_until(|index| index.bytes + wanted <= index.max_bytes))
    }

    /// Adds a block whose bytes were reserved.
    pub(super) fn insert(&mut self, key: BlockKey, bytes: u64) {
        self.give_up(bytes);
        self.remove(key);
        self.blocks.insert(key, Entry { bytes, age: self.next_age });
        self.ages.insert(self.next_age, key);
        self.next_age += 1;
        self.bytes += bytes;
    }

    /// Takes back what was reserved.
    pub(super) fn give_up(&mut self, bytes: u64) {
        self.reserved_bytes = self.reserved_bytes.saturating_sub(bytes);
    }

    /// Forgets a block.
    pub(super) fn remove(&mut self, key: BlockKey) {
        if let Some(entry) = self.blocks.remove(&key) {
            self.ages.remove(&entry.age);
            self.bytes -= entry.bytes;
        }
    }

    /// Forgets the blocks of an object. Returns them.
    pub(super) fn remove_object(&mut self, object: ObjectKey) -> Vec<BlockKey> {
        let all = BlockKey { object, number: 0 }..=BlockKey { object, number: u64::MAX };
        let keys: Vec<BlockKey> = self.blocks.range(all).map(|(&key, _)| key).collect();
        keys.iter().for_each(|&key| self.remove(key));
        keys
    }

    /// Forgets the oldest blocks, of `bytes` or more together. Returns them.
    pub(super) fn shrink(&mut self, bytes: u64) -> Vec<BlockKey> {
        let left = self.bytes.saturating_sub(bytes);
        self.evict_until(|index| index.bytes <= left)
    }

    fn evict_until(&mut self, is_enough: impl Fn(&Self) -> bool) -> Vec<BlockKey> {
        let mut victims = Vec::new();
        while !is_enough(self) {
            let Some((_, &key)) = self.ages.first_key_value() else { break };
            self.remove(key);
            victims.push(key);
        }
        victims
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(object: u128, number: u64) -> BlockKey {
        BlockKey { object: ObjectKey(object), number }
    }

    fn index_of(max_bytes: u64, keys: &[BlockKey]) -> BlockIndex {
        let mut index = BlockIndex::new(max_bytes);
        for &key in keys {
            assert_eq!(index.reserve(10), Some(vec![]));
            index.insert(key, 10);
        }
        index
    }

    #[test]
    fn the_block_used_longest_ago_goes_first() {
        let mut index = index_of(30, &[key(1, 0), key(1, 1), key(2, 0)]);
        assert!(index.touch(key(1, 0)));
        assert_eq!(index.reserve(10), Some(vec![key(1, 1)]));
        index.insert(key(3, 0), 10);
        assert_eq!(index.reserve(15), Some(vec![key(2, 0), key(1, 0)]));
        assert_eq!((index.num_blocks(), index.bytes()), (1, 10));
        assert!(!index.touch(key(2, 0)));
    }

    #[test]
    fn blocks_and_what_is_being_written_stay_within_the_bound() {
        let mut index = index_of(30, &[key(1, 0)]);
        assert_eq!(index.reserve(20), Some(vec![]));
        assert_eq!(index.reserve(20), None, "20 bytes are being written");
        assert_eq!(index.reserve(10), Some(vec![key(1, 0)]));
        assert_eq!(index.reserve(1), None);
        index.give_up(20);
        assert_eq!(index.reserve(31), None, "more than fits");
        assert_eq!(index.reserve(20), Some(vec![]));
    }

    #[test]
    fn a_block_that_is_inserted_again_counts_once() {
        let mut index = index_of(30, &[key(1, 0)]);
        index.reserve(10);
        index.insert(key(1, 0), 10);
        assert_eq!((index.num_blocks(), index.bytes()), (1, 10));
        assert_eq!(index.reserve(20), Some(vec![]));
    }

    #[test]
    fn an_object_goes_with_all_its_blocks() {
        let mut index = index_of(100, &[key(1, 0), key(2, 0), key(2, 9), key(3, 0)]);
        assert_eq!(index.remove_object(ObjectKey(2)), [key(2, 0), key(2, 9)]);
        assert_eq!(index.remove_object(ObjectKey(2)), []);
        assert_eq!((index.num_blocks(), index.bytes()), (2, 20));
        assert!(index.contains(key(1, 0)) && !index.contains(key(2, 9)));
    }

    #[test]
    fn a_cache_gives_back_its_oldest_blocks() {
        let mut index = index_of(100, &[key(1, 0), key(2, 0), key(3, 0)]);
        assert_eq!(index.shrink(11), [key(1, 0), key(2, 0)]);
        assert_eq!(index.shrink(1000), [key(3, 0)]);
        assert_eq!(index.bytes(), 0);
    }
}
