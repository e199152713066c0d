//! How many sessions and users rows are about.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::{Group, Value};
use super::{DAY, attribute, day, group, record, record_with, server_with, text};

async fn impact(server: &Server, query: &Json) -> Json {
    let (status, answer) = server.ask("impact", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer
}

#[tokio::test]
async fn ids_are_counted_wherever_senders_put_them() {
    let record = |key: &str, id: &str| record_with(&[(key, text(id))]);
    let resource = Group {
        resource: vec![("session.id".to_owned(), text("s3")), ("distinct_id".to_owned(), text("u1"))],
        scope: None,
        records: vec![super::record("of the resource")],
    };
    let own = vec![
        record("sessionId", "s1"),
        record("session.id", "s1"),
        record("posthog_session_id", "s2"),
        record("sessionId", ""),
        record("posthogDistinctId", "u1"),
        record("distinct.id", "u2"),
        record_with(&[("distinctId", Value::Int(7))]),
        super::record("nobody's"),
    ];
    let server = server_with(&[group("a", own), resource]).await;
    let expected = json!({
        "total": 9,
        "logsWithSessionId": 4, "sessions": 3,
        "topSessions": [{"value": "s1", "count": 2}, {"value": "s2", "count": 1}, {"value": "s3", "count": 1}],
        "logsWithDistinctId": 4, "users": 3,
        "topUsers": [{"value": "u1", "count": 2}, {"value": "7", "count": 1}, {"value": "u2", "count": 1}],
    });
    assert_eq!(impact(&server, &day(json!({}))).await, expected);
}

#[tokio::test]
async fn a_row_with_several_ids_is_of_the_first_that_is_filled() {
    let both =
        record_with(&[("sessionId", text("")), ("session.id", text("inner")), ("session_id", text("later"))]);
    let resource = vec![("sessionId".to_owned(), text("outer"))];
    let server = server_with(&[Group { resource, scope: None, records: vec![both] }]).await;
    let answer = impact(&server, &day(json!({}))).await;
    assert_eq!(answer["topSessions"], json!([{"value": "outer", "count": 1}]));
    assert_eq!((&answer["sessions"], &answer["logsWithSessionId"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn counts_are_exact_and_five_are_named() {
    let records = (0..1_000).map(|index| {
        let session = text(&format!("s{}", index / 2));
        record_with(&[("session.id", session), ("distinct_id", text(&format!("u{}", index % 300)))])
    });
    let server = server_with(&[group("a", records.collect()), group("b", vec![record("x")])]).await;
    let answer = impact(&server, &day(json!({}))).await;
    let numbers =
        ["total", "logsWithSessionId", "sessions", "logsWithDistinctId", "users"].map(|name| &answer[name]);
    assert_eq!(json!(numbers), json!([1001, 1000, 500, 1000, 300]));
    let first = |name: &str, count: u64| json!({"value": name, "count": count});
    assert_eq!(answer["topUsers"], json!(["u0", "u1", "u10", "u11", "u12"].map(|name| first(name, 4))));
    assert_eq!(answer["topSessions"], json!(["s0", "s1", "s10", "s100", "s101"].map(|name| first(name, 2))));
}

#[tokio::test]
async fn every_filter_holds_and_the_end_of_the_range_is_outside() {
    let session = |id: &str| record_with(&[("session.id", text(id))]);
    let server =
        server_with(&[group("a", vec![session("s1"), session("s2")]), group("b", vec![session("s1")])]).await;
    for (filter, total, sessions) in [
        (json!({}), 3, 2),
        (json!({"serviceNames": ["a"]}), 2, 2),
        (json!({"sessionId": "s1"}), 2, 1),
        (json!({"personId": "1"}), 0, 0),
        (json!({"filterGroup": [attribute("session.id", "is_not", json!("s1"))]}), 1, 1),
    ] {
        let answer = impact(&server, &day(filter.clone())).await;
        assert_eq!((&answer["total"], &answer["sessions"]), (&json!(total), &json!(sessions)), "{filter}");
    }
    let noon = json!({"dateRange": {"date_from": DAY, "date_to": "2025-12-16T12:00:00Z"}});
    let nothing = json!({
        "total": 0, "logsWithSessionId": 0, "sessions": 0, "topSessions": [],
        "logsWithDistinctId": 0, "users": 0, "topUsers": [],
    });
    assert_eq!(impact(&server, &noon).await, nothing);
    assert_eq!(impact(&server, &json!({})).await, nothing, "without a range it is the last hour");
}
