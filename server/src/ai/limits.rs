//! How often one caller may ask a model: windows of a minute, an hour and a day.

use std::collections::HashMap;

use parking_lot::Mutex;

const US_PER_SECOND: i64 = 1_000_000;
/// Length in seconds and requests of each window.
const WINDOWS: [(i64, u32); 3] = [(60, 50), (3_600, 200), (86_400, 500)];
/// From so many callers on, those who have not asked for a day are forgotten.
const MAX_CALLERS: usize = 10_000;

/// Counts requests by caller. A window begins with the first request in it.
#[derive(Debug, Default)]
pub(super) struct RateLimits {
    callers: Mutex<HashMap<i64, [Window; WINDOWS.len()]>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began_us: i64,
    num_requests: u32,
}

impl RateLimits {
    /// Counts a request of `caller`.
    ///
    /// # Errors
    /// The seconds until the caller may ask again; the request is not counted.
    pub(super) fn take(&self, caller: i64, now_us: i64) -> Result<(), u32> {
        let mut callers = self.callers.lock();
        if callers.len() >= MAX_CALLERS {
            let day_us = WINDOWS[WINDOWS.len() - 1].0 * US_PER_SECOND;
            callers.retain(|_, windows| now_us.saturating_sub(windows[WINDOWS.len() - 1].began_us) < day_us);
        }
        let windows = callers.entry(caller).or_default();
        let mut wait_us = 0;
        for (window, (secs, limit)) in windows.iter_mut().zip(WINDOWS) {
            let end_us = window.began_us.saturating_add(secs * US_PER_SECOND);
            // A clock that was set back ends the window too: it must not lock anybody out.
            if now_us >= end_us || now_us < window.began_us {
                *window = Window { began_us: now_us, num_requests: 0 };
            } else if window.num_requests >= limit {
                wait_us = wait_us.max(end_us - now_us);
            }
        }
        if wait_us > 0 {
            return Err(u32::try_from((wait_us + US_PER_SECOND - 1) / US_PER_SECOND).unwrap_or(u32::MAX));
        }
        windows.iter_mut().for_each(|window| window.num_requests += 1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_US: i64 = 1_765_881_180_000_000;

    #[test]
    fn each_window_has_its_limit_and_callers_their_own() {
        let limits = RateLimits::default();
        let at = |secs: i64| START_US + secs * US_PER_SECOND;
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
        let limits = RateLimits::default();
        (0..50).for_each(|_| limits.take(1, START_US).unwrap());
        assert!(limits.take(1, START_US).is_err());
        assert_eq!(limits.take(1, START_US - 1), Ok(()));
    }
}
