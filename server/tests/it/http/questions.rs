//! Questions and their answers, member for member.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{NOW_NS, TestServer, last_day, record};

#[tokio::test]
async fn a_new_project_has_no_logs() {
    let server = TestServer::start().await;
    let answer = server.request(Method::GET, "/api/projects/1/logs/has_logs", "").await;
    assert_eq!(answer.json(), json!({ "hasLogs": false }));
    assert_eq!(server.rows(json!({ "dateRange": { "date_from": "all" } })).await, [json!(null); 0]);
}

#[tokio::test]
async fn a_record_comes_back_field_for_field() {
    let server = TestServer::start().await;
    let sent = json!({
        "timeUnixNano": (NOW_NS - 1_000_000_000 + 184_820_999).to_string(),
        "observedTimeUnixNano": (NOW_NS - 500_000_000).to_string(),
        "severityNumber": 17,
        "body": { "stringValue": "boom" },
        "attributes": [
            { "key": "http.status", "value": { "intValue": "500" } },
            { "key": "ok", "value": { "boolValue": false } },
        ],
        "traceId": "0123456789abcdef0123456789abcdef",
        "spanId": "fedcba9876543210",
        "eventName": "failed",
    });
    server.store("api", &[sent]).await;
    let mut row = server.rows(json!({ "dateRange": last_day() })).await.remove(0);
    let id = row["uuid"].take();
    assert_eq!(uuid::Uuid::parse_str(id.as_str().unwrap()).unwrap().get_version_num(), 7);
    let fingerprint = row["resource_fingerprint"].take();
    assert!(fingerprint.as_str().unwrap().parse::<u64>().is_ok(), "{fingerprint}");
    let checkpoint = row["live_logs_checkpoint"].take();
    assert!(checkpoint.as_str().unwrap().ends_with('Z'), "{checkpoint}");
    assert_eq!(
        row,
        json!({
            "uuid": null,
            "trace_id": "0123456789ABCDEF0123456789ABCDEF",
            "span_id": "FEDCBA9876543210",
            "body": "boom",
            "attributes": { "http.status": "500", "ok": "false" },
            "timestamp": "2025-12-16T10:32:59.184820Z",
            "observed_timestamp": "2025-12-16T10:32:59.500000Z",
            "severity_text": "error",
            "severity_number": 17,
            "level": "error",
            "resource_attributes": { "service.name": "api" },
            "resource_fingerprint": null,
            "instrumentation_scope": "lib@1",
            "event_name": "failed",
            "live_logs_checkpoint": null,
        })
    );
}

#[tokio::test]
async fn the_answer_has_the_members_of_the_contract() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "one")]).await;
    let answer = server.ask("query", json!({ "dateRange": last_day(), "limit": 5 })).await.json();
    let mut names: Vec<&str> = answer.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["columns", "hasMore", "maxExportableLogs", "nextCursor", "query", "results"]);
    assert_eq!(answer["maxExportableLogs"], 10_000);
    assert_eq!(
        (&answer["columns"], &answer["hasMore"], &answer["nextCursor"]),
        (&Value::Null, &json!(false), &Value::Null)
    );
    assert_eq!((&answer["query"]["kind"], &answer["query"]["limit"]), (&json!("LogsQuery"), &json!(6)));
}

#[tokio::test]
async fn filters_choose_rows() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "ERROR", "Timeout in db"), record(50, "INFO", "ok")]).await;
    server.store("web", &[record(40, "WARN", "timeout"), record(30, "INFO", "ok")]).await;
    let leaf = |key: &str, value: &str| json!([{ "key": key, "type": "log_resource_attribute", "operator": "exact", "value": value }]);
    for (filter, bodies) in [
        (json!({}), vec!["ok", "timeout", "ok", "Timeout in db"]),
        (json!({ "severityLevels": ["error", "warn"] }), vec!["timeout", "Timeout in db"]),
        (json!({ "serviceNames": ["web"] }), vec!["ok", "timeout"]),
        (json!({ "searchTerm": "TIMEOUT" }), vec!["timeout", "Timeout in db"]),
        (json!({ "searchTerm": "timeout", "serviceNames": ["api"] }), vec!["Timeout in db"]),
        (json!({ "filterGroup": leaf("service.name", "web") }), vec!["ok", "timeout"]),
        (json!({ "personId": "1" }), vec![]),
        (json!({ "sessionId": "" }), vec![]),
    ] {
        let mut query = filter;
        query["dateRange"] = last_day();
        let rows = server.rows(query.clone()).await;
        let found: Vec<&str> = rows.iter().map(|row| row["body"].as_str().unwrap()).collect();
        assert_eq!(found, bodies, "{query}");
        let count = server.ask("count", query.clone()).await.json();
        assert_eq!(count, json!({ "count": bodies.len() }), "{query}");
    }
}

#[tokio::test]
async fn rows_of_a_session_are_found_under_its_usual_names() {
    let server = TestServer::start().await;
    let with = |key: &str, value: &str| {
        let mut record = record(60, "INFO", key);
        record["attributes"] = json!([{ "key": key, "value": { "stringValue": value } }]);
        record
    };
    server
        .store(
            "api",
            &[
                with("sessionId", "s1"),
                with("session.id", "s1"),
                with("sessionId", "12"),
                with("sessionId", "12.0"),
                with("other", "s1"),
            ],
        )
        .await;
    for (session, expected) in [("s1", 2), ("12", 1), ("s2", 0)] {
        let answer = server.ask("count", json!({ "dateRange": last_day(), "sessionId": session })).await;
        assert_eq!(answer.json(), json!({ "count": expected }), "{session}");
    }
}

#[tokio::test]
async fn the_last_hour_is_counted_by_default() {
    let server = TestServer::start().await;
    server.store("api", &[record(59 * 60, "INFO", "in"), record(61 * 60, "INFO", "out")]).await;
    for query in [json!({}), json!({ "dateRange": {} }), json!({ "dateRange": null })] {
        assert_eq!(server.ask("count", query).await.json(), json!({ "count": 1 }));
    }
}

#[tokio::test]
async fn a_sparkline_is_a_bare_list_of_buckets() {
    let server = TestServer::start().await;
    server.store("api", &[record(600, "ERROR", "one"), record(590, "INFO", "two")]).await;
    let range = json!({ "date_from": "2025-12-16T10:20:00Z", "date_to": "2025-12-16T10:25:00Z", "explicitDate": true });
    for (breakdown, name, series) in
        [("severity", "severity", ["error", "info"]), ("service", "service", ["api", "api"])]
    {
        let answer = server
            .ask("sparkline", json!({ "dateRange": range, "sparklineBreakdownBy": breakdown }))
            .await
            .json();
        let entries: Vec<&Value> =
            answer.as_array().unwrap().iter().filter(|entry| entry["count"] != json!(0)).collect();
        let told: Vec<(&Value, &Value, &Value)> =
            entries.iter().map(|entry| (&entry["time"], &entry[name], &entry["count"])).collect();
        let one = json!(1);
        assert_eq!(
            told,
            [
                (&json!("2025-12-16T10:23:00Z"), &json!(series[0]), &one),
                (&json!("2025-12-16T10:23:10Z"), &json!(series[1]), &one),
            ]
        );
        assert!(entries.iter().all(|entry| entry["bytes_uncompressed"].as_u64().unwrap() > 0), "{answer}");
        assert!(answer.as_array().unwrap().len() > 2, "empty buckets are listed too: {answer}");
    }
}

#[tokio::test]
async fn attribute_maps_can_be_left_out_and_columns_added() {
    let server = TestServer::start().await;
    let mut sent = record(60, "INFO", r#"{"user":{"id":7}}"#);
    sent["attributes"] = json!([{ "key": "k", "value": { "stringValue": "v" } }]);
    server.store("api", &[sent]).await;
    let columns = json!(["attributes.k", " body.user.id ", "service_name"]);
    let query = json!({ "dateRange": last_day(), "excludeAttributes": true, "customColumns": columns });
    let answer = server.ask("query", query).await.json();
    let row = &answer["results"][0];
    assert_eq!((&row["attributes"], &row["resource_attributes"]), (&json!({}), &json!({})));
    let aliases: Vec<&str> =
        answer["columns"].as_array().unwrap().iter().map(|alias| alias.as_str().unwrap()).collect();
    assert_eq!(aliases.len(), 3);
    assert!(aliases.iter().all(|alias| alias.len() == 16 && alias.starts_with("col_")), "{aliases:?}");
    let values: Vec<&Value> = aliases.iter().map(|alias| &row[*alias]).collect();
    assert_eq!(values, [&json!("v"), &json!("7"), &json!("api")]);
}

#[tokio::test]
async fn a_poll_from_the_checkpoint_sees_what_came_since() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "one")]).await;
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    let checkpoint = rows[0]["live_logs_checkpoint"].clone();
    // Older than the first by its own time, and later by the time it came in.
    server.store("api", &[record(3600, "INFO", "two")]).await;
    let rows = server.rows(json!({ "dateRange": last_day(), "liveLogsCheckpoint": checkpoint })).await;
    assert!(rows.iter().any(|row| row["body"] == "two"), "{rows:?}");
    let rows =
        server.rows(json!({ "dateRange": last_day(), "liveLogsCheckpoint": "2025-12-17T00:00:00" })).await;
    assert_eq!(rows, [json!(null); 0]);
}

#[tokio::test]
async fn an_answer_tells_what_it_cost() {
    let server = TestServer::start().await;
    let has_none = server.request(Method::GET, "/api/projects/1/logs/has_logs", "").await;
    assert_eq!(has_none.headers.get("x-timberline-cost"), None, "nothing was asked of an empty project");
    server.store("api", &[record(1, "info", "a"), record(2, "info", "b")]).await;
    for endpoint in ["count", "count-ranges", "services", "sparkline", "query"] {
        let answer = server.ask(endpoint, json!({ "dateRange": last_day() })).await;
        let cost = answer.headers["x-timberline-cost"].to_str().unwrap();
        let pairs: Vec<(&str, u64)> = cost
            .split(' ')
            .map(|pair| pair.split_once('='))
            .map(|pair| pair.map(|(name, number)| (name, number.parse().unwrap())).unwrap())
            .collect();
        let names: Vec<&str> = pairs.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["questions", "facts", "sidecars", "scanned", "rows", "bytes", "ms"], "{cost}");
        assert_eq!(pairs[..4], [("questions", 1), ("facts", 0), ("sidecars", 0), ("scanned", 0)], "{cost}");
        assert!(pairs[4].1 >= 2, "{endpoint} looks at both rows in memory: {cost}");
    }
    let refused = server.ask("count", json!({ "dateRange": 7 })).await;
    assert_eq!(refused.headers.get("x-timberline-cost"), None);
}
