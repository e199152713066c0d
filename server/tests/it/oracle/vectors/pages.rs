//! Rows in pages: limits, order, cursors, the fields of a row, the live checkpoint.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::{Encoding, Group, Record, Value};
use super::{bodies, day, group, record, record_at, rows, server_with, text};

fn numbered(count: usize) -> Vec<Group> {
    let record =
        |index: usize| record_at(&format!("2025-12-16T12:{:02}:00Z", index % 60), &index.to_string());
    let halves = [0..count / 2, count / 2..count];
    halves.into_iter().map(|half| group("a", half.map(record).collect())).collect()
}

async fn answer(server: &Server, query: &Json) -> Json {
    let (status, answer) = server.ask("query", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer
}

#[tokio::test]
async fn exactly_as_many_rows_as_the_limit_are_all() {
    for (stored, has_more) in [(50, false), (51, true)] {
        let server = server_with(&numbered(stored)).await;
        let answer = answer(&server, &day(json!({"limit": 50}))).await;
        assert_eq!(answer["results"].as_array().expect("rows").len(), 50);
        assert_eq!(answer["hasMore"], has_more);
        assert_eq!(answer["nextCursor"].is_string(), has_more);
        assert_eq!(answer["maxExportableLogs"], 10_000);
        assert_eq!(answer["columns"], Json::Null);
        assert!(answer["query"].is_object());
    }
}

#[tokio::test]
async fn the_limit_is_1000_unless_given_and_2000_at_most() {
    let server = server_with(&numbered(2001)).await;
    for (query, expected) in
        [(json!({}), 1000), (json!({"limit": 5000}), 2000), (json!({"limit": 2000}), 2000)]
    {
        let answer = answer(&server, &day(query)).await;
        assert_eq!(answer["results"].as_array().expect("rows").len(), expected);
        assert_eq!(answer["hasMore"], true);
    }
}

#[tokio::test]
async fn cursors_lead_through_rows_of_the_same_instant_once_each() {
    let same: Vec<Record> = (0..23).map(|index| record(&index.to_string())).collect();
    let server = server_with(&[group("a", same.clone()), group("b", same)]).await;
    for order in ["latest", "earliest"] {
        let mut query = day(json!({"limit": 10, "orderBy": order}));
        let mut uuids = Vec::new();
        loop {
            let answer = answer(&server, &query).await;
            let rows = answer["results"].as_array().expect("rows");
            uuids.extend(rows.iter().map(|row| row["uuid"].as_str().expect("a uuid").to_owned()));
            match answer["nextCursor"].as_str() {
                Some(cursor) => query["after"] = json!(cursor),
                None => break,
            }
        }
        assert_eq!(uuids.len(), 46);
        assert_eq!(uuids.iter().collect::<BTreeSet<_>>().len(), 46);
        let is_in_order =
            if order == "earliest" { uuids.is_sorted() } else { uuids.iter().rev().is_sorted() };
        assert!(is_in_order, "{order}: {uuids:?}");
    }
}

#[tokio::test]
async fn a_cursor_is_base64_of_the_last_row() {
    let server = server_with(&numbered(3)).await;
    let answer = answer(&server, &day(json!({"limit": 2}))).await;
    let cursor = answer["nextCursor"].as_str().expect("a cursor");
    let cursor: Json = serde_json::from_slice(&STANDARD.decode(cursor).expect("base64")).expect("JSON");
    let last = &answer["results"][1];
    assert_eq!(cursor["uuid"], last["uuid"]);
    let time =
        |json: &Json| chrono::DateTime::parse_from_rfc3339(json.as_str().expect("text")).expect("a time");
    assert_eq!(time(&cursor["timestamp"]), time(&last["timestamp"]));

    let by_hand = json!({"timestamp": "2025-12-16T14:01:00+02:00", "uuid": last["uuid"]}).to_string();
    let query = day(json!({"after": STANDARD.encode(by_hand)}));
    assert_eq!(bodies(&server, &query).await, ["0"]);
}

#[tokio::test]
async fn an_unknown_order_is_latest_first() {
    let server = server_with(&numbered(3)).await;
    for (query, expected) in [
        (json!({}), ["2", "1", "0"]),
        (json!({"orderBy": "sideways"}), ["2", "1", "0"]),
        (json!({"orderBy": "earliest"}), ["0", "1", "2"]),
    ] {
        let rows = rows(&server, &day(query)).await;
        assert_eq!(rows.iter().map(|row| row["body"].clone()).collect::<Vec<_>>(), expected);
    }
}

#[tokio::test]
async fn a_row_has_exactly_the_published_fields() {
    let sent = Record {
        observed_nanos: 1_765_886_400_500_000_000,
        severity_number: 17,
        attributes: vec![("http.status".to_owned(), Value::Int(500))],
        event_name: "login".to_owned(),
        ..record_at("2025-12-16T10:32:36.184820Z", "failed")
    };
    let resource = vec![("service.name".to_owned(), text("web")), ("host.name".to_owned(), text("n1"))];
    let scope = Some(("http".to_owned(), "1.2".to_owned()));
    let server = server_with(&[Group { resource, scope, records: vec![sent] }]).await;
    let mut row = rows(&server, &day(json!({}))).await.remove(0);
    let fields = row.as_object_mut().expect("an object");
    let chosen = ["uuid", "resource_fingerprint", "live_logs_checkpoint"].map(|field| fields.remove(field));
    assert!(chosen.iter().all(|field| field.as_ref().is_some_and(Json::is_string)), "{chosen:?}");
    let expected = json!({
        "trace_id": "0".repeat(32), "span_id": "0".repeat(16), "body": "failed",
        "attributes": {"http.status": "500"}, "timestamp": "2025-12-16T10:32:36.184820Z",
        "observed_timestamp": "2025-12-16T12:00:00.500000Z", "severity_text": "error", "severity_number": 17,
        "level": "error", "resource_attributes": {"service.name": "web", "host.name": "n1"},
        "instrumentation_scope": "http@1.2", "event_name": "login",
    });
    assert_eq!(row, expected);

    let without = rows(&server, &day(json!({"excludeAttributes": true}))).await.remove(0);
    assert_eq!((&without["attributes"], &without["resource_attributes"]), (&json!({}), &json!({})));
    let fingerprint = chosen[1].clone().expect("a fingerprint");
    let same = day(json!({"resourceFingerprint": fingerprint}));
    assert_eq!(rows(&server, &same).await.len(), 1);
    assert_eq!(rows(&server, &day(json!({"resourceFingerprint": "1"}))).await.len(), 0);
}

#[tokio::test]
async fn a_live_checkpoint_gives_everything_that_came_after_it() {
    let server = Server::start().await;
    server.store(&[group("a", vec![record("before")])], Encoding::Protobuf).await;
    let checkpoint = rows(&server, &day(json!({}))).await[0]["live_logs_checkpoint"].clone();
    assert!(checkpoint.is_string(), "{checkpoint}");
    server
        .store(
            &[group("a", vec![record("after"), record_at("2001-01-01", "after, but old")])],
            Encoding::Json,
        )
        .await;
    let since =
        |checkpoint: &Json| json!({"dateRange": {"date_from": "all"}, "liveLogsCheckpoint": checkpoint});
    let got = bodies(&server, &since(&checkpoint)).await;
    assert!(got.starts_with(&["after".to_owned(), "after, but old".to_owned()]), "{got:?}");
    assert_eq!(bodies(&server, &since(&json!("2001-01-01T00:00:00"))).await.len(), 3);
    assert_eq!(bodies(&server, &since(&json!("2999-01-01T00:00:00Z"))).await.len(), 0);
    let (status, answer) = server.ask("query", &since(&json!("soon"))).await;
    assert_eq!(status, 400, "{answer}");
}

#[tokio::test]
async fn both_prefixes_and_a_trailing_slash_lead_to_the_same_endpoints() {
    let server = server_with(&numbered(3)).await;
    let body = json!({"query": day(json!({}))}).to_string();
    for prefix in ["projects", "environments"] {
        for endpoint in ["query", "count", "sparkline"] {
            for slash in ["", "/"] {
                let path = format!("/api/{prefix}/{}/logs/{endpoint}{slash}", server.project_id());
                let (status, answer) = server.post_to(&path, body.clone()).await;
                assert_eq!(status, 200, "{path}: {answer}");
            }
        }
    }
}
