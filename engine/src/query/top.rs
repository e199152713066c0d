//! The best of many groups, in memory for the best alone.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;

/// The groups with the highest ranks; of equal ones those that come first by their values.
///
/// Groups may be more than fit into memory, so only the best are held, and their memory counts as the query's.
pub(super) struct Top<T> {
    limit: usize,
    /// The worst is the greatest, so that it is the one at hand.
    best: BinaryHeap<Ranked<T>>,
    reservation: MemoryReservation,
}

/// A group and how good it is.
struct Ranked<T> {
    rank: i64,
    values: Vec<String>,
    totals: T,
}

impl<T> Top<T> {
    /// Holds at most `limit` groups.
    pub(super) fn new(limit: usize, reservation: MemoryReservation) -> Self {
        Self { limit, best: BinaryHeap::new(), reservation }
    }

    /// Takes a group, unless there are enough better ones; of a group with a lower rank than theirs, not even the
    /// `values` are made.
    ///
    /// # Errors
    /// `ResourcesExhausted` when the best do not fit into the query's memory.
    pub(super) fn offer(
        &mut self,
        rank: i64,
        totals: T,
        values: impl FnOnce() -> Result<Vec<String>>,
    ) -> Result<()> {
        let is_full = self.best.len() >= self.limit;
        if is_full && self.best.peek().is_none_or(|worst| rank < worst.rank) {
            return Ok(());
        }
        let group = Ranked { rank, values: values()?, totals };
        self.reservation.try_grow(group.num_bytes())?;
        self.best.push(group);
        if is_full && let Some(worst) = self.best.pop() {
            self.reservation.shrink(worst.num_bytes());
        }
        Ok(())
    }

    /// The groups that were kept, the best first.
    pub(super) fn into_ranked(self) -> impl Iterator<Item = (Vec<String>, T)> {
        self.best.into_sorted_vec().into_iter().map(|group| (group.values, group.totals))
    }
}

impl<T> Ranked<T> {
    /// What it takes up, generously.
    fn num_bytes(&self) -> usize {
        let texts = self.values.iter().map(|value| size_of::<String>() + value.len());
        2 * size_of::<Self>() + texts.sum::<usize>()
    }
}

impl<T> Ord for Ranked<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.rank.cmp(&self.rank).then_with(|| self.values.cmp(&other.values))
    }
}

impl<T> PartialOrd for Ranked<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Ranked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Ranked<T> {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    fn top_of(limit: usize, max_bytes: usize, groups: &[(i64, &str)]) -> Result<Vec<String>> {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(max_bytes));
        let mut top = Top::new(limit, MemoryConsumer::new("top").register(&pool));
        for (rank, value) in groups {
            top.offer(*rank, (), || Ok(vec![(*value).to_owned()]))?;
        }
        Ok(top.into_ranked().map(|(mut values, ())| values.remove(0)).collect())
    }

    #[test]
    fn the_best_are_kept_and_of_equals_the_first_by_value() {
        let groups = [(2, "d"), (1, "b"), (3, "c"), (2, "a"), (-5, "e"), (1, "a")];
        let top = |limit| top_of(limit, 1 << 20, &groups).unwrap();
        assert_eq!(top(100), ["c", "a", "d", "a", "b", "e"]);
        assert_eq!(top(4), ["c", "a", "d", "a"]);
        assert_eq!(top(1), ["c"]);
        assert_eq!(top(0), [""; 0]);
    }

    #[test]
    fn what_is_kept_must_fit_and_what_is_passed_over_needs_no_room() {
        let text = "x".repeat(1_000);
        let groups: Vec<(i64, &str)> = (0..100).map(|rank| (rank, text.as_str())).collect();
        assert_eq!(top_of(2, 8_000, &groups).unwrap().len(), 2);
        assert!(top_of(100, 8_000, &groups).is_err());
    }
}
