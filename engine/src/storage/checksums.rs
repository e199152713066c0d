//! The checksums of a data file, kept in its footer: how a flipped bit is found that decodes all the same.
//!
//! | key | value |
//! |---|---|
//! | `timberline.pages_xxh3` | XXH3 of the pages, a colon, and how many bytes from the beginning of the file they are |
//! | `timberline.metadata_xxh3` | XXH3 of all that follows the pages, a colon, and how many bytes that is |
//!
//! Both checksums are 64 bits in hexadecimal. The second one is of bytes that it stands in itself: with zeros for its
//! value, which is written into its place at the end.

use memchr::memmem;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::error::{Error, Result};

const KEY: &str = "timberline.pages_xxh3";

const METADATA_KEY: &str = "timberline.metadata_xxh3";

/// Digits of each of the two numbers of the metadata's entry.
const METADATA_DIGITS: usize = 16;

/// Bytes of the metadata's entry: two numbers with a colon between them.
const METADATA_VALUE_BYTES: usize = 2 * METADATA_DIGITS + 1;

/// What stands between a key and its value in a footer: the field and the length of the value, as Thrift has them.
const BEFORE_VALUE: [u8; 2] = [0x18, METADATA_VALUE_BYTES as u8];

/// What the pages of a file add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PagesChecksum {
    /// Length of the pages; they are the beginning of the file.
    pub(crate) num_bytes: u64,
    pub(crate) xxh3: u64,
}

impl PagesChecksum {
    /// The entry of the footer: `<checksum>:<length>`.
    pub(crate) fn footer(self) -> KeyValue {
        KeyValue::new(KEY.to_owned(), format!("{:016x}:{}", self.xxh3, self.num_bytes))
    }

    /// Reads the entry; `None` for a file without one.
    ///
    /// # Errors
    /// `CorruptData` when it is something else.
    pub(crate) fn parse(entries: &[KeyValue]) -> Result<Option<Self>> {
        let Some(value) = entries.iter().find(|entry| entry.key == KEY) else { return Ok(None) };
        let parse = |value: &str| {
            let (xxh3, num_bytes) = value.split_once(':')?;
            Some(Self { num_bytes: num_bytes.parse().ok()?, xxh3: u64::from_str_radix(xxh3, 16).ok()? })
        };
        let parsed = value.value.as_deref().and_then(parse);
        parsed.map(Some).ok_or_else(|| Error::corrupt_data(format!("its footer has a bad entry {KEY}")))
    }
}

/// The entry of the footer that [`seal_metadata`] fills.
pub(crate) fn metadata_placeholder() -> KeyValue {
    KeyValue::new(METADATA_KEY.to_owned(), String::from_utf8_lossy(&metadata_value(0, 0)).into_owned())
}

/// Writes the checksum of a file's metadata into its place.
///
/// # Errors
/// `Internal` when the place is not there.
pub(crate) fn seal_metadata(metadata: &mut [u8]) -> Result<()> {
    let place = find_metadata_value(metadata)
        .ok_or_else(|| Error::internal("a footer without a place for its checksum"))?;
    let value = metadata_value(xxh3_64(metadata), metadata.len() as u64);
    metadata[place..place + METADATA_VALUE_BYTES].copy_from_slice(&value);
    Ok(())
}

/// Checks the metadata of a file, which are all that follows its pages; `tail` is the end of the file and has all of
/// them. Returns whether the file has a checksum of them: files that others wrote have none.
///
/// # Errors
/// When the metadata are damaged.
pub(super) fn check_metadata(tail: &[u8]) -> Result<bool, ParquetError> {
    match metadata_bytes(tail) {
        None => Ok(false),
        Some(_) if is_metadata_intact(tail) => Ok(true),
        Some(_) => Err(is_damaged()),
    }
}

pub(super) fn is_damaged() -> ParquetError {
    ParquetError::General("its metadata have another checksum".to_owned())
}

/// How many bytes at the end of a file are its metadata, as its entry has it; `None` without an entry.
fn metadata_bytes(tail: &[u8]) -> Option<u64> {
    let place = find_metadata_value(tail)?;
    let digits = &tail[place + METADATA_DIGITS + 1..place + METADATA_VALUE_BYTES];
    let number = std::str::from_utf8(digits).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Some(number.unwrap_or(u64::MAX))
}

/// Whether the metadata at the end of `tail` are what they were.
fn is_metadata_intact(tail: &[u8]) -> bool {
    let length = metadata_bytes(tail).and_then(|length| usize::try_from(length).ok());
    let start = length.and_then(|length| tail.len().checked_sub(length));
    let Some(mut metadata) = start.map(|start| tail[start..].to_vec()) else { return false };
    let Some(place) = find_metadata_value(&metadata) else { return false };
    let value: Vec<u8> = metadata[place..place + METADATA_VALUE_BYTES].to_vec();
    metadata[place..place + METADATA_VALUE_BYTES].copy_from_slice(&metadata_value(0, 0));
    value == metadata_value(xxh3_64(&metadata), metadata.len() as u64)
}

fn metadata_value(xxh3: u64, num_bytes: u64) -> Vec<u8> {
    format!("{xxh3:016x}:{num_bytes:016x}").into_bytes()
}

/// Where the value of the metadata's entry begins. It is the last entry: what looks like one in the statistics of a
/// column stands before it.
fn find_metadata_value(tail: &[u8]) -> Option<usize> {
    let pattern = [METADATA_KEY.as_bytes(), &BEFORE_VALUE].concat();
    let place = memmem::rfind(tail, &pattern)? + pattern.len();
    (place + METADATA_VALUE_BYTES <= tail.len()).then_some(place)
}

/// Adds up the pages of a file that is read from its beginning.
pub(crate) struct PagesHasher {
    expected: PagesChecksum,
    num_left: u64,
    hasher: Xxh3,
}

impl PagesHasher {
    pub(crate) fn new(expected: PagesChecksum) -> Self {
        Self { expected, num_left: expected.num_bytes, hasher: Xxh3::new() }
    }

    /// Takes the next bytes of the file; those behind the pages do not count.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let num_pages = usize::try_from(self.num_left).unwrap_or(usize::MAX).min(bytes.len());
        self.hasher.update(&bytes[..num_pages]);
        self.num_left -= num_pages as u64;
    }

    /// Whether the pages are what they were.
    pub(crate) fn is_intact(&self) -> bool {
        self.num_left == 0 && self.hasher.digest() == self.expected.xxh3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Metadata as they end: a key, its value, and something behind them.
    fn sealed() -> Vec<u8> {
        let value = metadata_placeholder().value.unwrap();
        let mut metadata =
            [b"indexes".as_slice(), METADATA_KEY.as_bytes(), &BEFORE_VALUE, value.as_bytes(), b"PAR1"]
                .concat();
        seal_metadata(&mut metadata).unwrap();
        metadata
    }

    #[test]
    fn a_flipped_bit_of_the_metadata_is_seen() {
        let metadata = sealed();
        assert!(is_metadata_intact(&metadata));
        assert!(is_metadata_intact(&[b"pages", metadata.as_slice()].concat()));
        assert!(!is_metadata_intact(&metadata[1..]));
        assert_eq!(metadata_bytes(b"PAR1"), None);
        for at in 0..metadata.len() {
            let mut flipped = metadata.clone();
            flipped[at] ^= 4;
            assert!(!is_metadata_intact(&flipped), "at {at}");
        }
    }

    #[test]
    fn entries_round_trip_and_bad_ones_are_refused() {
        let checksum = PagesChecksum { num_bytes: 17, xxh3: 5 };
        assert_eq!(PagesChecksum::parse(&[checksum.footer()]).unwrap(), Some(checksum));
        assert_eq!(PagesChecksum::parse(&[]).unwrap(), None);
        let bad = KeyValue::new(KEY.to_owned(), "5".to_owned());
        assert!(PagesChecksum::parse(&[bad]).unwrap_err().message().contains(KEY));
    }

    #[test]
    fn only_the_pages_count_and_all_of_them() {
        let checksum = PagesChecksum { num_bytes: 5, xxh3: xxh3_64(b"pages") };
        let is_intact = |pieces: &[&[u8]]| {
            let mut hasher = PagesHasher::new(checksum);
            pieces.iter().for_each(|piece| hasher.update(piece));
            hasher.is_intact()
        };
        assert!(is_intact(&[b"pa", b"gesfoot", b"er"]));
        assert!(!is_intact(&[b"pa", b"geS", b"footer"]));
        assert!(!is_intact(&[b"page"]));
    }
}
