//! Every filter, alone and wrong.

use serde_json::{Value, json};
use server::meta::Level;

use super::super::harness::TestServer;
use super::super::people::person;
use super::{LIST, get, items, things, write};

async fn varied() -> (TestServer, String) {
    let server = TestServer::start().await;
    let other = person(&server, "other", Level::MEMBER).await;
    let change = |field: &str, after: Value| {
        json!({ "name": "Check Out", "changes": [
        { "type": "Thing", "action": "changed", "field": field, "before": null, "after": after }] })
    };
    let mut six = change("last", json!(42.0));
    six["changes"] = (0..8).map(|number| json!({ "field": format!("f{number}"), "after": number })).collect();
    write(
        &server,
        &[
            json!({ "detail": change("enabled", json!(false)), "client": "web" }),
            json!({ "detail": change("name", json!("5")), "ip_address": "10.0.0.1", "activity": "created" }),
            json!({ "user": other.uuid, "detail": { "context": { "level": "administrator" }, "tags": ["a", "b"] } }),
            json!({ "user": null, "activity": "deleted", "ip_address": "2001:db8::1" }),
            json!({ "detail": { "name": "100%_ ÉTÉ" }, "was_impersonated": true }),
            json!({ "detail": six, "created_at": "2025-12-16T10:00:05.000001Z" }),
        ],
    )
    .await;
    (server, other.uuid)
}

#[tokio::test]
async fn filters_let_through_what_they_say() {
    let (server, other) = varied().await;
    let upper = other.to_uppercase();
    let as_array = format!("[\"{other}\"]");
    for (parameters, expected) in [
        (&[][..], vec!["5", "4", "3", "2", "1", "0"]),
        (&[("ordering", "created_at")], vec!["0", "1", "2", "3", "4", "5"]),
        (&[("activities", "created"), ("activities", "deleted")], vec!["3", "1"]),
        (&[("activities", r#"["created","deleted"]"#)], vec!["3", "1"]),
        (&[("activities[0]", "created"), ("activities[1]", "deleted")], vec!["3", "1"]),
        (&[("activities", "created,deleted")], vec![]),
        (&[("activities", "Created")], vec![]),
        (&[("clients", "web")], vec!["0"]),
        (&[("item_ids", "2"), ("item_ids", "4")], vec!["4", "2"]),
        (&[("users", other.as_str())], vec!["2"]),
        (&[("users", upper.as_str())], vec!["2"]),
        (&[("users", as_array.as_str())], vec!["2"]),
        (&[("users", "00000000-0000-0000-0000-000000000000")], vec![]),
        (&[("is_system", "true")], vec!["3"]),
        (&[("is_system", "0"), ("was_impersonated", "off")], vec!["5", "2", "1", "0"]),
        (&[("is_system", "null"), ("was_impersonated", "")], vec!["5", "4", "3", "2", "1", "0"]),
        (&[("was_impersonated", "T")], vec!["4"]),
        (&[("ip_addresses", "10.0.0.1")], vec!["1"]),
        (&[("ip_addresses", "10.*"), ("ip_addresses", "*:DB8::1")], vec!["3", "1"]),
        (&[("team_ids", "1"), ("team_ids", "7")], vec!["5", "4", "3", "2", "1", "0"]),
        (&[("team_ids", "7")], vec![]),
        (&[("start_date", "2025-12-16T10:00:05.000001Z")], vec!["5"]),
        (&[("end_date", "2025-12-16T10:00:05Z"), ("start_date", "2025-12-16T11:00:04+01:00")], vec!["4"]),
        (&[("start_date", "2025-12-16"), ("end_date", "2025-12-16")], vec![]),
        (&[("search_text", "  check OUT ")], vec!["5", "1", "0"]),
        (&[("search_text", "\"field\": \"ENABLED\"")], vec!["0"]),
        (&[("search_text", "%_ été")], vec!["4"]),
        (&[("search_text", "deleted")], vec![]),
        (&[("hogql_filter", "activity = 'deleted' OR client = 'web'")], vec!["3", "0"]),
    ] {
        assert_eq!(items(&things(&server, parameters).await), expected, "{parameters:?}");
    }
}

#[tokio::test]
async fn details_are_filtered_by_their_members() {
    let (server, _) = varied().await;
    for (filters, expected) in [
        (json!({ "name": { "operation": "contains", "value": "check" } }), vec!["5", "1", "0"]),
        (json!({ "name": { "value": "check out" } }), vec![]),
        (json!({ "name": { "operation": "equals", "value": "Check Out" } }), vec!["5", "1", "0"]),
        (json!({ "changes[].field": { "operation": "exact", "value": "enabled" } }), vec!["0"]),
        (json!({ "changes[].field": { "value": "f7" } }), vec!["5"]),
        (json!({ "changes.7.field": { "value": "f7" } }), vec!["5"]),
        (json!({ "changes[].after": { "operation": "in", "value": ["false", "5"] } }), vec!["5", "1", "0"]),
        (json!({ "changes[].after": { "operation": "in", "value": [] } }), vec![]),
        (json!({ "context.level": { "value": "administrator" } }), vec!["2"]),
        (json!({ "tags[]": { "value": "b" } }), vec!["2"]),
        (json!({ "name": { "operation": "contains", "value": "%_" } }), vec!["4"]),
        (json!({ "name": { "value": null } }), vec!["5", "4", "3", "2", "1", "0"]),
        (json!({ "name": { "value": "Check Out" }, "changes[].field": { "value": "name" } }), vec!["1"]),
    ] {
        let text = filters.to_string();
        assert_eq!(items(&things(&server, &[("detail_filters", &text)]).await), expected, "{text}");
    }
}

#[tokio::test]
async fn what_is_no_filter_is_refused_by_name() {
    let server = TestServer::start().await;
    let lists = r#"{"a[].b[].c[].d[]": {"value": "x"}}"#;
    let many: Value = (0..101)
        .map(|number| (number.to_string(), json!({ "value": 1 })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let many = many.to_string();
    for (name, value, attr) in [
        ("start_date", "yesterday", "start_date"),
        ("end_date", "2025-13-01", "end_date"),
        ("users", "1", "users__0"),
        ("users", r#"["00000000-0000-0000-0000-000000000000", "x"]"#, "users__1"),
        ("team_ids", "x", "team_ids__0"),
        ("scopes", "", "scopes__0"),
        ("is_system", "2", "is_system"),
        ("was_impersonated", "maybe", "was_impersonated"),
        ("ip_addresses", "10.0.0.300", "ip_addresses__0"),
        ("detail_filters", "{", "detail_filters"),
        ("detail_filters", "[]", "detail_filters"),
        ("detail_filters", r#"{"a": {"operation": "like", "value": 1}}"#, "detail_filters"),
        ("detail_filters", r#"{"a__b": {"value": 1}}"#, "detail_filters"),
        ("detail_filters", r#"{"a.": {"value": 1}}"#, "detail_filters"),
        ("detail_filters", r#"{"a": {"value": {}}}"#, "detail_filters"),
        ("detail_filters", lists, "detail_filters"),
        ("detail_filters", &many, "detail_filters"),
        ("hogql_filter", "scope = ", "hogql_filter"),
        ("hogql_filter", "1 = (SELECT 1)", "hogql_filter"),
        ("schema", "ocsf", "schema"),
    ] {
        let (status, _, found) = get(&server, LIST, &[(name, value)]).await.refusal();
        assert_eq!((status, found), (400, json!(attr)), "{name}={value}");
    }
    let position = get(&server, LIST, &[("hogql_filter", "scope = 'a' AND secret = 1")]).await.json();
    assert!(position["detail"].as_str().unwrap().contains("Line: 1, Column: 17"), "{position}");
    assert_eq!(get(&server, LIST, &[("unknown", "x")]).await.status, 200);
}

#[tokio::test]
async fn what_can_be_filtered_by_is_told() {
    let (server, other) = varied().await;
    let path = "/api/projects/1/advanced_activity_logs/available_filters/";
    let answer = get(&server, path, &[]).await.json();
    let filters = &answer["static_filters"];
    let values = |name: &str| -> Vec<&str> {
        filters[name].as_array().unwrap().iter().map(|value| value["value"].as_str().unwrap()).collect()
    };
    assert!(values("scopes").contains(&"Thing") && values("scopes").is_sorted());
    assert!(values("activities").contains(&"deleted"));
    assert_eq!(values("clients"), ["web"]);
    let labels = filters["users"].as_array().unwrap();
    assert!(labels.contains(&json!({ "value": other, "label": "other" })), "{labels:?}");
    let fields = &answer["detail_fields"];
    assert_eq!(
        fields["General"],
        json!({ "fields": [
            { "name": "changes[].type", "types": ["string"] },
            { "name": "changes[].action", "types": ["string"] },
            { "name": "changes[].field", "types": ["string"] },
            { "name": "changes[].before", "types": ["any"] },
            { "name": "changes[].after", "types": ["any"] },
        ] })
    );
    let things = fields["Thing"]["fields"].as_array().unwrap();
    for (name, types) in [
        ("name", json!(["string"])),
        ("changes", json!(["array"])),
        ("changes[].after", json!(["boolean", "number", "string"])),
        ("context", json!(["object"])),
        ("context.level", json!(["string"])),
        ("tags[]", json!(["string"])),
        ("changes[].before", json!(["null"])),
    ] {
        assert!(things.contains(&json!({ "name": name, "types": types })), "{name}: {things:?}");
    }
}
