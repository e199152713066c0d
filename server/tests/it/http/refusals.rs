//! Questions that cannot be answered, and the form in which that is said.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, last_day};

const ENDPOINTS: [&str; 7] =
    ["query", "count", "sparkline", "count-ranges", "services", "group-by", "impact"];

fn path(endpoint: &str) -> String {
    format!("/api/projects/1/logs/{endpoint}")
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_parse_error() {
    let server = TestServer::start().await;
    for endpoint in ENDPOINTS {
        for body in ["", "{", "nonsense", "[]", "5", "\"query\""] {
            let answer = server.request(Method::POST, &path(endpoint), body).await;
            assert_eq!(answer.refusal(), (400, "parse_error".into(), Value::Null), "{endpoint} {body:?}");
            assert_eq!(answer.json()["type"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn a_body_beyond_its_limit_is_too_large() {
    let server = TestServer::start().await;
    let body = json!({ "query": {}, "padding": "x".repeat(2 * 1024 * 1024) }).to_string();
    let answer = server.request(Method::POST, &path("count"), body).await;
    assert_eq!(answer.refusal(), (413, "request_too_large".into(), Value::Null));
}

#[tokio::test]
async fn query_is_required_only_for_rows() {
    let server = TestServer::start().await;
    let answer = server.request(Method::POST, &path("query"), "{}").await;
    assert_eq!(answer.simple_refusal(), (400, "no query was given".into()));
    for endpoint in ["count", "sparkline"] {
        let answer = server.request(Method::POST, &path(endpoint), Body::from("{}")).await;
        assert_eq!(answer.status, 200, "{endpoint}: {}", answer.json());
    }
}

#[tokio::test]
async fn a_query_that_is_no_object_is_refused_everywhere() {
    let server = TestServer::start().await;
    for endpoint in ENDPOINTS {
        for query in [json!("x"), json!([]), json!(5), json!(true), Value::Null] {
            let answer = server.ask(endpoint, query.clone()).await;
            assert_eq!(answer.refusal(), (400, "parse_error".into(), json!("query")), "{endpoint} {query}");
        }
    }
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_named() {
    let server = TestServer::start().await;
    let leaf = json!({ "key": "k", "type": "log_attribute", "operator": "resembles", "value": "v" });
    for (query, attr) in [
        (json!({ "severityLevels": ["loud"] }), "severityLevels__0"),
        (json!({ "serviceNames": "api" }), "serviceNames"),
        (json!({ "searchTerm": 5 }), "searchTerm"),
        (json!({ "dateRange": { "date_from": 5 } }), "dateRange__date_from"),
        (json!({ "filterGroup": [leaf] }), "filterGroup__0__operator"),
        (
            json!({ "filterGroup": { "values": [{ "values": [leaf] }] } }),
            "filterGroup__values__0__values__0__operator",
        ),
    ] {
        for endpoint in ENDPOINTS {
            let mut query = query.clone();
            if query.get("dateRange").is_none() {
                query["dateRange"] = last_day();
            }
            let answer = server.ask(endpoint, query.clone()).await;
            assert_eq!(answer.refusal(), (400, "parse_error".into(), json!(attr)), "{endpoint} {query}");
        }
    }
}

#[tokio::test]
async fn rows_need_a_date_range_and_numbers_within_bounds() {
    let server = TestServer::start().await;
    for (query, attr) in [
        (json!({}), "dateRange"),
        (json!({ "dateRange": null }), "dateRange"),
        (json!({ "dateRange": {}, "limit": 0 }), "limit"),
        (json!({ "dateRange": {}, "limit": "10" }), "limit"),
        (json!({ "dateRange": {}, "after": "zzz" }), "after"),
        (json!({ "dateRange": {}, "liveLogsCheckpoint": "soon" }), "liveLogsCheckpoint"),
    ] {
        let answer = server.ask("query", query.clone()).await;
        assert_eq!(answer.refusal(), (400, "parse_error".into(), json!(attr)), "{query}");
    }
}

#[tokio::test]
async fn what_the_engine_refuses_is_a_bad_request() {
    let server = TestServer::start().await;
    let leaf = json!({ "key": "k", "type": "log_attribute", "operator": "regex", "value": "(" });
    let query = json!({ "dateRange": last_day(), "filterGroup": [leaf] });
    for endpoint in ["query", "sparkline"] {
        let (status, text) = server.ask(endpoint, query.clone()).await.simple_refusal();
        assert_eq!(status, 400, "{endpoint}");
        assert!(text.contains("filterGroup[0]"), "{endpoint}: {text}");
    }
    for endpoint in ["count", "count-ranges", "services", "impact"] {
        let (status, code, _) = server.ask(endpoint, query.clone()).await.refusal();
        assert_eq!((status, code.as_str()), (400, "invalid_input"), "{endpoint}");
    }
}

#[tokio::test]
async fn misused_groups_and_columns_are_refused_in_the_simple_form() {
    let server = TestServer::start().await;
    let nested = json!({ "values": [{ "values": [{ "type": "OR", "values": [] }] }] });
    for (query, text) in [
        (json!({ "filterGroup": nested }), "a nested group may not be empty"),
        (json!({ "customColumns": ["count()"] }), "custom column \"count()\": "),
        (json!({ "customColumns": vec!["body"; 51] }), "51 custom columns are more than 50"),
    ] {
        let mut query = query;
        query["dateRange"] = last_day();
        let (status, error) = server.ask("query", query).await.simple_refusal();
        assert_eq!(status, 400);
        assert!(error.contains(text), "{error}");
    }
}

#[tokio::test]
async fn a_condition_that_makes_no_sense_is_refused_in_an_empty_range_too() {
    let server = TestServer::start().await;
    let condition = json!({ "key": "status", "type": "log_attribute", "operator": "in", "value": "500" });
    let query = json!({
        "dateRange": { "date_from": "2025-12-16", "date_to": "2025-12-15" },
        "filterGroup": [condition],
        "groupBys": [{ "key": "a", "source": "log" }],
    });
    for endpoint in
        ["query", "count", "count-ranges", "sparkline", "services", "group-by", "impact", "patterns"]
    {
        let answer = server.ask(endpoint, query.clone()).await;
        assert_eq!(answer.status, 400, "{endpoint}: {:?}", answer.body);
    }
}
