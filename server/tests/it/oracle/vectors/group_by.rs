//! Rows by value: dimensions, order, limits, refusals.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::{Record, Value};
use super::{DAY, day, group, record, record_at, record_with, server_with, text};

async fn groups(server: &Server, query: &Json) -> Json {
    let (status, answer) = server.ask("group-by", query).await;
    assert_eq!(status, 200, "{query}: {answer}");
    answer
}

/// The groups as pairs of value and count, then the totals.
async fn summary(server: &Server, query: Json) -> Json {
    let answer = groups(server, &day(query)).await;
    let pairs = answer["groups"].as_array().expect("groups").iter();
    let pairs: Vec<Json> = pairs.map(|group| json!([group["value"], group["log_count"]])).collect();
    json!([pairs, answer["total_groups"], answer["total_logs"], answer["truncated"]])
}

fn at(time: &str, severity_number: i32, route: &str) -> Record {
    let attributes = vec![("route".to_owned(), text(route))];
    Record { severity_number, attributes, ..record_at(&format!("{DAY}T{time}Z"), "x") }
}

#[tokio::test]
async fn groups_have_counts_errors_and_the_time_of_the_newest_row() {
    let records = vec![at("12:00:00", 17, "/a"), at("13:00:00.000001", 21, "/a"), at("11:00:00", 9, "/a")];
    let server = server_with(&[group("a", records), group("b", vec![at("12:00:00", 9, "/b")])]).await;
    let answer = groups(&server, &day(json!({"groupBy": "route", "groupBySource": "log"}))).await;
    let expected = json!({
        "groups": [
            {"value": "/a", "values": ["/a"], "log_count": 3, "error_count": 2, "last_seen": "2025-12-16T13:00:00.000001Z"},
            {"value": "/b", "values": ["/b"], "log_count": 1, "error_count": 0, "last_seen": "2025-12-16T12:00:00Z"},
        ],
        "total_groups": 2, "total_logs": 4, "truncated": false,
    });
    assert_eq!(answer, expected);
    let list = groups(&server, &day(json!({"groupBys": [{"key": "route", "source": "log"}]}))).await;
    assert_eq!(list, expected, "the list of one is the single form");
}

#[tokio::test]
async fn rows_without_the_key_or_with_an_empty_value_are_left_out() {
    let with = |value: &str| record_with(&[("k", text(value))]);
    let records = vec![with("x"), with(""), record("none"), with(" "), record_with(&[("k", Value::Int(5))])];
    let server = server_with(&[group("a", records), group("", vec![with("x")])]).await;
    let expected = json!([[["x", 2], [" ", 1], ["5", 1]], 3, 4, false]);
    assert_eq!(summary(&server, json!({"groupBy": "k"})).await, expected);
    let service = json!({"groupBy": "service.name", "groupBySource": "resource"});
    assert_eq!(summary(&server, service).await, json!([[["a", 5]], 1, 5, false]));
    assert_eq!(summary(&server, json!({"groupBy": "nowhere"})).await, json!([[], 0, 0, false]));
    // Keys are looked for in their own place only.
    assert_eq!(summary(&server, json!({"groupBy": "service.name"})).await, json!([[], 0, 0, false]));
}

#[tokio::test]
async fn columns_are_severity_and_ids_as_upper_case_hexadecimal_digits() {
    let mut traced = Record { severity_number: 17, ..record("x") };
    traced.trace_id = (0..16).map(|byte| byte * 16 + 10).collect();
    traced.span_id = vec![0xab; 8];
    let server = server_with(&[group("a", vec![traced, record("y"), record("z")])]).await;
    let by =
        async |column: &str| summary(&server, json!({"groupBy": column, "groupBySource": "column"})).await;
    assert_eq!(by("severity_level").await, json!([[["info", 2], ["error", 1]], 2, 3, false]));
    assert_eq!(by("trace_id").await, json!([[["0A1A2A3A4A5A6A7A8A9AAABACADAEAFA", 1]], 1, 1, false]));
    assert_eq!(by("span_id").await, json!([[["ABABABABABABABAB", 1]], 1, 1, false]));
}

#[tokio::test]
async fn several_dimensions_group_by_all_of_their_values() {
    let route = |route: &str, severity_number| at("12:00:00", severity_number, route);
    let server = server_with(&[
        group("web", vec![route("/a", 9), route("/a", 9), route("/b", 17), record("no route")]),
        group("api", vec![route("/a", 9)]),
    ])
    .await;
    let dimensions = json!([
        {"key": "service.name", "source": "resource"}, {"key": "route", "source": "log"},
        {"key": "severity_level", "source": "column"},
    ]);
    let answer = groups(&server, &day(json!({"groupBys": dimensions}))).await;
    let values: Vec<&Json> =
        answer["groups"].as_array().expect("groups").iter().map(|group| &group["values"]).collect();
    assert_eq!(json!(values), json!([["web", "/a", "info"], ["api", "/a", "info"], ["web", "/b", "error"]]));
    assert_eq!(answer["groups"][0]["value"], "web, /a, info");
    assert_eq!((&answer["total_groups"], &answer["total_logs"]), (&json!(3), &json!(4)));
    // The same dimension twice says nothing more.
    let twice = json!({"groupBys": [{"key": "route"}, {"key": "route"}]});
    assert_eq!(groups(&server, &day(twice)).await["groups"][0]["values"], json!(["/a", "/a"]));
}

#[tokio::test]
async fn the_order_is_descending_and_ties_go_by_value() {
    let server = server_with(&[group(
        "a",
        vec![
            at("12:00:00", 9, "many"),
            at("12:00:00", 9, "many"),
            at("12:00:00", 17, "bad"),
            at("12:00:00", 17, "also-bad"),
            at("12:00:00.000001", 9, "new"),
        ],
    )])
    .await;
    for (order, expected) in [
        (json!(null), ["many", "also-bad", "bad", "new"]),
        (json!("log_count"), ["many", "also-bad", "bad", "new"]),
        (json!("error_count"), ["also-bad", "bad", "many", "new"]),
        (json!("last_seen"), ["new", "also-bad", "bad", "many"]),
    ] {
        let answer = groups(&server, &day(json!({"groupBy": "route", "orderGroupsBy": order}))).await;
        let found = answer["groups"].as_array().expect("groups").iter();
        let found: Vec<&str> = found.map(|group| group["value"].as_str().expect("a value")).collect();
        assert_eq!(found, expected, "{order}");
    }
}

#[tokio::test]
async fn a_limit_cuts_groups_and_the_totals_say_so() {
    let records = (0..600).map(|index| record_with(&[("k", text(&format!("v{index:03}")))]));
    let server =
        server_with(&[group("a", records.collect()), group("b", vec![record_with(&[("k", text("v599"))])])])
            .await;
    for (limit, num_groups) in [
        (json!(null), 100),
        (json!(1), 1),
        (json!(500), 500),
        (json!(501), 500),
        (json!(0), 1),
        (json!(-9), 1),
    ] {
        let answer = groups(&server, &day(json!({"groupBy": "k", "limit": limit}))).await;
        assert_eq!(answer["groups"].as_array().expect("groups").len(), num_groups, "{limit}");
        let totals = json!([answer["total_groups"], answer["total_logs"], answer["truncated"]]);
        assert_eq!(totals, json!([600, 601, true]), "{limit}");
        assert_eq!(
            (&answer["groups"][0]["value"], &answer["groups"][0]["log_count"]),
            (&json!("v599"), &json!(2))
        );
    }
    let few = json!({"groupBy": "k", "limit": 2, "filterGroup": [super::attribute("k", "in", json!(["v1", "v001", "v002"]))]});
    assert_eq!(summary(&server, few).await, json!([[["v001", 1], ["v002", 1]], 2, 2, false]));
}

#[tokio::test]
async fn the_end_of_the_range_is_outside_and_the_last_hour_is_the_default() {
    let server = server_with(&[group("a", vec![at("12:00:00", 9, "/a"), at("22:00:00", 9, "/b")])]).await;
    let noon =
        json!({"groupBy": "route", "dateRange": {"date_from": DAY, "date_to": "2025-12-16T12:00:00Z"}});
    assert_eq!(groups(&server, &noon).await["total_logs"], 0);
    let recent = groups(&server, &json!({"groupBy": "route"})).await;
    assert_eq!((&recent["total_logs"], &recent["groups"][0]["value"]), (&json!(1), &json!("/b")));
    let all = groups(&server, &json!({"groupBy": "route", "dateRange": {"date_from": "all"}})).await;
    assert_eq!(all["total_logs"], 2);
}

#[tokio::test]
async fn arguments_that_make_no_sense_are_400_in_the_simple_form() {
    let server = Server::start().await;
    for arguments in [
        json!({}),
        json!({"groupBy": ""}),
        json!({"groupBy": null, "groupBys": null}),
        json!({"groupBy": 5}),
        json!({"groupBy": "k", "groupBySource": "nowhere"}),
        json!({"groupBy": "body", "groupBySource": "column"}),
        json!({"groupBys": []}),
        json!({"groupBys": "k"}),
        json!({"groupBys": ["k"]}),
        json!({"groupBys": [{"source": "log"}]}),
        json!({"groupBys": vec![json!({"key": "k"}); 11]}),
        json!({"groupBys": [{"key": "k"}], "groupBy": "k"}),
        json!({"groupBy": "k", "orderGroupsBy": "value"}),
        json!({"groupBy": "k", "limit": "many"}),
    ] {
        let (status, answer) = server.ask("group-by", &day(arguments.clone())).await;
        assert_eq!(status, 400, "{arguments}: {answer}");
        assert!(answer["error"].is_string(), "{arguments}: {answer}");
        assert_eq!(answer.as_object().map(|members| members.len()), Some(1), "{arguments}: {answer}");
    }
}
