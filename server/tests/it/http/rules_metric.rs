//! Metric rules: their life, what they measure before anything is dropped, and how it is read.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, record};

const RULES: &str = "/api/projects/1/logs/metric_rules";

async fn create(server: &TestServer, rule: Value) -> Value {
    let answer = server.request(Method::POST, RULES, rule.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

async fn metrics(server: &TestServer) -> Vec<String> {
    let answer = server.request(Method::GET, &format!("{RULES}/metrics"), "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn timed(severity: &str, path: &str, millis: &str) -> Value {
    let mut record = record(60, severity, "x");
    record["attributes"] = json!([
        { "key": "path", "value": { "stringValue": path } }, { "key": "ms", "value": { "stringValue": millis } },
    ]);
    record
}

#[tokio::test]
async fn records_are_measured_before_they_are_dropped() {
    let server = TestServer::start().await;
    let drop_all =
        json!({ "name": "d", "enabled": true, "rule_type": "path_drop", "config": { "patterns": ["/"] } });
    let dropping =
        server.request(Method::POST, "/api/projects/1/logs/sampling_rules", drop_all.to_string()).await;
    assert_eq!(dropping.status, 201);
    let errors = json!([{ "key": "severity_level", "type": "log", "operator": "exact", "value": "error" }]);
    let rule = json!({ "name": "errors", "metric_name": "http.errors", "enabled": true, "filter_group": errors, "group_by": ["service_name"] });
    create(&server, rule).await;
    let rule = json!({ "name": "time", "metric_name": "time", "enabled": true, "value_attribute": "attributes.ms", "group_by": ["attributes.path"] });
    let time = create(&server, rule).await;
    let records = [timed("ERROR", "/a", "10"), timed("INFO", "/a", "2.5"), timed("ERROR", "/b", "slow")];
    server.store("api", &records).await;
    server.store("web", &records[..1]).await;
    let expected = [
        r#"http_errors_count{metric_name="http.errors",service_name="api"} 2"#,
        r#"http_errors_count{metric_name="http.errors",service_name="web"} 1"#,
        r#"http_errors_overflow_count{metric_name="http.errors"} 0"#,
        r#"time_count{metric_name="time",attributes_path="/a"} 3"#,
        r#"time_overflow_count{metric_name="time"} 0"#,
        r#"time_overflow_sum{metric_name="time"} 0"#,
        r#"time_sum{metric_name="time",attributes_path="/a"} 22.5"#,
    ];
    assert_eq!(metrics(&server).await, expected);
    let stored = server.ask("count", json!({})).await;
    assert_eq!(stored.json(), json!({ "count": 0 }), "all of them were dropped");
    // A change of a rule's name goes on, one of its groups begins anew.
    let path = format!("{RULES}/{}", time["id"].as_str().unwrap());
    server.request(Method::PATCH, &path, json!({ "name": "renamed" }).to_string()).await;
    assert_eq!(metrics(&server).await, expected);
    server.request(Method::PATCH, &path, json!({ "group_by": [] }).to_string()).await;
    assert_eq!(metrics(&server).await.len(), 5);
    server.request(Method::PATCH, &path, json!({ "enabled": false }).to_string()).await;
    assert_eq!(metrics(&server).await.len(), 3);
}

#[tokio::test]
async fn a_rule_has_a_life() {
    let server = TestServer::start().await;
    let rule = create(
        &server,
        json!({ "name": "r", "metric_name": "a.b-c_1", "value_attribute": "resource_attributes.cost" }),
    )
    .await;
    assert_eq!(
        (&rule["enabled"], &rule["filter_group"], &rule["group_by"], &rule["version"]),
        (&json!(false), &json!(null), &json!([]), &json!(1))
    );
    let path = format!("{RULES}/{}", rule["id"].as_str().unwrap());
    for (change, attr) in [
        (json!({ "metric_name": "other" }), "metric_name"),
        (json!({ "value_attribute": null }), "value_attribute"),
    ] {
        let answer = server.request(Method::PATCH, &path, change.to_string()).await;
        assert_eq!(answer.refusal(), (400, "invalid_input".into(), json!(attr)));
    }
    let same = json!({ "metric_name": "a.b-c_1", "name": "again" });
    assert_eq!(server.request(Method::PATCH, &path, same.to_string()).await.json()["version"], 2);
    let twice = json!({ "name": "r", "metric_name": "a.b-c_1" });
    let answer = server.request(Method::POST, RULES, twice.to_string()).await;
    assert_eq!(answer.refusal(), (400, "unique".into(), json!("metric_name")));
    assert_eq!(server.request(Method::DELETE, &path, "").await.status, 204);
    create(&server, twice).await;
}

#[tokio::test]
async fn what_a_rule_cannot_say_is_refused_by_name() {
    let server = TestServer::start().await;
    let rule = |member: &str, value: Value| {
        let mut rule = json!({ "name": "r", "metric_name": "m" });
        rule[member] = value;
        rule
    };
    for (rule, attr) in [
        (json!({ "name": "r" }), "metric_name"),
        (rule("metric_name", json!("1a")), "metric_name"),
        (rule("metric_name", json!("a b")), "metric_name"),
        (rule("metric_name", json!("a".repeat(201))), "metric_name"),
        (rule("value_attribute", json!("ms")), "value_attribute"),
        (rule("value_attribute", json!("service_name")), "value_attribute"),
        (rule("group_by", json!(["service_name", "body"])), "group_by__1"),
        (rule("group_by", json!(vec!["event_name"; 6])), "group_by"),
        (rule("filter_group", json!([])), "filter_group"),
    ] {
        let answer = server.request(Method::POST, RULES, rule.to_string()).await;
        let (status, _, found) = answer.refusal();
        assert_eq!((status, found), (400, json!(attr)), "{rule}");
    }
    for index in 0..10 {
        create(&server, json!({ "name": "r", "enabled": true, "metric_name": format!("m{index}") })).await;
    }
    let eleventh = json!({ "name": "r", "enabled": true, "metric_name": "m10" });
    let answer = server.request(Method::POST, RULES, eleventh.to_string()).await;
    assert_eq!(answer.refusal(), (400, "max_value".into(), json!("enabled")));
    let reader = server.limited_key(&["logs:read", "metrics:write"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::POST, RULES, eleventh.to_string()).await.status, 403);
    assert_eq!(server.request_as(&reader, Method::GET, &format!("{RULES}/metrics"), "").await.status, 200);
}
