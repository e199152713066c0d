//! The instants that texts mean.
//!
//! A bound is absolute (an ISO 8601 date or date and time) or relative to now (`-1h`, `-1dStart`). Everything is evaluated
//! in UTC and in microseconds.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use regex::{Captures, Regex};

const US_PER_SECOND: i64 = 1_000_000;
pub(super) const US_PER_MINUTE: i64 = 60 * US_PER_SECOND;

/// The earliest instant a bound can mean, 0001-01-01: older ones read as this.
pub(super) const MIN_US: i64 = -62_135_596_800 * US_PER_SECOND;
/// The latest instant a bound can mean, 9999-12-31: later ones read as this.
pub(super) const MAX_US: i64 = 253_402_300_800 * US_PER_SECOND - 1;

/// The instant that a date, a date and time, or a relative time means; `None` when the text is none of them.
pub(crate) fn parse_instant(text: &str, now_us: i64) -> Option<i64> {
    parse_absolute(text).or_else(|| {
        let relative = RELATIVE.captures(text)?;
        let has_offset = !relative["count"].is_empty() || relative.name("edge").is_some();
        has_offset.then(|| apply_relative(&relative, now_us))
    })
}

/// The instant that a date or a date and time means; `None` when the text is neither.
pub(crate) fn parse_absolute(text: &str) -> Option<i64> {
    let parts = ABSOLUTE.captures(text)?;
    let number = |name: &str| parts.name(name).map_or(Some(0), |part| part.as_str().parse::<u32>().ok());
    let year: i32 = parts["year"].parse().ok().filter(|year| *year > 0)?;
    let date = NaiveDate::from_ymd_opt(year, number("month")?, number("day")?)?;
    let time = NaiveTime::from_hms_opt(number("hour")?, number("minute")?, number("second")?)?;
    let fraction_us = parts.name("fraction").map_or(0, |digits| fraction_us(digits.as_str()));
    let offset_minutes = i64::from(number("offset_hours")? * 60 + number("offset_minutes")?);
    let sign = if parts.name("sign").is_some_and(|sign| sign.as_str() == "-") { -1 } else { 1 };
    let local_us = to_us(date.and_time(time)) + fraction_us;
    Some((local_us - sign * offset_minutes * US_PER_MINUTE).clamp(MIN_US, MAX_US))
}

/// A date with or without zero padding, then optionally a time, then optionally a zone.
static ABSOLUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"^(?<year>[0-9]{4})-(?<month>[0-9]{1,2})-(?<day>[0-9]{1,2})",
        r"(?:[Tt ](?<hour>[0-9]{1,2}):(?<minute>[0-9]{1,2})(?::(?<second>[0-9]{1,2})(?:[.,](?<fraction>[0-9]+))?)?",
        r" ?(?:[Zz]|(?<sign>[+-])(?<offset_hours>[0-9]{2}):?(?<offset_minutes>[0-9]{2})?)?)?$",
    ))
    .expect("BUG: the pattern of absolute times is a constant and is tested")
});

/// The first match anywhere in a text is what the text means; the sign is decoration.
static RELATIVE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("-?(?<count>[0-9]*)(?<unit>[smhdwMqyHDWQY])(?<edge>Start|End)?")
        .expect("BUG: the pattern of relative times is a constant and is tested")
});

/// How a bound was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Absent,
    Absolute,
    Relative,
}

/// One bound of a range.
pub(super) struct Bound {
    pub(super) us: i64,
    pub(super) origin: Origin,
}

impl Bound {
    /// What a text means; now when it means nothing.
    pub(super) fn parse(text: &str, now_us: i64) -> Self {
        if let Some(us) = parse_absolute(text) {
            return Self { us, origin: Origin::Absolute };
        }
        let us = RELATIVE.captures(text).map_or(now_us, |relative| apply_relative(&relative, now_us));
        Self { us, origin: Origin::Relative }
    }
}

/// Now less the count of units, moved to the start or the end of its unit when the text says so. Beyond what
/// a calendar can hold it is the earliest instant.
fn apply_relative(relative: &Captures<'_>, now_us: i64) -> i64 {
    let count = match &relative["count"] {
        "" => 0,
        // More digits than fit mean an instant before all others, as the largest number that fits does.
        digits => digits.parse().unwrap_or(u32::MAX),
    };
    let Some(now) = DateTime::from_timestamp_micros(now_us).map(|now| now.naive_utc()) else { return now_us };
    let Some(then) = subtract(now, &relative["unit"], count) else { return MIN_US };
    let then = match relative.name("edge").map(|edge| edge.as_str()) {
        Some("Start") => start_of(then, &relative["unit"]),
        Some(_) => end_of(then, &relative["unit"]),
        None => Some(then),
    };
    then.map_or(MIN_US, to_us).clamp(MIN_US, MAX_US)
}

fn subtract(now: NaiveDateTime, unit: &str, count: u32) -> Option<NaiveDateTime> {
    let count = i64::from(count);
    match unit {
        "s" => now.checked_sub_signed(TimeDelta::try_seconds(count)?),
        "M" => now.checked_sub_signed(TimeDelta::try_minutes(count)?),
        "h" => now.checked_sub_signed(TimeDelta::try_hours(count)?),
        "d" => now.checked_sub_signed(TimeDelta::try_days(count)?),
        "w" => now.checked_sub_signed(TimeDelta::try_weeks(count)?),
        "q" => now.checked_sub_signed(TimeDelta::try_weeks(13 * count)?),
        // chrono clamps the day to the length of the month.
        "m" => now.checked_sub_months(Months::new(u32::try_from(count).ok()?)),
        "y" => now.checked_sub_months(Months::new(u32::try_from(12 * count).ok()?)),
        // The other capitals are units of the API that subtract nothing.
        _ => Some(now),
    }
}

/// Hours and days begin at their first microsecond; months and years only move the date.
fn start_of(time: NaiveDateTime, unit: &str) -> Option<NaiveDateTime> {
    match unit {
        "h" => time.date().and_hms_opt(time.hour(), 0, 0),
        "d" => time.date().and_hms_opt(0, 0, 0),
        "m" => time.with_day(1),
        "y" => time.with_day(1)?.with_month(1),
        _ => Some(time),
    }
}

/// Hours and days end at their last microsecond; months and years only move the date, years to the last day
/// of the same month.
fn end_of(time: NaiveDateTime, unit: &str) -> Option<NaiveDateTime> {
    match unit {
        "h" => time.date().and_hms_micro_opt(time.hour(), 59, 59, 999_999),
        "d" => time.date().and_hms_micro_opt(23, 59, 59, 999_999),
        "m" | "y" => time.with_day(u32::from(time.date().num_days_in_month())),
        _ => Some(time),
    }
}

pub(super) fn to_us(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_micros()
}

/// The first six digits of a fraction of a second, as microseconds.
fn fraction_us(digits: &str) -> i64 {
    let padded = digits.bytes().chain(std::iter::repeat(b'0'));
    padded.take(6).fold(0, |us, digit| us * 10 + i64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::super::LowerBound;
    use super::super::tests::{NOW, check, resolve};
    use super::*;

    #[test]
    fn absolute_bounds_are_iso_dates_and_times() {
        check("2025-12-01", "2025-12-01T00:00:00");
        check("2021-1-1", "2021-01-01T00:00:00");
        check("2021-1-1 5:07", "2021-01-01T05:07:00");
        check("2025-12-16T10:32", "2025-12-16T10:32:00");
        check("2025-12-16T10:32:36", "2025-12-16T10:32:36");
        check("2025-12-16 10:32:36.184820", "2025-12-16T10:32:36.184820");
        check("2025-12-16T10:32:36.1848209Z", "2025-12-16T10:32:36.184820");
        check("2025-12-16T10:32:36.5Z", "2025-12-16T10:32:36.500");
        check("2025-12-16T10:32:36+02:00", "2025-12-16T08:32:36");
        check("2025-12-16T10:32:36-0130", "2025-12-16T12:02:36");
        check("2025-12-16T10:32:36+05", "2025-12-16T05:32:36");
        check("1969-12-31T23:59:59.5", "1969-12-31T23:59:59.500");
        check("0001-01-01T00:00+14:00", "0001-01-01T00:00:00");
    }

    #[test]
    fn relative_bounds_count_back_from_now() {
        check("-1h", "2025-12-16T09:33:00");
        check("1h", "2025-12-16T09:33:00");
        check("-90s", "2025-12-16T10:31:30");
        check("-30M", "2025-12-16T10:03:00");
        check("-1m", "2025-11-16T10:33:00");
        check("-30m", "2023-06-16T10:33:00");
        check("-2d", "2025-12-14T10:33:00");
        check("-1w", "2025-12-09T10:33:00");
        check("-1q", "2025-09-16T10:33:00");
        check("-1y", "2024-12-16T10:33:00");
        check("(-7d)", "2025-12-09T10:33:00");
        check("-0h", "2025-12-16T10:33:00");
    }

    #[test]
    fn start_and_end_move_to_the_edge_of_the_unit() {
        check("-1dStart", "2025-12-15T00:00:00");
        check("-1dEnd", "2025-12-15T23:59:59.999999");
        check("dStart", "2025-12-16T00:00:00");
        check("-1hStart", "2025-12-16T09:00:00");
        check("-1hEnd", "2025-12-16T09:59:59.999999");
        check("-1mStart", "2025-11-01T10:33:00");
        check("-1mEnd", "2025-11-30T10:33:00");
        check("-1yStart", "2024-01-01T10:33:00");
        check("-1yEnd", "2024-12-31T10:33:00");
        check("-5MStart", "2025-12-16T10:28:00");
        check("-1wEnd", "2025-12-09T10:33:00");
    }

    #[test]
    fn months_are_clamped_to_their_length() {
        let at = |text: &str| parse_absolute(text).unwrap();
        let march = at("2024-03-31T08:00:00");
        assert_eq!(parse_instant("-1m", march), Some(at("2024-02-29T08:00:00")));
        assert_eq!(parse_instant("-13m", march), Some(at("2023-02-28T08:00:00")));
        assert_eq!(parse_instant("-1y", at("2024-02-29")), Some(at("2023-02-28")));
        assert_eq!(parse_instant("-1yEnd", at("2024-06-15")), Some(at("2023-06-30")));
    }

    #[test]
    fn text_that_is_no_bound_means_now() {
        for text in
            ["nonsense", "yesterday", "all", "Start", "-7 days", "S", "5S", "2021-02-30", "0000-01-01"]
        {
            assert_eq!(resolve("2020-01-01", text).to_us, NOW, "{text}");
        }
        for text in ["-1H", "-1D", "-1W", "-1Q", "-1Y", "-1DStart", "2021-13-01T00:00:00Z", "日本", "🎄"]
        {
            assert_eq!(resolve("2020-01-01", text).to_us, NOW, "{text}");
        }
    }

    #[test]
    fn huge_offsets_mean_the_earliest_instant() {
        let units = ["s", "M", "h", "d", "w", "m", "q", "y"];
        for unit in units {
            let text = format!("-99999999999999999999999999{unit}End");
            let LowerBound::At(from) = resolve(&text, &text).from else { panic!("{text}") };
            assert!((MIN_US..NOW).contains(&from), "{text}");
        }
        check("-99999y", "0001-01-01T00:00:00");
        check("-4294967295mStart", "0001-01-01T00:00:00");
    }
}
