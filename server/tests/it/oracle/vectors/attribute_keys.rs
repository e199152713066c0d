//! `GET logs/attributes`: which attribute keys rows have, in which order.

use serde_json::{Value as Json, json};

use super::super::facets::{percent_encoded, query_string};
use super::super::harness::Server;
use super::super::sent::{Group, Record};
use super::{day, group, leaf, record, record_at, record_with, server_with, text};

/// Asks about the day of the records.
async fn ask(server: &Server, asked: Json) -> Json {
    let (status, answer) = server.get(&format!("attributes?{}", query_string(&day(asked.clone())))).await;
    assert_eq!(status, 200, "{asked}: {answer}");
    answer
}

async fn names(server: &Server, asked: Json) -> Vec<String> {
    let answer = ask(server, asked).await;
    let results = answer["results"].as_array().expect("results");
    results.iter().map(|found| found["name"].as_str().expect("a name").to_owned()).collect()
}

/// A record whose attributes all have the same value.
fn with_keys(keys: &[&str]) -> Record {
    let attributes: Vec<_> = keys.iter().map(|key| (*key, text("x"))).collect();
    record_with(&attributes)
}

#[tokio::test]
async fn close_keys_come_first_then_frequent_ones_then_by_name() {
    let server = server_with(&[
        group("a", vec![with_keys(&["pid", "trace_id", "brokers.0.id", "video"])]),
        group("b", vec![with_keys(&["pid", "brokers.0.id", "idle", "other"])]),
        group("c", vec![with_keys(&["pid", "ID"])]),
    ])
    .await;
    let by_id = ["ID", "brokers.0.id", "trace_id", "pid", "idle", "video"];
    assert_eq!(names(&server, json!({"search": "id"})).await, by_id);
    assert_eq!(
        names(&server, json!({})).await,
        ["pid", "brokers.0.id", "ID", "idle", "other", "trace_id", "video"]
    );
    assert_eq!(names(&server, json!({"search": "nothing"})).await, [""; 0]);
    let page = ask(&server, json!({"search": "id", "limit": 2, "offset": 1})).await;
    let found = |name: &str| json!({"name": name, "propertyFilterType": "log_attribute", "matchedOn": "key"});
    assert_eq!(page, json!({"results": [found("brokers.0.id"), found("trace_id")], "count": 6}));
}

#[tokio::test]
async fn values_are_searched_for_texts_of_four_characters_on() {
    let server = server_with(&[group(
        "a",
        vec![
            record_with(&[("app", text("argo-cd")), ("cargo", text("1")), ("image", text("repo/ARGO:2"))]),
            record_with(&[("app", text("argo-cd")), ("argo", text("argo")), ("image", text("nginx"))]),
            record_with(&[("app", text("argo-ui")), ("note", text("largest"))]),
        ],
    )])
    .await;
    let by_key =
        |name: &str| json!({"name": name, "propertyFilterType": "log_attribute", "matchedOn": "key"});
    let by_value = |name: &str, value: &str| json!({"name": name, "propertyFilterType": "log_attribute", "matchedOn": "value", "matchedValue": value});
    let expected =
        [by_key("argo"), by_key("cargo"), by_value("app", "argo-cd"), by_value("image", "repo/ARGO:2")];
    let answer = ask(&server, json!({"search": "argo", "search_values": true})).await;
    assert_eq!(answer, json!({"results": expected, "count": 4}));
    let answer =
        ask(&server, json!({"search": "argo", "search_values": true, "offset": 1, "limit": 2})).await;
    assert_eq!(answer, json!({"results": expected[1..3], "count": 3}));
    for asked in [json!({"search": "arg", "search_values": true}), json!({"search": "argo"})] {
        let answer = ask(&server, asked).await;
        assert_eq!(answer, json!({"results": expected[..2], "count": 2}));
    }
}

#[tokio::test]
async fn searches_are_literal() {
    let server = server_with(&[group(
        "a",
        vec![record_with(&[("promo", text("50%off")), ("trap", text("50ABCoff")), ("a_b", text("x"))])],
    )])
    .await;
    assert_eq!(names(&server, json!({"search": "50%off", "search_values": true})).await, ["promo"]);
    assert_eq!(names(&server, json!({"search": "_"})).await, ["a_b"]);
    for wildcards in ["%", "p%o", ".*", "\\"] {
        assert_eq!(names(&server, json!({"search": wildcards})).await, [""; 0], "{wildcards}");
    }
}

#[tokio::test]
async fn named_keys_are_found_exactly() {
    let server = server_with(&[group("a", vec![with_keys(&["a", "b", "ab", "A"])])]).await;
    assert_eq!(names(&server, json!({"keys": " a , ,b,"})).await, ["a", "b"]);
    assert_eq!(names(&server, json!({"keys": "a,b,a", "search": "B"})).await, ["b"]);
    assert_eq!(names(&server, json!({"keys": "c"})).await, [""; 0]);
    assert_eq!(names(&server, json!({"keys": " ,"})).await.len(), 4);
    let keys: String = (0..101).map(|key| format!("k{key},")).collect();
    let (status, answer) = server.get(&format!("attributes?keys={keys}")).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|text| text.contains("keys")), "{answer}");
}

#[tokio::test]
async fn attributes_of_resources_are_another_kind() {
    let mut resource = group("a", vec![with_keys(&["k"])]);
    resource.resource.push(("host".to_owned(), text("n1")));
    let server = server_with(&[resource]).await;
    let found = |name: &str| json!({"name": name, "propertyFilterType": "log_resource_attribute", "matchedOn": "key"});
    let answer = ask(&server, json!({"attribute_type": "resource"})).await;
    assert_eq!(answer, json!({"results": [found("host"), found("service.name")], "count": 2}));
    for kind in ["log", "span", ""] {
        assert_eq!(names(&server, json!({"attribute_type": kind})).await, ["k"], "{kind}");
    }
}

#[tokio::test]
async fn every_filter_counts_in_every_form() {
    let server = server_with(&[
        group("api", vec![Record { severity_number: 17, ..with_keys(&["of_api", "k"]) }]),
        group("web", vec![Record { body: Some(text("needle")), ..with_keys(&["of_web", "k"]) }]),
        group("db", vec![record_with(&[("of_db", text("7"))])]),
    ])
    .await;
    let attribute = leaf("log_attribute", "of_db", "gt", json!(6));
    let service = leaf("log", "service_name", "exact", json!("db"));
    let resource = leaf("log_resource_attribute", "service.name", "exact", json!(["db"]));
    for one in [&attribute, &service, &resource] {
        let nested = json!({"type": "AND", "values": [{"type": "AND", "values": [one]}]});
        for group in [json!([one]), nested] {
            assert_eq!(names(&server, json!({"filterGroup": group})).await, ["of_db"], "{one}");
        }
    }
    assert_eq!(names(&server, json!({"serviceNames": ["db"]})).await, ["of_db"]);
    let two = json!({"serviceNames": ["db", "web"], "repeats": true, "limit": "x", "offset": "-1"});
    assert_eq!(names(&server, two).await, ["k", "of_db", "of_web"]);
    assert_eq!(names(&server, json!({"severityLevels": ["error"]})).await, ["k", "of_api"]);
    assert_eq!(names(&server, json!({"searchTerm": "NEEDLE"})).await, ["k", "of_web"]);
    assert_eq!(names(&server, json!({"serviceNames": "[broken"})).await.len(), 4);
}

#[tokio::test]
async fn filters_that_make_no_sense_are_400() {
    let server = server_with(&[]).await;
    let asked = |name: &str, value: &str| format!("{name}={}", percent_encoded(value));
    let pattern = json!([leaf("log_attribute", "k", "regex", json!("("))]).to_string();
    for endpoint in ["attributes?", "values?key=k&"] {
        for (parameter, is_envelope) in [
            (asked("filterGroup", "{"), true),
            (asked("filterGroup", "[5]"), true),
            (asked("filterGroup", r#"[{"key":"k","type":"log_attribute","operator":"resembles"}]"#), true),
            (asked("filterGroup", r#"{"type":"AND","values":{}}"#), true),
            (asked("filterGroup", &pattern), false),
            (asked("dateRange", "[]"), true),
            (asked("dateRange", r#"{"date_from":5}"#), true),
            (asked("severityLevels", r#"["loud"]"#), true),
        ] {
            let (status, answer) = server.get(&format!("{endpoint}{parameter}")).await;
            assert_eq!(status, 400, "{endpoint}{parameter}: {answer}");
            let form =
                if is_envelope { answer["code"] == "parse_error" } else { answer["error"].is_string() };
            assert!(form, "{endpoint}{parameter}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_range_is_half_open_and_a_week_by_default() {
    let server = server_with(&[Group {
        records: vec![
            Record {
                attributes: vec![("first".to_owned(), text("x"))],
                ..record_at("2025-12-16T12:00:00Z", "")
            },
            Record {
                attributes: vec![("last".to_owned(), text("x"))],
                ..record_at("2025-12-16T12:00:01Z", "")
            },
            Record {
                attributes: vec![("week".to_owned(), text("x"))],
                ..record_at("2025-12-09T00:00:00Z", "")
            },
            Record {
                attributes: vec![("older".to_owned(), text("x"))],
                ..record_at("2025-12-08T23:59:59Z", "")
            },
        ],
        ..group("a", vec![])
    }])
    .await;
    server.set_clock(super::dates::absolute("2025-12-16T22:33:00Z").expect("a time"));
    let named = async |parameters: &str| {
        let (status, answer) = server.get(&format!("attributes?{parameters}")).await;
        assert_eq!(status, 200, "{parameters}: {answer}");
        let results = answer["results"].as_array().expect("results").clone();
        results.iter().map(|found| found["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    let json = |range: &str| format!("dateRange={}", percent_encoded(range));
    let edges = r#"{"date_from":"2025-12-16T12:00:00Z","date_to":"2025-12-16T12:00:01Z"}"#;
    assert_eq!(named(&json(edges)).await, ["first"]);
    assert_eq!(named("date_from=2025-12-16T12:00:01Z&date_to=2025-12-16T12:00:02Z").await, ["last"]);
    assert_eq!(named(&json(r#"{"date_from":"all"}"#)).await, ["first", "last", "older", "week"]);
    for week in ["", "dateRange=null", &json("{}"), &json(r#"{"date_from":null}"#)] {
        assert_eq!(named(week).await, ["first", "last", "week"], "{week}");
    }
    assert_eq!(named(&json("{broken")).await, [""; 0], "the last hour");
    server.set_clock(super::dates::absolute("2025-12-16T12:30:00Z").expect("a time"));
    assert_eq!(named(&json("{broken")).await, ["first", "last"], "the last hour");
}

#[tokio::test]
async fn rows_without_attributes_and_nothing_at_all_have_no_keys() {
    for groups in [vec![], vec![group("a", vec![record("x")])]] {
        let server = server_with(&groups).await;
        assert_eq!(ask(&server, json!({})).await, json!({"results": [], "count": 0}));
    }
}
