//! Keys with the number of rows that have them, and their values where they are kept.

use std::ops::Range;

use crate::index::text_list::{TextList, TextListBuilder};

/// The keys of one map of attributes, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyTable {
    pub(super) is_complete: bool,
    pub(super) keys: TextList,
    pub(super) num_rows: Box<[u64]>,
    /// Where the values of each key end; they begin where those of the key before end. A key has rows, so one
    /// without values is one whose values are not kept.
    pub(super) value_ends: Box<[u32]>,
    /// For a key whose values are not kept, how many it has at least; else zero.
    pub(super) min_distinct: Box<[u64]>,
    /// In order within each key.
    pub(super) values: TextList,
    pub(super) counts: Box<[u64]>,
}

/// A key and the rows that have it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyCounts<'a> {
    /// The key.
    pub key: &'a str,
    /// Number of rows that have it; at least 1.
    pub num_rows: u64,
    /// Their values.
    pub values: Values<'a>,
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyLookup<'a> {
    /// This, exactly.
    Counted(KeyCounts<'a>),
    /// No row has it.
    NoRow,
    /// Nothing: the table is incomplete.
    Unknown,
}

/// The values of a key.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// All of them, with their rows.
    Kept(ValueCounts<'a>),
    /// They are too many or too long, and have to be asked of the rows.
    NotKept {
        /// There are at least as many distinct ones.
        min_distinct: u64,
    },
}

impl PartialEq for Values<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Kept(left), Self::Kept(right)) => left.iter().eq(right.iter()),
            (Self::NotKept { min_distinct: left }, Self::NotKept { min_distinct: right }) => left == right,
            _ => false,
        }
    }
}

/// All values of a key, in order.
#[derive(Clone, Copy, Debug)]
pub struct ValueCounts<'a> {
    table: &'a KeyTable,
    /// Places of `KeyTable::values`.
    start: usize,
    end: usize,
}

impl<'a> ValueCounts<'a> {
    /// Number of distinct values; at least 1.
    pub fn num_distinct(&self) -> usize {
        self.end - self.start
    }

    /// Each value with the number of rows that have it, in the order of the values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, u64)> + use<'a> {
        let table = self.table;
        (self.start..self.end).map(move |number| (table.values.get(number), table.counts[number]))
    }

    /// Number of rows that have a value.
    pub fn count(&self, value: &str) -> u64 {
        self.table.values.find(self.start..self.end, value).map_or(0, |number| self.table.counts[number])
    }
}

impl KeyTable {
    /// Whether every key of the rows is in the table. What is in it is exact, also when it is not complete.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Number of keys.
    pub fn num_keys(&self) -> usize {
        self.keys.len()
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = KeyCounts<'_>> {
        (0..self.num_keys()).map(|number| self.at(number))
    }

    /// What is known of one key.
    pub fn get(&self, key: &str) -> KeyLookup<'_> {
        match self.keys.find(0..self.num_keys(), key) {
            Some(number) => KeyLookup::Counted(self.at(number)),
            None if self.is_complete => KeyLookup::NoRow,
            None => KeyLookup::Unknown,
        }
    }

    pub(super) fn at(&self, number: usize) -> KeyCounts<'_> {
        let Range { start, end } = self.values_of(number);
        let values = if start < end {
            Values::Kept(ValueCounts { table: self, start, end })
        } else {
            Values::NotKept { min_distinct: self.min_distinct[number] }
        };
        KeyCounts { key: self.keys.get(number), num_rows: self.num_rows[number], values }
    }

    pub(super) fn values_of(&self, number: usize) -> Range<usize> {
        let start = if number == 0 { 0 } else { self.value_ends[number - 1] as usize };
        start..self.value_ends[number] as usize
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.keys.memory_bytes()
            + self.values.memory_bytes()
            + size_of_val::<[u64]>(&self.num_rows)
            + size_of_val::<[u32]>(&self.value_ends)
            + size_of_val::<[u64]>(&self.min_distinct)
            + size_of_val::<[u64]>(&self.counts)
    }
}

/// Makes a [`KeyTable`] from keys that come in order, each with its values in order.
#[derive(Debug)]
pub(super) struct KeyTableBuilder {
    is_complete: bool,
    keys: TextListBuilder,
    num_rows: Vec<u64>,
    value_ends: Vec<u32>,
    min_distinct: Vec<u64>,
    values: TextListBuilder,
    counts: Vec<u64>,
}

impl KeyTableBuilder {
    pub(super) fn new(is_complete: bool) -> Self {
        Self {
            is_complete,
            keys: TextListBuilder::default(),
            num_rows: Vec::new(),
            value_ends: Vec::new(),
            min_distinct: Vec::new(),
            values: TextListBuilder::default(),
            counts: Vec::new(),
        }
    }

    /// Adds a key with all its values.
    pub(super) fn push_with_values<'v>(
        &mut self,
        key: &str,
        num_rows: u64,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) {
        for (value, count) in values {
            self.values.push(value);
            self.counts.push(count);
        }
        self.push(key, num_rows, 0);
    }

    /// Adds a key that has at least `min_distinct` values.
    pub(super) fn push_without_values(&mut self, key: &str, num_rows: u64, min_distinct: u64) {
        self.push(key, num_rows, min_distinct);
    }

    fn push(&mut self, key: &str, num_rows: u64, min_distinct: u64) {
        self.keys.push(key);
        self.num_rows.push(num_rows);
        self.value_ends.push(u32::try_from(self.values.len()).expect("BUG: budgets bound the values"));
        self.min_distinct.push(min_distinct);
    }

    pub(super) fn finish(self) -> KeyTable {
        KeyTable {
            is_complete: self.is_complete,
            keys: self.keys.finish(),
            num_rows: self.num_rows.into_boxed_slice(),
            value_ends: self.value_ends.into_boxed_slice(),
            min_distinct: self.min_distinct.into_boxed_slice(),
            values: self.values.finish(),
            counts: self.counts.into_boxed_slice(),
        }
    }
}
