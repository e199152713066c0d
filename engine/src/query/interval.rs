//! The width of time buckets: one choice for every endpoint that counts over time.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A range has at most this many buckets, because the interval is widened until it has. Daily buckets reach
/// it after 27 years, so only ranges that no chart can show are affected.
pub const MAX_BUCKETS: u64 = 10_000;

/// How many buckets a sparkline's interval is chosen for.
pub(super) const SPARKLINE_BUCKETS: u64 = 50;

/// Up to which step an interval is the nearest one, in half seconds.
#[derive(Clone, Copy)]
enum Step {
    UpTo(u64),
    Below(u64),
}

impl Step {
    /// Whether a range in seconds cut into `target_buckets` has a step within this one.
    fn admits(self, range_secs: u64, target_buckets: u64) -> bool {
        let range = 2 * u128::from(range_secs);
        let limit = |halves: u64| u128::from(halves) * u128::from(target_buckets);
        match self {
            Self::UpTo(halves) => range <= limit(halves),
            Self::Below(halves) => range < limit(halves),
        }
    }
}

/// Steps, the interval nearest to them, its label. Everything wider is a day.
const CHOICES: [(Step, u64, &str); 15] = [
    (Step::UpTo(2 * 3), 1, "1s"),
    (Step::UpTo(15), 5, "5s"),
    (Step::UpTo(2 * 35), 10, "10s"),
    // A step of exactly 60 s is a minute; what is nearer to it from below is sixty seconds. Only the label differs.
    (Step::Below(2 * 60), MINUTE, "60s"),
    (Step::UpTo(2 * 90), MINUTE, "1m"),
    (Step::UpTo(2 * 210), 2 * MINUTE, "2m"),
    (Step::UpTo(2 * 450), 5 * MINUTE, "5m"),
    (Step::UpTo(2 * 750), 10 * MINUTE, "10m"),
    (Step::UpTo(2 * 1350), 15 * MINUTE, "15m"),
    (Step::UpTo(2 * 2700), 30 * MINUTE, "30m"),
    (Step::UpTo(2 * 5400), HOUR, "1h"),
    (Step::UpTo(2 * 10_800), 2 * HOUR, "2h"),
    (Step::UpTo(2 * 18_000), 4 * HOUR, "4h"),
    (Step::UpTo(2 * 32_400), 6 * HOUR, "6h"),
    (Step::UpTo(2 * 64_800), 12 * HOUR, "12h"),
];

/// The width of time buckets, aligned to the Unix epoch in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    secs: u64,
    label: String,
}

impl Interval {
    /// The interval that cuts the range nearest to `target_buckets` buckets, and never into more than
    /// [`MAX_BUCKETS`]. Bounds count in whole seconds; a range that ends before it begins has no length.
    pub fn choose(from_us: i64, to_us: i64, target_buckets: u64) -> Self {
        let from_secs = from_us.div_euclid(1_000_000);
        let to_secs = to_us.div_euclid(1_000_000);
        let range_secs = u64::try_from(to_secs.saturating_sub(from_secs)).unwrap_or(0);
        let nearest = CHOICES.into_iter().find(|(step, ..)| step.admits(range_secs, target_buckets));
        if let Some((_, secs, label)) = nearest
            && range_secs / secs < MAX_BUCKETS - 1
        {
            return Self { secs, label: label.to_owned() };
        }
        // Two days more than the length, because both edge buckets may be partly outside of the range.
        let days = (range_secs / DAY + 2).div_ceil(MAX_BUCKETS - 2);
        Self { secs: days * DAY, label: format!("{days}d") }
    }

    /// An interval of whole seconds; none when it is longer than the time that can be told.
    pub(super) fn of_secs(secs: u64) -> Option<Self> {
        i64::try_from(secs.checked_mul(1_000_000)?).ok()?;
        Some(Self { secs, label: format!("{secs}s") })
    }

    /// An interval of whole minutes.
    pub(super) fn of_minutes(minutes: u32) -> Self {
        Self { secs: u64::from(minutes) * MINUTE, label: format!("{minutes}m") }
    }

    /// The width in microseconds.
    pub fn width_us(&self) -> i64 {
        i64::try_from(self.secs * 1_000_000).expect("BUG: an interval is at most some years")
    }

    /// The width as the API writes it: `60s`, `1m`, `12h`, `1d`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The start of the bucket that an instant is in, also before the epoch.
    pub fn floor(&self, us: i64) -> i64 {
        us.saturating_sub(us.rem_euclid(self.width_us()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: u64 = MINUTE;
    const HOURS: u64 = HOUR;
    const DAYS: u64 = DAY;

    #[track_caller]
    fn check(target_buckets: u64, range_secs: u64, label: &str) {
        let to_us = i64::try_from(range_secs * 1_000_000).unwrap();
        assert_eq!(Interval::choose(0, to_us, target_buckets).label(), label, "{range_secs} s");
    }

    #[test]
    fn usual_ranges_of_a_sparkline() {
        check(50, 5 * MINUTES, "5s");
        check(50, 15 * MINUTES, "10s");
        check(50, 30 * MINUTES, "60s");
        check(50, HOUR, "1m");
        check(50, 3 * HOURS, "5m");
        check(50, 6 * HOURS, "5m");
        check(50, 12 * HOURS, "15m");
        check(50, 24 * HOURS, "30m");
        check(50, 2 * DAYS, "1h");
        check(50, 3 * DAYS, "1h");
        check(50, 7 * DAYS, "4h");
        check(50, 14 * DAYS, "6h");
        check(50, 30 * DAYS, "12h");
        check(50, 90 * DAYS, "1d");
    }

    #[test]
    fn usual_ranges_of_counts() {
        check(10, 5 * DAYS, "12h");
        check(5, 5 * DAYS, "1d");
        check(20, 5 * DAYS, "6h");
        check(50, 5 * DAYS, "2h");
        check(10, 5 * MINUTES, "10s");
        check(10, 15 * MINUTES, "1m");
        check(10, 30 * MINUTES, "2m");
        check(10, HOUR, "5m");
        check(10, 24 * HOURS, "2h");
        check(10, 7 * DAYS, "12h");
        check(10, 30 * DAYS, "1d");
        check(100, HOUR, "60s");
        check(100, 24 * HOURS, "15m");
    }

    #[test]
    fn ties_go_to_the_smaller_interval() {
        check(1, 0, "1s");
        check(1, 3, "1s");
        check(1, 4, "5s");
        check(2, 15, "5s");
        check(2, 16, "10s");
        check(1, 35, "10s");
        check(1, 36, "60s");
        check(1, 59, "60s");
        check(50, 2_999, "60s");
        check(50, 3_000, "1m");
        check(1, 60, "1m");
        check(1, 90, "1m");
        check(1, 91, "2m");
        check(1, 64_800, "12h");
        check(1, 64_801, "1d");
    }

    #[test]
    fn a_range_that_ends_before_it_begins_has_seconds() {
        assert_eq!(Interval::choose(10_000_000, 0, 50).label(), "1s");
    }

    #[test]
    fn ranges_of_many_years_have_wider_buckets() {
        check(50, 9_000 * DAYS, "1d");
        check(50, 3 * 9_998 * DAYS - 2 * DAYS, "3d");
        let interval = Interval::choose(i64::MIN, i64::MAX, 50);
        let first = i128::from(interval.floor(i64::MIN + interval.width_us()));
        let buckets = (i128::from(i64::MAX) - first) / i128::from(interval.width_us()) + 2;
        assert!(buckets <= i128::from(MAX_BUCKETS), "{buckets}");
    }

    #[test]
    fn buckets_are_aligned_to_the_epoch_on_both_sides() {
        let interval = Interval::choose(0, i64::try_from(30 * DAYS * 1_000_000).unwrap(), 50);
        let half_day = interval.width_us();
        assert_eq!(interval.label(), "12h");
        for (us, expected) in
            [(0, 0), (half_day, half_day), (half_day - 1, 0), (-1, -half_day), (-half_day, -half_day)]
        {
            assert_eq!(interval.floor(us), expected, "{us}");
        }
    }
}
