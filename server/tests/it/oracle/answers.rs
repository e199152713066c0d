//! What the endpoints must answer: rows, counts and sparklines, one row after the other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::dates::{self, Purpose, Range};
use super::filter::Filter;
use super::leaf::Refused;
use super::row::Row;

const MICROS: i64 = 1_000_000;

/// The widths a sparkline's bucket may have, seconds.
const INTERVALS: [i64; 15] =
    [1, 5, 10, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400];

/// Buckets a sparkline aims at.
const NUM_TARGET_BUCKETS: i64 = 50;

/// Series a sparkline keeps apart.
const NUM_SERIES: usize = 10;

/// The name of the rest, and of what has no name.
const OTHER: &str = "$$_posthog_breakdown_other_$$";
const NO_VALUE: &str = "(no value)";

/// One page of rows.
#[derive(Debug)]
pub(super) struct Page<'a> {
    pub(super) rows: Vec<&'a Row>,
    pub(super) has_more: bool,
}

/// One entry of a sparkline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) time: i64,
    pub(super) series: String,
    pub(super) count: u64,
    pub(super) num_bytes: u64,
}

/// The rows of a `query` object, in order, at most as many as it asks for. A cursor takes the place of the
/// bound of the range that it moves.
pub(super) fn page<'a>(rows: &'a [Row], query: &Json, now: i64) -> Result<Page<'a>, Refused> {
    if query["dateRange"].is_null() {
        return Err("dateRange is required".to_owned());
    }
    let filter = Filter::read(query, now)?;
    let range = dates::resolve(&query["dateRange"], now, Purpose::Rows);
    let after = query["after"].as_str().map(cursor_position).transpose()?;
    let is_earliest = query["orderBy"] == "earliest";
    let mut selected: Vec<&Row> = rows.iter().filter(|row| filter.holds(row)).collect();
    selected.retain(|row| match &after {
        None => from(rows, &range) <= row.timestamp && row.timestamp <= range.to,
        Some(after) if is_earliest => position(row) > *after && row.timestamp <= range.to,
        Some(after) => position(row) < *after && from(rows, &range) <= row.timestamp,
    });
    selected.sort_by_key(|row| position(row));
    if !is_earliest {
        selected.reverse();
    }
    let limit = query["limit"].as_u64().unwrap_or(1000).min(2000) as usize;
    let has_more = selected.len() > limit;
    selected.truncate(limit);
    Ok(Page { rows: selected, has_more })
}

/// Rows are ordered by time, and by id as text where the time is the same.
fn position(row: &Row) -> (i64, String) {
    (row.timestamp, row.uuid.clone())
}

fn cursor_position(cursor: &str) -> Result<(i64, String), Refused> {
    let json = super::base64_bytes(cursor).and_then(|bytes| serde_json::from_slice::<Json>(&bytes).ok());
    let json = json.ok_or("the cursor is not base64 of JSON")?;
    let time = json["timestamp"].as_str().and_then(dates::absolute).ok_or("the cursor has no timestamp")?;
    Ok((time, json["uuid"].as_str().ok_or("the cursor has no uuid")?.to_owned()))
}

/// How many rows a `query` object asks for; the upper bound of its range is outside.
pub(super) fn count(rows: &[Row], query: &Json, now: i64) -> Result<u64, Refused> {
    let filter = Filter::read(query, now)?;
    let range = dates::resolve(&query["dateRange"], now, Purpose::Aggregation);
    let in_range = |row: &&Row| from(rows, &range) <= row.timestamp && row.timestamp < range.to;
    Ok(rows.iter().filter(in_range).filter(|row| filter.holds(row)).count() as u64)
}

/// The lower bound; `all` is the time of the earliest row.
fn from(rows: &[Row], range: &Range) -> i64 {
    range.from.unwrap_or_else(|| rows.iter().map(|row| row.timestamp).min().unwrap_or(range.to))
}

/// The sparkline of a `query` object: whole buckets, no gap without an entry.
pub(super) fn sparkline(rows: &[Row], query: &Json, now: i64) -> Result<Vec<Entry>, Refused> {
    let filter = Filter::read(query, now)?;
    let range = dates::resolve(&query["dateRange"], now, Purpose::Aggregation);
    let from = from(rows, &range).div_euclid(MICROS);
    let interval = interval(range.to_for_interval.div_euclid(MICROS) - from);
    let buckets = spine(from, range.to.div_euclid(MICROS), interval);
    let bucket_of = |row: &Row| floor(row.timestamp.div_euclid(MICROS), interval);
    let counted: Vec<&Row> =
        rows.iter().filter(|row| buckets.contains(&bucket_of(row)) && filter.holds(row)).collect();
    let by_service = query["sparklineBreakdownBy"] == "service";
    let series_of = |row: &Row| series_name(if by_service { &row.service_name } else { &row.severity_text });
    let kept = top_series(&counted, series_of, query["sparklineRankBy"] == "bytes");

    let mut sums: BTreeMap<(i64, String), (u64, u64)> = BTreeMap::new();
    for row in &counted {
        let series = Some(series_of(row)).filter(|series| kept.contains(series));
        let sum = sums.entry((bucket_of(row), series.unwrap_or(OTHER.to_owned()))).or_default();
        *sum = (sum.0 + 1, sum.1 + row.num_bytes());
    }
    let filled: BTreeSet<i64> = sums.keys().map(|(time, _)| *time).collect();
    for time in buckets.difference(&filled) {
        sums.insert((*time, NO_VALUE.to_owned()), (0, 0));
    }
    let entry =
        |((time, series), (count, num_bytes))| Entry { time: time * MICROS, series, count, num_bytes };
    Ok(sums.into_iter().map(entry).collect())
}

/// The width nearest to a fiftieth of the range; of two equally near the smaller.
fn interval(range_seconds: i64) -> i64 {
    let distance = |width: &i64| (width * NUM_TARGET_BUCKETS - range_seconds).abs();
    INTERVALS.into_iter().min_by_key(distance).expect("there are widths")
}

/// From the first bucket to that of one second before the end, at least one.
fn spine(from: i64, to: i64, interval: i64) -> BTreeSet<i64> {
    let first = floor(from, interval);
    let last = floor(to - 1, interval).max(first);
    (0..=(last - first) / interval).map(|index| first + index * interval).collect()
}

fn floor(seconds: i64, interval: i64) -> i64 {
    seconds.div_euclid(interval) * interval
}

fn series_name(value: &str) -> String {
    if value.is_empty() { NO_VALUE.to_owned() } else { value.to_owned() }
}

/// The series with the highest totals; of equal ones the first by name.
fn top_series(rows: &[&Row], series_of: impl Fn(&Row) -> String, by_bytes: bool) -> BTreeSet<String> {
    let mut totals: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        *totals.entry(series_of(row)).or_default() += if by_bytes { row.num_bytes() } else { 1 };
    }
    let mut ranked: Vec<(Reverse<u64>, String)> =
        totals.into_iter().map(|(series, total)| (Reverse(total), series)).collect();
    ranked.sort();
    ranked.into_iter().take(NUM_SERIES).map(|(_, series)| series).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_interval(minutes: i64, expected: i64) {
        assert_eq!(interval(minutes * 60), expected, "{minutes} min");
    }

    #[test]
    fn intervals_follow_the_published_table() {
        check_interval(5, 5);
        check_interval(15, 10);
        check_interval(30, 60);
        check_interval(60, 60);
        check_interval(3 * 60, 300);
        check_interval(6 * 60, 300);
        check_interval(12 * 60, 900);
        check_interval(24 * 60, 1800);
        check_interval(2 * 24 * 60, 3600);
        check_interval(7 * 24 * 60, 14_400);
        check_interval(14 * 24 * 60, 21_600);
        check_interval(30 * 24 * 60, 43_200);
        check_interval(90 * 24 * 60, 86_400);
        assert_eq!(interval(150), 1, "a tie goes to the smaller");
    }

    #[test]
    fn a_spine_has_at_least_one_bucket() {
        assert_eq!(spine(125, 125, 60), BTreeSet::from([120]));
        assert_eq!(spine(120, 240, 60), BTreeSet::from([120, 180]));
        assert_eq!(spine(119, 241, 60), BTreeSet::from([60, 120, 180, 240]));
    }
}
