//! Requests that make no sense: always 400, with the field named, never a server error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::{day, leaf};

const ENDPOINTS: [&str; 6] = ["query", "count", "sparkline", "count-ranges", "services", "impact"];

/// Fields whose value has the wrong type, with the name that the answer must give.
fn wrong_types() -> Vec<(Json, &'static str)> {
    let exact = |value: Json| leaf("log_attribute", "k", "exact", value);
    let without = |field: &str| {
        let mut leaf = exact(json!("x"));
        leaf.as_object_mut().expect("an object").remove(field);
        json!({ "filterGroup": [leaf] })
    };
    let with = |field: &str, value: Json| {
        let mut leaf = exact(json!("x"));
        leaf[field] = value;
        json!({ "filterGroup": [leaf] })
    };
    vec![
        (json!({"dateRange": "-1h"}), "dateRange"),
        (json!({"dateRange": []}), "dateRange"),
        (json!({"dateRange": {"date_from": 5}}), "date_from"),
        (json!({"dateRange": {"date_to": {}}}), "date_to"),
        (json!({"dateRange": {"explicitDate": "yes"}}), "explicitDate"),
        (json!({"severityLevels": "info"}), "severityLevels"),
        (json!({"severityLevels": ["loud"]}), "severityLevels"),
        (json!({"severityLevels": ["INFO"]}), "severityLevels"),
        (json!({"severityLevels": [9]}), "severityLevels"),
        (json!({"serviceNames": {"a": 1}}), "serviceNames"),
        (json!({"serviceNames": [1]}), "serviceNames"),
        (json!({"searchTerm": 5}), "searchTerm"),
        (json!({"filterGroup": "x"}), "filterGroup"),
        (json!({"filterGroup": 5}), "filterGroup"),
        (json!({"filterGroup": ["x"]}), "filterGroup"),
        (json!({"filterGroup": {"type": "AND", "values": 5}}), "filterGroup"),
        (without("key"), "key"),
        (without("type"), "type"),
        (without("operator"), "operator"),
        (with("operator", json!("resembles")), "operator"),
        (with("operator", json!(5)), "operator"),
        (with("type", json!("span")), "type"),
        (with("value", json!({"a": 1})), "value"),
        (with("value", json!([{"a": 1}])), "value"),
        (with("surprise", json!(1)), "surprise"),
    ]
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_400_and_names_its_field() {
    let server = Server::start().await;
    for (fields, name) in wrong_types() {
        let mut query = day(json!({}));
        query.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        for endpoint in ENDPOINTS {
            check_parse_error(server.ask(endpoint, &query).await, &format!("{endpoint} {query}"), Some(name));
        }
    }
}

#[tokio::test]
async fn fields_of_single_endpoints_have_types_too() {
    let server = Server::start().await;
    for (endpoint, field, value) in [
        ("query", "limit", json!("ten")),
        ("query", "limit", json!(1.5)),
        ("query", "after", json!(5)),
        ("query", "excludeAttributes", json!("yes")),
        ("query", "customColumns", json!("body")),
        ("query", "resourceFingerprint", json!(5)),
        ("query", "liveLogsCheckpoint", json!(5)),
        ("sparkline", "sparklineBreakdownBy", json!("host")),
        ("sparkline", "sparklineBreakdownBy", json!(1)),
        ("sparkline", "sparklineRankBy", json!("size")),
        ("count-ranges", "targetBuckets", json!("ten")),
        ("count-ranges", "targetBuckets", json!(1.5)),
        ("services", "serviceNameSearch", json!(5)),
        ("group-by", "severityLevels", json!(["loud"])),
    ] {
        let mut query = day(json!({}));
        query[field] = value;
        check_parse_error(server.ask(endpoint, &query).await, &format!("{endpoint} {query}"), Some(field));
    }
}

#[track_caller]
fn check_parse_error((status, answer): super::super::harness::Answer, asked: &str, field: Option<&str>) {
    assert_eq!(status, 400, "{asked}: {answer}");
    assert_eq!(answer["code"], "parse_error", "{asked}: {answer}");
    for member in ["type", "detail", "attr"] {
        assert!(answer.get(member).is_some(), "{asked}: no {member} in {answer}");
    }
    if let Some(field) = field {
        let named = [&answer["detail"], &answer["attr"]]
            .map(|text| text.as_str().unwrap_or_default().contains(field));
        assert!(named.contains(&true), "{asked}: {answer} does not name {field}");
    }
}

#[tokio::test]
async fn operands_that_make_no_sense_are_400() {
    let server = Server::start().await;
    for (operator, value) in [
        ("regex", json!("(")),
        ("not_regex", json!(["a", "[z-a]"])),
        ("in", json!("x")),
        ("not_in", json!(5)),
        ("between", json!(5)),
        ("between", json!([1])),
        ("between", json!([2, 1])),
        ("between", json!(["a", "b"])),
        ("not_between", json!([1, 2, 3])),
    ] {
        let query = day(json!({"filterGroup": [leaf("log_attribute", "k", operator, value)]}));
        for endpoint in ENDPOINTS {
            let (status, answer) = server.ask(endpoint, &query).await;
            assert_eq!(status, 400, "{endpoint} {query}: {answer}");
        }
    }
    let query = day(json!({"filterGroup": [leaf("log", "no_such_column", "exact", json!("x"))]}));
    for endpoint in ENDPOINTS {
        let (status, answer) = server.ask(endpoint, &query).await;
        assert_eq!(status, 400, "{endpoint} {query}: {answer}");
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_read_is_400() {
    let server = Server::start().await;
    let encoded = |json: Json| STANDARD.encode(json.to_string());
    for cursor in [
        "not base64!".to_owned(),
        STANDARD.encode("not json"),
        encoded(json!([])),
        encoded(json!({"timestamp": "2025-12-16T12:00:00Z"})),
        encoded(json!({"uuid": "0190f6a0-0000-7000-8000-000000000000"})),
        encoded(json!({"timestamp": "soon", "uuid": "0190f6a0-0000-7000-8000-000000000000"})),
        encoded(json!({"timestamp": 5, "uuid": 7})),
    ] {
        let (status, answer) = server.ask("query", &day(json!({"after": cursor}))).await;
        assert_eq!(status, 400, "{cursor}: {answer}");
    }
}

#[tokio::test]
async fn a_query_that_is_no_object_is_400_everywhere() {
    let server = Server::start().await;
    for endpoint in ENDPOINTS {
        for query in [json!("x"), json!([]), json!(5), json!(true), json!(null)] {
            let (status, answer) = server.ask(endpoint, &query).await;
            assert_eq!(status, 400, "{endpoint} {query}: {answer}");
        }
        for body in ["", "{", "nonsense", "\u{0}"] {
            let (status, answer) = server.post(endpoint, body.to_owned()).await;
            assert_eq!(status, 400, "{endpoint} {body:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn no_query_at_all_is_400_for_rows_and_all_defaults_for_the_others() {
    let server = Server::start().await;
    let (status, answer) = server.post("query", "{}".to_owned()).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["error"].is_string(), "{answer}");
    for endpoint in ["count", "sparkline", "count-ranges", "impact"] {
        let (status, answer) = server.post(endpoint, json!({"limit": 5}).to_string()).await;
        assert_eq!(status, 200, "{endpoint}: {answer}");
    }
}

#[tokio::test]
async fn unknown_fields_of_a_query_are_ignored() {
    let server = Server::start().await;
    let query = day(json!({"offset": 5, "kind": "LogsQuery", "surprise": {"a": [1]}}));
    for endpoint in ENDPOINTS {
        let (status, answer) = server.ask(endpoint, &query).await;
        assert_eq!(status, 200, "{endpoint}: {answer}");
    }
}
