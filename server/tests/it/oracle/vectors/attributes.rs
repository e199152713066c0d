//! Filters on attributes of records and resources: each operator and how it compares.

use serde_json::json;

use super::super::sent::{Group, Value};
use super::{
    attribute, bodies, check, count, day, group, leaf, record, record_with, records, server_with, text,
};

#[tokio::test]
async fn is_not_also_takes_rows_without_the_key() {
    let tagged = (0..1000).map(|_| record_with(&[("logtag", text("F"))])).collect();
    let untagged = (0..11).map(|_| record("untagged")).collect();
    let server = server_with(&[group("a", tagged), group("a", untagged)]).await;
    let number = async |operator| {
        count(&server, &day(json!({"filterGroup": [attribute("logtag", operator, json!(["F"]))]}))).await
    };
    assert_eq!(number("exact").await, 1000);
    assert_eq!(number("is_not").await, 11);
}

#[tokio::test]
async fn attributes_are_numbers_when_every_operand_is_one() {
    let named = [
        ("0.5", Some(Value::Double(0.5))),
        ("404", Some(Value::Int(404))),
        ("500", Some(Value::Int(500))),
        ("500.0", Some(text("500.0"))),
        ("5e2", Some(text("5e2"))),
        ("absent", None),
        ("empty", Some(text(""))),
        ("word", Some(text("word"))),
    ];
    let server = server_with(&[group("a", records("n", &named))]).await;
    let all_500 = ["500", "500.0", "5e2"];
    check(&server, attribute("n", "exact", json!("500")), &all_500).await;
    check(&server, attribute("n", "exact", json!(500)), &all_500).await;
    check(&server, attribute("n", "exact", json!(["500.00"])), &all_500).await;
    check(&server, attribute("n", "in", json!(["500", 404])), &["404", "500", "500.0", "5e2"]).await;
    check(&server, attribute("n", "exact", json!(["500", "word"])), &["500", "word"]).await;
    check(&server, attribute("n", "is_not", json!("5e2")), &["0.5", "404", "absent", "empty", "word"]).await;
    check(&server, attribute("n", "gt", json!("404")), &all_500).await;
    check(&server, attribute("n", "gte", json!(404)), &["404", "500", "500.0", "5e2"]).await;
    check(&server, attribute("n", "lt", json!(9)), &["0.5"]).await;
    check(&server, attribute("n", "max", json!(["0.5"])), &["0.5"]).await;
    check(&server, attribute("n", "between", json!([0.5, "404"])), &["0.5", "404"]).await;
    check(&server, attribute("n", "gt", json!("w")), &["word"]).await;
}

#[tokio::test]
async fn text_operators_search_text_even_for_numbers() {
    let named = [("url", Some(text("/status/404"))), ("number", Some(Value::Int(4041))), ("absent", None)];
    let server = server_with(&[group("a", records("path", &named))]).await;
    check(&server, attribute("path", "icontains", json!("404")), &["number", "url"]).await;
    check(&server, attribute("path", "icontains", json!(404)), &["number", "url"]).await;
    check(&server, attribute("path", "not_icontains", json!("/404")), &["absent", "number"]).await;
    check(&server, attribute("path", "regex", json!("404$")), &["url"]).await;
    check(&server, attribute("path", "not_regex", json!("404$")), &["absent", "number"]).await;
    check(&server, attribute("path", "starts_with", json!("404")), &["number"]).await;
    check(&server, attribute("path", "ends_with", json!("404")), &["url"]).await;
    check(&server, attribute("path", "icontains_multi", json!(["nothing", "STATUS"])), &["url"]).await;
}

#[tokio::test]
async fn is_set_needs_no_value_and_an_empty_text_is_set() {
    let named = [("set", Some(text("x"))), ("empty", Some(text(""))), ("absent", None)];
    let server = server_with(&[group("a", records("k", &named))]).await;
    for value in [json!("is_set"), json!(""), json!(null), json!([])] {
        check(&server, attribute("k", "is_set", value.clone()), &["empty", "set"]).await;
        check(&server, attribute("k", "is_not_set", value), &["absent"]).await;
    }
    let valueless = json!({"type": "log_attribute", "key": "k", "operator": "is_set"});
    check(&server, valueless, &["empty", "set"]).await;
    let column = |operator| leaf("log", "message", operator, json!(null));
    check(&server, column("is_set"), &["absent", "empty", "set"]).await;
    check(&server, column("is_not_set"), &[]).await;
}

#[tokio::test]
async fn leaves_without_a_value_say_nothing() {
    let named = [("set", Some(text("x"))), ("absent", None)];
    let server = server_with(&[group("a", records("k", &named))]).await;
    for value in [json!(""), json!(null), json!([])] {
        check(&server, attribute("k", "exact", value.clone()), &["absent", "set"]).await;
        check(&server, leaf("log", "service_name", "exact", value.clone()), &["absent", "set"]).await;
        check(&server, leaf("log", "severity_level", "is_not", value), &["absent", "set"]).await;
    }
    check(&server, leaf("log", "message", "exact", json!([])), &["absent", "set"]).await;
    check(&server, leaf("log_resource_attribute", "k", "regex", json!([])), &["absent", "set"]).await;
}

#[tokio::test]
async fn versions_compare_by_their_numbers() {
    let versions = ["0.10.1", "0.2.3", "1.10.0", "1.2", "1.2.10", "1.2.3", "2.0.0-rc.1", "latest"];
    let named: Vec<_> = versions.iter().map(|version| (*version, Some(text(version)))).collect();
    let server = server_with(&[group("a", records("v", &named))]).await;
    let cases: [(&str, &str, &[&str]); 9] = [
        ("semver_eq", "1.2.0", &["1.2"]),
        ("semver_eq", "2", &["2.0.0-rc.1"]),
        ("semver_gt", "1.9", &["1.10.0", "2.0.0-rc.1"]),
        ("semver_gte", "1.2.10", &["1.10.0", "1.2.10", "2.0.0-rc.1"]),
        ("semver_lt", "1.2", &["0.10.1", "0.2.3"]),
        ("semver_lte", "0.2.3", &["0.2.3"]),
        ("semver_tilde", "1.2.3", &["1.2.10", "1.2.3"]),
        ("semver_caret", "1.2.3", &["1.10.0", "1.2.10", "1.2.3"]),
        ("semver_wildcard", "1.2.*", &["1.2", "1.2.10", "1.2.3"]),
    ];
    for (operator, version, expected) in cases {
        check(&server, attribute("v", operator, json!(version)), expected).await;
    }
    check(&server, attribute("v", "semver_caret", json!("0.2.3")), &["0.2.3"]).await;
}

#[tokio::test]
async fn dates_compare_as_instants_and_may_be_relative() {
    let dates =
        ["2024-02-29T12:00:00Z", "2024-02-29 13:00:00+01:00", "2024-03-01", "2025-12-16T21:00:00Z", "soon"];
    let named: Vec<_> = dates.iter().map(|date| (*date, Some(text(date)))).collect();
    let server = server_with(&[group("a", records("d", &named))]).await;
    let [noon, same, march, recent, _] = dates;
    check(&server, attribute("d", "is_date_exact", json!("2024-02-29T12:00:00")), &[same, noon]).await;
    check(&server, attribute("d", "is_date_exact", json!("2024-3-1")), &[march]).await;
    check(&server, attribute("d", "is_date_before", json!("2024-03-01")), &[same, noon]).await;
    check(&server, attribute("d", "is_date_after", json!("2024-02-29T12:00:00Z")), &[march, recent]).await;
    check(&server, attribute("d", "is_date_after", json!("-2h")), &[recent]).await;
    check(&server, attribute("d", "is_date_before", json!("-1h")), &[same, noon, march, recent]).await;
}

fn resource(attributes: &[(&str, &str)], body: &str) -> Group {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), text(value)));
    Group { resource: attributes.collect(), scope: None, records: vec![record(body)] }
}

#[tokio::test]
async fn resource_filters_exclude_what_any_negative_leaf_excludes() {
    let server = server_with(&[
        resource(&[("container", "envoy"), ("namespace", "web")], "envoy"),
        resource(&[("container", "app"), ("namespace", "kube-system")], "system"),
        resource(&[("container", "app"), ("namespace", "web")], "app"),
        resource(&[("port", "9")], "nine"),
        resource(&[("port", "10")], "ten"),
    ])
    .await;
    let is = |key, operator, value| leaf("log_resource_attribute", key, operator, value);
    let both =
        json!([is("container", "is_not", json!("envoy")), is("namespace", "is_not", json!("kube-system"))]);
    assert_eq!(bodies(&server, &day(json!({"filterGroup": both}))).await, ["app", "nine", "ten"]);
    let contradiction =
        json!([is("container", "exact", json!("app")), is("container", "is_not", json!("app"))]);
    assert_eq!(count(&server, &day(json!({"filterGroup": contradiction}))).await, 0);
    check(&server, is("port", "gt", json!("10")), &["nine"]).await;
    check(&server, is("port", "lt", json!("9")), &["ten"]).await;
    check(&server, is("port", "gt", json!("0")), &["nine", "ten"]).await;
    check(&server, is("port", "exact", json!(10)), &["ten"]).await;
}
