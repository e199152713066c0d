//! What is in the rows, as far as questions need it: what to ask for is chosen from the rows themselves.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType};
use xxhash_rust::xxh3::xxh3_64;

/// A key with more different values is not counted further.
const MAX_DISTINCT: usize = 1 << 18;
/// Values of a key that are counted one by one.
const MAX_COUNTED: usize = 1_000;
/// Different values that make a key of numbers one to measure by.
const MIN_NUMBERS: usize = 100;
/// A body in so many is looked at for words.
const BODY_STRIDE: u64 = 17;
/// Words that are counted, at most.
const MAX_WORDS: usize = 1 << 18;
/// A row in so many gives an id.
const ID_STRIDE: u64 = 9_973;

/// Counts what is in rows.
#[derive(Debug, Default)]
pub(super) struct Traits {
    num_rows: u64,
    min_us: Option<i64>,
    max_us: Option<i64>,
    services: HashMap<String, u64>,
    keys: BTreeMap<String, Key>,
    num_bodies: u64,
    words: HashMap<String, u64>,
    traces: Vec<String>,
}

#[derive(Debug, Default)]
struct Key {
    num_rows: u64,
    distinct: HashSet<u64>,
    values: HashMap<String, u64>,
    examples: Vec<String>,
}

/// What questions ask for.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) num_rows: u64,
    pub(super) min_us: i64,
    pub(super) max_us: i64,
    /// The service of the most rows.
    pub(super) service: String,
    /// A key with few values, and one of them.
    pub(super) few: (String, String),
    /// Whether that key has an empty value in some row.
    pub(super) few_is_ever_empty: bool,
    /// A key with about 100,000 values, and texts in some of its values.
    pub(super) many: (String, Vec<String>),
    /// A key whose values are ids of rows, and some values.
    pub(super) id: (String, Vec<String>),
    /// The key of the most rows whose values are numbers of many kinds; empty when there is none.
    pub(super) number: String,
    /// Some trace ids, in hexadecimal digits; none when no row has one.
    pub(super) traces: Vec<String>,
    /// A word in about one body of 500, and one in about one of 50.
    pub(super) words: (String, String),
}

impl Traits {
    /// Looks at rows in the schema of decoded logs.
    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).with_context(|| format!("no column {name}"));
        let times = column("timestamp")?.as_primitive::<TimestampMicrosecondType>();
        self.min_us = self.min_us.into_iter().chain(arrow::compute::min(times)).min();
        self.max_us = self.max_us.into_iter().chain(arrow::compute::max(times)).max();
        let services = column("service_name")?.as_dictionary::<Int32Type>();
        let names = services.values().as_string::<i32>();
        let bodies = column("body")?.as_string_view();
        let traces = column("trace_id")?.as_fixed_size_binary();
        let attributes = column("attributes")?.as_map();
        let (keys, values) = (attributes.keys().as_string::<i32>(), attributes.values().as_string::<i32>());
        for row in 0..batch.num_rows() {
            self.num_rows += 1;
            let gives_id = self.num_rows % ID_STRIDE == 1;
            if let Some(name) = services.key(row).map(|name| names.value(name)) {
                bump(&mut self.services, name);
            }
            if self.num_rows % BODY_STRIDE == 1 {
                self.add_body(bodies.value(row));
            }
            if gives_id && traces.value(row).iter().any(|byte| *byte != 0) {
                self.traces.push(traces.value(row).iter().map(|byte| format!("{byte:02x}")).collect());
            }
            let (start, end) =
                (attributes.value_offsets()[row] as usize, attributes.value_offsets()[row + 1] as usize);
            for entry in start..end {
                self.add_attribute(keys.value(entry), values.value(entry), gives_id);
            }
        }
        Ok(())
    }

    fn add_attribute(&mut self, key: &str, value: &str, is_example: bool) {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.to_owned(), Key::default());
        }
        let Some(key) = self.keys.get_mut(key) else { return };
        key.num_rows += 1;
        if key.distinct.len() < MAX_DISTINCT {
            key.distinct.insert(xxh3_64(value.as_bytes()));
        }
        if key.distinct.len() <= MAX_COUNTED {
            bump(&mut key.values, value);
        }
        if is_example && !value.is_empty() {
            key.examples.push(value.to_owned());
        }
    }

    fn add_body(&mut self, body: &str) {
        self.num_bodies += 1;
        let words: HashSet<&str> = body
            .split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| (5..=20).contains(&word.len()))
            .collect();
        for word in words {
            if self.words.len() < MAX_WORDS || self.words.contains_key(word) {
                bump(&mut self.words, word);
            }
        }
    }

    /// Chooses what to ask for; the same rows give the same choice.
    pub(super) fn choose(self) -> Result<Chosen> {
        let (Some(min_us), Some(max_us)) = (self.min_us, self.max_us) else {
            anyhow::bail!("there are no rows")
        };
        let service = self.services.iter().max_by_key(|(name, count)| (**count, *name));
        let service = service.context("there are no services")?.0.clone();
        let few = self.keys.iter().filter(|(_, key)| (2..=200).contains(&key.distinct.len()));
        let (few_key, few) =
            few.max_by_key(|(_, key)| key.num_rows).context("no attribute has few values")?;
        let mut values: Vec<(&String, &u64)> = few.values.iter().collect();
        values.sort_by_key(|(value, count)| (std::cmp::Reverse(**count), *value));
        let few_value = values[values.len() / 2].0.clone();
        let is_id = |key: &Key| {
            key.num_rows > self.num_rows / 2
                && key.distinct.len() as u64 * 10 > key.num_rows.min(MAX_DISTINCT as u64) * 9
        };
        let id = self.keys.iter().filter(|(_, key)| is_id(key)).max_by_key(|(_, key)| key.num_rows);
        let id = id.or_else(|| self.keys.iter().max_by_key(|(_, key)| key.distinct.len()));
        let (id_key, id) = id.context("there are no attributes")?;
        let many = self
            .keys
            .iter()
            .filter(|(name, key)| *name != id_key && !looks_numeric(key) && !key.examples.is_empty());
        let (many_key, many) = many
            .min_by_key(|(_, key)| key.distinct.len().abs_diff(100_000))
            .context("no attribute has many values")?;
        let numbers = self.keys.iter().filter(|(name, key)| {
            *name != id_key
                && key.distinct.len() >= MIN_NUMBERS
                && !key.examples.is_empty()
                && looks_numeric(key)
        });
        let number = numbers.max_by_key(|(_, key)| key.num_rows).map(|(name, _)| name.clone());
        let parts = many.examples.iter().map(|value| tail(value)).collect();
        let word = |share: u64| nearest(&self.words, self.num_bodies / share);
        Ok(Chosen {
            num_rows: self.num_rows,
            min_us,
            max_us,
            service,
            few: (few_key.clone(), few_value),
            few_is_ever_empty: few.values.contains_key(""),
            many: (many_key.clone(), parts),
            id: (id_key.clone(), id.examples.clone()),
            number: number.unwrap_or_default(),
            traces: self.traces,
            words: (word(500)?, word(50)?),
        })
    }
}

/// Numbers are no values to choose from in a list.
fn looks_numeric(key: &Key) -> bool {
    key.examples.iter().all(|value| value.parse::<f64>().is_ok())
}

/// The last characters of a text.
fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(4);
    text.chars().skip(skipped).collect()
}

/// The word whose number is nearest to one.
fn nearest(words: &HashMap<String, u64>, number: u64) -> Result<String> {
    let nearest = words.iter().min_by_key(|(word, count)| (count.abs_diff(number), *word));
    Ok(nearest.context("bodies have no words")?.0.clone())
}

fn bump(counts: &mut HashMap<String, u64>, text: &str) {
    match counts.get_mut(text) {
        Some(count) => *count += 1,
        None => {
            counts.insert(text.to_owned(), 1);
        }
    }
}
