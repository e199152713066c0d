//! Time ranges: what a request's `dateRange` means.
//!
//! What the text of a bound means is in `bound`. Text that means nothing means now, as the API promises: resolving a
//! range never fails.

mod bound;

use chrono::{DateTime, Days, NaiveTime};

use self::bound::{Bound, MAX_US, MIN_US, Origin, US_PER_MINUTE, to_us};
pub(super) use self::bound::{parse_absolute, parse_instant};

/// Instants from `start_us` up to but not including `end_us`, microseconds since the epoch, UTC.
///
/// `end_us <= start_us` is the empty range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant.
    pub start_us: i64,
    /// The first instant after the range.
    pub end_us: i64,
}

impl TimeRange {
    /// Whether no instant is in the range.
    pub fn is_empty(&self) -> bool {
        self.end_us <= self.start_us
    }

    /// Whether all instants from the first to the last one, inclusive, are in the range.
    pub(super) fn covers(&self, first_us: i64, last_us: i64) -> bool {
        self.start_us <= first_us && last_us < self.end_us
    }

    /// Whether one of the instants from the first to the last one, inclusive, is in the range.
    pub(super) fn touches(&self, first_us: i64, last_us: i64) -> bool {
        !self.is_empty() && self.start_us <= last_us && first_us < self.end_us
    }
}

/// A `dateRange` as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DateRange {
    /// Lower bound; `all` is the earliest row.
    pub date_from: Option<String>,
    /// Upper bound; absent is now.
    pub date_to: Option<String>,
    /// True when `date_to` is not to be rounded in aggregations.
    pub explicit_date: bool,
}

/// What a range is resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Rows: bounds are exact.
    Rows,
    /// Counts: a relative upper bound reaches to the end of its minute, unless the date is explicit.
    Aggregation,
}

/// A lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LowerBound {
    /// The earliest row there is.
    Earliest,
    /// An instant, microseconds.
    At(i64),
}

/// A [`DateRange`] with its bounds as instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedRange {
    /// Where the range begins.
    pub from: LowerBound,
    /// Where the range ends, microseconds; the endpoint decides whether this instant is part of it.
    pub to_us: i64,
    /// The end of the range when an interval is chosen for it: now and relative bounds are rounded up to the
    /// end of their minute, so that a range of one hour has the same interval all the time.
    pub interval_to_us: i64,
}

impl DateRange {
    /// The bounds as instants, `now_us` being now. A bound that cannot be read means now.
    pub fn resolve(&self, now_us: i64, rounding: Rounding) -> ResolvedRange {
        let now_us = now_us.clamp(MIN_US, MAX_US);
        let to = match present(self.date_to.as_deref()) {
            None => Bound { us: now_us, origin: Origin::Absent },
            Some(text) => Bound::parse(text, now_us),
        };
        let round_bound =
            rounding == Rounding::Aggregation && to.origin == Origin::Relative && !self.explicit_date;
        let interval_to_us = if to.origin == Origin::Absolute { to.us } else { end_of_minute(to.us) };
        ResolvedRange {
            from: self.lower_bound(now_us),
            to_us: if round_bound { end_of_minute(to.us) } else { to.us },
            interval_to_us,
        }
    }

    fn lower_bound(&self, now_us: i64) -> LowerBound {
        match present(self.date_from.as_deref()) {
            None => LowerBound::At(seven_days_before(now_us)),
            Some("all") => LowerBound::Earliest,
            Some(text) => LowerBound::At(Bound::parse(text, now_us).us),
        }
    }
}

impl ResolvedRange {
    /// The range without its end; `earliest_us` is the earliest row's time, if there is a row.
    pub fn half_open(&self, earliest_us: Option<i64>) -> TimeRange {
        TimeRange { start_us: self.from_us(earliest_us), end_us: self.to_us }
    }

    /// The range with its end; `earliest_us` is the earliest row's time, if there is a row.
    pub fn closed(&self, earliest_us: Option<i64>) -> TimeRange {
        TimeRange { start_us: self.from_us(earliest_us), end_us: self.to_us.saturating_add(1) }
    }

    /// The lower bound as an instant; `earliest_us` is the earliest row's time, if there is a row.
    pub fn from_us(&self, earliest_us: Option<i64>) -> i64 {
        match self.from {
            LowerBound::At(from_us) => from_us,
            LowerBound::Earliest => earliest_us.unwrap_or(self.to_us),
        }
    }
}

fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The end of the minute that an instant is in; the very beginning of a minute stays.
fn end_of_minute(us: i64) -> i64 {
    let past = us.rem_euclid(US_PER_MINUTE);
    if past == 0 { us } else { (us - past + US_PER_MINUTE).min(MAX_US) }
}

fn seven_days_before(now_us: i64) -> i64 {
    let now = DateTime::from_timestamp_micros(now_us);
    let midnight = now.and_then(|now| now.date_naive().checked_sub_days(Days::new(7)));
    midnight.map_or(MIN_US, |date| to_us(date.and_time(NaiveTime::MIN)).max(MIN_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-12-16T10:33:00Z.
    pub(super) const NOW: i64 = 1_765_881_180_000_000;

    fn show(us: i64) -> String {
        DateTime::from_timestamp_micros(us).unwrap().format("%Y-%m-%dT%H:%M:%S%.f").to_string()
    }

    pub(super) fn resolve(from: &str, to: &str) -> ResolvedRange {
        let range =
            DateRange { date_from: Some(from.into()), date_to: Some(to.into()), explicit_date: false };
        range.resolve(NOW, Rounding::Rows)
    }

    #[track_caller]
    pub(super) fn check(text: &str, expected: &str) {
        let range = resolve(text, text);
        assert_eq!(show(range.to_us), expected, "{text}");
        assert_eq!(range.from, LowerBound::At(range.to_us), "{text}");
    }

    #[test]
    fn absent_bounds_have_defaults() {
        for empty in [None, Some(String::new())] {
            let range = DateRange { date_from: empty.clone(), date_to: empty, explicit_date: false };
            let resolved = range.resolve(NOW, Rounding::Rows);
            assert_eq!(resolved.from, LowerBound::At(parse_absolute("2025-12-09").unwrap()));
            assert_eq!(resolved.to_us, NOW);
        }
        assert_eq!(resolve("all", "2025-12-01").from, LowerBound::Earliest);
    }

    #[test]
    fn only_relative_upper_bounds_are_rounded_and_only_for_aggregations() {
        let now = NOW + 20_500_000;
        let minute = NOW + 60_000_000;
        let resolve = |to: Option<&str>, explicit_date, rounding| {
            let range = DateRange { date_from: None, date_to: to.map(str::to_owned), explicit_date };
            let resolved = range.resolve(now, rounding);
            (resolved.to_us, resolved.interval_to_us)
        };
        assert_eq!(resolve(None, false, Rounding::Aggregation), (now, minute));
        assert_eq!(resolve(Some("-0h"), false, Rounding::Aggregation), (minute, minute));
        assert_eq!(resolve(Some("-0h"), true, Rounding::Aggregation), (now, minute));
        assert_eq!(resolve(Some("-0h"), false, Rounding::Rows), (now, minute));
        let absolute = parse_absolute("2025-12-01T00:00:01").unwrap();
        assert_eq!(resolve(Some("2025-12-01T00:00:01"), false, Rounding::Aggregation), (absolute, absolute));
    }

    #[test]
    fn the_earliest_row_stands_in_for_all() {
        let range = resolve("all", "2025-12-01");
        let to_us = range.to_us;
        assert_eq!(range.half_open(Some(5)), TimeRange { start_us: 5, end_us: to_us });
        assert_eq!(range.closed(Some(5)), TimeRange { start_us: 5, end_us: to_us + 1 });
        assert!(range.half_open(None).is_empty());
    }
}
