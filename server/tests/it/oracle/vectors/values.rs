//! `GET logs/values`: which values an attribute has.

use serde_json::{Value as Json, json};

use super::super::facets::query_string;
use super::super::harness::Server;
use super::super::sent::Value;
use super::{attribute, day, group, leaf, record, record_with, server_with, text};

async fn ask(server: &Server, asked: Json) -> Json {
    let (status, answer) = server.get(&format!("values?{}", query_string(&day(asked.clone())))).await;
    assert_eq!(status, 200, "{asked}: {answer}");
    answer
}

fn answer(values: &[(&str, u64)]) -> Json {
    let results: Vec<Json> =
        values.iter().map(|(value, count)| json!({"id": value, "name": value, "count": count})).collect();
    json!({"results": results, "refreshing": false})
}

#[tokio::test]
async fn values_are_verbatim_frequent_ones_first_then_by_value() {
    let levels = ["info", "DEBUG", "PING", "more", "error", "info"];
    let records = levels.iter().map(|level| record_with(&[("level", text(level))])).collect();
    let server = server_with(&[group("a", records), group("a", vec![record("without")])]).await;
    let all = [("info", 2), ("DEBUG", 1), ("PING", 1), ("error", 1), ("more", 1)];
    assert_eq!(ask(&server, json!({"key": "level"})).await, answer(&all));
    assert_eq!(
        ask(&server, json!({"key": "level", "value": "or"})).await,
        answer(&[("error", 1), ("more", 1)])
    );
    assert_eq!(
        ask(&server, json!({"key": "level", "value": "Or"})).await,
        answer(&[("error", 1), ("more", 1)])
    );
    assert_eq!(ask(&server, json!({"key": "level", "value": ""})).await, answer(&all));
    assert_eq!(ask(&server, json!({"key": "level", "search": "or"})).await, answer(&all));
    assert_eq!(ask(&server, json!({"key": "level", "limit": 2, "offset": 1})).await, answer(&all[1..3]));
    assert_eq!(ask(&server, json!({"key": "level", "limit": 0})).await, answer(&[]));
    assert_eq!(ask(&server, json!({"key": "level", "offset": 9_999_999_999_u64})).await, answer(&[]));
    assert_eq!(ask(&server, json!({"key": "Level"})).await, answer(&[]));
}

#[tokio::test]
async fn an_empty_id_is_the_id_of_nobody() {
    let record = || record_with(&[("level", text("info"))]);
    let server = server_with(&[group("a", vec![record(), record()])]).await;
    assert_eq!(ask(&server, json!({"key": "level"})).await, answer(&[("info", 2)]));
    for name in ["sessionId", "personId"] {
        for id in ["", " "] {
            assert_eq!(ask(&server, json!({"key": "level", name: id})).await, answer(&[]), "{name}={id:?}");
        }
    }
}

#[tokio::test]
async fn searches_are_literal() {
    let records = ["50%off", "50ABCoff", "a_c", "abc"].map(|value| record_with(&[("k", text(value))]));
    let server = server_with(&[group("a", records.to_vec())]).await;
    assert_eq!(ask(&server, json!({"key": "k", "value": "50%off"})).await, answer(&[("50%off", 1)]));
    assert_eq!(ask(&server, json!({"key": "k", "value": "a_c"})).await, answer(&[("a_c", 1)]));
}

#[tokio::test]
async fn service_names_are_values_of_the_resource() {
    let server =
        server_with(&[group("api", vec![record("a"), record("b")]), group("web", vec![record("c")])]).await;
    let services = json!({"key": "service.name", "attribute_type": "resource"});
    assert_eq!(ask(&server, services).await, answer(&[("api", 2), ("web", 1)]));
    assert_eq!(ask(&server, json!({"key": "service.name"})).await, answer(&[]));
}

#[tokio::test]
async fn the_empty_value_and_long_ones_are_values() {
    let long = "x".repeat(300);
    let records = ["", &long].map(|value| record_with(&[("k", text(value))]));
    let server = server_with(&[group("a", records.to_vec())]).await;
    assert_eq!(ask(&server, json!({"key": "k"})).await, answer(&[("", 1), (&long, 1)]));
}

#[tokio::test]
async fn every_filter_counts_also_one_on_the_key_itself() {
    let with = |status: i64, path: &str| record_with(&[("status", Value::Int(status)), ("path", text(path))]);
    let server = server_with(&[
        group("api", vec![with(200, "/a"), with(500, "/a"), with(503, "/b")]),
        group("web", vec![with(500, "/c")]),
    ])
    .await;
    let errors = attribute("status", "gte", json!(500));
    let asked = json!({"key": "path", "filterGroup": [errors]});
    assert_eq!(ask(&server, asked).await, answer(&[("/a", 1), ("/b", 1), ("/c", 1)]));
    let nested = json!({"type": "AND", "values": [{"type": "AND", "values": [errors]}]});
    let asked = json!({"key": "status", "filterGroup": nested, "serviceNames": ["api"]});
    assert_eq!(ask(&server, asked).await, answer(&[("500", 1), ("503", 1)]));
    let body = leaf("log", "message", "icontains", json!("/C"));
    assert_eq!(ask(&server, json!({"key": "status", "filterGroup": [body]})).await, answer(&[("500", 1)]));
}

#[tokio::test]
async fn a_key_is_needed() {
    let server = server_with(&[]).await;
    for parameters in ["", "?key=", "?value=x"] {
        let (status, answer) = server.get(&format!("values{parameters}")).await;
        assert_eq!((status.as_u16(), &answer), (400, &json!("key is required")), "{parameters}");
    }
}
