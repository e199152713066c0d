//! How many rows have each attribute key.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;

use super::ListRange;
use super::keys::{AttributeKey, AttributeKeys, SearchIn};
use crate::index;
use crate::query::filter::{Closeness, TextSearch};

/// Which keys are looked for.
pub(super) struct WantedKeys {
    pub(super) search: TextSearch,
    pub(super) search_in: SearchIn,
    /// Only these; empty means any.
    pub(super) keys: BTreeSet<String>,
}

/// How a key was found, and how often.
#[derive(Debug)]
enum Found {
    /// It is none that is looked for.
    Not,
    /// By its name.
    ByName(Closeness, u64),
    /// By those of its values that contain the text; none may.
    ByValues(HashMap<String, u64>),
}

impl WantedKeys {
    /// What there is to be found out about a key.
    fn begin(&self, key: &str) -> Found {
        if !self.keys.is_empty() && !self.keys.contains(key) {
            return Found::Not;
        }
        match (self.search.closeness(key), self.search_in) {
            (Some(closeness), _) => Found::ByName(closeness, 0),
            (None, SearchIn::KeysAndValues) => Found::ByValues(HashMap::new()),
            (None, SearchIn::Keys) => Found::Not,
        }
    }
}

/// All keys of rows, in memory that counts as the query's: senders may make any number of them.
pub(super) struct KeyTable {
    wanted: WantedKeys,
    by_key: HashMap<String, Found>,
    reservation: MemoryReservation,
}

impl KeyTable {
    /// What a key or a value without its text takes up, generously.
    const ENTRY_BYTES: usize = 160;

    pub(super) fn new(wanted: WantedKeys, reservation: MemoryReservation) -> Self {
        Self { wanted, by_key: HashMap::new(), reservation }
    }

    /// Adds rows as lists of keys, see [`attribute_keys`](crate::query::attribute_keys).
    pub(super) fn add_keys(&mut self, lists: &ArrayRef) -> Result<()> {
        self.change(lists, |total, count| Some(total + count))
    }

    /// Takes off rows that were added with a file.
    pub(super) fn subtract_keys(&mut self, lists: &ArrayRef) -> Result<()> {
        self.change(lists, u64::checked_sub)
    }

    fn change(&mut self, lists: &ArrayRef, change: impl Fn(u64, u64) -> Option<u64>) -> Result<()> {
        let lists = lists.as_list::<i32>();
        let offsets = lists.value_offsets();
        let used = lists.values().slice(offsets[0] as usize, (offsets[lists.len()] - offsets[0]) as usize);
        let keys = used.as_dictionary::<Int32Type>();
        let Some(names) = keys.values().as_string_opt::<i32>() else {
            return internal_err!("keys are text, not {}", keys.data_type());
        };
        let mut counts = vec![0_u64; names.len()];
        for name in keys.keys().values() {
            counts[*name as usize] += 1;
        }
        for (name, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let Found::ByName(_, total) = self.found(names.value(name))? else { continue };
            match change(*total, count) {
                Some(changed) => *total = changed,
                None => return internal_err!("more rows have a key than a sidecar knows of"),
            }
        }
        Ok(())
    }

    /// Adds the keys of a file whose rows have been counted. Returns false, and adds nothing, when some of its keys are
    /// not known.
    pub(super) fn add_known(&mut self, file: &index::attribute_values::KeyTable) -> Result<bool> {
        if !file.is_complete() {
            return Ok(false);
        }
        for counts in file.keys() {
            if let Found::ByName(_, total) = self.found(counts.key)? {
                *total += counts.num_rows;
            }
        }
        Ok(true)
    }

    /// Adds rows as whole maps.
    pub(super) fn add_maps(&mut self, maps: &ArrayRef) -> Result<()> {
        let maps = maps.as_map();
        let (Some(keys), Some(values)) =
            (maps.keys().as_string_opt::<i32>(), maps.values().as_string_opt::<i32>())
        else {
            return exec_err!("attributes are text, not {}", maps.data_type());
        };
        let offsets = maps.value_offsets();
        for entry in offsets[0] as usize..offsets[maps.len()] as usize {
            self.add_entry(keys.value(entry), values.value(entry))?;
        }
        Ok(())
    }

    fn add_entry(&mut self, key: &str, value: &str) -> Result<()> {
        let is_match = match self.found(key)? {
            Found::Not => false,
            Found::ByName(_, total) => {
                *total += 1;
                false
            }
            Found::ByValues(_) => true,
        };
        if !is_match || !self.wanted.search.is_in(value) {
            return Ok(());
        }
        let Some(Found::ByValues(values)) = self.by_key.get_mut(key) else { return Ok(()) };
        match values.get_mut(value) {
            Some(count) => *count += 1,
            None => {
                self.reservation.try_grow(Self::ENTRY_BYTES + value.len())?;
                values.insert(value.to_owned(), 1);
            }
        }
        Ok(())
    }

    fn found(&mut self, key: &str) -> Result<&mut Found> {
        if !self.by_key.contains_key(key) {
            self.reservation.try_grow(Self::ENTRY_BYTES + key.len())?;
            self.by_key.insert(key.to_owned(), self.wanted.begin(key));
        }
        match self.by_key.get_mut(key) {
            Some(found) => Ok(found),
            None => internal_err!("a key that was added is not there"),
        }
    }

    /// A part of the ranked list of keys.
    pub(super) fn into_list(self, list: ListRange) -> AttributeKeys {
        let mut ranked: Vec<(Rank, AttributeKey)> =
            self.by_key.into_iter().filter_map(|(name, found)| found.ranked(name)).collect();
        let total = ranked.len();
        ranked.sort_unstable_by(|(left, left_key), (right, right_key)| {
            left.cmp(right).then_with(|| left_key.name.cmp(&right_key.name))
        });
        let part = ranked.into_iter().skip(list.offset).take(list.limit);
        AttributeKeys { keys: part.map(|(_, key)| key).collect(), total }
    }
}

/// The place of a key among others: whether it was found by its values, how close it is, how many rows have it.
type Rank = (bool, Closeness, Reverse<u64>);

impl Found {
    /// The key with its place; none when nothing was found.
    fn ranked(self, name: String) -> Option<(Rank, AttributeKey)> {
        match self {
            Self::Not | Self::ByName(_, 0) => None,
            Self::ByName(closeness, count) => {
                let key = AttributeKey { name, count, matched_value: None };
                Some(((false, closeness, Reverse(count)), key))
            }
            Self::ByValues(values) => {
                let count = values.values().sum();
                let most_frequent = values.into_iter().min_by(|(left, in_left), (right, in_right)| {
                    in_right.cmp(in_left).then_with(|| left.cmp(right))
                });
                let (value, _) = most_frequent?;
                let key = AttributeKey { name, count, matched_value: Some(value) };
                Some(((true, Closeness::Part, Reverse(count)), key))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{MapBuilder, StringBuilder};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    type Row<'a> = &'a [(&'a str, &'a str)];

    fn maps(rows: &[Row<'_>]) -> ArrayRef {
        let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for row in rows {
            for (key, value) in *row {
                builder.keys().append_value(key);
                builder.values().append_value(value);
            }
            builder.append(true).unwrap();
        }
        Arc::new(builder.finish())
    }

    fn table(search: &str, keys: &[&str], pool_bytes: usize) -> KeyTable {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(pool_bytes));
        let wanted = WantedKeys {
            search: TextSearch::new("search", search).unwrap(),
            search_in: SearchIn::KeysAndValues,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        };
        KeyTable::new(wanted, MemoryConsumer::new("test").register(&pool))
    }

    const ROWS: [Row<'static>; 4] = [
        &[("app", "argo-cd"), ("argo", "x"), ("z.argo", "1")],
        &[("app", "ARGO"), ("my_argo", "x"), ("other", "none")],
        &[("app", "ARGO"), ("cargo", "x"), ("image", "argo-cd")],
        &[("app", "argo-cd"), ("cargo", "y"), ("my_argo", "")],
    ];

    fn listed(mut table: KeyTable, list: ListRange) -> (Vec<(String, u64, Option<String>)>, usize) {
        table.add_maps(&maps(&ROWS[..2])).unwrap();
        table.add_maps(&maps(&ROWS).slice(2, 2)).unwrap();
        let AttributeKeys { keys, total } = table.into_list(list);
        (keys.into_iter().map(|key| (key.name, key.count, key.matched_value)).collect(), total)
    }

    #[test]
    fn names_come_before_values_and_close_ones_before_frequent_ones() {
        let whole = ListRange { offset: 0, limit: 100 };
        let by_name = |name: &str, count| (name.to_owned(), count, None);
        let by_value = |name: &str, count, value: &str| (name.to_owned(), count, Some(value.to_owned()));
        let expected = [
            by_name("argo", 1),
            by_name("my_argo", 2),
            by_name("z.argo", 1),
            by_name("cargo", 2),
            by_value("app", 4, "ARGO"),
            by_value("image", 1, "argo-cd"),
        ];
        let (keys, total) = listed(table("argo", &[], 1 << 20), whole);
        assert_eq!((&keys[..], total), (&expected[..], 6));
        let (keys, total) = listed(table("argo", &[], 1 << 20), ListRange { offset: 3, limit: 2 });
        assert_eq!((&keys[..], total), (&expected[3..5], 6));
        let (keys, total) = listed(table("argo", &["cargo", "image", "nothing"], 1 << 20), whole);
        assert_eq!((keys, total), (vec![expected[3].clone(), expected[5].clone()], 2));
    }

    #[test]
    fn keys_that_do_not_fit_into_memory_are_an_error() {
        let mut table = table("argo", &[], KeyTable::ENTRY_BYTES * 2);
        let error = table.add_maps(&maps(&ROWS)).unwrap_err();
        assert!(matches!(error.find_root(), datafusion::error::DataFusionError::ResourcesExhausted(_)));
    }
}
