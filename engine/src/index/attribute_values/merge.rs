//! What two files' rows have together, from what each has.

use std::collections::HashSet;

use super::AttributeValues;
use super::key_table::{KeyCounts, KeyTable, KeyTableBuilder, ValueCounts, Values};
use super::shedding::{KeptKey, keys_to_shed};
use crate::index::limits::{KEY_OVERHEAD_BYTES, SidecarLimits, VALUE_OVERHEAD_BYTES};

impl AttributeValues {
    /// The keys and values of the rows of both. Where one does not know, the result does not: a key that an
    /// incomplete table lacks is left out, and values that one does not keep are not kept.
    pub fn merge(&self, other: &Self, limits: &SidecarLimits) -> Self {
        let pairs = self.tables().into_iter().zip(other.tables());
        let mut key_bytes = 0;
        let mut tables: Vec<MergedTable<'_>> =
            pairs.map(|(left, right)| MergedTable::of(left, right, limits, &mut key_bytes)).collect();
        let num_rows = self.num_rows + other.num_rows;
        shed(&mut tables, limits.value_bytes_for(num_rows));
        let mut tables = tables.into_iter().map(MergedTable::finish);
        let mut next = || tables.next().expect("BUG: there are three pairs of tables");
        Self::from_tables(num_rows, [next(), next(), next()])
    }
}

/// A table while it is merged: borrowed from both.
struct MergedTable<'a> {
    is_complete: bool,
    keys: Vec<MergedKey<'a>>,
}

struct MergedKey<'a> {
    key: &'a str,
    num_rows: u64,
    num_distinct: u64,
    /// None when they are not kept.
    values: Option<Vec<(&'a str, u64)>>,
}

impl<'a> MergedTable<'a> {
    fn of(left: &'a KeyTable, right: &'a KeyTable, limits: &SidecarLimits, key_bytes: &mut usize) -> Self {
        let mut merged = Self { is_complete: left.is_complete() && right.is_complete(), keys: Vec::new() };
        let pairs = merge_sorted(left.keys(), right.keys(), |left, right| left.key.cmp(right.key));
        for pair in pairs {
            let key = match pair {
                (Some(left), Some(right)) => MergedKey::of_both(left, right, limits),
                (Some(only), None) if right.is_complete() => MergedKey::of_one(only),
                (None, Some(only)) if left.is_complete() => MergedKey::of_one(only),
                // The other one may have rows with it that it does not tell.
                _ => continue,
            };
            *key_bytes += key.key.len() + KEY_OVERHEAD_BYTES;
            if *key_bytes > limits.max_key_bytes {
                merged.is_complete = false;
                break;
            }
            merged.keys.push(key);
        }
        merged
    }

    fn finish(self) -> KeyTable {
        let mut table = KeyTableBuilder::new(self.is_complete);
        for key in self.keys {
            match key.values {
                Some(values) => table.push_with_values(key.key, key.num_rows, values),
                None => table.push_without_values(key.key, key.num_rows, key.num_distinct),
            }
        }
        table.finish()
    }
}

impl<'a> MergedKey<'a> {
    fn of_one(counts: KeyCounts<'a>) -> Self {
        let values = match counts.values {
            Values::Kept(values) => Some(values.iter().collect()),
            Values::NotKept { .. } => None,
        };
        let num_distinct = min_distinct(&counts.values);
        Self { key: counts.key, num_rows: counts.num_rows, num_distinct, values }
    }

    fn of_both(left: KeyCounts<'a>, right: KeyCounts<'a>, limits: &SidecarLimits) -> Self {
        let num_rows = left.num_rows + right.num_rows;
        let merged = Self { key: left.key, num_rows, num_distinct: 0, values: None };
        let (Values::Kept(left_values), Values::Kept(right_values)) = (left.values, right.values) else {
            let num_distinct = min_distinct(&left.values).max(min_distinct(&right.values));
            return Self { num_distinct, ..merged };
        };
        let values = sum_values(left_values, right_values);
        let is_kept = values.len() <= limits.max_values_per_key
            && value_bytes(&values) <= limits.max_value_bytes_per_key;
        Self { num_distinct: values.len() as u64, values: is_kept.then_some(values), ..merged }
    }
}

fn min_distinct(values: &Values<'_>) -> u64 {
    match values {
        Values::Kept(values) => values.num_distinct() as u64,
        Values::NotKept { min_distinct } => *min_distinct,
    }
}

fn value_bytes(values: &[(&str, u64)]) -> usize {
    values.iter().map(|(value, _)| value.len() + VALUE_OVERHEAD_BYTES).sum()
}

fn sum_values<'a>(left: ValueCounts<'a>, right: ValueCounts<'a>) -> Vec<(&'a str, u64)> {
    let pairs = merge_sorted(left.iter(), right.iter(), |left, right| left.0.cmp(right.0));
    let summed = pairs.map(|pair| match pair {
        (Some((value, left)), Some((_, right))) => (value, left + right),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => unreachable!("BUG: a pair has at least one"),
    });
    summed.collect()
}

fn shed(tables: &mut [MergedTable<'_>], max_bytes: usize) {
    let mut all: Vec<(bool, &mut MergedKey<'_>)> = Vec::new();
    for (number, table) in tables.iter_mut().enumerate() {
        all.extend(table.keys.iter_mut().map(|key| (number == 0, key)));
    }
    let kept = all.iter().enumerate().filter_map(|(number, (is_column, key))| {
        let value_bytes = value_bytes(key.values.as_ref()?);
        Some(KeptKey { key: number, is_column: *is_column, num_rows: key.num_rows, value_bytes })
    });
    let shed: HashSet<usize> = keys_to_shed(kept.collect(), max_bytes).collect();
    for (_, (_, key)) in all.iter_mut().enumerate().filter(|(number, _)| shed.contains(number)) {
        key.values = None;
    }
}

/// Pairs what is equal in two rising series; what only one has stands alone.
fn merge_sorted<T>(
    left: impl Iterator<Item = T>,
    right: impl Iterator<Item = T>,
    compare: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => compare(left, right),
        };
        let left = order.is_le().then(|| left.next()).flatten();
        let right = order.is_ge().then(|| right.next()).flatten();
        Some((left, right))
    })
}
