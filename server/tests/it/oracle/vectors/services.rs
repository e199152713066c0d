//! Services: totals, shares, sparkline, search.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::{Encoding, Group, Record};
use super::{DAY, day, group, record, record_at, server_with};

async fn services(server: &Server, query: &Json) -> Json {
    let (status, answer) = server.ask("services", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer
}

fn names(list: &Json) -> Vec<String> {
    let name = |entry: &Json| entry["service_name"].as_str().expect("a name").to_owned();
    list.as_array().expect("a list").iter().map(name).collect()
}

fn record_of(severity_number: i32) -> Record {
    Record { severity_number, ..record("x") }
}

/// Services `s00`, `s01`, ... with as many records as asked for.
fn numbered(num_services: usize, num_records: impl Fn(usize) -> usize) -> Vec<Group> {
    let service = |index| group(&format!("s{index:02}"), vec![record("x"); num_records(index)]);
    (0..num_services).map(service).collect()
}

#[tokio::test]
async fn severities_are_counted_in_four_groups() {
    // Trace, two debug, info, warn, error, two fatal, and one that is none of them.
    let records = [1, 5, 8, 9, 13, 17, 21, 24, 30].map(record_of).to_vec();
    let server = server_with(&[group("a", records), group("", vec![record("y")])]).await;
    let answer = services(&server, &day(json!({}))).await;
    let expected = json!([
        {
            "service_name": "a", "log_count": 9, "error_count": 3, "error_rate": 0.3333, "volume_share_pct": 90.0,
            "severity_breakdown": {"debug": 3, "info": 1, "warn": 1, "error": 3}, "active_rules": [],
        },
        {
            "service_name": "(no service)", "log_count": 1, "error_count": 0, "error_rate": 0.0,
            "volume_share_pct": 10.0, "severity_breakdown": {"debug": 0, "info": 1, "warn": 0, "error": 0},
            "active_rules": [],
        },
    ]);
    assert_eq!(answer["services"], expected);
    assert_eq!(answer["total_services"], 2);
    assert_eq!(answer["summary"], json!({"top_services_count": 2, "top_services_volume_share_pct": 100.0}));
    let time = "2025-12-16T12:00:00Z";
    let sparkline = json!([
        {"time": time, "service_name": "(no service)", "count": 1},
        {"time": time, "service_name": "a", "count": 9},
    ]);
    assert_eq!(answer["sparkline"], sparkline);
}

#[tokio::test]
async fn of_30_services_25_have_a_sparkline_and_all_are_listed() {
    let server = server_with(&numbered(30, |index| 1 + index / 2)).await;
    let answer = services(&server, &day(json!({}))).await;
    let listed = names(&answer["services"]);
    assert_eq!((listed.len(), &answer["total_services"]), (30, &json!(30)));
    assert_eq!(listed[..4], ["s28", "s29", "s26", "s27"], "most rows first, then by name");
    let mut first: Vec<String> = listed[..25].to_vec();
    first.sort();
    assert_eq!(names(&answer["sparkline"]), first, "one bucket each, by name");
    // 2 * (1 + 2 + ... + 15) rows, of which the first five services have 15 + 15 + 14 + 14 + 13.
    let summary = json!({"top_services_count": 5, "top_services_volume_share_pct": 29.58});
    assert_eq!(answer["summary"], summary, "the shares 6.25, 6.25, 5.83, 5.83 and 5.42 are added");
}

#[tokio::test]
async fn at_most_10_000_services_are_listed_and_all_are_counted() {
    let server = server_with(&numbered(10_001, |index| if index == 10_000 { 2 } else { 1 })).await;
    let answer = services(&server, &day(json!({}))).await;
    let listed = names(&answer["services"]);
    assert_eq!((listed.len(), &answer["total_services"]), (10_000, &json!(10_001)));
    assert_eq!(listed[0], "s10000");
    assert!(!listed.contains(&"s9999".to_owned()), "the last by name is left out");
}

#[tokio::test]
async fn the_sparkline_covers_exactly_the_listed_services_by_time_and_name() {
    let at = |hour: u32| record_at(&format!("{DAY}T{hour:02}:10:00Z"), "x");
    let groups = [group("web", vec![at(1), at(23), at(1)]), group("api", vec![at(23), at(1)])];
    let server = server_with(&groups).await;
    let answer = services(&server, &day(json!({}))).await;
    let bucket = |hour, name, count| json!({"time": format!("{DAY}T{hour:02}:00:00Z"), "service_name": name, "count": count});
    let expected =
        json!([bucket(1, "api", 1), bucket(1, "web", 2), bucket(23, "api", 1), bucket(23, "web", 1)]);
    assert_eq!(answer["sparkline"], expected);
}

#[tokio::test]
async fn both_ends_of_the_range_are_included_to_the_microsecond() {
    let times = ["11:59:59.999999", "12:00:00", "12:30:00.000001", "12:30:00.000002"];
    let records = times.iter().map(|time| record_at(&format!("{DAY}T{time}Z"), time)).collect();
    let server = server_with(&[group("a", records)]).await;
    let range = json!({"date_from": "2025-12-16T12:00:00Z", "date_to": "2025-12-16T12:30:00.000001Z"});
    let answer = services(&server, &json!({ "dateRange": range })).await;
    assert_eq!(answer["services"][0]["log_count"], 2);
    assert_eq!(names(&answer["sparkline"]).len(), 2);
}

#[tokio::test]
async fn the_search_is_literal_and_ignores_case() {
    let names_stored = ["cdp-api", "cdp-worker", "web", "a%_b", "back\\slash"];
    let groups: Vec<Group> = names_stored.iter().map(|name| group(name, vec![record("x")])).collect();
    let server = server_with(&groups).await;
    for (search, expected) in [
        ("CDP", &["cdp-api", "cdp-worker"][..]),
        ("%_", &["a%_b"]),
        ("%", &["a%_b"]),
        ("\\", &["back\\slash"]),
        ("nothing", &[]),
        ("", &["a%_b", "back\\slash", "cdp-api", "cdp-worker", "web"]),
    ] {
        let answer = services(&server, &day(json!({"serviceNameSearch": search}))).await;
        assert_eq!(names(&answer["services"]), expected, "{search:?}");
        assert_eq!(answer["total_services"], expected.len(), "{search:?}");
        assert_eq!(names(&answer["sparkline"]), expected, "{search:?}");
    }
    for search in ["%_", "\\"] {
        let query = day(json!({"serviceNameSearch": search, "serviceNames": ["web", "cdp-api"]}));
        assert_eq!(services(&server, &query).await["services"], json!([]), "{search:?}");
    }
}

#[tokio::test]
async fn the_other_filters_hold_too() {
    let groups = [group("a", vec![record("Needle"), record_of(17)]), group("b", vec![record("x")])];
    let server = server_with(&groups).await;
    for (filter, expected) in [
        (json!({"searchTerm": "needle"}), json!(["a", 1])),
        (json!({"severityLevels": ["error"]}), json!(["a", 1])),
        (json!({"serviceNames": ["b"]}), json!(["b", 1])),
    ] {
        let answer = services(&server, &day(filter.clone())).await;
        let row = &answer["services"][0];
        assert_eq!(json!([row["service_name"], row["log_count"]]), expected, "{filter}");
        assert_eq!(answer["total_services"], 1, "{filter}");
        assert_eq!(row["volume_share_pct"], 100.0, "the share is of the rows that are asked for");
    }
}

#[tokio::test]
async fn without_rows_everything_is_empty() {
    let server = Server::start().await;
    for query in [day(json!({})), json!({"dateRange": {}}), json!({"dateRange": {"date_from": "all"}})] {
        let expected = json!({
            "services": [], "sparkline": [], "total_services": 0,
            "summary": {"top_services_count": 0, "top_services_volume_share_pct": 0.0},
        });
        assert_eq!(services(&server, &query).await, expected, "{query}");
    }
    server.store(&[group("a", vec![record("x")])], Encoding::Json).await;
    let reversed = json!({"dateRange": {"date_from": "2025-12-17", "date_to": DAY}});
    assert_eq!(services(&server, &reversed).await["services"], json!([]));
}

#[tokio::test]
async fn a_range_is_required_and_a_search_is_bounded() {
    let server = Server::start().await;
    for query in [json!({}), json!({"dateRange": null})] {
        let (status, answer) = server.ask("services", &query).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("parse_error")), "{answer}");
        assert_eq!(answer["attr"], "dateRange", "{answer}");
    }
    let (status, _) = server.ask("services", &day(json!({"serviceNameSearch": "x".repeat(200)}))).await;
    assert_eq!(status, 200);
    let (status, answer) = server.ask("services", &day(json!({"serviceNameSearch": "x".repeat(201)}))).await;
    assert_eq!((status.as_u16(), &answer["attr"]), (400, &json!("serviceNameSearch")), "{answer}");
}
