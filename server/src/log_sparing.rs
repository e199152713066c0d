//! What may happen thousands of times a second is told once a second.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Lets one through each second, and counts the others.
#[derive(Debug)]
pub(crate) struct Sparing {
    /// The second after the first use in which one was let through last, plus one; 0 before.
    last: AtomicU64,
    num_left_out: AtomicU64,
}

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Sparing {
    pub(crate) const fn new() -> Self {
        Self { last: AtomicU64::new(0), num_left_out: AtomicU64::new(0) }
    }

    /// Whether this one is to be told, and then how many were left out before it.
    pub(crate) fn take(&self) -> Option<u64> {
        self.take_at(BEGIN.elapsed().as_secs())
    }

    fn take_at(&self, second: u64) -> Option<u64> {
        let (now, last) = (second + 1, self.last.load(Ordering::Relaxed));
        let is_first =
            last < now && self.last.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_first {
            return Some(self.num_left_out.swap(0, Ordering::Relaxed));
        }
        self.num_left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_second_is_told_with_the_number_of_those_that_were_not() {
        let sparing = Sparing::new();
        let told = [0, 0, 0, 1, 1, 3, 2].map(|second| sparing.take_at(second));
        assert_eq!(told, [Some(0), None, None, Some(2), None, Some(1), None]);
    }
}
