//! Time ranges: bounds, their forms, their defaults.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::Record;
use super::super::strategies::NOW;
use super::{bodies, count, group, record_at, server_with};

const MICROS: i64 = 1_000_000;

fn range(from: &str, to: &str) -> Json {
    json!({"dateRange": {"date_from": from, "date_to": to}})
}

/// A record some seconds ago.
fn record_ago(seconds: i64, body: &str) -> Record {
    Record { time_nanos: (NOW - seconds * MICROS) as u64 * 1000, ..record_at("2025-12-16", body) }
}

#[tokio::test]
async fn rows_include_both_bounds_and_counts_leave_out_the_upper() {
    let times = ["23:59:59.999999", "23:59:59.999998", "23:59:59.999997"];
    let records = times.iter().map(|time| record_at(&format!("2025-12-15T{time}Z"), time));
    let midnight = record_at("2025-12-16T00:00:00Z", "midnight");
    let after = record_at("2025-12-16T00:00:00.000001Z", "after");
    let server = server_with(&[group("a", records.collect()), group("a", vec![midnight, after])]).await;
    let query = range("2025-12-15T23:59:59.999998Z", "2025-12-16T00:00:00Z");
    assert_eq!(bodies(&server, &query).await, ["23:59:59.999998", "23:59:59.999999", "midnight"]);
    assert_eq!(count(&server, &query).await, 2);
    let instant = range("2025-12-16T00:00:00Z", "2025-12-16T00:00:00Z");
    assert_eq!(bodies(&server, &instant).await, ["midnight"]);
    assert_eq!(count(&server, &instant).await, 0);
}

#[tokio::test]
async fn absolute_times_have_many_forms_and_are_utc() {
    let server = server_with(&[group("a", vec![record_at("2021-01-01T10:30:00Z", "x")])]).await;
    for bound in [
        "2021-01-01T10:30:00Z",
        "2021-01-01T10:30:00.000000Z",
        "2021-01-01T10:30:00",
        "2021-01-01T10:30",
        "2021-01-01 10:30:00",
        "2021-1-1 10:30:00",
        "2021-01-01T12:30:00+02:00",
        "2021-01-01T05:00:00-05:30",
    ] {
        assert_eq!(bodies(&server, &range(bound, bound)).await, ["x"], "{bound}");
    }
    assert_eq!(bodies(&server, &range("2021-1-1", "2021-01-02")).await, ["x"]);
    assert_eq!(count(&server, &range("2020-12-31", "2021-01-01")).await, 0);
}

#[tokio::test]
async fn a_range_that_ends_before_it_begins_is_empty() {
    let server = server_with(&[group("a", vec![record_at("2021-01-01T10:30:00Z", "x")])]).await;
    let query = range("2021-01-02", "2021-01-01");
    assert_eq!(bodies(&server, &query).await, [""; 0]);
    assert_eq!(count(&server, &query).await, 0);
}

/// Records a minute, half an hour, 40 minutes, five hours and 40 days ago.
async fn server_with_recent() -> Server {
    let records = vec![
        record_ago(60, "1 minute"),
        record_ago(40 * 60, "40 minutes"),
        record_ago(5 * 3600, "5 hours"),
        record_ago(40 * 86_400, "40 days"),
    ];
    server_with(&[group("a", records)]).await
}

#[tokio::test]
async fn relative_bounds_reach_back_from_now() {
    let server = server_with_recent().await;
    for (from, expected) in [
        ("-30M", 1),
        ("-1h", 2),
        ("1h", 2),
        ("-3600s", 2),
        ("-1d", 3),
        ("-1w", 3),
        ("-2m", 4),
        ("-30m", 4),
        ("-1q", 4),
        ("-1y", 4),
        ("-0h", 0),
        ("-5H", 0),
        ("nonsense", 0),
        ("yesterday", 0),
        ("all", 4),
    ] {
        let query = json!({"dateRange": {"date_from": from}});
        assert_eq!(count(&server, &query).await, expected, "count since {from}");
        assert_eq!(bodies(&server, &query).await.len() as u64, expected, "rows since {from}");
    }
    let query = range("-1d", "-30M");
    assert_eq!(bodies(&server, &query).await, ["40 minutes", "5 hours"]);
    assert_eq!(count(&server, &query).await, 2);
    let query = json!({"dateRange": {"date_from": "-1d", "date_to": "-30M", "explicitDate": true}});
    assert_eq!(count(&server, &query).await, 2);
}

#[tokio::test]
async fn without_a_range_aggregations_take_the_last_hour_and_rows_refuse() {
    let server = server_with_recent().await;
    for query in [json!({}), json!({"dateRange": null}), json!({"dateRange": {}})] {
        assert_eq!(count(&server, &query).await, 2, "{query}");
    }
    let (status, answer) = server.post("count", "{}".to_owned()).await;
    assert_eq!((status.as_u16(), &answer["count"]), (200, &json!(2)));
    for query in [json!({}), json!({"dateRange": null})] {
        let (status, answer) = server.ask("query", &query).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("parse_error")), "{query}: {answer}");
    }
}

#[tokio::test]
async fn an_open_lower_bound_is_midnight_seven_days_ago() {
    let inside = record_at("2025-12-09T00:00:00Z", "inside");
    let outside = record_at("2025-12-08T23:59:59.999999Z", "outside");
    let server = server_with(&[group("a", vec![inside, outside])]).await;
    for date_range in [json!({}), json!({"date_from": null}), json!({"date_from": null, "date_to": null})] {
        assert_eq!(bodies(&server, &json!({"dateRange": date_range})).await, ["inside"]);
    }
    let query = json!({"dateRange": {"date_to": "2025-12-16"}});
    assert_eq!(count(&server, &query).await, 1);
}

#[tokio::test]
async fn the_open_upper_bound_is_exactly_now() {
    let records =
        vec![record_ago(0, "now"), Record { time_nanos: NOW as u64 * 1000 + 1000, ..record_ago(0, "later") }];
    let server = server_with(&[group("a", records)]).await;
    let query = json!({"dateRange": {"date_from": "-1M"}});
    assert_eq!(bodies(&server, &query).await, ["now"]);
    assert_eq!(count(&server, &query).await, 0);
}

#[tokio::test]
async fn aggregations_round_a_relative_end_up_to_its_minute() {
    let server = server_with(&[group("a", vec![record_ago(90, "x")])]).await;
    let until = |date_to: &str, explicit: bool| json!({"dateRange": {"date_from": "-1h", "date_to": date_to, "explicitDate": explicit}});
    // At 20 seconds past the minute, 100 seconds ago ends with the minute 80 seconds ago.
    assert_eq!(count(&server, &until("-100s", false)).await, 1);
    assert_eq!(count(&server, &until("-100s", true)).await, 0);
    assert_eq!(bodies(&server, &until("-100s", false)).await, [""; 0]);
}
