//! The values with the most rows, of those that are known and of those that were read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryReservation;

use super::ListRange;
use super::values::ValueCount;
use crate::query::filter::TextSearch;
use crate::query::text_hash::TextHash;

/// Values with how many rows have each, in memory that counts as the query's.
pub(super) struct ValueCounts {
    counts: HashMap<String, u64, TextHash>,
    reservation: MemoryReservation,
}

impl ValueCounts {
    pub(super) fn new(reservation: MemoryReservation) -> Self {
        Self { counts: HashMap::default(), reservation }
    }

    pub(super) fn add(&mut self, value: &str, count: u64) -> Result<()> {
        if let Some(known) = self.counts.get_mut(value) {
            *known += count;
            return Ok(());
        }
        self.reservation.try_grow(TopValues::VALUE_BYTES + value.len())?;
        self.counts.insert(value.to_owned(), count);
        Ok(())
    }

    /// Takes off rows that were added.
    pub(super) fn subtract(&mut self, value: &str, count: u64) -> Result<()> {
        match self.counts.get_mut(value) {
            Some(known) if *known > count => *known -= count,
            Some(known) if *known == count => drop(self.counts.remove(value)),
            _ => return internal_err!("more rows have a value than a sidecar knows of"),
        }
        Ok(())
    }

    /// Takes a value out.
    pub(super) fn take(&mut self, value: &str) -> u64 {
        self.counts.remove(value).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(value, count)| (value.as_str(), *count))
    }
}

/// A value with its place in the list: those of more rows come first, then by value.
type Ranked = (Reverse<u64>, String);

/// The values with the most rows, in memory that counts as the query's.
pub(super) struct TopValues {
    list: ListRange,
    /// The last of the list is on top.
    heap: BinaryHeap<Ranked>,
    reservation: MemoryReservation,
}

impl TopValues {
    /// What a value without its text takes up, generously.
    const VALUE_BYTES: usize = 96;

    pub(super) fn new(list: ListRange, reservation: MemoryReservation) -> Self {
        Self { list, heap: BinaryHeap::new(), reservation }
    }

    /// Adds a batch of (value, count), each value once in all batches, with what is `known` of the values.
    pub(super) fn add(
        &mut self,
        batch: &RecordBatch,
        known: &mut ValueCounts,
        search: &TextSearch,
    ) -> Result<()> {
        let values = cast(batch.column(0), &DataType::Utf8)?;
        let values: &StringArray = values.as_string();
        let counts = batch.column(1).as_primitive::<Int64Type>();
        for row in (0..batch.num_rows()).filter(|row| values.is_valid(*row)) {
            let value = values.value(row);
            let known = known.take(value);
            self.offer(value, known + counts.value(row).unsigned_abs(), search)?;
        }
        Ok(())
    }

    pub(super) fn offer(&mut self, value: &str, count: u64, search: &TextSearch) -> Result<()> {
        if self.belongs(value, count) && search.is_in(value) {
            self.push(value, count)?;
        }
        Ok(())
    }

    /// Whether a value is among the first of those that were seen so far.
    fn belongs(&self, value: &str, count: u64) -> bool {
        let is_full = self.heap.len() >= self.list.offset.saturating_add(self.list.limit);
        let comes_before = |last: &Ranked| (Reverse(count), value) < (last.0, last.1.as_str());
        !is_full || self.heap.peek().is_some_and(comes_before)
    }

    fn push(&mut self, value: &str, count: u64) -> Result<()> {
        self.reservation.try_grow(Self::VALUE_BYTES + value.len())?;
        self.heap.push((Reverse(count), value.to_owned()));
        if self.heap.len() > self.list.offset.saturating_add(self.list.limit)
            && let Some((_, last)) = self.heap.pop()
        {
            self.reservation.shrink(Self::VALUE_BYTES + last.len());
        }
        Ok(())
    }

    pub(super) fn into_list(self) -> Vec<ValueCount> {
        let ranked = self.heap.into_sorted_vec().into_iter().skip(self.list.offset);
        ranked.map(|(Reverse(count), value)| ValueCount { value, count }).collect()
    }
}
