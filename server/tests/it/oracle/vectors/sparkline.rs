//! Sparklines: interval, spine, series.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::reply::micros;
use super::super::sent::{Group, Record};
use super::{DAY, day, group, record, record_at, server_with};

const MINUTE: i64 = 60_000_000;

async fn entries(server: &Server, query: &Json) -> Vec<Json> {
    let (status, answer) = server.ask("sparkline", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer.as_array().expect("a bare array").clone()
}

/// Counts or bytes per series.
fn sums(entries: &[Json], breakdown: &str, field: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for entry in entries {
        let series = entry[breakdown].as_str().expect("a series").to_owned();
        *sums.entry(series).or_default() += entry[field].as_u64().expect("a number");
    }
    sums
}

#[tokio::test]
async fn a_day_has_48_buckets_and_none_is_missing() {
    let records = ["00:00:00", "00:29:59.999999", "13:30:00"];
    let records = records.iter().map(|time| record_at(&format!("{DAY}T{time}Z"), "x")).collect();
    let server = server_with(&[group("a", records)]).await;
    let entries = entries(&server, &day(json!({}))).await;
    let times: Vec<i64> = entries.iter().map(|entry| micros(&entry["time"]).expect("a time")).collect();
    assert_eq!(times.len(), 48);
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 30 * MINUTE));
    assert_eq!(
        entries[0],
        json!({"time": "2025-12-16T00:00:00Z", "severity": "info", "count": 2, "bytes_uncompressed": 28})
    );
    assert_eq!(entries[27]["count"], 1);
    let empty = json!({"time": "2025-12-16T00:30:00Z", "severity": "(no value)", "count": 0, "bytes_uncompressed": 0});
    assert_eq!(entries[1], empty);
}

#[tokio::test]
async fn a_range_of_no_length_has_one_bucket() {
    let time = "2025-12-16T10:32:36.184820Z";
    let server = server_with(&[group("a", vec![record_at(time, "x")])]).await;
    let entries = entries(&server, &json!({"dateRange": {"date_from": time, "date_to": time}})).await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["count"], 1);
    assert_eq!(entries[0]["time"], "2025-12-16T10:32:36Z");
}

#[tokio::test]
async fn edge_buckets_are_counted_whole() {
    let times = ["11:59:59", "12:00:00", "12:00:30", "12:59:30", "12:59:59", "13:00:00"];
    let records = times.iter().map(|time| record_at(&format!("{DAY}T{time}Z"), time)).collect();
    let server = server_with(&[group("a", records)]).await;
    let query =
        json!({"dateRange": {"date_from": "2025-12-16T12:00:20Z", "date_to": "2025-12-16T12:59:40Z"}});
    let entries = entries(&server, &query).await;
    assert_eq!(entries.len(), 60);
    assert_eq!((&entries[0]["count"], &entries[59]["count"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn without_a_range_it_is_the_last_hour_by_the_minute() {
    let server = Server::start().await;
    for body in
        ["{}".to_owned(), json!({"query": {}}).to_string(), json!({"query": {"dateRange": {}}}).to_string()]
    {
        let (status, answer) = server.post("sparkline", body).await;
        assert_eq!(status, 200, "{answer}");
        let num_buckets = answer.as_array().expect("an array").len();
        assert!((60..=61).contains(&num_buckets), "{num_buckets} buckets");
    }
}

#[tokio::test]
async fn what_has_no_name_reads_no_value_beside_its_severity() {
    let server = server_with(&[group("", vec![record("x")]), group("web", vec![record("y")])]).await;
    let entries = entries(&server, &day(json!({"sparklineBreakdownBy": "service"}))).await;
    let at_noon: Vec<&Json> =
        entries.iter().filter(|entry| entry["time"] == "2025-12-16T12:00:00Z").collect();
    assert_eq!(at_noon.len(), 2);
    assert_eq!((&at_noon[0]["service"], &at_noon[0]["count"]), (&json!("(no value)"), &json!(1)));
    assert_eq!((&at_noon[1]["service"], &at_noon[1]["count"]), (&json!("web"), &json!(1)));
}

/// Services `s00`, `s01`, ... with as many records as asked for.
fn services(num_records: impl Fn(usize) -> usize) -> Vec<Group> {
    (0..25).map(|index| group(&format!("s{index:02}"), vec![record("x"); num_records(index)])).collect()
}

#[tokio::test]
async fn of_25_services_ten_keep_their_name_and_sums_stay() {
    let server = server_with(&services(|index| 1 + index)).await;
    let entries = entries(&server, &day(json!({"sparklineBreakdownBy": "service"}))).await;
    let sums = sums(&entries, "service", "count");
    let named: BTreeSet<&str> =
        sums.keys().map(String::as_str).filter(|name| name.starts_with('s')).collect();
    assert_eq!(named, (15..25).map(|index| NAMES[index]).collect());
    assert_eq!(sums["$$_posthog_breakdown_other_$$"], (1..=15).sum::<usize>() as u64);
    assert_eq!(sums.values().sum::<u64>(), (1..=25).sum::<usize>() as u64);
    assert_eq!(sums.len(), 12, "ten names, the rest, and empty buckets");
}

const NAMES: [&str; 25] = [
    "s00", "s01", "s02", "s03", "s04", "s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12", "s13", "s14",
    "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24",
];

#[tokio::test]
async fn of_equal_services_the_first_by_name_keep_theirs() {
    let server = server_with(&services(|_| 1)).await;
    let entries = entries(&server, &day(json!({"sparklineBreakdownBy": "service"}))).await;
    let sums = sums(&entries, "service", "count");
    let named: Vec<&str> = sums.keys().map(String::as_str).filter(|name| name.starts_with('s')).collect();
    assert_eq!(named, &NAMES[..10]);
}

#[tokio::test]
async fn ranking_by_bytes_promotes_the_heavy_service() {
    let mut groups = services(|index| if index < 10 { 2 } else { 1 });
    let heavy: Record = record(&"x".repeat(10_000));
    groups[20].records = vec![heavy];
    let server = server_with(&groups).await;
    let ranked = async |rank_by: &str| {
        let query = day(json!({"sparklineBreakdownBy": "service", "sparklineRankBy": rank_by}));
        let entries = entries(&server, &query).await;
        assert_eq!(sums(&entries, "service", "count").values().sum::<u64>(), 35);
        sums(&entries, "service", "bytes_uncompressed")
    };
    assert!(!ranked("count").await.contains_key("s20"));
    assert!(ranked("bytes").await["s20"] >= 10_000);
}
