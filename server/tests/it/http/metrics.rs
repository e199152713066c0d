//! `/metrics`: who may read it, and that its numbers are those of what has happened.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, header};
use serde_json::json;
use server::config::MetricsAccess;

use super::harness::{Answer, TestServer, last_day, record};

/// Asks from an address, with further headers.
async fn ask_from(server: &TestServer, address: &str, headers: &[(&str, &str)]) -> Answer {
    let address: SocketAddr = address.parse().unwrap();
    let mut request = Request::get("/metrics").extension(ConnectInfo(address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.call(request.body(Body::empty()).unwrap()).await
}

async fn scrape(server: &TestServer) -> String {
    let answer = server.request(Method::GET, "/metrics", Body::empty()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
}

#[tokio::test]
async fn who_may_read_follows_the_setting() {
    for (access, local, forwarded, remote) in [
        (MetricsAccess::Local, 200, 401, 401),
        (MetricsAccess::Key, 401, 401, 401),
        (MetricsAccess::Everyone, 200, 200, 200),
        (MetricsAccess::None, 404, 404, 404),
    ] {
        let server = TestServer::start_with(|config| config.metrics_access = access).await;
        for address in ["127.0.0.1:9", "[::1]:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(ask_from(&server, address, &[]).await.status, local, "{access:?} {address}");
        }
        let headers = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(ask_from(&server, "127.0.0.1:9", &headers).await.status, forwarded, "{access:?}");
        assert_eq!(ask_from(&server, "192.0.2.1:9", &[]).await.status, remote, "{access:?}");
        let key = format!("Bearer {}", server.key());
        let with_key = ask_from(&server, "192.0.2.1:9", &[("authorization", &key)]).await.status.as_u16();
        assert_eq!(with_key, if access == MetricsAccess::None { 404 } else { 200 }, "{access:?}");
        let token = format!("Bearer {}", server.token());
        let with_token = ask_from(&server, "192.0.2.1:9", &[("authorization", &token)]).await.status;
        assert_eq!(with_token, remote, "a project token opens nothing: {access:?}");
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let server = TestServer::start().await;
    let before = scrape(&server).await;
    assert_eq!(value(&before, "timberline_ingest_rows_total"), 0.0);
    server.store("api", &[record(1, "INFO", "one"), record(2, "ERROR", "two")]).await;
    assert_eq!(server.send(&[("content-type", "application/json")], "{").await.status, 400);
    assert_eq!(server.ask("count", json!({ "dateRange": last_day() })).await.status, 200);
    assert_eq!(server.ask("query", json!({ "limit": 0 })).await.status, 400);
    assert_eq!(server.request(Method::GET, "/nowhere/at/all", Body::empty()).await.status, 404);
    server.state.engine().flush().await.unwrap();

    let text = scrape(&server).await;
    assert_eq!(value(&text, "timberline_ingest_rows_total"), 2.0);
    assert!(value(&text, "timberline_ingest_bytes_total") > 0.0);
    assert_eq!(value(&text, "timberline_ingest_requests_total{outcome=\"taken\"}"), 1.0);
    assert_eq!(value(&text, "timberline_ingest_requests_total{outcome=\"refused\"}"), 1.0);
    assert_eq!(value(&text, "timberline_wal_commit_duration_seconds_count"), 1.0);
    assert_eq!(value(&text, "timberline_flush_duration_seconds_count"), 1.0);
    assert_eq!(value(&text, "timberline_data_rows"), 2.0);
    assert!(value(&text, "timberline_wal_bytes") > 0.0);
    for (endpoint, method, status) in [
        ("/api/projects/{project_id}/logs/count", "POST", 200),
        ("/api/projects/{project_id}/logs/query", "POST", 400),
        ("/v1/logs", "POST", 200),
        ("none", "GET", 404),
    ] {
        let labels = format!("{{endpoint=\"{endpoint}\",method=\"{method}\",status=\"{status}\"}}");
        let name = format!("timberline_http_request_duration_seconds_count{labels}");
        assert_eq!(value(&text, &name), 1.0, "{labels}");
    }
    assert!(!text.contains("nowhere"), "paths that callers make up are no labels");
}

#[tokio::test]
async fn every_family_has_a_type_and_every_series_a_family() {
    let server = TestServer::start().await;
    server.store("api", &[record(1, "INFO", "one")]).await;
    let text = scrape(&server).await;
    let families: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut once = families.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), families.len(), "a family stands once");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let is_known = families.contains(&name) || family.is_some_and(|family| families.contains(&family));
        assert!(is_known, "{line}");
        let number = line.rsplit(' ').next().unwrap();
        assert!(number.parse::<f64>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn made_up_methods_are_one() {
    let server = TestServer::start().await;
    for method in ["BREW", "PROPFIND"] {
        let request = Request::builder().method(method).uri("/_liveness");
        let request = request.header(header::HOST, "x").body(Body::empty()).unwrap();
        assert_eq!(server.call(request).await.status, 405);
    }
    let text = scrape(&server).await;
    assert!(text.contains("method=\"other\"") && !text.contains("BREW"));
}
