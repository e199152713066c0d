//! Attributes that have a column of their own in a data file.
//!
//! A filter on one attribute, or a grouping by it, should cost that attribute's bytes. So the keys that most rows
//! have are *promoted*: their values stand in columns named `attributes/<key>` and `resource_attributes/<key>`,
//! null where a row lacks the key, and the maps keep the rest. Which keys are promoted differs from file to file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, MapArray, RecordBatch, StringArray, StringBuilder, StructArray, UInt32Array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use crate::error::{Error, Result};
use crate::limits::{MAX_PROMOTED_KEYS, PROMOTED_SHARE_OF_ROWS};
use crate::schema::{columns, map_entry_fields};

/// The columns that hold attributes.
pub(crate) const MAP_COLUMNS: [&str; 2] = [columns::ATTRIBUTES, columns::RESOURCE_ATTRIBUTES];

/// Between the name of a map and a promoted key.
const SEPARATOR: char = '/';

/// How many rows have each key, for both maps in the order of [`MAP_COLUMNS`].
#[derive(Debug, Default)]
pub(crate) struct KeyCounts([HashMap<String, u64>; 2]);

impl KeyCounts {
    /// Counts the keys of whole rows.
    pub(crate) fn count_rows(&mut self, rows: &RecordBatch) -> Result<()> {
        for (counts, name) in self.0.iter_mut().zip(MAP_COLUMNS) {
            let map = map_column(rows, name)?;
            let keys = text_keys(map)?;
            let offsets = map.value_offsets();
            let used = offsets[0] as usize..offsets[offsets.len() - 1] as usize;
            let mut in_batch: HashMap<&str, u64> = HashMap::new();
            for entry in used {
                *in_batch.entry(keys.value(entry)).or_default() += 1;
            }
            for (key, count) in in_batch {
                match counts.get_mut(key) {
                    Some(total) => *total += count,
                    None => drop(counts.insert(key.to_owned(), count)),
                }
            }
        }
        Ok(())
    }

    /// Adds what is known of a promoted column: its name, and how many rows have a value.
    pub(crate) fn add_promoted(&mut self, column: &str, count: u64) {
        if let Some((map, key)) = parse_column_name(column) {
            *self.0[map].entry(key.to_owned()).or_default() += count;
        }
    }
}

/// The promoted keys of one data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Promotion {
    /// For both maps in the order of [`MAP_COLUMNS`], sorted.
    keys: [Vec<String>; 2],
}

impl Promotion {
    /// No key has a column of its own.
    pub(crate) fn none() -> Self {
        Self { keys: Default::default() }
    }

    /// The keys that most of `num_rows` rows have, up to a bound; a key that few rows have is not worth a column.
    pub(crate) fn choose(counts: &KeyCounts, num_rows: u64) -> Self {
        let least = num_rows.div_ceil(PROMOTED_SHARE_OF_ROWS).max(1);
        let all = counts.0.iter().enumerate().flat_map(|(map, counts)| {
            counts.iter().filter(|(_, count)| **count >= least).map(move |(key, count)| (*count, map, key))
        });
        let mut candidates: Vec<_> = all.collect();
        candidates.sort_unstable_by(|left, right| right.0.cmp(&left.0).then_with(|| left.cmp(right)));
        let mut keys = [Vec::new(), Vec::new()];
        for (_, map, key) in candidates.into_iter().take(MAX_PROMOTED_KEYS) {
            keys[map].push(key.clone());
        }
        keys.iter_mut().for_each(|keys| keys.sort_unstable());
        Self { keys }
    }

    /// The names of the promoted columns.
    pub(crate) fn column_names(&self) -> impl Iterator<Item = String> {
        let of_map = |(map, keys): (usize, &'_ Vec<String>)| -> Vec<String> {
            keys.iter().map(|key| column_name(MAP_COLUMNS[map], key)).collect()
        };
        self.keys.iter().enumerate().flat_map(of_map)
    }

    /// The rest of a map of `rows`, and the columns of its promoted keys in their order.
    pub(super) fn split_map(&self, rows: &RecordBatch, map: usize) -> Result<(MapArray, Vec<ArrayRef>)> {
        split_map(map_column(rows, MAP_COLUMNS[map])?, &self.keys[map])
    }
}

/// The name of the column of a promoted key.
pub(crate) fn column_name(map_column: &str, key: &str) -> String {
    format!("{map_column}{SEPARATOR}{key}")
}

/// Which map, in the order of [`MAP_COLUMNS`], and which key a column is of, if it is a promoted one.
pub(crate) fn parse_column_name(column: &str) -> Option<(usize, &str)> {
    let of_map =
        |(map, name): (usize, &&str)| Some((map, column.strip_prefix(*name)?.strip_prefix(SEPARATOR)?));
    MAP_COLUMNS.iter().enumerate().find_map(of_map)
}

fn split_map(map: &MapArray, promoted: &[String]) -> Result<(MapArray, Vec<ArrayRef>)> {
    let places: HashMap<&str, usize> =
        promoted.iter().enumerate().map(|(place, key)| (key.as_str(), place)).collect();
    let keys = text_keys(map)?;
    let offsets = map.value_offsets();
    let mut promoted_entries: Vec<Vec<Option<u32>>> = vec![vec![None; map.len()]; promoted.len()];
    let mut rest: Vec<u32> = Vec::new();
    let mut rest_offsets: Vec<i32> = Vec::with_capacity(map.len() + 1);
    rest_offsets.push(0);
    for row in 0..map.len() {
        for entry in offsets[row]..offsets[row + 1] {
            match places.get(keys.value(entry as usize)) {
                Some(&place) => promoted_entries[place][row] = Some(entry as u32),
                None => rest.push(entry as u32),
            }
        }
        rest_offsets.push(rest.len() as i32);
    }
    let values = map.values();
    let taken =
        |entries: Vec<Option<u32>>| take(values, &UInt32Array::from(entries), None).map_err(cannot_split);
    let columns = promoted_entries.into_iter().map(taken).collect::<Result<Vec<_>>>()?;
    let rest = UInt32Array::from(rest);
    let rest_keys = take(map.keys(), &rest, None).map_err(cannot_split)?;
    let rest_values = take(values, &rest, None).map_err(cannot_split)?;
    Ok((make_map(rest_offsets, rest_keys, rest_values)?, columns))
}

/// A map with the values of promoted keys put back, sorted by key.
pub(crate) fn assemble_map(rest: &MapArray, promoted: &[(&str, &ArrayRef)]) -> Result<MapArray> {
    if promoted.is_empty() {
        return Ok(rest.clone());
    }
    let mut promoted = promoted
        .iter()
        .map(|(key, column)| Ok((*key, text_values(column)?)))
        .collect::<Result<Vec<(&str, &StringArray)>>>()?;
    promoted.sort_unstable_by_key(|(key, _)| *key);
    let (rest_keys, rest_values) = (text_keys(rest)?, text_values(rest.values())?);
    let rest_offsets = rest.value_offsets();
    let (mut keys, mut values) = (StringBuilder::new(), StringBuilder::new());
    let mut offsets: Vec<i32> = Vec::with_capacity(rest.len() + 1);
    offsets.push(0);
    let mut end = 0;
    for row in 0..rest.len() {
        let mut push = |key: &str, value: &str| {
            keys.append_value(key);
            values.append_value(value);
            end += 1;
        };
        let mut entries = rest_offsets[row] as usize..rest_offsets[row + 1] as usize;
        let mut next_entry = entries.next();
        for (key, column) in promoted.iter().filter(|(_, column)| column.is_valid(row)) {
            while let Some(entry) = next_entry.filter(|entry| rest_keys.value(*entry) < *key) {
                push(rest_keys.value(entry), rest_values.value(entry));
                next_entry = entries.next();
            }
            push(key, column.value(row));
        }
        while let Some(entry) = next_entry {
            push(rest_keys.value(entry), rest_values.value(entry));
            next_entry = entries.next();
        }
        offsets.push(end);
    }
    make_map(offsets, Arc::new(keys.finish()), Arc::new(values.finish()))
}

fn make_map(offsets: Vec<i32>, keys: ArrayRef, values: ArrayRef) -> Result<MapArray> {
    let entries = StructArray::try_new(map_entry_fields(), vec![keys, values], None).map_err(cannot_split)?;
    let field = Field::new("entries", DataType::Struct(map_entry_fields()), false);
    MapArray::try_new(Arc::new(field), OffsetBuffer::new(offsets.into()), entries, None, false)
        .map_err(cannot_split)
}

fn map_column<'r>(rows: &'r RecordBatch, name: &str) -> Result<&'r MapArray> {
    let column = rows.column_by_name(name).and_then(|column| column.as_map_opt());
    column.ok_or_else(|| Error::internal(format!("rows without the map {name:?}")))
}

fn text_keys(map: &MapArray) -> Result<&StringArray> {
    map.keys().as_string_opt::<i32>().ok_or_else(|| not_attributes(map.data_type()))
}

fn text_values(column: &ArrayRef) -> Result<&StringArray> {
    column.as_string_opt::<i32>().ok_or_else(|| not_attributes(column.data_type()))
}

fn not_attributes(found: &DataType) -> Error {
    Error::corrupt_data(format!("attributes are text, and a column of them is of type {found}"))
}

fn cannot_split(error: ArrowError) -> Error {
    Error::internal("cannot arrange the attributes of rows").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_map_and_key() {
        assert_eq!(parse_column_name("attributes/a/b"), Some((0, "a/b")));
        assert_eq!(parse_column_name("resource_attributes/"), Some((1, "")));
        assert_eq!(parse_column_name("attributes"), None);
        assert_eq!(parse_column_name("attribute_types"), None);
        assert_eq!(parse_column_name("body"), None);
    }
}
