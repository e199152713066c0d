//! The time by which rows leave the storage.
//!
//! What is hidden by a wrong clock comes back when the clock is right again; what was deleted does not. So rows
//! leave the storage by a time that follows the machine's clock at a bounded pace. It begins where the stored rows
//! agree that time has come to, and each step, one a minute, takes it at most an hour further: a clock that jumps
//! by years deletes next to nothing before somebody has set it right, and after an honest month of standstill the
//! removal has caught up in half a day.
//!
//! The newest ingest time alone would be no evidence, because the first rows that come in after a jump carry it. A
//! row's own time is mostly that of another machine, so that both have to agree.

use super::{DAY_US, TimeBounds};

/// How far one step goes at most.
const MAX_STEP_US: i64 = DAY_US / 24;

/// How much later than the evidence the time may be at the start.
const MAX_LEAD_US: i64 = DAY_US;

/// A clock that never jumps forward.
#[derive(Clone, Copy, Debug)]
pub(super) struct RemovalClock {
    now_us: i64,
}

impl RemovalClock {
    /// Begins at what the machine's clock shows, or a day after the newest time that stored rows agree on. Without
    /// rows there is nothing to lose.
    pub(super) fn start(now_us: i64, stored: impl Iterator<Item = TimeBounds>) -> Self {
        let newest_us = stored.map(|bounds| bounds.latest_us()).max();
        Self {
            now_us: newest_us.map_or(now_us, |newest_us| now_us.min(newest_us.saturating_add(MAX_LEAD_US))),
        }
    }

    /// Follows the machine's clock by one step.
    pub(super) fn step(&mut self, now_us: i64) {
        self.now_us = now_us.min(self.now_us.saturating_add(MAX_STEP_US));
    }

    /// The time, which is never after the one that the machine's clock shows.
    pub(super) fn now_us(&self, machine_us: i64) -> i64 {
        self.now_us.min(machine_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_765_881_156_184_820;
    const YEAR_US: i64 = 365 * DAY_US;

    fn stored(timestamp_us: i64, ingested_us: i64) -> TimeBounds {
        TimeBounds {
            min_timestamp_us: timestamp_us,
            max_timestamp_us: timestamp_us,
            min_ingested_us: ingested_us,
            max_ingested_us: ingested_us,
        }
    }

    #[test]
    fn it_is_the_machines_clock_while_that_goes_evenly() {
        let mut clock = RemovalClock::start(NOW_US, [stored(NOW_US - 5, NOW_US - 3)].into_iter());
        assert_eq!(clock.now_us(NOW_US), NOW_US);
        for minute in 1..100 {
            let now_us = NOW_US + minute * 60_000_000;
            clock.step(now_us);
            assert_eq!(clock.now_us(now_us), now_us);
        }
    }

    #[test]
    fn a_jump_is_followed_an_hour_at_a_time_and_forgotten_when_it_ends() {
        let mut clock = RemovalClock::start(NOW_US, [stored(NOW_US, NOW_US)].into_iter());
        for step in 1..=10 {
            clock.step(NOW_US + 10 * YEAR_US);
            assert_eq!(clock.now_us(NOW_US + 10 * YEAR_US), NOW_US + step * MAX_STEP_US);
        }
        assert_eq!(clock.now_us(NOW_US + 7), NOW_US + 7, "also between two steps");
        clock.step(NOW_US + 7);
        assert_eq!(clock.now_us(NOW_US + 10 * YEAR_US), NOW_US + 7);
    }

    #[test]
    fn the_start_believes_what_stored_rows_agree_on() {
        let jumped_us = NOW_US + 10 * YEAR_US;
        for (rows, expected_us) in [
            (vec![], jumped_us),
            (vec![stored(NOW_US, NOW_US)], NOW_US + DAY_US),
            // Came in after the jump, dated by a machine that did not.
            (vec![stored(NOW_US, jumped_us)], NOW_US + DAY_US),
            // Dated by a machine in the future, before the jump.
            (vec![stored(jumped_us, NOW_US)], NOW_US + DAY_US),
            (vec![stored(5, 5), stored(NOW_US, NOW_US), stored(0, NOW_US)], NOW_US + DAY_US),
            (vec![stored(i64::MAX, i64::MAX)], jumped_us),
        ] {
            let clock = RemovalClock::start(jumped_us, rows.iter().copied());
            assert_eq!(clock.now_us(jumped_us), expected_us, "{rows:?}");
        }
    }
}
