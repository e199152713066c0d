//! The filters of a file's stretches, as they are made.

use super::filter::Filter;

/// Filters within a budget of bytes. Over it, it lets go of all.
#[derive(Debug)]
pub(super) struct StretchFilters {
    filters: Vec<Filter>,
    num_bytes: usize,
    max_bytes: usize,
}

impl StretchFilters {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { filters: Vec::new(), num_bytes: 0, max_bytes }
    }

    /// Adds the filter of the next stretch, which has some numbers. False when it is over the budget.
    pub(super) fn push(&mut self, mut numbers: Vec<u64>) -> bool {
        numbers.sort_unstable();
        numbers.dedup();
        match Filter::of(&numbers) {
            Some(filter) if self.num_bytes + filter.memory_bytes() <= self.max_bytes => {
                self.num_bytes += filter.memory_bytes();
                self.filters.push(filter);
                true
            }
            _ => {
                self.filters = Vec::new();
                self.num_bytes = 0;
                false
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.num_bytes
    }

    pub(super) fn finish(self) -> Box<[Filter]> {
        self.filters.into_boxed_slice()
    }
}
