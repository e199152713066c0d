//! Which keys give up their values when all values together are over their budget. A pure function.

use std::cmp::Ordering;

/// A key that keeps its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeptKey {
    /// Whose it is, for the caller.
    pub(super) key: usize,
    /// Columns are asked most, so they are the last to go.
    pub(super) is_column: bool,
    /// Number of rows that have the key.
    pub(super) num_rows: u64,
    /// What its values cost; at least 1.
    pub(super) value_bytes: usize,
}

impl KeptKey {
    /// By how many rows a byte speaks for: values that hardly two rows share save nobody a scan.
    fn compare_worth(&self, other: &Self) -> Ordering {
        let worth = |left: &Self, right: &Self| u128::from(left.num_rows) * right.value_bytes as u128;
        let by_worth = worth(self, other).cmp(&worth(other, self));
        self.is_column.cmp(&other.is_column).then(by_worth).then(self.key.cmp(&other.key))
    }
}

/// The keys that have to give up their values so that those of the others are within `max_bytes`: those that
/// are worth least.
pub(super) fn keys_to_shed(mut kept: Vec<KeptKey>, max_bytes: usize) -> impl Iterator<Item = usize> {
    let mut left: usize = kept.iter().map(|key| key.value_bytes).sum();
    kept.sort_unstable_by(KeptKey::compare_worth);
    kept.into_iter()
        .take_while(move |key| {
            let is_over = left > max_bytes;
            left -= key.value_bytes;
            is_over
        })
        .map(|key| key.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys as (rows, bytes of their values); the first one is a column.
    #[track_caller]
    fn check(keys: &[(u64, usize)], max_bytes: usize, shed: &[usize]) {
        let kept = keys.iter().enumerate().map(|(key, &(num_rows, value_bytes))| KeptKey {
            key,
            is_column: key == 0,
            num_rows,
            value_bytes,
        });
        assert_eq!(keys_to_shed(kept.collect(), max_bytes).collect::<Vec<_>>(), shed);
    }

    #[test]
    fn the_least_worth_go_first_and_columns_last() {
        let keys = [(1, 50), (100, 10), (100, 30), (100, 20)];
        check(&keys, 110, &[]);
        check(&keys, 109, &[2]);
        check(&keys, 79, &[2, 3]);
        check(&keys, 49, &[2, 3, 1, 0]);
        check(&[(1, 50), (7, 20), (1, 10), (u64::MAX, 30)], 99, &[2, 1]);
        check(&[], 0, &[]);
    }
}
