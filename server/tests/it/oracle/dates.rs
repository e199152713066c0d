//! Time ranges: what a `dateRange` means at an instant `now`, by the API reference's rules.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use regex::Regex;
use serde_json::Value as Json;
use std::sync::LazyLock;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;

/// A date and optionally a time of day and a zone; fields may be written without leading zeros.
static ABSOLUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}:?\d{2})?)?$",
    )
    .expect("a valid pattern")
});

/// Sign, count, unit, edge; found anywhere in the text.
static RELATIVE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"-?(\d*)([hdwmqysHDWMQY])(Start|End)?").expect("a valid pattern"));

/// What a range is for: rows take both bounds exactly, aggregations round a relative upper bound up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Rows,
    Aggregation,
}

/// A range in microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// None is the time of the earliest row.
    pub(super) from: Option<i64>,
    pub(super) to: i64,
    /// The upper bound as it counts for choosing a sparkline's interval.
    pub(super) to_for_interval: i64,
}

struct Bound {
    micros: i64,
    is_relative: bool,
}

/// Resolves the `dateRange` of a query object; absent, it is the last hour, and so is `{}` in aggregations.
pub(super) fn resolve(date_range: &Json, now: i64, purpose: Purpose) -> Range {
    let empty_object = date_range.as_object().is_some_and(|object| object.is_empty());
    if date_range.is_null() || (empty_object && purpose == Purpose::Aggregation) {
        let to_for_interval = end_of_minute(now);
        return Range { from: Some(now - 60 * MICROS_PER_MINUTE), to: now, to_for_interval };
    }
    let (to, to_for_interval) = upper_bound(date_range, now, purpose);
    Range { from: lower_bound(date_range, now), to, to_for_interval }
}

/// Without a lower bound the range begins at midnight seven days before today.
fn lower_bound(date_range: &Json, now: i64) -> Option<i64> {
    match date_range["date_from"].as_str() {
        Some("all") => None,
        Some(text) => Some(bound(text, now).micros),
        None => {
            let day = datetime(now).date() - Days::new(7);
            Some(micros(day.and_hms_opt(0, 0, 0).expect("midnight exists")))
        }
    }
}

fn upper_bound(date_range: &Json, now: i64, purpose: Purpose) -> (i64, i64) {
    let Some(text) = date_range["date_to"].as_str() else {
        return (now, end_of_minute(now));
    };
    let bound = bound(text, now);
    let rounds = bound.is_relative && date_range["explicitDate"] != Json::Bool(true);
    match (rounds, purpose) {
        (false, _) => (bound.micros, bound.micros),
        (true, Purpose::Aggregation) => (end_of_minute(bound.micros), end_of_minute(bound.micros)),
        (true, Purpose::Rows) => (bound.micros, end_of_minute(bound.micros)),
    }
}

fn end_of_minute(micros: i64) -> i64 {
    micros.div_euclid(MICROS_PER_MINUTE) * MICROS_PER_MINUTE
        + if micros.rem_euclid(MICROS_PER_MINUTE) > 0 { MICROS_PER_MINUTE } else { 0 }
}

fn bound(text: &str, now: i64) -> Bound {
    match absolute(text) {
        Some(micros) => Bound { micros, is_relative: false },
        None => Bound { micros: relative(text, now).unwrap_or(now), is_relative: true },
    }
}

/// The instant of an absolute date or datetime; without a zone it is UTC.
pub(super) fn absolute(text: &str) -> Option<i64> {
    let fields = ABSOLUTE.captures(text)?;
    let number = |index: usize| fields.get(index).map_or(Some(0), |field| field.as_str().parse::<u32>().ok());
    let date = NaiveDate::from_ymd_opt(number(1)? as i32, number(2)?, number(3)?)?;
    let time = date.and_hms_opt(number(4)?, number(5)?, number(6)?)?;
    let fraction = fields.get(7).map_or("", |field| field.as_str());
    let fraction_micros: i64 = format!("{fraction:0<6}")[..6].parse().ok()?;
    let offset_minutes = fields.get(8).map_or(Some(0), |zone| offset_minutes(zone.as_str()))?;
    Some(micros(time) + fraction_micros - offset_minutes * MICROS_PER_MINUTE)
}

fn offset_minutes(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let digits = zone[1..].replace(':', "");
    let minutes = digits[..2].parse::<i64>().ok()? * 60 + digits[2..].parse::<i64>().ok()?;
    Some(if zone.starts_with('-') { -minutes } else { minutes })
}

/// `now` minus some units, moved to an edge if asked; none when the text says nothing about time.
pub(super) fn relative(text: &str, now: i64) -> Option<i64> {
    let fields = RELATIVE.captures(text)?;
    let count: u32 = if fields[1].is_empty() { 0 } else { fields[1].parse().ok()? };
    let moved = minus(datetime(now), count, &fields[2])?;
    Some(micros(match fields.get(3).map(|edge| edge.as_str()) {
        Some("Start") => start_of(moved, &fields[2]),
        Some("End") => end_of(moved, &fields[2]),
        _ => moved,
    }))
}

/// Lower-case `m` is months, capital `M` minutes; the other capitals subtract nothing.
fn minus(now: NaiveDateTime, count: u32, unit: &str) -> Option<NaiveDateTime> {
    let count_i64 = i64::from(count);
    match unit {
        "s" => now.checked_sub_signed(TimeDelta::seconds(count_i64)),
        "M" => now.checked_sub_signed(TimeDelta::minutes(count_i64)),
        "h" => now.checked_sub_signed(TimeDelta::hours(count_i64)),
        "d" => now.checked_sub_signed(TimeDelta::days(count_i64)),
        "w" => now.checked_sub_signed(TimeDelta::weeks(count_i64)),
        "q" => now.checked_sub_signed(TimeDelta::weeks(13 * count_i64)),
        "m" => now.checked_sub_months(Months::new(count)),
        "y" => now.checked_sub_months(Months::new(12 * count)),
        _ => Some(now),
    }
}

fn start_of(time: NaiveDateTime, unit: &str) -> NaiveDateTime {
    let moved = match unit {
        "h" => time.date().and_hms_opt(time.hour(), 0, 0),
        "d" => time.date().and_hms_opt(0, 0, 0),
        "m" => time.with_day(1),
        "y" => time.with_day(1).and_then(|time| time.with_month(1)),
        _ => None,
    };
    moved.unwrap_or(time)
}

fn end_of(time: NaiveDateTime, unit: &str) -> NaiveDateTime {
    let moved = match unit {
        "h" => time.date().and_hms_micro_opt(time.hour(), 59, 59, 999_999),
        "d" => time.date().and_hms_micro_opt(23, 59, 59, 999_999),
        "m" => (28..=31).rev().find_map(|day| time.with_day(day)),
        _ => None,
    };
    moved.unwrap_or(time)
}

fn datetime(micros: i64) -> NaiveDateTime {
    DateTime::<Utc>::from_timestamp_micros(micros).expect("a time in chrono's range").naive_utc()
}

fn micros(time: NaiveDateTime) -> i64 {
    time.and_utc().timestamp_micros()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> i64 {
        absolute(text).unwrap_or_else(|| panic!("{text} is not a time"))
    }

    #[track_caller]
    fn check_bound(text: &str, expected: &str) {
        let got = bound(text, at("2025-12-16T10:33:00Z")).micros;
        assert_eq!(datetime(got), datetime(at(expected)), "{text}");
    }

    #[test]
    fn bounds_follow_the_published_examples() {
        check_bound("-1h", "2025-12-16T09:33:00Z");
        check_bound("1h", "2025-12-16T09:33:00Z");
        check_bound("-30M", "2025-12-16T10:03:00Z");
        check_bound("-1m", "2025-11-16T10:33:00");
        check_bound("-1dStart", "2025-12-15T00:00:00");
        check_bound("-1dEnd", "2025-12-15T23:59:59.999999");
        check_bound("-2hStart", "2025-12-16 08:00:00");
        check_bound("-3mEnd", "2025-09-30T10:33:00");
        check_bound("-1q", "2025-09-16T10:33:00");
        check_bound("-2H", "2025-12-16T10:33:00");
        check_bound("nonsense", "2025-12-16T10:33:00");
        check_bound("yesterday", "2025-12-16T10:33:00");
        check_bound("2021-1-1", "2021-01-01T00:00:00Z");
        check_bound("2024-02-29T12:30+02:00", "2024-02-29T10:30:00.000Z");
    }

    #[test]
    fn only_aggregations_round_a_relative_upper_bound() {
        let now = at("2025-12-16T10:33:20Z");
        let range = json!({"date_from": "-2h", "date_to": "-5M"});
        assert_eq!(resolve(&range, now, Purpose::Rows).to, at("2025-12-16T10:28:20Z"));
        assert_eq!(resolve(&range, now, Purpose::Aggregation).to, at("2025-12-16T10:29:00Z"));
        let explicit = json!({"date_from": "-2h", "date_to": "-5M", "explicitDate": true});
        assert_eq!(resolve(&explicit, now, Purpose::Aggregation).to, at("2025-12-16T10:28:20Z"));
    }

    #[test]
    fn an_open_lower_bound_is_midnight_seven_days_ago() {
        let now = at("2025-12-16T10:33:20Z");
        assert_eq!(resolve(&json!({}), now, Purpose::Rows).from, Some(at("2025-12-09")));
        assert_eq!(resolve(&json!({}), now, Purpose::Aggregation).from, Some(at("2025-12-16T09:33:20")));
        assert_eq!(resolve(&json!({"date_from": "all"}), now, Purpose::Rows).from, None);
    }
}
