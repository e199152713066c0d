//! The bytes of a cached block on the disk.
//!
//! | offset | bytes | content |
//! |---|---|---|
//! | 0 | 4 | `TLBK` |
//! | 4 | 4 | format version; another version, or another block size, is another number |
//! | 8 | 8 | size of the object |
//! | 16 | 8 | checksum: xxh3 of the store's and the object's name, the block's number, bytes 0 to 16, the block |
//! | 24 | | the block: 512 KiB, or what the object has of it |
//!
//! Integers are little-endian.
//! A file that is not exactly this is a miss, so that nothing has to be synced: what a power cut leaves of a block is
//! fetched again.

use bytes::Bytes;
use object_store::path::Path;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::plan::BLOCK_BYTES;

const MAGIC: &[u8; 4] = b"TLBK";
const FORMAT_VERSION: u32 = 1;
/// Bytes before the block.
pub(super) const HEADER_BYTES: usize = 24;

/// An object of a store, as the cache names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ObjectKey(pub(super) u128);

impl ObjectKey {
    pub(super) fn of(store: &str, path: &Path) -> Self {
        Self(xxh3_128(format!("{store}\n{path}").as_bytes()))
    }
}

/// A block of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct BlockKey {
    pub(super) object: ObjectKey,
    pub(super) number: u64,
}

impl BlockKey {
    /// The name of its file.
    pub(super) fn file_name(self) -> String {
        format!("{:032x}.{}", self.object.0, self.number)
    }

    /// The block whose file has this name.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let (object, number) = name.split_once('.')?;
        let key =
            Self { object: ObjectKey(u128::from_str_radix(object, 16).ok()?), number: number.parse().ok()? };
        (key.file_name() == name).then_some(key)
    }

    /// How many bytes the block has in an object of this size.
    fn length_in(self, object_bytes: u64) -> u64 {
        let start = self.number.saturating_mul(BLOCK_BYTES);
        object_bytes.saturating_sub(start).min(BLOCK_BYTES)
    }
}

/// A block and the size of its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) object_bytes: u64,
    pub(super) bytes: Bytes,
}

/// The head of a block's file. The block itself follows it.
pub(super) fn encode_header(key: BlockKey, object_bytes: u64, block: &[u8]) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(MAGIC);
    header[4..8].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    header[8..16].copy_from_slice(&object_bytes.to_le_bytes());
    let checksum = checksum(key, &header[..16], block);
    header[16..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// The block in a file's bytes, if they are whole and are this block.
pub(super) fn decode(key: BlockKey, file: Vec<u8>) -> Option<Block> {
    let (header, block) = file.split_at_checked(HEADER_BYTES)?;
    let object_bytes = u64::from_le_bytes(header.get(8..16)?.try_into().ok()?);
    let is_whole = block.len() as u64 == key.length_in(object_bytes) && !block.is_empty();
    let is_ours = is_whole && header == encode_header(key, object_bytes, block);
    is_ours.then(|| Block { object_bytes, bytes: Bytes::from(file).slice(HEADER_BYTES..) })
}

fn checksum(key: BlockKey, header: &[u8], block: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&key.object.0.to_le_bytes());
    hasher.update(&key.number.to_le_bytes());
    hasher.update(header);
    hasher.update(block);
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str, number: u64) -> BlockKey {
        BlockKey { object: ObjectKey::of("s3://logs", &Path::from(path)), number }
    }

    fn file(key: BlockKey, object_bytes: u64, block: &[u8]) -> Vec<u8> {
        [&encode_header(key, object_bytes, block)[..], block].concat()
    }

    #[test]
    fn a_block_is_read_back() {
        let (key, block) = (key("a", 2), vec![7; 100]);
        let object_bytes = 2 * BLOCK_BYTES + 100;
        let read = decode(key, file(key, object_bytes, &block)).unwrap();
        assert_eq!(read, Block { object_bytes, bytes: block.into() });
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_a_miss() {
        let key = key("a", 0);
        let whole = file(key, 40, &[3; 40]);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(key, damaged), None, "byte {at}");
            assert_eq!(decode(key, whole[..at].to_vec()), None, "cut at {at}");
        }
        assert_eq!(decode(key, [&whole[..], &[0]].concat()), None, "too long");
    }

    #[test]
    fn another_block_or_object_is_a_miss() {
        let whole = file(key("a", 0), 40, &[3; 40]);
        assert_eq!(decode(key("a", 1), whole.clone()), None);
        assert_eq!(decode(key("b", 0), whole), None);
    }

    #[test]
    fn the_name_of_a_file_says_which_block_it_is() {
        let key = key("a", 12);
        assert_eq!(BlockKey::of_file(&key.file_name()), Some(key));
        for name in ["", "x", "12.x", "1.2.3", "00.1", &format!("{}0", key.file_name().replace(".12", ".0"))]
        {
            assert_eq!(BlockKey::of_file(name), None, "{name}");
        }
    }
}
