//! Counts keys and values of rows.

use std::collections::HashMap;

use arrow::array::RecordBatch;

use super::key_table::KeyTableBuilder;
use super::shedding::{KeptKey, keys_to_shed};
use super::{AttributeValues, COUNTED_COLUMNS};
use crate::error::Result;
use crate::index::columns_of::{DictionaryColumn, MapColumn, hashes};
use crate::index::limits::{KEY_OVERHEAD_BYTES, SidecarLimits, VALUE_OVERHEAD_BYTES};
use crate::index::text_table::{Lookup, TextTable};
use crate::schema::columns;

/// The tables of keys, as scopes of their texts.
const COLUMNS: u32 = 0;
const ATTRIBUTES: u32 = 1;
const RESOURCE_ATTRIBUTES: u32 = 2;

/// Counts keys and values. Memory is bounded by the limits: the texts of keys and values, and what is kept
/// beside each.
#[derive(Debug)]
pub(in crate::index) struct ValuesBuilder {
    limits: SidecarLimits,
    num_rows: u64,
    /// Keys, in the scope of their table.
    key_texts: TextTable,
    /// By the number of the key's text.
    keys: Vec<KeyState>,
    /// Whether each table has all keys.
    is_complete: [bool; 3],
    /// Values, in the scope of their key's number. Those of keys that keep none any more may linger.
    value_texts: TextTable,
    /// Rows, by the number of the value's text.
    value_counts: Vec<u64>,
    /// What the values of keys that keep theirs cost, and those that linger.
    kept_bytes: usize,
    lingering_bytes: usize,
    /// Number of rows or groups of like rows that were looked at.
    num_visits: u64,
}

#[derive(Clone, Copy, Debug)]
struct KeyState {
    num_rows: u64,
    last_visit: u64,
    keeps_values: bool,
    num_values: u32,
    value_bytes: usize,
}

impl ValuesBuilder {
    pub(in crate::index) fn new(limits: &SidecarLimits) -> Self {
        Self {
            limits: limits.clone(),
            num_rows: 0,
            key_texts: TextTable::new(),
            keys: Vec::new(),
            is_complete: [true; 3],
            value_texts: TextTable::new(),
            value_counts: Vec::new(),
            kept_bytes: 0,
            lingering_bytes: 0,
            num_visits: 0,
        }
    }

    /// Adds rows.
    ///
    /// # Errors
    /// `Internal` when they lack a column.
    pub(in crate::index) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let num_rows = batch.num_rows();
        let attributes = MapColumn::of(batch, columns::ATTRIBUTES)?;
        let resources = MapColumn::of(batch, columns::RESOURCE_ATTRIBUTES)?;
        let fingerprints = hashes(batch, columns::RESOURCE_FINGERPRINT)?.values();
        for name in COUNTED_COLUMNS {
            self.add_column(name, &DictionaryColumn::of(batch, name)?, num_rows as u64);
        }
        (0..num_rows).for_each(|row| self.add_entries(ATTRIBUTES, attributes.entries(row), 1));
        self.add_resources(&resources, fingerprints);
        self.num_rows += num_rows as u64;
        Ok(())
    }

    fn add_column(&mut self, name: &str, column: &DictionaryColumn<'_>, num_rows: u64) {
        self.num_visits += 1;
        let Some(key) = self.count_key(COLUMNS, name, num_rows) else { return };
        for (place, num_rows) in column.num_rows_by_value().into_iter().enumerate() {
            if num_rows > 0 {
                self.count_value(key, column.values.value(place), num_rows);
            }
        }
    }

    /// Adds the resources of rows. Few resources have many rows, so each is looked at once. Fingerprints find
    /// like ones but do not prove it.
    fn add_resources(&mut self, resources: &MapColumn<'_>, fingerprints: &[u64]) {
        /// A row with the resource, and how many rows have it.
        struct Seen {
            row: usize,
            num_rows: u64,
        }
        let mut seen: HashMap<u64, Seen> = HashMap::new();
        for (row, &fingerprint) in fingerprints.iter().enumerate() {
            let first = seen.entry(fingerprint).or_insert(Seen { row, num_rows: 0 });
            if first.row == row || resources.entries(first.row).eq(resources.entries(row)) {
                first.num_rows += 1;
            } else {
                self.add_entries(RESOURCE_ATTRIBUTES, resources.entries(row), 1);
            }
        }
        for Seen { row, num_rows } in seen.into_values() {
            self.add_entries(RESOURCE_ATTRIBUTES, resources.entries(row), num_rows);
        }
    }

    /// Adds the attributes of a row, or of some like ones.
    fn add_entries<'a>(
        &mut self,
        table: u32,
        entries: impl Iterator<Item = (&'a str, &'a str)>,
        num_rows: u64,
    ) {
        self.num_visits += 1;
        for (key, value) in entries {
            if let Some(key) = self.count_key(table, key, num_rows) {
                self.count_value(key, value, num_rows);
            }
        }
    }

    /// Counts a key and returns its number; none when there is no room for it, or when the row has it twice.
    fn count_key(&mut self, table: u32, text: &str, num_rows: u64) -> Option<u32> {
        let key = match self.key_texts.lookup(table, text) {
            Lookup::Found(key) => key,
            Lookup::New(hash) => {
                let cost =
                    self.key_texts.text_bytes() + text.len() + (self.keys.len() + 1) * KEY_OVERHEAD_BYTES;
                if cost > self.limits.max_key_bytes {
                    self.is_complete[table as usize] = false;
                    return None;
                }
                self.keys.push(KeyState::NEW);
                self.key_texts.insert(hash, table, text)
            }
        };
        let state = &mut self.keys[key as usize];
        if state.last_visit == self.num_visits {
            // Ingestion makes keys unique. Rows from elsewhere may have one twice, and it is not for a count
            // to say which of the values is the row's.
            self.drop_values(key);
            return None;
        }
        state.last_visit = self.num_visits;
        state.num_rows += num_rows;
        Some(key)
    }

    fn count_value(&mut self, key: u32, text: &str, num_rows: u64) {
        let state = &mut self.keys[key as usize];
        if !state.keeps_values {
            return;
        }
        match self.value_texts.lookup(key, text) {
            Lookup::Found(value) => self.value_counts[value as usize] += num_rows,
            Lookup::New(hash) => {
                let bytes = text.len() + VALUE_OVERHEAD_BYTES;
                state.num_values += 1;
                if state.num_values as usize > self.limits.max_values_per_key
                    || state.value_bytes + bytes > self.limits.max_value_bytes_per_key
                {
                    return self.drop_values(key);
                }
                state.value_bytes += bytes;
                self.kept_bytes += bytes;
                self.value_texts.insert(hash, key, text);
                self.value_counts.push(num_rows);
                if self.kept_bytes + self.lingering_bytes > self.limits.max_value_bytes {
                    self.make_room();
                }
            }
        }
    }

    /// The key keeps no values from now on, only how many it had.
    fn drop_values(&mut self, key: u32) {
        let state = &mut self.keys[key as usize];
        if state.keeps_values {
            state.keeps_values = false;
            self.kept_bytes -= state.value_bytes;
            self.lingering_bytes += state.value_bytes;
        }
    }

    /// Forgets the values that linger, and those of more keys when the others need almost all the room: making
    /// room costs a look at all values, and must not come with every new one.
    fn make_room(&mut self) {
        self.shed(self.limits.max_value_bytes / 8 * 7);
        let texts = std::mem::replace(&mut self.value_texts, TextTable::new());
        let counts = std::mem::take(&mut self.value_counts);
        for (number, num_rows) in counts.into_iter().enumerate() {
            let key = texts.scope(number as u32);
            if self.keys[key as usize].keeps_values {
                self.value_texts.intern(key, texts.text(number as u32));
                self.value_counts.push(num_rows);
            }
        }
        self.lingering_bytes = 0;
    }

    /// Lets keys drop their values until the others cost at most `max_bytes`.
    fn shed(&mut self, max_bytes: usize) {
        if self.kept_bytes <= max_bytes {
            return;
        }
        let kept = self.keys.iter().enumerate().filter(|(_, state)| state.keeps_values);
        let kept = kept.map(|(key, state)| KeptKey {
            key,
            is_column: self.key_texts.scope(key as u32) == COLUMNS,
            num_rows: state.num_rows,
            value_bytes: state.value_bytes,
        });
        for key in keys_to_shed(kept.collect(), max_bytes) {
            self.drop_values(key as u32);
        }
    }

    pub(in crate::index) fn memory_bytes(&self) -> usize {
        self.key_texts.memory_bytes()
            + self.keys.capacity() * size_of::<KeyState>()
            + self.value_texts.memory_bytes()
            + self.value_counts.capacity() * size_of::<u64>()
    }

    pub(in crate::index) fn finish(mut self) -> AttributeValues {
        self.shed(self.limits.value_bytes_for(self.num_rows));
        let mut keys: Vec<u32> = (0..self.key_texts.len() as u32).collect();
        keys.sort_unstable_by_key(|&key| (self.key_texts.scope(key), self.key_texts.text(key)));
        let mut values: Vec<u32> = (0..self.value_texts.len() as u32)
            .filter(|&value| self.keys[self.value_texts.scope(value) as usize].keeps_values)
            .collect();
        values.sort_unstable_by_key(|&value| (self.value_texts.scope(value), self.value_texts.text(value)));
        let mut tables = self.is_complete.map(KeyTableBuilder::new);
        for key in keys {
            let (state, text) = (&self.keys[key as usize], self.key_texts.text(key));
            let table = &mut tables[self.key_texts.scope(key) as usize];
            if state.keeps_values {
                let start = values.partition_point(|&value| self.value_texts.scope(value) < key);
                let values =
                    values[start..].iter().take_while(|&&value| self.value_texts.scope(value) == key);
                let with_counts =
                    values.map(|&value| (self.value_texts.text(value), self.value_counts[value as usize]));
                table.push_with_values(text, state.num_rows, with_counts);
            } else {
                table.push_without_values(text, state.num_rows, u64::from(state.num_values));
            }
        }
        AttributeValues::from_tables(self.num_rows, tables.map(KeyTableBuilder::finish))
    }
}

impl KeyState {
    const NEW: Self = Self { num_rows: 0, last_visit: 0, keeps_values: true, num_values: 0, value_bytes: 0 };
}
