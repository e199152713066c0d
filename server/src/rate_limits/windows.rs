//! Counting within windows of time, by caller.

use std::collections::HashMap;
use std::hash::Hash;

use parking_lot::Mutex;

const US_PER_SECOND: i64 = 1_000_000;
/// From so many callers on, those whose windows are all over are forgotten.
const MAX_IDLE_CALLERS: usize = 10_000;

/// How much one caller may take within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// Length of the window, seconds.
    pub(crate) secs: i64,
    /// Requests, or whatever is counted.
    pub(crate) amount: u64,
}

/// Counts what callers take. A window begins with the first that is taken in it.
#[derive(Debug)]
pub(crate) struct Windows<K> {
    limits: Vec<Limit>,
    callers: Mutex<Callers<K>>,
}

#[derive(Debug)]
struct Callers<K> {
    windows: HashMap<K, Vec<Window>>,
    /// Number of callers at which to look for idle ones; grows with those that are not, so that looking stays rare.
    look_at: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began_us: i64,
    taken: u64,
}

impl<K: Eq + Hash> Windows<K> {
    /// All of the limits hold; without any nothing is counted.
    pub(crate) fn new(limits: Vec<Limit>) -> Self {
        let callers = Callers { windows: HashMap::new(), look_at: MAX_IDLE_CALLERS };
        Self { limits, callers: Mutex::new(callers) }
    }

    /// Counts one of `caller`.
    ///
    /// # Errors
    /// The seconds until the caller may take one again; it is not counted.
    pub(crate) fn take(&self, caller: K, now_us: i64) -> Result<(), u32> {
        self.within(caller, now_us, |windows, limits| {
            wait(windows, limits, now_us).map_or(Ok(()), Err)?;
            windows.iter_mut().for_each(|window| window.taken += 1);
            Ok(())
        })
        .unwrap_or(Ok(()))
    }

    /// Whether `caller` may take any more.
    ///
    /// # Errors
    /// The seconds until the caller may.
    pub(crate) fn check(&self, caller: K, now_us: i64) -> Result<(), u32> {
        self.within(caller, now_us, |windows, limits| wait(windows, limits, now_us).map_or(Ok(()), Err))
            .unwrap_or(Ok(()))
    }

    /// Counts what `caller` has taken, also beyond the limit.
    pub(crate) fn add(&self, caller: K, amount: u64, now_us: i64) {
        self.within(caller, now_us, |windows, _| {
            windows.iter_mut().for_each(|window| window.taken = window.taken.saturating_add(amount));
        });
    }

    /// Works on the windows of a caller, of which none is over. None when there are no limits.
    fn within<T>(
        &self,
        caller: K,
        now_us: i64,
        work: impl FnOnce(&mut [Window], &[Limit]) -> T,
    ) -> Option<T> {
        if self.limits.is_empty() {
            return None;
        }
        let mut callers = self.callers.lock();
        callers.forget_idle(&self.limits, now_us);
        let windows =
            callers.windows.entry(caller).or_insert_with(|| vec![Window::default(); self.limits.len()]);
        for (window, limit) in windows.iter_mut().zip(&self.limits) {
            if window.is_over(limit, now_us) {
                *window = Window { began_us: now_us, taken: 0 };
            }
        }
        Some(work(windows, &self.limits))
    }
}

impl<K: Eq + Hash> Callers<K> {
    fn forget_idle(&mut self, limits: &[Limit], now_us: i64) {
        if self.windows.len() < self.look_at {
            return;
        }
        self.windows.retain(|_, windows| {
            windows.iter().zip(limits).any(|(window, limit)| !window.is_over(limit, now_us))
        });
        self.look_at = MAX_IDLE_CALLERS.max(2 * self.windows.len());
    }
}

impl Window {
    fn end_us(self, limit: &Limit) -> i64 {
        self.began_us.saturating_add(limit.secs.saturating_mul(US_PER_SECOND))
    }

    /// A clock that was set back ends the window too: it must not lock anybody out.
    fn is_over(self, limit: &Limit, now_us: i64) -> bool {
        now_us >= self.end_us(limit) || now_us < self.began_us
    }
}

/// Seconds until no window is full, if one is.
fn wait(windows: &[Window], limits: &[Limit], now_us: i64) -> Option<u32> {
    let full = windows.iter().zip(limits).filter(|(window, limit)| window.taken >= limit.amount);
    let wait_us = full.map(|(window, limit)| window.end_us(limit) - now_us).max()?;
    Some(u32::try_from((wait_us + US_PER_SECOND - 1) / US_PER_SECOND).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_765_881_180_000_000;

    fn windows() -> Windows<i64> {
        let limit = |secs, amount| Limit { secs, amount };
        Windows::new(vec![limit(60, 50), limit(3_600, 200), limit(86_400, 500)])
    }

    fn at(secs: i64) -> i64 {
        START_US + secs * US_PER_SECOND
    }

    #[test]
    fn each_window_has_its_limit_and_callers_their_own() {
        let limits = windows();
        (0..50).for_each(|_| limits.take(1, at(0)).unwrap());
        assert_eq!(limits.take(1, at(10)), Err(50));
        assert_eq!(limits.take(2, at(10)), Ok(()));
        for minute in 1..4 {
            (0..50).for_each(|_| limits.take(1, at(minute * 60)).unwrap());
        }
        assert_eq!(limits.take(1, at(240)), Err(3_360), "200 in an hour");
        for hour in 1..3 {
            for minute in 0..3 {
                (0..50).for_each(|_| limits.take(1, at(hour * 3_600 + minute * 60)).unwrap());
            }
        }
        assert_eq!(limits.take(1, at(3 * 3_600)), Err(21 * 3_600), "500 in a day");
        assert_eq!(limits.take(1, at(86_400)), Ok(()));
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out() {
        let limits = windows();
        (0..50).for_each(|_| limits.take(1, START_US).unwrap());
        assert!(limits.take(1, START_US).is_err());
        assert_eq!(limits.take(1, START_US - 1), Ok(()));
    }

    #[test]
    fn what_is_added_at_once_may_go_beyond_the_limit_once() {
        let limits = Windows::new(vec![Limit { secs: 60, amount: 100 }]);
        assert_eq!(limits.check(1, at(0)), Ok(()));
        limits.add(1, 99, at(0));
        assert_eq!(limits.check(1, at(1)), Ok(()));
        limits.add(1, 1_000, at(1));
        assert_eq!(limits.check(1, at(2)), Err(58));
        assert_eq!(limits.check(1, at(60)), Ok(()));
    }

    #[test]
    fn without_limits_nothing_is_remembered() {
        let limits = Windows::new(Vec::new());
        assert_eq!(limits.take(1, at(0)), Ok(()));
        limits.add(1, u64::MAX, at(0));
        assert!(limits.callers.lock().windows.is_empty());
    }

    #[test]
    fn idle_callers_are_forgotten() {
        let limits = Windows::new(vec![Limit { secs: 60, amount: 1 }]);
        for caller in 0..MAX_IDLE_CALLERS {
            limits.take(caller, at(0)).unwrap();
        }
        limits.take(MAX_IDLE_CALLERS, at(60)).unwrap();
        assert_eq!(limits.callers.lock().windows.len(), 1);
    }
}
