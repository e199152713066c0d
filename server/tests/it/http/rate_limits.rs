//! Limits of requests and of bytes: off unless set, 429 with the time to wait, counted after permissions.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use server::config::RateLimitConfig;

use super::harness::{Answer, TestServer, document, last_day, record};

async fn limited(change: impl FnOnce(&mut RateLimitConfig)) -> TestServer {
    TestServer::start_with(|config| change(&mut config.rate_limits)).await
}

async fn count(server: &TestServer, key: &str) -> Answer {
    let body = json!({ "query": { "dateRange": last_day() } }).to_string();
    server.request_as(key, Method::POST, "/api/projects/1/logs/count", body).await
}

#[track_caller]
fn assert_throttled(answer: &Answer, wait_secs: &str) {
    assert_eq!(answer.refusal(), (429, "throttled".to_owned(), Value::Null));
    assert_eq!(answer.json()["type"], "throttled_error");
    assert_eq!(answer.header("retry-after"), wait_secs);
}

#[tokio::test]
async fn a_key_has_its_requests_on_all_endpoints_together() {
    let server = limited(|limits| limits.key_per_minute = Some(3)).await;
    let other = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(count(&server, server.key()).await.status, 200);
    for path in ["/api/users/@me", "/api/organizations/@current"] {
        assert_eq!(server.request(Method::GET, path, Body::empty()).await.status, 200, "{path}");
    }
    assert_throttled(&count(&server, server.key()).await, "60");
    for path in ["/api/users/@me", "/api/organizations/@current", "/api/projects/1", "/api/projects"] {
        assert_throttled(&server.request(Method::GET, path, Body::empty()).await, "60");
    }
    assert_eq!(count(&server, &other).await.status, 200, "another key has its own");
    assert_eq!(server.request(Method::GET, "/_liveness", Body::empty()).await.status, 200);
}

#[tokio::test]
async fn an_organization_asks_no_more_at_a_time_than_it_may() {
    let server = TestServer::start_with(|config| config.max_questions_per_organization = Some(1)).await;
    let burst = (0..16).map(|_| count(&server, server.key()));
    for answer in futures::future::join_all(burst).await {
        match answer.status.as_u16() {
            200 => assert_eq!(answer.json(), json!({ "count": 0 })),
            _ => assert_throttled(&answer, "1"),
        }
    }
    for _ in 0..3 {
        assert_eq!(count(&server, server.key()).await.status, 200, "what has ended makes room");
    }
}

#[tokio::test]
async fn a_question_that_would_read_too_much_is_refused() {
    let server = TestServer::start_with(|config| config.engine.max_read_bytes = Some(100)).await;
    server.store("api", &[record(1, "INFO", "one")]).await;
    server.state.engine().flush().await.unwrap();
    let answer = server.ask("query", json!({ "dateRange": last_day() })).await;
    assert_eq!(answer.status, 400, "{:?}", answer.body);
    assert!(answer.json().to_string().contains("narrow its time range"), "{:?}", answer.body);
    assert_eq!(count(&server, server.key()).await.json(), json!({ "count": 1 }), "which the catalog knows");
}

#[tokio::test]
async fn what_is_refused_before_is_not_counted_and_what_is_wrong_after_is() {
    let server = limited(|limits| limits.key_per_hour = Some(2)).await;
    let key = server.limited_key(&["logs:read"], None, None).await;
    for (path, status) in [("/api/organizations/@current", 403), ("/api/projects/77/logs/has_logs", 404)] {
        for _ in 0..3 {
            assert_eq!(server.request_as(&key, Method::GET, path, Body::empty()).await.status, status);
        }
    }
    for _ in 0..2 {
        let malformed = server.request_as(&key, Method::POST, "/api/projects/1/logs/count", "{").await;
        assert_eq!(malformed.status, 400);
    }
    let malformed = server.request_as(&key, Method::POST, "/api/projects/1/logs/count", "{").await;
    assert_throttled(&malformed, "3600");
}

#[tokio::test]
async fn comparing_patterns_is_counted_by_itself() {
    let server = limited(|limits| {
        limits.key_per_minute = Some(1);
        limits.patterns_diff_per_minute = Some(2);
    })
    .await;
    assert_eq!(count(&server, server.key()).await.status, 200);
    assert_throttled(&count(&server, server.key()).await, "60");
    let query = json!({ "dateRange": last_day(), "compareDateRange": last_day() });
    for _ in 0..2 {
        assert_ne!(server.ask("patterns_diff", query.clone()).await.status, 429);
    }
    assert_throttled(&server.ask("patterns_diff", query).await, "60");
}

#[tokio::test]
async fn a_project_has_its_requests_whatever_the_keys() {
    let server = limited(|limits| limits.project_per_minute = Some(2)).await;
    let other = server.limited_key(&["*"], None, None).await;
    assert_eq!(count(&server, server.key()).await.status, 200);
    assert_eq!(count(&server, &other).await.status, 200);
    assert_throttled(&count(&server, &other).await, "60");
    assert_throttled(&server.request(Method::GET, "/api/projects/1", Body::empty()).await, "60");
    assert_eq!(server.request(Method::GET, "/api/users/@me", Body::empty()).await.status, 200);
}

#[tokio::test]
async fn a_project_sends_its_bytes_and_then_waits() {
    let server = limited(|limits| limits.ingest_bytes_per_minute = Some(300)).await;
    let body = document("api", &[record(1, "INFO", &"x".repeat(200))]).to_string();
    assert!(body.len() > 300);
    let headers = [("content-type", "application/json")];
    assert_eq!(server.send(&headers, body.clone()).await.status, 200, "the first is taken whatever its size");
    let refused = server.send(&headers, body.clone()).await;
    let (status, text) = refused.simple_refusal();
    assert_eq!((status, refused.header("retry-after")), (429, "60"), "{text}");
    assert_eq!(server.rows(json!({ "dateRange": last_day() })).await.len(), 1);
    let server = server.restart_after(60).await;
    assert_eq!(server.send(&headers, body).await.status, 200);
}

#[tokio::test]
async fn without_settings_nothing_is_limited() {
    let server = TestServer::start().await;
    for _ in 0..500 {
        assert_eq!(server.request(Method::GET, "/api/users/@me", Body::empty()).await.status, 200);
    }
}
