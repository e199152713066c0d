//! Simulated alerts over stored rows, held against counting the rows one by one.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, record};

async fn simulate(server: &TestServer, change: &[(&str, Value)]) -> Answer {
    let mut body = json!({
        "filters": {"severityLevels": ["error"]},
        "threshold_count": 3,
        "threshold_operator": "above",
        "window_minutes": 10,
        "date_from": "-2h",
    });
    for (member, value) in change {
        body[*member] = value.clone();
    }
    server.request(Method::POST, "/api/projects/1/logs/alerts/simulate/", body.to_string()).await
}

/// The clock of tests shows 10:33: checks are at 08:35, 08:40 and so on to 10:30.
#[tokio::test]
async fn checks_count_their_windows_whether_rows_are_in_memory_or_in_files() {
    let server = TestServer::start().await;
    // Seconds before now: some on the edges of windows, some before `date_from`.
    let ages: Vec<i64> = (0..200).map(|index| index * index * 7 % 8_000).chain([480, 780, 7_300]).collect();
    let records = |severity: &str| -> Vec<Value> {
        ages.iter().map(|age| record(*age, severity, &format!("failed after {age}"))).collect()
    };
    server.store("api", &records("error")).await;
    server.state.engine().flush().await.unwrap();
    server.store("web", &records("info")).await;
    server.store("web", &records("error")).await;

    for (filters, per_age) in [
        (json!({"severityLevels": ["error"]}), 2),
        (json!({"severityLevels": ["error"], "serviceNames": ["web"]}), 1),
        (
            json!({"filterGroup": {"type": "AND", "values": [{"type": "AND", "values": [
                {"key": "message", "type": "log", "operator": "icontains", "value": "AFTER"}
            ]}]}}),
            3,
        ),
    ] {
        let answer = simulate(&server, &[("filters", filters.clone())]).await;
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        let answer = answer.json();
        let buckets = answer["buckets"].as_array().unwrap();
        assert_eq!((buckets.len(), &answer["total_buckets"]), (24, &json!(24)));
        let mut was_firing = false;
        for (index, bucket) in buckets.iter().enumerate() {
            // The first check is 118 minutes before now, each next one five minutes later.
            let age_of_end = (118 - 5 * index as i64) * 60;
            let window = age_of_end + 1..=age_of_end + 600;
            let count = per_age * ages.iter().filter(|age| window.contains(age)).count();
            assert_eq!(bucket["count"], json!(count), "{filters} {bucket}");
            let is_firing = count > 3;
            assert_eq!(bucket["threshold_breached"], json!(is_firing));
            assert_eq!(bucket["state"], if is_firing { "firing" } else { "not_firing" });
            let notification = match (was_firing, is_firing) {
                (false, true) => "fire",
                (true, false) => "resolve",
                _ => "none",
            };
            assert_eq!(bucket["notification"], notification, "{bucket}");
            was_firing = is_firing;
        }
        assert_eq!(buckets[0]["timestamp"], "2025-12-16T08:35:00+00:00");
        let num = |word: &str| buckets.iter().filter(|bucket| bucket["notification"] == word).count();
        assert_eq!(answer["fire_count"], json!(num("fire")));
        assert_eq!(answer["resolve_count"], json!(num("resolve")));
    }
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = TestServer::start().await;
    for (member, value, code) in [
        ("filters", json!({}), "invalid_input"),
        ("window_minutes", json!(7), "invalid_choice"),
        ("datapoints_to_alarm", json!(2), "invalid_input"),
        ("date_from", json!("-31d"), "invalid_input"),
    ] {
        let refusal = simulate(&server, &[(member, value)]).await.refusal();
        assert_eq!(refusal, (400, code.to_owned(), json!(member)));
    }
    let pattern = json!({"filterGroup": {"type": "AND", "values": [{"type": "AND", "values": [
        {"key": "message", "type": "log", "operator": "regex", "value": "("}
    ]}]}});
    assert_eq!(simulate(&server, &[("filters", pattern)]).await.status, 400);
}

#[tokio::test]
async fn it_needs_the_scope_and_the_project() {
    let server = TestServer::start().await;
    let key = server.limited_key(&["export:read"], None, None).await;
    for (key, path, status) in [
        (key.as_str(), "/api/projects/1/logs/alerts/simulate", 403),
        (server.key(), "/api/projects/77/logs/alerts/simulate", 404),
        ("phx_wrong", "/api/projects/1/logs/alerts/simulate", 401),
    ] {
        let answer = server.request_as(key, Method::POST, path, "{}").await;
        assert_eq!(answer.status, status, "{path}");
    }
}
