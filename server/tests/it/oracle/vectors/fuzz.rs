//! Whatever is sent, no answer is a server error, and the server goes on.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};
use tokio::runtime::Runtime;

use super::super::facets::percent_encoded;
use super::super::harness::Server;
use super::super::sent::{Encoding, encode};
use super::super::strategies::dataset;
use super::{count, day, group, record, record_with, server_with, text};

/// Requests in a plain run; `TIMBERLINE_TEST_CASES` multiplies it.
const NUM_CASES: u32 = 300;

fn config() -> Config {
    let factor =
        std::env::var("TIMBERLINE_TEST_CASES").map_or(1, |text| text.parse().expect("a whole number"));
    Config { cases: NUM_CASES * factor, failure_persistence: None, ..Config::default() }
}

/// Any JSON, with the words of the API among its texts.
fn any_json() -> impl Strategy<Value = Json> {
    let words = select(vec![
        "-1h",
        "all",
        "log",
        "log_attribute",
        "log_resource_attribute",
        "AND",
        "OR",
        "exact",
        "between",
        "regex",
        "message",
        "timestamp",
        "uuid",
        "earliest",
        "info",
        "service",
        "is_date_before",
        "semver_caret",
        "column",
        "resource",
        "trace_id",
        "severity_level",
        "last_seen",
    ]);
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        words.prop_map(Json::from),
        "-?[0-9]{1,19}[hdwmqysHMS](Start|End)?".prop_map(Json::from),
        "[0-9]{1,6}-[0-9]{1,3}-[0-9]{1,3}[T ]?([0-9]{1,3}:[0-9]{1,3})?(Z|[+-][0-9]{1,5})?"
            .prop_map(Json::from),
        ".{0,8}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 32, 5, |inner| {
        let keys =
            select(vec!["type", "values", "key", "operator", "value", "date_from", "date_to", "source", "x"]);
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            btree_map(keys.prop_map(str::to_owned), inner, 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Bodies whose known fields hold anything.
fn any_request() -> impl Strategy<Value = String> {
    let fields = select(vec![
        "dateRange",
        "severityLevels",
        "serviceNames",
        "searchTerm",
        "filterGroup",
        "resourceFingerprint",
        "personId",
        "sessionId",
        "liveLogsCheckpoint",
        "after",
        "orderBy",
        "limit",
        "excludeAttributes",
        "customColumns",
        "sparklineBreakdownBy",
        "sparklineRankBy",
        "targetBuckets",
        "serviceNameSearch",
        "groupBy",
        "groupBySource",
        "groupBys",
        "orderGroupsBy",
        "facetField",
        "facetAttribute",
        "facetAttributes",
        "facetResourceAttributes",
        "facetSearch",
    ]);
    let range = json!({"date_from": "-1h"});
    let query = btree_map(fields.prop_map(str::to_owned), any_json(), 0..4).prop_map(move |fields| {
        let mut query = json!({ "dateRange": range });
        query.as_object_mut().expect("an object").extend(fields);
        json!({ "query": query }).to_string()
    });
    let leaf = (any_json(), any_json()).prop_map(|(key, value)| {
        let leaf = json!({"type": "log_attribute", "key": key, "operator": "between", "value": value});
        json!({"query": {"dateRange": {"date_from": "all"}, "filterGroup": [leaf]}}).to_string()
    });
    let grouped = (any_json(), any_json(), any_json()).prop_map(|(key, source, order)| {
        let query = json!({"groupBy": key, "groupBySource": source, "orderGroupsBy": order});
        json!({ "query": query }).to_string()
    });
    prop_oneof![6 => query, 1 => grouped, 1 => leaf, 1 => any_json().prop_map(|json| json.to_string()), 1 => ".{0,20}"]
}

#[test]
fn no_json_makes_a_reading_endpoint_fail() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(server_with(&[group("a", vec![record("x")])]));
    let endpoint = select(vec![
        "query",
        "count",
        "sparkline",
        "count-ranges",
        "services",
        "group-by",
        "impact",
        "facet_values",
    ]);
    let run = TestRunner::new(config()).run(&(endpoint, any_request()), |(endpoint, body)| {
        let (status, answer) = runtime.block_on(server.post(endpoint, body));
        prop_assert!(status == 200 || status == 400, "{status} {answer}");
        prop_assert!(answer.is_object() || answer.is_array(), "{answer}");
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(runtime.block_on(count(&server, &day(json!({})))), 1);
}

/// Query strings whose known parameters hold anything: text, JSON, percent signs that escape nothing.
fn any_query_string() -> impl Strategy<Value = String> {
    let names = select(vec![
        "search",
        "search_values",
        "attribute_type",
        "limit",
        "offset",
        "dateRange",
        "date_from",
        "date_to",
        "keys",
        "serviceNames",
        "severityLevels",
        "searchTerm",
        "resourceFingerprint",
        "sessionId",
        "filterGroup",
        "key",
        "value",
        "?",
    ]);
    let leaf = (any_json(), any_json()).prop_map(|(key, value)| {
        json!([{"type": "log_attribute", "key": key, "operator": "regex", "value": value}]).to_string()
    });
    let value = prop_oneof![
        3 => any_json().prop_map(|json| percent_encoded(&json.to_string())),
        2 => leaf.prop_map(|json| percent_encoded(&json)),
        2 => ".{0,12}".prop_map(|text| percent_encoded(&text)),
        1 => select(vec!["true", "resource", "service", "k", "-1h", "all", "18446744073709551616", "a,b,,c"])
            .prop_map(str::to_owned),
        1 => "[%a-f0-9+&=]{0,12}",
    ];
    let pairs = vec((names, value).prop_map(|(name, value)| format!("{name}={value}")), 0..6);
    (pairs, any::<bool>()).prop_map(|(mut pairs, has_key)| {
        if has_key {
            pairs.push("key=k".to_owned());
        }
        pairs.join("&")
    })
}

#[test]
fn no_query_string_makes_a_reading_endpoint_fail() {
    let runtime = Runtime::new().expect("a runtime");
    let sent = record_with(&[("k", text("service")), ("service", text("k"))]);
    let server = runtime.block_on(server_with(&[group("a", vec![sent])]));
    let endpoint = select(vec!["attributes", "values"]);
    let run = TestRunner::new(config()).run(&(endpoint, any_query_string()), |(endpoint, parameters)| {
        let (status, answer) = runtime.block_on(server.get(&format!("{endpoint}?{parameters}")));
        prop_assert!(status == 200 || status == 400, "{status} {answer}");
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// Any bytes, and requests with some bytes changed or cut off.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let encoding = select(vec![Encoding::Protobuf, Encoding::Json]);
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let changed = (dataset(), encoding, changes, any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(dataset, encoding, changes, end, cuts)| {
            let mut bytes = encode(&dataset.requests[0].groups, encoding);
            for (index, byte) in changes {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.truncate(if cuts { end.index(bytes.len()) } else { bytes.len() });
            bytes
        },
    );
    prop_oneof![1 => vec(any::<u8>(), 0..64), 3 => changed]
}

#[test]
fn no_bytes_make_ingest_fail() {
    let runtime = Runtime::new().expect("a runtime");
    let server = runtime.block_on(Server::start());
    let content_type = select(vec!["application/x-protobuf", "application/json", "text/plain"]);
    let run = TestRunner::new(config()).run(&(any_bytes(), content_type), |(body, content_type)| {
        let (status, answer) = runtime.block_on(server.export(body, content_type));
        prop_assert!(status == 200 || status == 400, "{status} {answer}");
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    let stored = runtime.block_on(async {
        server.flush().await;
        count(&server, &json!({"dateRange": {"date_from": "1970-01-01", "date_to": "9999-12-31"}})).await
    });
    assert!(stored > 0, "some of the requests were whole");
}
