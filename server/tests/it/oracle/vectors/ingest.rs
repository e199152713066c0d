//! Ingest: what is taken, in which encoding, and what becomes of severities and values.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::reply;
use super::super::sent::{Encoding, Group, Record, Value, encode};
use super::super::strategies::NOW;
use super::{bodies, count, day, group, record, rows, server_with, text};

#[tokio::test]
async fn severities_follow_the_published_examples() {
    let cases = [
        (0, "Warning", "x", "warn", 13),
        (10, "ERROR", "x", "info", 10),
        (0, "", r#"{"level":"ERROR"}"#, "error", 17),
        (30, "", "x", "unknown", 30),
        (0, "NOTICE", "x", "info", 9),
        (0, "emerg", "x", "fatal", 21),
        (0, "EROR", "x", "error", 17),
        (0, "dbug", "x", "debug", 5),
        (0, "trace", "x", "trace", 1),
        (0, "", "", "info", 9),
        (0, "debug", r#"{"config.log_level":"fatal","level":"notice"}"#, "fatal", 21),
        (24, "", r#"{"level":"debug"}"#, "fatal", 24),
        (0, "warn", r#"{"level":5}"#, "warn", 13),
    ];
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        let server = Server::start().await;
        for (number, word, body, name, expected) in cases {
            let sent = Record { severity_number: number, severity_text: word.to_owned(), ..record(body) };
            let service = format!("{number} {word} {body}");
            server.store(&[group(&service, vec![sent])], encoding).await;
            let row = rows(&server, &day(json!({"serviceNames": [service]}))).await.remove(0);
            assert_eq!(
                (&row["severity_text"], &row["severity_number"]),
                (&json!(name), &json!(expected)),
                "{row}"
            );
        }
    }
}

#[tokio::test]
async fn values_of_every_kind_become_text() {
    let attributes = vec![
        ("text".to_owned(), text("a \"quote\"")),
        ("bool".to_owned(), Value::Bool(true)),
        ("int".to_owned(), Value::Int(-9_007_199_254_740_993)),
        ("double".to_owned(), Value::Double(0.25)),
        ("bytes".to_owned(), Value::Bytes(vec![0, 255])),
        ("null".to_owned(), Value::Null),
        ("array".to_owned(), Value::Array(vec![Value::Int(1), text("a"), Value::Null])),
        ("map".to_owned(), Value::Map(vec![("k".to_owned(), Value::Array(vec![]))])),
        ("twice".to_owned(), text("first")),
        ("twice".to_owned(), text("last")),
        ("a.b".to_owned(), text("dots")),
    ];
    let expected = json!({
        "text": "a \"quote\"", "bool": "true", "int": "-9007199254740993", "double": "0.25", "bytes": "AP8=",
        "null": "", "array": "[1,\"a\",null]", "map": "{\"k\":[]}", "twice": "last", "a.b": "dots",
    });
    for encoding in [Encoding::Protobuf, Encoding::Json, Encoding::JsonLines] {
        let server = Server::start().await;
        server
            .store(&[group("a", vec![Record { attributes: attributes.clone(), ..record("x") }])], encoding)
            .await;
        assert_eq!(rows(&server, &day(json!({}))).await[0]["attributes"], expected, "{encoding:?}");
    }
}

#[tokio::test]
async fn bodies_that_are_not_text_become_json() {
    let map = Value::Map(vec![("a".to_owned(), Value::Bool(false))]);
    let sent =
        [(Value::Int(42), "42"), (map, "{\"a\":false}"), (Value::Array(vec![]), "[]"), (Value::Null, "")];
    let groups: Vec<Group> = sent
        .iter()
        .map(|(body, service)| group(service, vec![Record { body: Some(body.clone()), ..record("") }]))
        .collect();
    let server = server_with(&groups).await;
    for (_, expected) in sent {
        assert_eq!(bodies(&server, &day(json!({"serviceNames": [expected]}))).await, [expected]);
    }
}

#[tokio::test]
async fn a_missing_time_is_the_observed_time_or_that_of_receipt() {
    let observed = Record { observed_nanos: 1_765_880_000_000_000_000, time_nanos: 0, ..record("observed") };
    let unknown = Record { time_nanos: 0, ..record("unknown") };
    let server = server_with(&[group("a", vec![observed]), group("a", vec![unknown])]).await;
    let rows = rows(&server, &json!({"dateRange": {"date_from": "all"}, "orderBy": "earliest"})).await;
    assert_eq!(rows[0]["timestamp"], "2025-12-16T10:13:20Z");
    assert_eq!(rows[0]["observed_timestamp"], "2025-12-16T10:13:20Z");
    for field in ["timestamp", "observed_timestamp"] {
        assert_eq!(reply::micros(&rows[1][field]), Ok(NOW));
    }
}

#[tokio::test]
async fn records_of_long_ago_and_of_the_future_keep_their_time() {
    let times = ["1970-01-01T00:00:00.000001Z", "2001-09-09T01:46:40Z", "2262-04-11T23:47:16.854775Z"];
    let groups = times.map(|time| group("a", vec![super::record_at(time, time)]));
    let server = server_with(&groups).await;
    let rows = rows(&server, &json!({"dateRange": {"date_from": "all", "date_to": "2999-01-01"}})).await;
    let kept: Vec<&Json> = rows.iter().rev().map(|row| &row["timestamp"]).collect();
    assert_eq!(kept, times);
}

#[tokio::test]
async fn a_resource_without_a_service_has_an_empty_name() {
    let nameless = Group { records: vec![record("x")], ..Group::default() };
    let server = server_with(&[nameless]).await;
    let row = rows(&server, &day(json!({"serviceNames": [""]}))).await.remove(0);
    assert_eq!(row["resource_attributes"], json!({"service.name": ""}));
    assert_eq!(row["instrumentation_scope"], "");
}

#[tokio::test]
async fn nothing_to_store_is_a_success() {
    let server = Server::start().await;
    for (body, content_type) in [
        (Vec::new(), "application/x-protobuf"),
        (b"{}".to_vec(), "application/json"),
        (br#"{"resourceLogs":[]}"#.to_vec(), "application/json"),
    ] {
        let (status, answer) = server.export(body, content_type).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(server.get("has_logs").await.1, json!({"hasLogs": false}));
}

#[tokio::test]
async fn the_body_decides_its_encoding_not_its_content_type() {
    let groups = [group("a", vec![record("x")])];
    let server = Server::start().await;
    let mut stored = 0;
    for encoding in [Encoding::Protobuf, Encoding::Json, Encoding::JsonLines] {
        for content_type in ["application/json", "application/x-protobuf", "text/plain"] {
            let (status, answer) = server.export(encode(&groups, encoding), content_type).await;
            assert_eq!(status, 200, "{encoding:?} as {content_type}: {answer}");
            stored += 1;
            assert_eq!(count(&server, &day(json!({}))).await, stored, "{encoding:?} as {content_type}");
        }
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&encode(&groups, Encoding::Protobuf)).expect("memory takes it");
    let (status, answer) =
        server.export(gzip.finish().expect("memory takes it"), "application/x-protobuf").await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(count(&server, &day(json!({}))).await, stored + 1);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_refused_whole() {
    let server = Server::start().await;
    let whole = encode(&[group("a", vec![record("x"), record("y")])], Encoding::Protobuf);
    let torn = whole[..whole.len() - 3].to_vec();
    for body in
        [torn, b"hello".to_vec(), b"[1,2]".to_vec(), b"{\"resourceLogs\":5}".to_vec(), b"\x1f\x8bno".to_vec()]
    {
        for content_type in ["application/json", "application/x-protobuf"] {
            let (status, answer) = server.export(body.clone(), content_type).await;
            assert_eq!(status, 400, "{body:?} as {content_type}: {answer}");
        }
    }
    assert_eq!(count(&server, &json!({"dateRange": {"date_from": "all"}})).await, 0);
}

#[tokio::test]
async fn has_logs_tells_whether_there_is_any() {
    let server = Server::start().await;
    assert_eq!(server.get("has_logs").await, (axum::http::StatusCode::OK, json!({"hasLogs": false})));
    server.store(&[group("a", vec![record("x")])], Encoding::Protobuf).await;
    assert_eq!(server.get("has_logs").await.1, json!({"hasLogs": true}));
    server.flush().await;
    assert_eq!(server.get("has_logs").await.1, json!({"hasLogs": true}));
}

#[tokio::test]
async fn a_record_that_cannot_be_stored_is_rejected_alone_and_counted() {
    let server = Server::start().await;
    let too_large = record(&"x".repeat(1 << 20));
    let too_late = Record { time_nanos: u64::MAX, ..record("too late") };
    for (bad, stored) in [(too_large, 1), (too_late, 2)] {
        let body = encode(&[group("a", vec![record("good"), bad])], Encoding::Json);
        let (status, answer) = server.export(body, "application/json").await;
        assert_eq!(status, 200, "{answer}");
        let rejected = &answer["partialSuccess"]["rejectedLogRecords"];
        assert_eq!(rejected.as_str().map_or(rejected.to_string(), str::to_owned), "1", "{answer}");
        assert!(!answer["partialSuccess"]["errorMessage"].as_str().expect("a reason").is_empty());
        let everything = json!({"dateRange": {"date_from": "all", "date_to": "9999-12-31"}});
        assert_eq!(bodies(&server, &everything).await, vec!["good"; stored]);
    }
}
