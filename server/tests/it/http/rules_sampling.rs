//! Drop rules: their life, what they take away as records come in, and what a simulation says.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, last_day, record};

const RULES: &str = "/api/projects/1/logs/sampling_rules";

async fn create(server: &TestServer, rule: Value) -> Value {
    let answer = server.request(Method::POST, RULES, rule.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

async fn patch(server: &TestServer, rule: &Value, change: Value) -> Answer {
    server.request(Method::PATCH, &path(rule), change.to_string()).await
}

fn path(rule: &Value) -> String {
    format!("{RULES}/{}", rule["id"].as_str().unwrap())
}

async fn names(server: &TestServer) -> Vec<String> {
    let page = server.request(Method::GET, RULES, "").await.json();
    page["results"].as_array().unwrap().iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
}

fn drops(name: &str, pattern: &str) -> Value {
    json!({ "name": name, "enabled": true, "rule_type": "path_drop", "config": { "patterns": [pattern] } })
}

/// A record with text attributes.
fn with(mut record: Value, attributes: &[(&str, &str)]) -> Value {
    let attributes =
        attributes.iter().map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }));
    record["attributes"] = attributes.collect();
    record
}

async fn bodies(server: &TestServer) -> Vec<String> {
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    let mut bodies: Vec<String> = rows.iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    bodies
}

#[tokio::test]
async fn a_rule_has_a_life() {
    let server = TestServer::start().await;
    let rule = create(
        &server,
        json!({ "name": " health ", "rule_type": "path_drop", "config": { "patterns": ["^/health"] } }),
    )
    .await;
    let mut expected = json!({
        "name": "health", "enabled": false, "priority": 0, "rule_type": "path_drop", "scope_service": null,
        "scope_path_pattern": null, "scope_attribute_filters": [], "config": { "patterns": ["^/health"] }, "version": 1,
        "created_at": "2025-12-16T10:33:00Z", "updated_at": "2025-12-16T10:33:00Z",
    });
    expected["id"] = rule["id"].clone();
    expected["created_by"] = rule["created_by"].clone();
    assert_eq!(rule, expected);
    assert_eq!(rule["created_by"]["email"], "admin@localhost");
    let changed = patch(&server, &rule, json!({ "enabled": true, "scope_service": "api" })).await.json();
    assert_eq!(
        (&changed["version"], &changed["enabled"], &changed["scope_service"]),
        (&json!(2), &json!(true), &json!("api"))
    );
    assert_eq!(changed["config"], rule["config"]);
    assert_eq!(server.request(Method::GET, &path(&rule), "").await.json(), changed);
    assert_eq!(
        server.request(Method::PUT, &path(&rule), "{}").await.refusal(),
        (400, "required".into(), json!("name"))
    );

    let second = create(&server, drops("second", "b")).await;
    let first = create(
        &server,
        json!({ "name": "first", "priority": 0, "rule_type": "path_drop", "config": { "patterns": ["a"] } }),
    )
    .await;
    assert_eq!(names(&server).await, ["health", "first", "second"]);
    let order = json!({ "ordered_ids": [second["id"], rule["id"], first["id"]] });
    let reordered = server.request(Method::POST, &format!("{RULES}/reorder"), order.to_string()).await;
    assert_eq!((reordered.status.as_u16(), &reordered.json()["count"]), (200, &json!(3)));
    assert_eq!(names(&server).await, ["second", "health", "first"]);
    let order = json!({ "ordered_ids": [second["id"]] });
    let refused = server.request(Method::POST, &format!("{RULES}/reorder"), order.to_string()).await;
    assert_eq!(refused.refusal(), (400, "invalid_input".into(), json!("ordered_ids")));

    assert_eq!(server.request(Method::DELETE, &path(&rule), "").await.status, 204);
    assert_eq!(server.request(Method::DELETE, &path(&rule), "").await.status, 404);
    assert_eq!(server.request(Method::GET, &path(&rule), "").await.status, 404);
    let page = server.request(Method::GET, &format!("{RULES}?limit=1"), "").await.json();
    assert_eq!((&page["count"], page["results"].as_array().unwrap().len()), (&json!(2), 1));
    assert!(page["next"].as_str().unwrap().ends_with("limit=1&offset=1"), "{page}");
}

#[tokio::test]
async fn what_a_rule_cannot_say_is_refused_by_name() {
    let server = TestServer::start().await;
    let leaf = |operator: &str, value: Value| json!({ "key": "k", "type": "log_attribute", "operator": operator, "value": value });
    let group =
        |leaf: Value| json!({ "name": "r", "rule_type": "path_drop", "config": { "filter_group": [leaf] } });
    for (rule, attr) in [
        (json!({ "rule_type": "path_drop" }), json!("name")),
        (json!({ "name": "x".repeat(256) }), json!("name")),
        (json!({ "name": "r" }), json!("rule_type")),
        (json!({ "name": "r", "rule_type": "x", "config": {} }), json!("rule_type")),
        (json!({ "name": "r", "rule_type": "path_drop" }), json!("config")),
        (json!({ "name": "r", "rule_type": "path_drop", "config": {} }), json!("config")),
        (
            json!({ "name": "r", "priority": -1, "rule_type": "path_drop", "config": { "patterns": ["a"] } }),
            json!("priority"),
        ),
        (
            json!({ "name": "r", "enabled": 1, "rule_type": "path_drop", "config": { "patterns": ["a"] } }),
            json!("enabled"),
        ),
        (
            json!({ "name": "r", "scope_service": "x".repeat(513), "rule_type": "path_drop", "config": { "patterns": ["a"] } }),
            json!("scope_service"),
        ),
        (group(leaf("resembles", json!("v"))), json!("config__filter_group__0__operator")),
        (
            json!({ "name": "r", "rule_type": "path_drop", "config": { "filter_group": [] } }),
            json!("config__filter_group"),
        ),
        (
            json!({ "name": "r", "rule_type": "rate_limit", "config": { "logs_per_second": 0 } }),
            json!("config__logs_per_second"),
        ),
    ] {
        let answer = server.request(Method::POST, RULES, rule.to_string()).await;
        let (status, _, found) = answer.refusal();
        assert_eq!(
            (status, found, &answer.json()["type"]),
            (400, attr, &json!("validation_error")),
            "{rule} {}",
            answer.json()
        );
    }
    for (rule, reason) in [
        (drops("r", "("), "config.patterns[0]"),
        (group(leaf("regex", json!("("))), "config.filter_group[0]"),
        (group(leaf("exact", json!(""))), "the condition says nothing"),
        (group(leaf("is_date_before", json!("-7d"))), "a relative date"),
        (
            group(json!({ "key": "uuid", "type": "log", "operator": "exact", "value": "x" })),
            "before it is stored",
        ),
        (group(json!({ "key": "none", "type": "log", "operator": "exact", "value": "x" })), "no column"),
    ] {
        let answer = server.request(Method::POST, RULES, rule.to_string()).await;
        assert_eq!(answer.status, 400, "{rule}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(reason), "{}", answer.json());
    }
    assert_eq!(names(&server).await, [""; 0]);
    let reader = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::GET, RULES, "").await.status, 200);
    assert_eq!(
        server.request_as(&reader, Method::POST, RULES, drops("r", "a").to_string()).await.status,
        403
    );
    assert_eq!(server.request(Method::DELETE, RULES, "").await.status, 405);
}

#[tokio::test]
async fn what_a_rule_matches_is_dropped_and_still_accepted() {
    let server = TestServer::start().await;
    let rule = create(&server, drops("health", "^/health")).await;
    let records = |prefix: &str| {
        [
            with(record(60, "INFO", &format!("{prefix} health")), &[("url.path", "/healthz")]),
            with(record(60, "INFO", &format!("{prefix} route")), &[("http.route", "/health")]),
            with(record(60, "INFO", &format!("{prefix} other key")), &[("target", "/health")]),
            with(record(60, "INFO", &format!("{prefix} other")), &[("url.path", "/pay/health")]),
        ]
    };
    server.store("api", &records("1")).await;
    assert_eq!(bodies(&server).await, ["1 other", "1 other key"]);
    // A change holds from its answer on.
    patch(&server, &rule, json!({ "scope_service": "web" })).await;
    server.store("api", &records("2")).await;
    assert_eq!(bodies(&server).await.len(), 6);
    patch(&server, &rule, json!({ "scope_service": null, "config": { "patterns": ["health"], "match_attribute_key": "target" } })).await;
    server.store("api", &records("3")).await;
    assert_eq!(bodies(&server).await.iter().filter(|body| body.starts_with('3')).count(), 3);
    patch(&server, &rule, json!({ "scope_attribute_filters": [{ "key": "none", "op": "exists" }] })).await;
    server.store("api", &records("4")).await;
    assert_eq!(bodies(&server).await.iter().filter(|body| body.starts_with('4')).count(), 4);
    server.request(Method::DELETE, &path(&rule), "").await;
    server.store("api", &records("5")).await;
    assert_eq!(bodies(&server).await.iter().filter(|body| body.starts_with('5')).count(), 4);
}

#[tokio::test]
async fn a_request_all_of_whose_records_are_dropped_is_a_success() {
    let server = TestServer::start().await;
    create(
        &server,
        json!({ "name": "all", "enabled": true, "rule_type": "path_drop", "config": { "filter_group": [
        { "key": "service_name", "type": "log", "operator": "exact", "value": "noise" }] } }),
    )
    .await;
    server.store("noise", &[record(60, "INFO", "a")]).await;
    let path = format!("/i/v1/logs/datadog/{}", server.token());
    assert_eq!(
        server.request(Method::POST, &path, json!({ "service": "noise" }).to_string()).await.status,
        200
    );
    assert_eq!(bodies(&server).await, [""; 0]);
    server.store("noise2", &[record(60, "INFO", "b")]).await;
    assert_eq!(bodies(&server).await, ["b"]);
}

#[tokio::test]
async fn severities_are_sampled_and_some_rows_always_kept() {
    let server = TestServer::start().await;
    create(&server, json!({
        "name": "s", "enabled": true, "rule_type": "severity_sampling",
        "config": {
            "actions": { "debug": "drop", "info": 0, "error": "keep" },
            "always_keep": { "status_gte": 500, "latency_ms_gt": 100, "attributes": [{ "key": "vip", "op": "eq", "value": "yes" }] },
        },
    })).await;
    server
        .store(
            "api",
            &[
                record(60, "TRACE", "trace"),
                record(60, "DEBUG", "debug"),
                record(60, "INFO", "info"),
                record(60, "WARN", "warn"),
                record(60, "ERROR", "error"),
                record(60, "FATAL", "fatal"),
                with(record(60, "DEBUG", "status"), &[("http.status_code", "503")]),
                with(record(60, "DEBUG", "status ok"), &[("http.status_code", "499")]),
                with(record(60, "INFO", "slow"), &[("duration_ms", "100.5")]),
                with(record(60, "INFO", "fast"), &[("duration_ms", "100")]),
                with(record(60, "TRACE", "vip"), &[("vip", "yes")]),
            ],
        )
        .await;
    assert_eq!(bodies(&server).await, ["error", "fatal", "slow", "status", "vip", "warn"]);
}

/// A record of a trace.
fn traced(trace: u32, body: &str) -> Value {
    let mut record = record(60, "INFO", body);
    record["traceId"] = json!(format!("{trace:032x}"));
    record
}

#[tokio::test]
async fn a_trace_is_kept_or_dropped_whole_everywhere() {
    let kept = async || {
        let server = TestServer::start().await;
        create(&server, json!({ "name": "s", "enabled": true, "rule_type": "severity_sampling", "config": { "actions": { "info": { "action": "sample", "rate": 0.5 } } } })).await;
        for half in 0..2 {
            let records: Vec<Value> =
                (1..=200).map(|trace| traced(trace, &format!("{trace} {half}"))).collect();
            server.store("api", &records).await;
        }
        bodies(&server).await
    };
    let first = kept().await;
    assert_eq!(first, kept().await, "the same traces on every server");
    let whole: Vec<String> =
        first.iter().filter_map(|body| body.strip_suffix(" 0").map(str::to_owned)).collect();
    assert_eq!(first.len(), 2 * whole.len());
    assert!(whole.iter().all(|trace| first.contains(&format!("{trace} 1"))));
    assert!((50..150).contains(&whole.len()), "about half: {}", whole.len());
}

#[tokio::test]
async fn a_rate_is_limited_by_records_or_by_bytes() {
    let server = TestServer::start().await;
    let limit = create(&server, json!({ "name": "l", "enabled": true, "rule_type": "rate_limit", "config": { "logs_per_second": 2, "burst_logs": 3,
        "filter_group": [{ "key": "message", "type": "log", "operator": "starts_with", "value": "x" }] } })).await;
    let records: Vec<Value> =
        (0..6).map(|n| record(60, "INFO", &format!("x{n}"))).chain([record(60, "INFO", "other")]).collect();
    server.store("api", &records).await;
    assert_eq!(bodies(&server).await, ["other", "x0", "x1", "x2"]);
    // A change of something else does not fill the bucket.
    create(&server, drops("unrelated", "nothing")).await;
    server.store("api", &records).await;
    assert_eq!(bodies(&server).await.len(), 5);
    // Of 1 KB: one record of more than it passes a full bucket.
    patch(&server, &limit, json!({ "config": { "kb_per_second": 1 } })).await;
    let large = "x".repeat(600);
    server.store("web", &vec![record(60, "INFO", &large); 4]).await;
    assert_eq!(bodies(&server).await.iter().filter(|body| **body == large).count(), 1);
}

#[tokio::test]
async fn the_first_rule_that_says_something_decides() {
    let server = TestServer::start().await;
    let keep = json!({ "name": "keep", "enabled": true, "scope_service": "api", "rule_type": "severity_sampling", "config": { "actions": { "error": "keep" } } });
    let keep = create(&server, keep).await;
    let drop_all = drops("drop", "/");
    let drop_all = create(&server, drop_all).await;
    let records = [
        with(record(60, "ERROR", "error"), &[("path", "/")]),
        with(record(60, "INFO", "info"), &[("path", "/")]),
    ];
    server.store("api", &records).await;
    server.store("web", &records).await;
    assert_eq!(bodies(&server).await, ["error"]);
    let order = json!({ "ordered_ids": [drop_all["id"], keep["id"]] });
    server.request(Method::POST, &format!("{RULES}/reorder"), order.to_string()).await;
    server.store("api", &records).await;
    assert_eq!(bodies(&server).await, ["error"]);
    // A rule that is off says nothing.
    patch(&server, &drop_all, json!({ "enabled": false })).await;
    server.store("api", &records).await;
    assert_eq!(bodies(&server).await, ["error", "error", "info"]);
}

#[tokio::test]
async fn services_list_the_rules_that_could_apply_to_them() {
    let server = TestServer::start().await;
    let scoped = |name: &str, service: &str| json!({ "name": name, "enabled": true, "scope_service": service, "rule_type": "rate_limit", "config": { "logs_per_second": 100 } });
    let web = create(&server, scoped("web only", "WEB")).await;
    let every = create(&server, drops("every", "nothing")).await;
    create(&server, json!({ "name": "off", "rule_type": "path_drop", "config": { "patterns": ["x"] } }))
        .await;
    for service in ["web", "api"] {
        server.store(service, &[record(60, "INFO", "x")]).await;
    }
    let answer = server.ask("services", json!({ "dateRange": last_day() })).await.json();
    let rules_of = |name: &str| {
        let services = answer["services"].as_array().unwrap();
        services.iter().find(|service| service["service_name"] == name).unwrap()["active_rules"].clone()
    };
    let listed = |rule: &Value, summary: &str| json!({ "rule_id": rule["id"], "rule_name": rule["name"], "summary_string": summary });
    let of_web = listed(&web, "at most 100 logs per second");
    let of_every = listed(&every, "drops what it matches");
    assert_eq!((rules_of("web"), rules_of("api")), (json!([of_web, of_every]), json!([of_every])));
}

#[tokio::test]
async fn a_simulation_counts_stored_rows() {
    let server = TestServer::start().await;
    server
        .store(
            "api",
            &[
                with(record(60, "INFO", "a"), &[("url.path", "/health")]),
                with(record(60, "ERROR", "b"), &[("url.path", "/health")]),
                with(record(60, "INFO", "c"), &[("url.path", "/pay")]),
                record(7_200, "INFO", "old"),
            ],
        )
        .await;
    server.state.engine().flush().await.unwrap();
    server.store("web", &[with(record(30, "INFO", "d"), &[("url.path", "/health")])]).await;
    let simulate = async |rule: Value, body: Value| {
        let rule = create(&server, rule).await;
        let answer =
            server.request(Method::POST, &format!("{}/simulate", path(&rule)), body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let answer = answer.json();
        server.request(Method::DELETE, &path(&rule), "").await;
        answer
    };
    let off = |mut rule: Value| {
        rule["enabled"] = json!(false);
        rule
    };
    let answer = simulate(off(drops("health", "^/health")), json!({})).await;
    assert_eq!(
        (&answer["rows"], &answer["kept"], &answer["dropped"], &answer["approximate"]),
        (&json!(4), &json!(1), &json!(3), &json!(false))
    );
    let group =
        |group: &Value, name: &str| (group[name].clone(), group["dropped"].clone(), group["kept"].clone());
    let groups = |of: &str, name: &str| {
        answer[of].as_array().unwrap().iter().map(|one| group(one, name)).collect::<Vec<_>>()
    };
    assert_eq!(
        groups("services", "service_name"),
        [(json!("api"), json!(2), json!(1)), (json!("web"), json!(1), json!(0))]
    );
    assert_eq!(
        groups("severities", "severity"),
        [(json!("info"), json!(2), json!(1)), (json!("error"), json!(1), json!(0))]
    );
    assert_eq!(
        (&answer["date_from"], &answer["date_to"]),
        (&json!("2025-12-16T09:33:00Z"), &json!("2025-12-16T10:33:00Z"))
    );
    assert!(answer["dropped_bytes"].as_u64().unwrap() > 30);

    let day = json!({ "query": { "dateRange": last_day() } });
    let limit = json!({ "name": "l", "rule_type": "rate_limit", "config": { "logs_per_second": 1, "burst_logs": 2 } });
    let answer = simulate(limit, day.clone()).await;
    assert_eq!(
        (&answer["rows"], &answer["dropped"], &answer["approximate"]),
        (&json!(5), &json!(3), &json!(true))
    );
    let sample =
        json!({ "name": "s", "rule_type": "severity_sampling", "config": { "actions": { "info": 0.5 } } });
    let answer = simulate(sample, day).await;
    assert_eq!((&answer["rows_by_chance"], &answer["approximate"]), (&json!(4), &json!(true)));
    assert_eq!(server.request(Method::POST, &format!("{RULES}/none/simulate"), "{}").await.status, 404);
}

#[tokio::test]
async fn what_is_dropped_is_nowhere_on_the_disk() {
    let server = TestServer::start().await;
    create(&server, drops("secret", "secret")).await;
    let sent = [
        with(record(60, "INFO", "keep me around"), &[("path", "/pay")]),
        with(record(60, "INFO", "unforgettable words"), &[("path", "/secret")]),
    ];
    server.store("api", &sent).await;
    let wal = server.state.config().engine.data_dir.join("wal");
    let mut is_there = false;
    for entry in std::fs::read_dir(wal).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!has(b"unforgettable"));
        is_there |= has(b"keep me around");
    }
    assert!(is_there, "the log is where it is looked for");
}
