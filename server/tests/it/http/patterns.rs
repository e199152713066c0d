//! Patterns and how they differ, member for member.

use axum::http::Method;
use regex::Regex;
use serde_json::{Value, json};

use super::harness::{TestServer, last_day, record};

async fn patterns(server: &TestServer, query: Value) -> Value {
    let answer = server.ask("patterns", query).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

fn texts(answer: &Value) -> Vec<(&str, u64)> {
    let patterns = answer["patterns"].as_array().unwrap();
    patterns.iter().map(|one| (one["pattern"].as_str().unwrap(), one["count"].as_u64().unwrap())).collect()
}

async fn store(server: &TestServer) {
    let logins: Vec<Value> = ["alice", "bob", "carol"]
        .iter()
        .zip(1..)
        .map(|(name, seconds)| {
            record(60 * seconds, "INFO", &format!("user {name} logged in from 10.0.0.{seconds}"))
        })
        .collect();
    server.store("api", &logins).await;
    server.state.engine().flush().await.unwrap();
    server
        .store(
            "web",
            &[
                record(30, "ERROR", "took 12.5 ms"),
                record(20, "FATAL", "took  7 ms"),
                record(10, "INFO", "ready"),
            ],
        )
        .await;
}

#[tokio::test]
async fn patterns_have_the_members_of_the_contract() {
    let server = TestServer::start().await;
    store(&server).await;
    let mut answer = patterns(&server, json!({ "dateRange": last_day() })).await;
    assert_eq!(texts(&answer), [("user <*> logged in from <ip>", 3), ("took <num> ms", 2), ("ready", 1)]);
    let mut took = answer["patterns"][1].take();
    answer["patterns"] = json!(null);
    let buckets = answer["sparkline_buckets"].take();
    assert_eq!(
        answer,
        json!({
            "patterns": null, "sparkline_buckets": null, "scanned_count": 6, "total_count": 6, "sampled": false,
            "sample_coverage_pct": 100.0, "source": "computed", "pattern_version": 1, "fallback_reason": null,
            "omitted_pattern_count": 0,
        })
    );
    let buckets = buckets.as_array().unwrap();
    assert_eq!(buckets[0]["start"], "2025-12-15T10:33:00Z");
    assert_eq!(buckets[buckets.len() - 1]["end"], "2025-12-16T10:33:00Z");
    let sparkline = took["sparkline"].take();
    let sparkline = sparkline.as_array().unwrap();
    assert_eq!((sparkline.len(), sparkline[buckets.len() - 1].as_u64()), (buckets.len(), Some(2)));
    let expression = took["match_regex"].take();
    let expression = Regex::new(expression.as_str().unwrap()).unwrap();
    assert!(expression.is_match("took  7 ms") && !expression.is_match("ready"));
    assert_eq!(
        took,
        json!({
            "pattern": "took <num> ms", "count": 2, "estimated_count": 2, "volume_share_pct": 33.33,
            "error_count": 2, "estimated_error_count": 2,
            "first_seen": "2025-12-16T10:32:30Z", "last_seen": "2025-12-16T10:32:40Z",
            "examples": [
                { "body": "took  7 ms", "severity_text": "fatal", "service_name": "web", "timestamp": "2025-12-16T10:32:40Z" },
                { "body": "took 12.5 ms", "severity_text": "error", "service_name": "web", "timestamp": "2025-12-16T10:32:30Z" },
            ],
            "services": ["web"], "sparkline": null, "severity_counts": { "error": 1, "fatal": 1 },
            "match_regex": null, "match_literal": "took", "match_patterns": ["took <num> ms"],
        })
    );
}

#[tokio::test]
async fn what_a_pattern_gives_to_match_finds_its_rows() {
    let server = TestServer::start().await;
    store(&server).await;
    let answer = patterns(&server, json!({ "dateRange": last_day() })).await;
    for pattern in answer["patterns"].as_array().unwrap() {
        let leaf = |key: &str, operator: &str, value: &Value| json!([{ "key": key, "type": "log", "operator": operator, "value": value }]);
        for filter in [
            json!({ "filterGroup": leaf("pattern", "exact", &pattern["match_patterns"]) }),
            json!({ "filterGroup": leaf("message", "regex", &pattern["match_regex"]) }),
            json!({ "searchTerm": pattern["match_literal"] }),
        ] {
            let mut query = filter;
            query["dateRange"] = last_day();
            assert_eq!(server.ask("count", query.clone()).await.json()["count"], pattern["count"], "{query}");
            let narrowed = patterns(&server, query).await;
            assert_eq!(narrowed["total_count"], pattern["count"]);
        }
    }
    for (version, count) in [(1, 6), (2, 0)] {
        let leaf =
            json!([{ "key": "pattern_version", "type": "log", "operator": "exact", "value": version }]);
        let answer = server.ask("count", json!({ "dateRange": last_day(), "filterGroup": leaf })).await;
        assert_eq!(answer.json(), json!({ "count": count }));
    }
}

#[tokio::test]
async fn the_limit_leaves_out_the_rare_ones_and_says_so() {
    let server = TestServer::start().await;
    store(&server).await;
    let answer = patterns(&server, json!({ "dateRange": last_day(), "limit": 1 })).await;
    assert_eq!(texts(&answer), [("user <*> logged in from <ip>", 3)]);
    assert_eq!((&answer["omitted_pattern_count"], &answer["scanned_count"]), (&json!(2), &json!(6)));
    for limit in [json!(0), json!(-1), json!("x")] {
        let refusal = server.ask("patterns", json!({ "limit": limit })).await.refusal();
        assert_eq!(refusal, (400, "parse_error".into(), json!("limit")), "{limit}");
    }
    let empty =
        patterns(&server, json!({ "dateRange": { "date_from": "2020-01-02", "date_to": "2020-01-01" } }))
            .await;
    assert_eq!((&empty["patterns"], &empty["sparkline_buckets"]), (&json!([]), &json!([])));
    assert_eq!((&empty["sampled"], &empty["total_count"]), (&json!(false), &json!(0)));
}

#[tokio::test]
async fn a_difference_is_that_to_a_week_ago_or_to_any_time() {
    let server = TestServer::start().await;
    const WEEK: i64 = 7 * 86_400;
    let bodies = |count: usize, text: &str, seconds_ago: i64| -> Vec<Value> {
        (0..count).map(|index| record(seconds_ago, "INFO", &format!("{text} {index}"))).collect()
    };
    server.store("api", &bodies(30, "steady now", 600)).await;
    server.store("api", &bodies(20, "steady now", 600 + WEEK)).await;
    server.store("api", &bodies(40, "rises fast", 600)).await;
    server.store("api", &bodies(10, "rises fast", 600 + WEEK)).await;
    server.store("api", &bodies(5, "appears today", 600)).await;
    server.store("api", &bodies(5, "left us", 600 + WEEK)).await;
    let ask = async |body: Value| {
        let path = "/api/projects/1/logs/patterns_diff";
        server.request(Method::POST, path, body.to_string()).await
    };
    let explicit = json!({ "date_from": "2025-12-09T09:33:00Z", "date_to": "2025-12-09T10:33:00Z" });
    for body in [json!({}), json!({ "query": {}, "baselineDateRange": explicit })] {
        let answer = ask(body).await.json();
        let told: Vec<Value> = answer["entries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                json!([
                    entry["classification"],
                    entry["pattern"]["pattern"],
                    entry["pattern"]["count"],
                    entry["baseline_estimated_count"],
                    entry["rate_ratio"],
                    entry["baseline_volume_share_pct"],
                ])
            })
            .collect();
        assert_eq!(
            json!(told),
            json!([
                ["new", "appears today <num>", 5, null, null, null],
                ["gone", "left us <num>", 5, 5, null, 14.29],
                ["rate_shift", "rises fast <num>", 40, 10, 4.0, 28.57],
                ["unchanged", "steady now <num>", 30, 20, 1.5, 57.14],
            ])
        );
        let stats = |total: u64| json!({ "scanned_count": total, "total_count": total, "sampled": false, "sample_coverage_pct": 100.0 });
        assert_eq!((&answer["current"], &answer["baseline"]), (&stats(75), &stats(35)));
    }
    let refusal = ask(json!({ "query": {}, "baselineDateRange": { "date_from": 5 } })).await.refusal();
    assert_eq!(refusal, (400, "parse_error".into(), json!("baselineDateRange__date_from")));
}
