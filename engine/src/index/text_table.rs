//! Numbers for texts while they are counted: each text is stored once and found by its hash.
//!
//! A text belongs to a scope (a value to its key), and the same text in two scopes has two numbers. One table
//! for all scopes, because thousands of small maps cost more memory than what is in them. Lookups borrow the
//! text: only a new one is copied.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Texts by number, and their numbers.
pub(super) struct TextTable {
    /// Random, so that nobody can send texts that all fall into one place.
    seed: u64,
    /// Zero where free; else a text's hash in the upper half, its number plus one in the lower half. The
    /// length is a power of two, and at most three quarters are taken.
    slots: Vec<u64>,
    entries: Vec<Entry>,
    texts: String,
}

#[derive(Clone, Copy)]
struct Entry {
    scope: u32,
    /// Where the text ends; it begins where the one before ends.
    end: u32,
}

/// What a lookup found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The text has this number.
    Found(u32),
    /// The text is new.
    New(TextHash),
}

/// The hash of a text that is new, to insert it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextHash(u32);

impl fmt::Debug for TextTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextTable").field("num_texts", &self.entries.len()).finish_non_exhaustive()
    }
}

impl TextTable {
    pub(super) fn new() -> Self {
        let seed = RandomState::new().build_hasher().finish();
        Self { seed, slots: vec![0; 64], entries: Vec::new(), texts: String::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn scope(&self, number: u32) -> u32 {
        self.entries[number as usize].scope
    }

    pub(super) fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.entries[number - 1].end as usize };
        &self.texts[start..self.entries[number].end as usize]
    }

    /// Bytes of all texts.
    pub(super) fn text_bytes(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.texts.capacity()
    }

    pub(super) fn lookup(&self, scope: u32, text: &str) -> Lookup {
        let hash = self.hash(scope, text);
        let mask = self.slots.len() - 1;
        let mut position = hash as usize & mask;
        loop {
            let slot = self.slots[position];
            if slot == 0 {
                return Lookup::New(TextHash(hash));
            }
            let number = (slot as u32).wrapping_sub(1);
            if (slot >> 32) as u32 == hash && self.scope(number) == scope && self.text(number) == text {
                return Lookup::Found(number);
            }
            position = (position + 1) & mask;
        }
    }

    /// Gives a new text its number: the next one.
    pub(super) fn insert(&mut self, hash: TextHash, scope: u32, text: &str) -> u32 {
        if (self.entries.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let number = u32::try_from(self.entries.len()).expect("BUG: budgets are far below 2^32 texts");
        self.texts.push_str(text);
        let end = u32::try_from(self.texts.len()).expect("BUG: budgets are far below 4 GiB");
        self.entries.push(Entry { scope, end });
        place(&mut self.slots, u64::from(hash.0) << 32 | u64::from(number + 1));
        number
    }

    /// The number of a text, which it gets now if it has none.
    pub(super) fn intern(&mut self, scope: u32, text: &str) -> u32 {
        match self.lookup(scope, text) {
            Lookup::Found(number) => number,
            Lookup::New(hash) => self.insert(hash, scope, text),
        }
    }

    fn hash(&self, scope: u32, text: &str) -> u32 {
        let seed = self.seed.wrapping_add(u64::from(scope).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (xxh3_64_with_seed(text.as_bytes(), seed) >> 32) as u32
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        self.slots.iter().filter(|&&slot| slot != 0).for_each(|&slot| place(&mut slots, slot));
        self.slots = slots;
    }
}

/// Puts a slot's content at the first free place from where its hash says.
fn place(slots: &mut [u64], content: u64) {
    let mask = slots.len() - 1;
    let mut position = (content >> 32) as usize & mask;
    while slots[position] != 0 {
        position = (position + 1) & mask;
    }
    slots[position] = content;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number_in_each_scope() {
        let mut table = TextTable::new();
        for round in 0..2 {
            for index in 0..5000_u32 {
                let (scope, text) = (index % 3, (index / 3).to_string());
                assert_eq!(table.intern(scope, &text), index, "round {round}");
            }
        }
        assert_eq!(table.len(), 5000);
        assert_eq!((table.text(4999), table.scope(4999)), ("1666", 1));
        assert!(matches!(table.lookup(0, "1667"), Lookup::New(_)));
        assert_eq!(table.lookup(2, ""), table.lookup(2, ""));
        assert_eq!(table.intern(2, ""), 5000);
    }
}
