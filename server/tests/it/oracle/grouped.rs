//! What the endpoints that count by time, by service and by value must answer, as JSON.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value as Json, json};

use super::dates::{self, Purpose};
use super::filter::{Filter, SESSION_KEYS};
use super::fold::contains_ignoring_case;
use super::leaf::Refused;
use super::row::Row;
use super::sent::hex;

const MICROS: i64 = 1_000_000;

/// Widths of time buckets, seconds, and what they are called.
const WIDTHS: [(i64, &str); 15] = [
    (1, "1s"),
    (5, "5s"),
    (10, "10s"),
    (60, "1m"),
    (120, "2m"),
    (300, "5m"),
    (600, "10m"),
    (900, "15m"),
    (1800, "30m"),
    (3600, "1h"),
    (7200, "2h"),
    (14_400, "4h"),
    (21_600, "6h"),
    (43_200, "12h"),
    (86_400, "1d"),
];

/// Where the random data has ids of users, in the order in which they count.
const USER_KEYS: [&str; 2] = ["posthogDistinctId", "distinct_id"];

/// The answer to a `query` object.
pub(super) fn answer(endpoint: &str, rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    match endpoint {
        "count-ranges" => count_ranges(rows, query, now),
        "services" => services(rows, query, now),
        "group-by" => group_by(rows, query, now),
        "impact" => impact(rows, query, now),
        other => panic!("no endpoint {other}"),
    }
}

/// The rows that a request is about, and the bounds that an interval is chosen by, seconds.
struct Selected<'a> {
    rows: Vec<&'a Row>,
    from: i64,
    to: i64,
}

/// Rows take the upper bound in, aggregations leave it out.
fn select<'a>(rows: &'a [Row], query: &Json, now: i64, purpose: Purpose) -> Result<Selected<'a>, Refused> {
    let filter = Filter::read(query, now)?;
    let range = dates::resolve(&query["dateRange"], now, purpose);
    let earliest = || rows.iter().map(|row| row.timestamp).min().unwrap_or(range.to);
    let from = range.from.unwrap_or_else(earliest);
    let end = if purpose == Purpose::Rows { range.to + 1 } else { range.to };
    let is_asked = |row: &&Row| (from..end).contains(&row.timestamp) && filter.holds(row);
    Ok(Selected {
        rows: rows.iter().filter(is_asked).collect(),
        from: from.div_euclid(MICROS),
        to: range.to_for_interval.div_euclid(MICROS),
    })
}

impl Selected<'_> {
    /// The width nearest to the wanted part of the range, of two equally near the smaller; a minute that is
    /// wider than wanted goes by its seconds.
    fn interval(&self, num_buckets: i64) -> (i64, &'static str) {
        let range = (self.to - self.from).max(0);
        let distance = |(width, _): &(i64, &str)| (width * num_buckets - range).abs();
        match WIDTHS.into_iter().min_by_key(distance).expect("there are widths") {
            (60, _) if range < 60 * num_buckets => (60, "60s"),
            chosen => chosen,
        }
    }
}

fn bucket(row: &Row, width: i64) -> i64 {
    row.timestamp.div_euclid(width * MICROS) * width * MICROS
}

fn time(micros: i64) -> String {
    let fraction = if micros % MICROS == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    DateTime::from_timestamp_micros(micros).expect("a time").to_rfc3339_opts(fraction, true)
}

fn count_ranges(rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    let selected = select(rows, query, now, Purpose::Aggregation)?;
    let num_buckets = query["targetBuckets"].as_i64().unwrap_or(10).clamp(1, 100);
    let (width, label) = selected.interval(num_buckets);
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    selected.rows.iter().for_each(|row| *counts.entry(bucket(row, width)).or_default() += 1);
    let range = |(start, count): (&i64, &u64)| json!({"date_from": time(*start), "date_to": time(start + width * MICROS), "count": count});
    Ok(json!({"ranges": counts.iter().map(range).collect::<Vec<_>>(), "interval": label}))
}

/// How many of the rows have one of some severities.
fn num_of(rows: &[&Row], severities: &[&str]) -> usize {
    rows.iter().filter(|row| severities.contains(&row.severity_text.as_str())).count()
}

fn num_errors(rows: &[&Row]) -> usize {
    num_of(rows, &["error", "fatal"])
}

/// Shares and rates are not rounded here.
fn services(rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    if query["dateRange"].is_null() {
        return Err("dateRange is required".to_owned());
    }
    let search = query["serviceNameSearch"].as_str().unwrap_or_default();
    if search.chars().count() > 200 {
        return Err("serviceNameSearch is too long".to_owned());
    }
    let mut selected = select(rows, query, now, Purpose::Rows)?;
    selected.rows.retain(|row| contains_ignoring_case(&row.service_name, search));
    let total = selected.rows.len() as f64;
    let ranked = ranked(&selected.rows, |row| Some(row.service_name.clone()), |rows| rows.len() as i64);
    let service = |(name, rows): &(String, Vec<&Row>)| {
        let severities = json!({
            "debug": num_of(rows, &["trace", "debug"]), "info": num_of(rows, &["info"]),
            "warn": num_of(rows, &["warn"]), "error": num_errors(rows),
        });
        json!({
            "service_name": shown(name), "log_count": rows.len(), "error_count": num_errors(rows),
            "error_rate": num_errors(rows) as f64 / rows.len() as f64,
            "volume_share_pct": 100.0 * rows.len() as f64 / total,
            "severity_breakdown": severities, "active_rules": [],
        })
    };
    let first = &ranked[..ranked.len().min(5)];
    let top: usize = first.iter().map(|(_, rows)| rows.len()).sum();
    let top = if top == 0 { 0.0 } else { 100.0 * top as f64 / total };
    Ok(json!({
        "services": ranked.iter().map(service).collect::<Vec<_>>(),
        "sparkline": service_sparkline(&ranked, selected.interval(50).0),
        "total_services": ranked.len(),
        "summary": {"top_services_count": first.len(), "top_services_volume_share_pct": top},
    }))
}

fn service_sparkline(ranked: &[(String, Vec<&Row>)], width: i64) -> Vec<Json> {
    let mut counts: BTreeMap<(i64, &str), u64> = BTreeMap::new();
    for (name, rows) in ranked.iter().take(25) {
        rows.iter().for_each(|row| *counts.entry((bucket(row, width), name)).or_default() += 1);
    }
    let entry =
        |((start, name), count)| json!({"time": time(start), "service_name": shown(name), "count": count});
    counts.into_iter().map(entry).collect()
}

fn shown(service_name: &str) -> &str {
    if service_name.is_empty() { "(no service)" } else { service_name }
}

/// The rows by a value that they may lack, the values with the highest rank first, then by value.
fn ranked<'a, V: Ord + Clone>(
    rows: &[&'a Row],
    value_of: impl Fn(&Row) -> Option<V>,
    rank: impl Fn(&[&Row]) -> i64,
) -> Vec<(V, Vec<&'a Row>)> {
    let mut groups: BTreeMap<V, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if let Some(value) = value_of(row) {
            groups.entry(value).or_default().push(row);
        }
    }
    let mut ranked: Vec<(V, Vec<&Row>)> = groups.into_iter().collect();
    ranked.sort_by_key(|(value, rows)| (Reverse(rank(rows)), value.clone()));
    ranked
}

fn group_by(rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    let selected = select(rows, query, now, Purpose::Aggregation)?;
    let dimensions: Vec<(String, String)> = match query["groupBys"].as_array() {
        Some(list) => list.iter().map(|entry| dimension(&entry["key"], &entry["source"])).collect(),
        None => vec![dimension(&query["groupBy"], &query["groupBySource"])],
    };
    if dimensions.is_empty() || dimensions.len() > 10 || dimensions.iter().any(is_refused) {
        return Err("a dimension that does not exist".to_owned());
    }
    let values =
        |row: &Row| dimensions.iter().map(|place| value(row, place)).collect::<Option<Vec<String>>>();
    let last_seen = |rows: &[&Row]| rows.iter().map(|row| row.timestamp).max().expect("a row");
    let ranked = ranked(&selected.rows, values, |rows| match query["orderGroupsBy"].as_str() {
        Some("last_seen") => last_seen(rows),
        Some("error_count") => num_errors(rows) as i64,
        _ => rows.len() as i64,
    });
    let limit = query["limit"].as_i64().unwrap_or(100).clamp(1, 500) as usize;
    let group = |(values, rows): &(Vec<String>, Vec<&Row>)| {
        json!({
            "value": values.join(", "), "values": values, "log_count": rows.len(),
            "error_count": num_errors(rows), "last_seen": time(last_seen(rows)),
        })
    };
    Ok(json!({
        "groups": ranked.iter().take(limit).map(group).collect::<Vec<_>>(),
        "total_groups": ranked.len(),
        "total_logs": ranked.iter().map(|(_, rows)| rows.len()).sum::<usize>(),
        "truncated": ranked.len() > limit,
    }))
}

/// Source and key.
fn dimension(key: &Json, source: &Json) -> (String, String) {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    (source.as_str().unwrap_or("log").to_owned(), text(key))
}

fn is_refused((source, key): &(String, String)) -> bool {
    match source.as_str() {
        "log" | "resource" => key.is_empty(),
        "column" => !["severity_level", "trace_id", "span_id"].contains(&key.as_str()),
        _ => true,
    }
}

/// A row's value; an empty text and an unset id are none.
fn value(row: &Row, (source, key): &(String, String)) -> Option<String> {
    let id = |bytes: &[u8]| bytes.iter().any(|byte| *byte != 0).then(|| hex(bytes).to_uppercase());
    let value = match (source.as_str(), key.as_str()) {
        ("column", "severity_level") => Some(row.severity_text.clone()),
        ("column", "trace_id") => id(&row.trace_id),
        ("column", _) => id(&row.span_id),
        ("resource", key) => row.resource_attributes.get(key).cloned(),
        (_, key) => row.attributes.get(key).cloned(),
    };
    value.filter(|value| !value.is_empty())
}

fn impact(rows: &[Row], query: &Json, now: i64) -> Result<Json, Refused> {
    let selected = select(rows, query, now, Purpose::Aggregation)?;
    let by = |keys: [&'static str; 2]| {
        let first = move |row: &Row| {
            let texts =
                keys.iter().flat_map(|key| [row.attributes.get(*key), row.resource_attributes.get(*key)]);
            texts.flatten().find(|text| !text.is_empty()).cloned()
        };
        ranked(&selected.rows, first, |rows| rows.len() as i64)
    };
    let (sessions, users) = (by(SESSION_KEYS), by(USER_KEYS));
    let num_rows = |ranked: &[(String, Vec<&Row>)]| ranked.iter().map(|(_, rows)| rows.len()).sum::<usize>();
    let top = |ranked: &[(String, Vec<&Row>)]| -> Vec<Json> {
        ranked.iter().take(5).map(|(value, rows)| json!({"value": value, "count": rows.len()})).collect()
    };
    Ok(json!({
        "total": selected.rows.len(),
        "logsWithSessionId": num_rows(&sessions), "sessions": sessions.len(), "topSessions": top(&sessions),
        "logsWithDistinctId": num_rows(&users), "users": users.len(), "topUsers": top(&users),
    }))
}

/// How far a number that is rounded, or a sum of such, may be from the exact one; others not at all.
fn tolerance(field: &str) -> f64 {
    const REST: f64 = 1e-9;
    match field {
        "error_rate" => 0.000_05 + REST,
        "volume_share_pct" => 0.005 + REST,
        "top_services_volume_share_pct" => 6.0 * 0.005 + REST,
        _ => 0.0,
    }
}

/// Whether an answer is the expected one, but for rounding.
pub(super) fn agrees(field: &str, expected: &Json, got: &Json) -> bool {
    match (expected, got) {
        (Json::Object(expected), Json::Object(got)) => {
            let agrees =
                |(name, value): (&String, &Json)| got.get(name).is_some_and(|got| agrees(name, value, got));
            expected.len() == got.len() && expected.iter().all(agrees)
        }
        (Json::Array(expected), Json::Array(got)) => {
            let mut pairs = expected.iter().zip(got);
            expected.len() == got.len() && pairs.all(|(expected, got)| agrees(field, expected, got))
        }
        (Json::Number(exact), Json::Number(rounded)) => match (exact.as_f64(), rounded.as_f64()) {
            (Some(exact), Some(rounded)) => (exact - rounded).abs() <= tolerance(field),
            _ => false,
        },
        (expected, got) => expected == got,
    }
}
