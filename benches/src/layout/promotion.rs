//! Which attributes get columns of their own.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result};
use arrow::array::{Array, AsArray, MapArray, RecordBatch, StringArray};
use engine::schema::columns;
use xxhash_rust::xxh3::xxh3_64;

/// One of the two maps of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MapColumn {
    /// The record's own attributes.
    Own,
    /// The attributes of its resource.
    Resource,
}

impl MapColumn {
    /// Both, in the order of a file's columns.
    pub(crate) const ALL: [Self; 2] = [Self::Own, Self::Resource];

    /// The name of the map column, and the prefix of its promoted attributes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => columns::ATTRIBUTES,
            Self::Resource => columns::RESOURCE_ATTRIBUTES,
        }
    }
}

/// What is known of one attribute in all rows of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyFacts {
    /// Whose attribute.
    pub(crate) map: MapColumn,
    /// Its key.
    pub(crate) key: String,
    /// Rows that have it.
    pub(crate) num_rows: usize,
    /// Half the length of its values, when all are lower-case hexadecimal digits and equally long.
    pub(crate) hex_bytes: Option<usize>,
    /// Whether all values are integers, written as integers are.
    pub(crate) is_integer: bool,
    /// Whether all values are doubles, written as doubles are.
    pub(crate) is_double: bool,
    /// Whether all values are `true` or `false`.
    pub(crate) is_flag: bool,
    /// Hashes of the distinct ones among the first values.
    sample: HashSet<u64>,
}

/// Values of a key that are looked at to tell whether most are distinct.
const SAMPLE_ROWS: usize = 4096;

impl KeyFacts {
    fn unseen(map: MapColumn, key: String, hex_bytes: Option<usize>) -> Self {
        Self {
            map,
            key,
            num_rows: 0,
            hex_bytes,
            is_integer: true,
            is_double: true,
            is_flag: true,
            sample: HashSet::new(),
        }
    }

    /// The column that the attribute gets.
    pub(crate) fn column(&self) -> String {
        format!("{}/{}", self.map.name(), self.key)
    }

    /// The share of distinct values among the first ones.
    pub(crate) fn distinct_share(&self) -> f64 {
        self.sample.len() as f64 / self.num_rows.clamp(1, SAMPLE_ROWS) as f64
    }

    fn see(&mut self, value: &str) {
        self.num_rows += 1;
        if self.num_rows <= SAMPLE_ROWS {
            self.sample.insert(xxh3_64(value.as_bytes()));
        }
        if self.hex_bytes.is_some_and(|bytes| value.len() != 2 * bytes || !is_hex(value)) {
            self.hex_bytes = None;
        }
        self.is_integer &= value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
        self.is_double &= value.parse::<f64>().is_ok_and(|number| format!("{number:?}") == value);
        self.is_flag &= matches!(value, "true" | "false");
    }
}

fn is_hex(value: &str) -> bool {
    value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// All attributes of some rows, the most frequent first.
///
/// # Errors
/// When a map column is missing or is no map of texts.
pub(crate) fn key_facts<'a>(batches: impl Iterator<Item = &'a RecordBatch>) -> Result<Vec<KeyFacts>> {
    let mut facts: Vec<KeyFacts> = Vec::new();
    let mut places: [HashMap<String, usize>; 2] = Default::default();
    for batch in batches {
        for (map, places) in MapColumn::ALL.into_iter().zip(&mut places) {
            let (keys, values) = entries(map_column(batch, map)?)?;
            for entry in 0..keys.len() {
                let (key, value) = (keys.value(entry), values.value(entry));
                let place = match places.get(key) {
                    Some(place) => *place,
                    None => {
                        let hex_bytes =
                            (value.len() % 2 == 0 && value.len() >= 16).then_some(value.len() / 2);
                        let key = key.to_owned();
                        facts.push(KeyFacts::unseen(map, key.clone(), hex_bytes));
                        *places.entry(key).or_insert(facts.len() - 1)
                    }
                };
                facts[place].see(value);
            }
        }
    }
    facts.sort_by(|left, right| {
        right.num_rows.cmp(&left.num_rows).then_with(|| (left.map, &left.key).cmp(&(right.map, &right.key)))
    });
    Ok(facts)
}

/// The attributes that are promoted: those in at least `min_share` of the rows, and of these the most frequent.
pub(crate) fn choose(
    facts: &[KeyFacts],
    num_rows: usize,
    max_columns: usize,
    min_share: f64,
) -> Vec<KeyFacts> {
    let min_rows = num_rows as f64 * min_share;
    facts.iter().filter(|fact| fact.num_rows as f64 >= min_rows).take(max_columns).cloned().collect()
}

/// The rarest of the records' own attributes that is a text.
pub(crate) fn rarest_text(facts: &[KeyFacts]) -> Option<&KeyFacts> {
    let is_text = |fact: &&KeyFacts| !fact.is_integer && !fact.is_double && !fact.is_flag;
    facts.iter().rev().filter(|fact| fact.map == MapColumn::Own).find(is_text)
}

/// A map column of a batch.
///
/// # Errors
/// When it is missing.
pub(crate) fn map_column(batch: &RecordBatch, map: MapColumn) -> Result<&MapArray> {
    let column = batch.column_by_name(map.name());
    column.and_then(|column| column.as_map_opt()).with_context(|| format!("no map column {}", map.name()))
}

/// Keys and values of all entries of a map, of all rows.
///
/// # Errors
/// When they are no texts.
pub(crate) fn entries(map: &MapArray) -> Result<(&StringArray, &StringArray)> {
    let keys = map.keys().as_string_opt::<i32>().context("keys are no texts")?;
    let values = map.values().as_string_opt::<i32>().context("values are no texts")?;
    Ok((keys, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(key: &str, num_rows: usize) -> KeyFacts {
        KeyFacts { num_rows, ..KeyFacts::unseen(MapColumn::Own, key.into(), None) }
    }

    #[test]
    fn rare_keys_and_keys_beyond_the_bound_are_not_promoted() {
        let all = [facts("a", 100), facts("b", 50), facts("c", 2)];
        let chosen =
            |max, share| choose(&all, 100, max, share).into_iter().map(|facts| facts.key).collect::<Vec<_>>();
        assert_eq!(chosen(9, 0.03), ["a", "b"]);
        assert_eq!(chosen(9, 0.02), ["a", "b", "c"]);
        assert_eq!(chosen(1, 0.0), ["a"]);
    }

    #[test]
    fn values_tell_whether_they_are_integers_or_hexadecimal() {
        let mut all = KeyFacts { hex_bytes: Some(8), ..facts("a", 0) };
        all.see("00112233445566ff");
        assert_eq!((all.hex_bytes, all.is_integer), (Some(8), false));
        all.see("00112233445566FF");
        assert_eq!(all.hex_bytes, None);
        let mut all = facts("a", 0);
        all.see("-17");
        assert!(all.is_integer);
        all.see("017");
        assert!(!all.is_integer);
    }
}
