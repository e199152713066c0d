//! Filters on columns, the shapes of `filterGroup`, and search.

use serde_json::{Value as Json, json};

use super::super::harness::Server;
use super::super::sent::Record;
use super::{
    attribute, bodies, check, count, day, group, leaf, record, record_with, records, rows, server_with, text,
};

#[tokio::test]
async fn every_shape_of_a_filter_group_is_understood() {
    let named = [("1", Some(text("1x"))), ("2", Some(text("2x"))), ("none", None)];
    let server = server_with(&[group("a", records("k", &named))]).await;
    let one = attribute("k", "icontains", json!("1"));
    let any = attribute("k", "icontains", json!("x"));
    let and = |values: Json| json!({"type": "AND", "values": values});
    let or = |values: Json| json!({"type": "OR", "values": values});
    let everything = ["1", "2", "none"];
    let cases: [(Json, &[&str]); 14] = [
        (json!(null), &everything),
        (json!([]), &everything),
        (and(json!([])), &everything),
        (and(json!([and(json!([]))])), &everything),
        (json!([one, any]), &["1"]),
        (and(json!([one, any])), &["1"]),
        (and(json!([and(json!([one, any]))])), &["1"]),
        (or(json!([or(json!([one, any]))])), &["1"]),
        (and(json!([and(json!([one])), and(json!([any]))])), &["1"]),
        (or(json!([and(json!([one])), and(json!([any]))])), &["1"]),
        (and(json!([and(json!([or(json!([one, any]))]))])), &["1", "2"]),
        (and(json!([and(json!([and(json!([one, any]))]))])), &["1"]),
        (and(json!([and(json!([any, or(json!([one]))]))])), &["1"]),
        (and(json!([and(json!([or(json!([one])), or(json!([any]))]))])), &["1"]),
    ];
    for (filter_group, expected) in cases {
        let query = day(json!({"filterGroup": filter_group}));
        assert_eq!(bodies(&server, &query).await, expected, "{filter_group}");
        assert_eq!(count(&server, &query).await, expected.len() as u64, "{filter_group}");
    }
    assert_eq!(bodies(&server, &day(json!({}))).await, everything);
}

#[tokio::test]
async fn nested_groups_hold_attribute_leaves_only() {
    let server = Server::start().await;
    let column = leaf("log", "message", "exact", json!("x"));
    let of_resource = leaf("log_resource_attribute", "k", "exact", json!("x"));
    let mixed = json!([attribute("k", "exact", json!("x")), column.clone()]);
    for nested in [json!([]), json!([column]), json!([of_resource]), mixed] {
        let inner = json!({"type": "AND", "values": [{"type": "OR", "values": nested}]});
        let query = day(json!({"filterGroup": {"type": "AND", "values": [inner]}}));
        for endpoint in ["query", "count", "sparkline"] {
            let (status, answer) = server.ask(endpoint, &query).await;
            assert_eq!(status, 400, "{endpoint} {query}: {answer}");
        }
    }
}

#[tokio::test]
async fn message_and_body_are_the_same_column() {
    let server = server_with(&[group("a", vec![record("Error 1"), record("error 2"), record("")])]).await;
    for key in ["message", "body"] {
        let is = |operator, value| leaf("log", key, operator, value);
        check(&server, is("exact", json!("Error 1")), &["Error 1"]).await;
        check(&server, is("exact", json!("")), &[""]).await;
        check(&server, is("icontains", json!("ERROR")), &["Error 1", "error 2"]).await;
        check(&server, is("regex", json!("^error")), &["error 2"]).await;
        check(&server, is("regex", json!("(?i)^error")), &["Error 1", "error 2"]).await;
        check(&server, is("not_regex", json!(["1$", "2$"])), &[""]).await;
    }
}

#[tokio::test]
async fn severity_level_and_service_name_are_columns() {
    let with_number = |number, body| Record { severity_number: number, ..record(body) };
    let records = vec![with_number(9, "info"), with_number(17, "error"), with_number(30, "unknown")];
    let server = server_with(&[group("web", records), group("", vec![with_number(9, "unnamed")])]).await;
    let level = |operator, value| leaf("log", "severity_level", operator, value);
    check(&server, level("exact", json!(["error", "unknown"])), &["error", "unknown"]).await;
    check(&server, level("is_not", json!("info")), &["error", "unknown"]).await;
    check(&server, level("icontains", json!("error")), &["error"]).await;
    check(&server, leaf("log", "service_name", "icontains", json!("WE")), &["error", "info", "unknown"])
        .await;

    let selected = async |query| bodies(&server, &day(query)).await;
    assert_eq!(selected(json!({"severityLevels": ["info", "fatal"]})).await, ["info", "unnamed"]);
    assert_eq!(selected(json!({"serviceNames": [""]})).await, ["unnamed"]);
    assert_eq!(selected(json!({"serviceNames": ["Web"]})).await, [""; 0]);
    let none = json!({"serviceNames": null, "severityLevels": null, "searchTerm": null, "filterGroup": null});
    assert_eq!(selected(none).await.len(), 4);
}

#[tokio::test]
async fn ids_are_read_as_hexadecimal_or_base64_and_written_in_capitals() {
    let with_ids = Record {
        trace_id: b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef".to_vec(),
        span_id: b"\xfe\xdc\xba\x98\x76\x54\x32\x10".to_vec(),
        ..record("ids")
    };
    let odd = Record { trace_id: vec![1; 8], span_id: vec![2; 16], ..record("odd") };
    let server = server_with(&[group("a", vec![with_ids]), group("a", vec![record("none"), odd])]).await;
    let is = |key, operator, value| leaf("log", key, operator, value);
    for id in
        ["0123456789ABCDEF0123456789ABCDEF", "0123456789abcdef0123456789abcdef", "ASNFZ4mrze8BI0VniavN7w=="]
    {
        check(&server, is("trace_id", "exact", json!(id)), &["ids"]).await;
        check(&server, is("trace_id", "is_not", json!([id])), &["none", "odd"]).await;
    }
    check(&server, is("span_id", "exact", json!("/ty6mHZUMhA=")), &["ids"]).await;
    let rows = rows(&server, &day(json!({"orderBy": "earliest"}))).await;
    let ids_of = |body: &str| {
        let row = rows.iter().find(|row| row["body"] == body).expect("a row");
        (row["trace_id"].clone(), row["span_id"].clone())
    };
    assert_eq!(ids_of("ids"), (json!("0123456789ABCDEF0123456789ABCDEF"), json!("FEDCBA9876543210")));
    for body in ["none", "odd"] {
        assert_eq!(ids_of(body), (json!("0".repeat(32)), json!("0".repeat(16))));
    }
}

#[tokio::test]
async fn search_is_literal_and_ignores_the_case_of_every_script() {
    let all =
        ["100%", "5 \u{212a}elvin", "50%off", "50ABCoff", "ΟΔΟΣ", "a\\b", "a_b", "pa\u{17f}s", "\u{130}i"];
    let server = server_with(&[group("a", all.iter().map(|body| record(body)).collect())]).await;
    let cases: [(&str, &[&str]); 12] = [
        ("50%off", &["50%off"]),
        ("%", &["100%", "50%off"]),
        ("_", &["a_b"]),
        ("\\", &["a\\b"]),
        ("A_B", &["a_b"]),
        ("KELVIN", &["5 \u{212a}elvin"]),
        ("\u{212a}", &["5 \u{212a}elvin"]),
        ("οδος", &["ΟΔΟΣ"]),
        ("οδοσ", &["ΟΔΟΣ"]),
        ("PASS", &["pa\u{17f}s"]),
        ("\u{130}", &["\u{130}i"]),
        ("0 0", &[]),
    ];
    for (term, expected) in cases {
        assert_eq!(bodies(&server, &day(json!({"searchTerm": term}))).await, expected, "{term}");
        check(&server, leaf("log", "message", "icontains", json!(term)), expected).await;
    }
    assert_eq!(bodies(&server, &day(json!({"searchTerm": ""}))).await.len(), all.len());
}

#[tokio::test]
async fn a_person_nobody_knows_and_a_blank_session_match_nothing() {
    let session = |value: &str| record_with(&[("sessionId", text(value))]);
    let server = server_with(&[group("a", vec![session("s1"), session("s2"), record("none")])]).await;
    for (query, expected) in [
        (json!({"personId": "0190f6a0-0000-7000-8000-000000000000"}), 0),
        (json!({"personId": "17"}), 0),
        (json!({"personId": ""}), 0),
        (json!({"sessionId": "s1"}), 1),
        (json!({"sessionId": ""}), 0),
        (json!({"personId": null, "sessionId": null}), 3),
    ] {
        assert_eq!(count(&server, &day(query.clone())).await, expected, "{query}");
        assert_eq!(rows(&server, &day(query.clone())).await.len() as u64, expected, "{query}");
    }
}
