//! Counts over time: interval, buckets, sums.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::{DAY, attribute, count, day, group, record, record_at, record_with, server_with, text};

async fn ranges(server: &Server, query: &Json) -> (Vec<Json>, String) {
    let (status, answer) = server.ask("count-ranges", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    let interval = answer["interval"].as_str().expect("an interval").to_owned();
    (answer["ranges"].as_array().expect("ranges").clone(), interval)
}

fn between(from: &str, to: &str) -> Json {
    json!({"dateRange": {"date_from": from, "date_to": to}})
}

#[tokio::test]
async fn the_interval_follows_from_the_range_and_the_number_of_buckets() {
    let server = Server::start().await;
    let check = async |target: Json, from: &str, to: &str, expected: &str| {
        let mut query = between(from, to);
        query["targetBuckets"] = target.clone();
        assert_eq!(ranges(&server, &query).await.1, expected, "{target} from {from} to {to}");
    };
    let five_days = ("2025-12-10", "2025-12-15");
    for (target, expected) in
        [(json!(10), "12h"), (json!(null), "12h"), (json!(5), "1d"), (json!(20), "6h"), (json!(50), "2h")]
    {
        check(target, five_days.0, five_days.1, expected).await;
    }
    for target in [100, 999] {
        check(json!(target), five_days.0, five_days.1, "1h").await;
    }
    check(json!(-1), five_days.0, five_days.1, "1d").await;
    for (to, expected) in [
        ("2025-12-16T00:05", "10s"),
        ("2025-12-16T00:15", "1m"),
        ("2025-12-16T00:30", "2m"),
        ("2025-12-16T01:00", "5m"),
        ("2025-12-17", "2h"),
        ("2025-12-23", "12h"),
        ("2026-01-15", "1d"),
    ] {
        check(json!(10), DAY, to, expected).await;
    }
    check(json!(100), DAY, "2025-12-16T01:00", "60s").await;
    check(json!(100), DAY, "2025-12-17", "15m").await;
}

#[tokio::test]
async fn buckets_are_aligned_and_only_those_with_rows_are_listed() {
    let times = ["09:59:59.999999", "10:00:00", "10:05:01", "10:59:59.999999", "11:00:00"];
    let records = times.iter().map(|time| record_at(&format!("{DAY}T{time}Z"), time)).collect();
    let server = server_with(&[group("a", records)]).await;
    let (found, interval) = ranges(&server, &between("2025-12-16T09:58", "2025-12-16T11:00")).await;
    assert_eq!(interval, "5m");
    let range = |from: &str, to: &str, count: u64| json!({"date_from": format!("{DAY}T{from}:00Z"), "date_to": format!("{DAY}T{to}:00Z"), "count": count});
    // The first one begins before the range does; the row at the end of the range is not of it.
    let expected = [
        range("09:55", "10:00", 1),
        range("10:00", "10:05", 1),
        range("10:05", "10:10", 1),
        range("10:55", "11:00", 1),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_range_that_is_empty_has_no_buckets() {
    let server = server_with(&[group("a", vec![record("x")])]).await;
    let noon = "2025-12-16T12:00:00Z";
    for query in [between(noon, noon), between(noon, DAY), between("2020-01-01", "2020-01-06")] {
        assert!(ranges(&server, &query).await.0.is_empty(), "{query}");
    }
}

#[tokio::test]
async fn without_a_range_it_is_the_last_hour() {
    let server = Server::start().await;
    // The clock of the tests stands half a second after 22:33:20 of that day.
    server.store(&[group("a", vec![record_at("2025-12-16T22:00:00Z", "x")])], super::Encoding::Json).await;
    for body in ["{}", "{\"query\": {}}", "{\"query\": {\"dateRange\": {}}}"] {
        let (status, answer) = server.post("count-ranges", body.to_owned()).await;
        assert_eq!((status.as_u16(), &answer["interval"]), (200, &json!("5m")), "{answer}");
        let expected =
            json!([{"date_from": "2025-12-16T22:00:00Z", "date_to": "2025-12-16T22:05:00Z", "count": 1}]);
        assert_eq!(answer["ranges"], expected);
    }
}

#[tokio::test]
async fn the_sum_is_the_count_and_a_bucket_can_be_asked_again() {
    let times = (0..60).map(|minute| format!("{DAY}T12:{minute:02}:30.000001Z"));
    let records = times.enumerate().map(|(index, time)| {
        let mut record = record_at(&time, "x");
        record.attributes = vec![("even".to_owned(), text(if index % 2 == 0 { "yes" } else { "no" }))];
        record
    });
    let server = server_with(&[group("a", records.collect()), group("b", vec![record("y")])]).await;
    let mut query = between("2025-12-16T12:10:30.000001Z", "2025-12-16T12:50:30.000001Z");
    query["filterGroup"] = json!([attribute("even", "exact", json!("yes"))]);
    let (found, interval) = ranges(&server, &query).await;
    assert_eq!(interval, "5m");
    let counts: Vec<u64> = found.iter().map(|range| range["count"].as_u64().expect("a count")).collect();
    assert_eq!(counts.iter().sum::<u64>(), count(&server, &query).await);
    assert_eq!(counts, [3, 2, 3, 2, 3, 2, 3, 2]);
    let inner = &found[3];
    query["dateRange"] = json!({"date_from": inner["date_from"], "date_to": inner["date_to"]});
    assert_eq!(count(&server, &query).await, 2);
    let (finer, interval) = ranges(&server, &query).await;
    assert_eq!((finer.len(), interval.as_str()), (2, "10s"));
}

#[tokio::test]
async fn every_filter_counts() {
    let session = record_with(&[("session.id", text("s1"))]);
    let server = server_with(&[group("a", vec![session]), group("b", vec![record("Needle")])]).await;
    for filter in [
        json!({"serviceNames": ["b"]}),
        json!({"searchTerm": "needle"}),
        json!({"sessionId": "s1"}),
        json!({"filterGroup": [attribute("session.id", "is_set", json!(null))]}),
    ] {
        let (found, _) = ranges(&server, &day(filter.clone())).await;
        assert_eq!(found.len(), 1, "{filter}");
        assert_eq!(found[0]["count"], 1, "{filter}");
    }
    for filter in [json!({"severityLevels": ["fatal"]}), json!({"personId": "1"}), json!({"sessionId": ""})] {
        assert!(ranges(&server, &day(filter.clone())).await.0.is_empty(), "{filter}");
    }
}
