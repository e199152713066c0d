//! The checksum of a data file's pages, kept in its footer: how a flipped bit is found that decodes all the same.
//!
//! | key | value |
//! |---|---|
//! | `timberline.pages_xxh3` | XXH3, 64 bits in hexadecimal, a colon, and how many bytes of the file it is of: all before the page indexes |

use parquet::file::metadata::KeyValue;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};

const KEY: &str = "timberline.pages_xxh3";

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
    use xxhash_rust::xxh3::xxh3_64;

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
