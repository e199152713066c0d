//! `POST logs/facet_values`: the values of a column or an attribute, as if nothing was asked of it.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::{Record, Value};
use super::{attribute, day, group, leaf, record_with, server_with, text};

async fn ask(server: &Server, query: Json) -> Json {
    let (status, answer) = server.ask("facet_values", &day(query.clone())).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer["results"].clone()
}

fn values(values: &[(&str, u64)]) -> Json {
    values.iter().map(|(value, count)| json!({"value": value, "count": count})).collect()
}

async fn server() -> Server {
    let with = |severity_number: i32, status: i64, path: &str| Record {
        severity_number,
        ..record_with(&[("status", Value::Int(status)), ("path", text(path))])
    };
    server_with(&[
        group("api", vec![with(9, 200, "/a"), with(17, 500, "/a"), with(17, 503, "/b")]),
        group("web", vec![with(17, 500, "/c"), with(9, 200, "/c")]),
        group("", vec![with(13, 404, "/a")]),
    ])
    .await
}

#[tokio::test]
async fn columns_and_attributes_have_values() {
    let server = server().await;
    for (facet, expected) in [
        (json!({"facetField": "severity_text"}), values(&[("error", 3), ("info", 2), ("warn", 1)])),
        (json!({"facetField": "service_name"}), values(&[("api", 3), ("web", 2), ("", 1)])),
        (json!({"facetAttribute": "path"}), values(&[("/a", 3), ("/c", 2), ("/b", 1)])),
        (json!({"facetResourceAttribute": "service.name"}), values(&[("api", 3), ("web", 2), ("", 1)])),
        (json!({"facetAttribute": "service.name"}), values(&[])),
        (json!({"facetAttribute": "path", "facetSearch": "/B"}), values(&[("/b", 1)])),
        (json!({"facetAttribute": "path", "facetSearch": "%"}), values(&[])),
    ] {
        assert_eq!(ask(&server, facet.clone()).await, expected, "{facet}");
    }
}

#[tokio::test]
async fn conditions_on_the_facet_itself_do_not_count() {
    let server = server().await;
    let own_severity = leaf("log", "severity_level", "exact", json!(["fatal"]));
    let own_service = leaf("log", "service_name", "exact", json!("nobody"));
    let own_path = attribute("path", "exact", json!("/none"));
    let errors = attribute("status", "gte", json!(500));
    for (query, expected) in [
        (
            json!({"facetField": "severity_text", "severityLevels": ["info"], "filterGroup": [own_severity, errors]}),
            values(&[("error", 3)]),
        ),
        (
            json!({"facetField": "service_name", "serviceNames": ["nobody"], "filterGroup": [own_service, errors]}),
            values(&[("api", 2), ("web", 1)]),
        ),
        (
            json!({"facetAttribute": "path", "filterGroup": [own_path, errors]}),
            values(&[("/a", 1), ("/b", 1), ("/c", 1)]),
        ),
        (json!({"facetResourceAttribute": "path", "filterGroup": [own_path]}), values(&[])),
        (json!({"facetAttribute": "path", "severityLevels": ["info"]}), values(&[("/a", 1), ("/c", 1)])),
        (json!({"facetField": "service_name", "severityLevels": ["warn"]}), values(&[("", 1)])),
        (json!({"facetField": "severity_text", "searchTerm": "/B"}), values(&[("error", 1)])),
        (
            json!({"facetResourceAttribute": "service.name", "filterGroup": [
                leaf("log_resource_attribute", "service.name", "exact", json!("web"))]}),
            values(&[("api", 3), ("web", 2), ("", 1)]),
        ),
        (json!({"facetResourceAttribute": "service.name", "serviceNames": ["web"]}), values(&[("web", 2)])),
    ] {
        assert_eq!(ask(&server, query.clone()).await, expected, "{query}");
    }
}

#[tokio::test]
async fn a_condition_inside_a_group_is_taken_to_hold() {
    let server = server().await;
    let nested = |connective: &str| {
        let group = json!({"type": connective, "values": [
            attribute("path", "exact", json!("/none")), attribute("status", "exact", json!(200))]});
        json!({"type": "AND", "values": [{"type": "AND", "values": [group]}]})
    };
    let either = json!({"facetAttribute": "path", "filterGroup": nested("OR")});
    assert_eq!(ask(&server, either).await, values(&[("/a", 3), ("/c", 2), ("/b", 1)]));
    let both = json!({"facetAttribute": "path", "filterGroup": nested("AND")});
    assert_eq!(ask(&server, both).await, values(&[("/a", 1), ("/c", 1)]));
}

#[tokio::test]
async fn a_session_is_no_condition_on_its_attribute() {
    let sessions = ["one", "one", "two"].map(|id| record_with(&[("sessionId", text(id)), ("k", text(id))]));
    let server = server_with(&[group("a", sessions.to_vec())]).await;
    for key in ["sessionId", "k"] {
        let of_session = |id: &str| json!({"facetAttribute": key, "sessionId": id});
        assert_eq!(ask(&server, of_session("one")).await, values(&[("one", 2)]), "{key}");
        assert_eq!(ask(&server, of_session("")).await, values(&[]), "{key}");
    }
    let of_person = json!({"facetAttribute": "k", "personId": "1"});
    assert_eq!(ask(&server, of_person).await, values(&[]));
}

#[tokio::test]
async fn several_facets_are_answered_at_once_each_without_its_own_conditions() {
    let server = server().await;
    let filter_group = [attribute("path", "exact", json!("/a")), attribute("status", "gte", json!(404))];
    let results = ask(
        &server,
        json!({"facetAttributes": ["status", "path", "none"], "facetResourceAttributes": ["service.name"],
            "filterGroup": filter_group}),
    )
    .await;
    let list = |key: &str, of: &[(&str, u64)]| json!({"key": key, "values": values(of)});
    assert_eq!(
        results,
        json!({
            "facetField": [],
            "facetResourceAttributes": [list("service.name", &[("", 1), ("api", 1)])],
            "facetAttributes": [
                list("status", &[("200", 1), ("404", 1), ("500", 1)]),
                list("path", &[("/a", 2), ("/b", 1), ("/c", 1)]),
                list("none", &[]),
            ],
        })
    );
}

#[tokio::test]
async fn a_facet_has_at_most_a_hundred_values() {
    let records = (0..120).map(|value| record_with(&[("k", text(&format!("v{value:03}")))])).collect();
    let server = server_with(&[group("a", records)]).await;
    let results = ask(&server, json!({"facetAttribute": "k"})).await;
    let results = results.as_array().expect("a list");
    assert_eq!(
        (results.len(), &results[0]["value"], &results[99]["value"]),
        (100, &json!("v000"), &json!("v099"))
    );
}

#[tokio::test]
async fn anything_but_one_facet_or_lists_is_400() {
    let server = server_with(&[]).await;
    let keys: Vec<String> = (0..51).map(|key| format!("k{key}")).collect();
    for query in [
        json!({}),
        json!({"facetField": null}),
        json!({"facetField": "message"}),
        json!({"facetField": 5}),
        json!({"facetField": "severity_text", "facetAttribute": "k"}),
        json!({"facetAttribute": "k", "facetResourceAttribute": "k"}),
        json!({"facetAttribute": "k", "facetAttributes": ["k"]}),
        json!({"facetAttributes": keys}),
        json!({"facetResourceAttributes": "k"}),
        json!({"facetAttributes": [null]}),
        json!({"facetAttribute": "k", "facetSearch": 5}),
        json!({"facetAttribute": "k", "severityLevels": ["loud"]}),
    ] {
        let (status, answer) = server.ask("facet_values", &query).await;
        assert_eq!((status.as_u16(), &answer["code"]), (400, &json!("parse_error")), "{query}: {answer}");
    }
    let own = json!({"facetAttribute": "k", "filterGroup": [attribute("k", "regex", json!("("))]});
    let (status, answer) = server.ask("facet_values", &own).await;
    assert!(status == 400 && answer["error"].is_string(), "{answer}");
}
