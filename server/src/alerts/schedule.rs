//! When an alert is checked, and which windows a check counts.
//!
//! Checks lie on a grid of their interval that begins with each day in UTC, moved by some minutes that differ from
//! project to project. A check that is due counts up to when it was due, however late it comes; one that is later than
//! an interval, or that a clock which ran ahead has put too far into the future, counts up to the newest point of the
//! grid instead.

use engine::query::TimeRange;
use engine::schema::ProjectId;

use super::MINUTE_US;
use super::settings::AlertSettings;

const DAY_US: i64 = 24 * 60 * MINUTE_US;
/// Older than this, what has come in is taken as stuck, and nobody waits for it.
const MAX_STALENESS_US: i64 = 5 * MINUTE_US;

/// The points in time at which the alerts of a project are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    interval_us: i64,
    offset_us: i64,
}

impl Grid {
    /// A grid of `interval_minutes`, at least 1, moved by `offset_minutes`.
    pub fn new(interval_minutes: u32, offset_minutes: u32) -> Self {
        let interval_minutes = interval_minutes.max(1);
        Self {
            interval_us: i64::from(interval_minutes) * MINUTE_US,
            offset_us: i64::from(offset_minutes % interval_minutes) * MINUTE_US,
        }
    }

    /// The grid of a project's alerts with this interval. One project's alerts are due together, so that they share
    /// questions, and those of different projects are not.
    pub fn of_project(project: ProjectId, interval_minutes: u32) -> Self {
        let shard = project.0.saturating_sub(1).rem_euclid(i64::from(interval_minutes.max(1)));
        Self::new(interval_minutes, u32::try_from(shard).unwrap_or_default())
    }

    /// When a check follows one that is done at `now_us` and was due at `due_us`; none was due at once. Missed checks
    /// are left out.
    pub fn next(&self, due_us: Option<i64>, now_us: i64) -> i64 {
        let mut base = match due_us.filter(|due_us| !self.is_too_far(*due_us, now_us)) {
            Some(due_us) => due_us.saturating_add(self.interval_us),
            None => now_us.saturating_add(self.interval_us),
        };
        if base <= now_us {
            base += ((now_us - base) / self.interval_us + 1) * self.interval_us;
        }
        let next = self.floor(base) + self.offset_us;
        if next <= now_us { next + self.interval_us } else { next }
    }

    /// Up to when a check counts that is done at `now_us` and was due at `due_us`.
    pub fn anchor(&self, due_us: Option<i64>, now_us: i64) -> i64 {
        match due_us {
            None => now_us,
            Some(due_us) if self.is_too_far(due_us, now_us) || now_us - due_us >= self.interval_us => {
                self.newest(now_us)
            }
            Some(due_us) => due_us,
        }
    }

    /// Whether no check could have been put so far into the future by this clock.
    pub fn is_too_far(&self, due_us: i64, now_us: i64) -> bool {
        due_us.saturating_sub(now_us) > 2 * self.interval_us
    }

    /// The newest point that is not after `now_us`.
    fn newest(&self, now_us: i64) -> i64 {
        self.floor(now_us - self.offset_us) + self.offset_us
    }

    /// The point of the unmoved grid at or before an instant: the grid begins anew with each day.
    fn floor(&self, us: i64) -> i64 {
        us - us.rem_euclid(DAY_US) % self.interval_us
    }
}

/// The end of the newest window of a check that counts up to `anchor_us`, when everything that was sent until
/// `received_us` can be counted.
pub fn date_to(anchor_us: i64, received_us: Option<i64>) -> i64 {
    match received_us {
        Some(received_us) if received_us < anchor_us && anchor_us - received_us <= MAX_STALENESS_US => {
            received_us
        }
        _ => anchor_us,
    }
}

/// The windows of a check, the newest first: each of the window's minutes, one interval apart.
pub fn windows(settings: &AlertSettings, date_to_us: i64) -> Vec<TimeRange> {
    let interval_us = i64::from(settings.check_interval_minutes) * MINUTE_US;
    let window_us = i64::from(settings.window_minutes) * MINUTE_US;
    let window = |period: u32| {
        let end_us = date_to_us - i64::from(period) * interval_us;
        TimeRange { start_us: end_us - window_us, end_us }
    };
    (0..settings.evaluation_periods).map(window).collect()
}

/// All of them together.
pub fn whole(settings: &AlertSettings, date_to_us: i64) -> TimeRange {
    let minutes =
        settings.window_minutes + (settings.evaluation_periods.max(1) - 1) * settings.check_interval_minutes;
    TimeRange { start_us: date_to_us - i64::from(minutes) * MINUTE_US, end_us: date_to_us }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A midnight.
    const DAY: i64 = 1_765_843_200_000_000;

    fn at(hour: i64, minute: i64, second: i64) -> i64 {
        DAY + ((hour * 60 + minute) * 60 + second) * 1_000_000
    }

    #[test]
    fn the_next_check_is_on_the_grid_and_missed_ones_are_left_out() {
        for (offset, due, now, expected) in [
            (0, None, at(12, 3, 20), at(12, 5, 0)),
            (0, None, at(12, 4, 50), at(12, 5, 0)),
            (0, Some(at(12, 5, 0)), at(12, 5, 12), at(12, 10, 0)),
            (0, Some(at(12, 5, 0)), at(12, 41, 30), at(12, 45, 0)),
            (0, Some(at(12, 4, 59)), at(12, 9, 30), at(12, 10, 0)),
            (2, Some(at(12, 7, 0)), at(12, 7, 5), at(12, 12, 0)),
            (4, None, at(12, 3, 20), at(12, 9, 0)),
        ] {
            assert_eq!(Grid::new(5, offset).next(due, now), expected, "{offset} {due:?} {now}");
        }
    }

    #[test]
    fn a_check_counts_up_to_when_it_was_due_unless_that_is_long_ago() {
        let grid = Grid::new(5, 2);
        for (due, now, expected) in [
            (None, at(12, 3, 20), at(12, 3, 20)),
            (Some(at(12, 7, 0)), at(12, 7, 1), at(12, 7, 0)),
            (Some(at(12, 7, 0)), at(12, 11, 59), at(12, 7, 0)),
            (Some(at(12, 7, 0)), at(12, 12, 0), at(12, 12, 0)),
            (Some(at(2, 7, 0)), at(12, 16, 59), at(12, 12, 0)),
            (Some(at(2, 7, 0)), at(24, 1, 0), at(23, 57, 0)),
            // Put there by a clock that ran ahead.
            (Some(at(23, 7, 0)), at(12, 13, 0), at(12, 12, 0)),
        ] {
            assert_eq!(grid.anchor(due, now), expected, "{due:?} {now}");
        }
        assert_eq!(grid.next(Some(at(23, 7, 0)), at(12, 13, 0)), at(12, 17, 0));
    }

    #[test]
    fn what_came_in_late_is_waited_for_but_not_for_ever() {
        let noon = at(12, 0, 0);
        for (received, expected) in [
            (Some(at(11, 58, 40)), at(11, 58, 40)),
            (Some(at(11, 55, 0)), at(11, 55, 0)),
            (Some(at(11, 54, 59)), noon),
            (Some(at(12, 0, 30)), noon),
            (None, noon),
        ] {
            assert_eq!(date_to(noon, received), expected, "{received:?}");
        }
    }

    #[test]
    fn windows_step_by_the_interval_and_overlap() {
        let settings =
            AlertSettings { window_minutes: 15, evaluation_periods: 3, ..AlertSettings::default() };
        let windows = windows(&settings, at(12, 0, 0));
        let expected = [(11, 45, 12, 0), (11, 40, 11, 55), (11, 35, 11, 50)]
            .map(|(a, b, c, d)| TimeRange { start_us: at(a, b, 0), end_us: at(c, d, 0) });
        assert_eq!(windows, expected);
        let whole = whole(&settings, at(12, 0, 0));
        assert_eq!(whole, TimeRange { start_us: at(11, 35, 0), end_us: at(12, 0, 0) });
    }

    #[test]
    fn the_alerts_of_a_project_are_due_together() {
        let offset = |project| Grid::of_project(ProjectId(project), 5).next(None, DAY) - DAY - 5 * MINUTE_US;
        let offsets: Vec<i64> = (1..=6).map(|project| offset(project) / MINUTE_US).collect();
        assert_eq!(offsets, [0, 1, 2, 3, 4, 0]);
    }

    proptest! {
        #[test]
        fn the_next_check_is_ahead_and_not_far(
            interval in 1_u32..=60,
            offset in 0_u32..60,
            due in prop::option::of(-400_i64..400),
            now in 0_i64..86_400,
        ) {
            let (grid, now_us) = (Grid::new(interval, offset), DAY + now * 1_000_000);
            let due_us = due.map(|minutes| now_us + minutes * MINUTE_US);
            // What is due is not ahead, but for what a clock that ran ahead has left.
            prop_assume!(due_us.is_none_or(|due_us| due_us <= now_us || grid.is_too_far(due_us, now_us)));
            let next = grid.next(due_us, now_us);
            prop_assert!(next > now_us && next <= now_us + 2 * i64::from(interval) * MINUTE_US);
            prop_assert!(!grid.is_too_far(next, now_us));
            let anchor = grid.anchor(due_us, now_us);
            prop_assert!(anchor <= now_us && now_us - anchor < 2 * i64::from(interval) * MINUTE_US);
        }
    }
}
