//! Paths, methods and what every answer carries.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::harness::{TestServer, last_day, record};

#[tokio::test]
async fn every_spelling_of_a_path_gives_the_same_answer() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "ERROR", "one"), record(30, "INFO", "two")]).await;
    let query = json!({ "query": { "dateRange": last_day() } }).to_string();
    for prefix in ["projects", "environments"] {
        for project in ["1", "@current"] {
            for slash in ["", "/"] {
                let path = |name: &str| format!("/api/{prefix}/{project}/logs/{name}{slash}");
                let count = server.request(Method::POST, &path("count"), query.clone()).await;
                assert_eq!(count.json(), json!({ "count": 2 }), "{}", path("count"));
                let rows = server.request(Method::POST, &path("query"), query.clone()).await;
                assert_eq!(rows.json()["results"].as_array().unwrap().len(), 2, "{}", path("query"));
                let buckets = server.request(Method::POST, &path("sparkline"), query.clone()).await;
                assert!(!buckets.json().as_array().unwrap().is_empty(), "{}", path("sparkline"));
                let keys = server.request(Method::GET, &path("attributes"), Body::empty()).await;
                assert_eq!(keys.json(), json!({ "results": [], "count": 0 }), "{}", path("attributes"));
                let key = format!("{}?key=service.name&attribute_type=resource", path("values"));
                let values = server.request(Method::GET, &key, Body::empty()).await;
                assert_eq!(values.json()["results"][0]["count"], 2, "{key}");
                let facet = json!({ "query": { "facetField": "service_name" } }).to_string();
                let values = server.request(Method::POST, &path("facet_values"), facet).await;
                assert_eq!(values.json()["results"][0]["count"], 2, "{}", path("facet_values"));
                let has_logs = server.request(Method::GET, &path("has_logs"), Body::empty()).await;
                assert_eq!(has_logs.json(), json!({ "hasLogs": true }), "{}", path("has_logs"));
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405() {
    let server = TestServer::start().await;
    for path in
        ["/", "/api", "/api/nothing", "/api/projects/1/logs", "/api/projects/1/logs/nothing", "/v2/logs"]
    {
        let answer = server.request(Method::GET, path, Body::empty()).await;
        assert_eq!(answer.refusal(), (404, "not_found".into(), Value::Null), "{path}");
    }
    for (method, path) in [
        (Method::GET, "/api/projects/1/logs/query"),
        (Method::DELETE, "/api/projects/1/logs/count/"),
        (Method::POST, "/api/environments/1/logs/has_logs"),
        (Method::POST, "/api/projects/1/logs/attributes"),
        (Method::POST, "/api/projects/1/logs/values"),
        (Method::GET, "/api/projects/1/logs/facet_values"),
        (Method::POST, "/_liveness"),
    ] {
        let answer = server.request(method, path, Body::empty()).await;
        assert_eq!(answer.refusal(), (405, "method_not_allowed".into(), Value::Null), "{path}");
    }
    let answer = server.request(Method::GET, "/v1/logs", Body::empty()).await;
    assert_eq!(answer.simple_refusal(), (405, "method GET is not allowed here".into()));
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let server = TestServer::start().await;
    let with_id =
        |path: &str| Request::get(path).header("x-request-id", "mine-1").body(Body::empty()).unwrap();
    for path in ["/_liveness", "/nothing", "/api/projects/1/logs/has_logs", "/v1/logs"] {
        assert_eq!(server.call(with_id(path)).await.header("x-request-id"), "mine-1", "{path}");
        let answer = server.call(Request::get(path).body(Body::empty()).unwrap()).await;
        assert!(uuid::Uuid::parse_str(answer.header("x-request-id")).is_ok(), "{path}");
    }
}

#[tokio::test]
async fn the_server_is_alive_and_ready() {
    let server = TestServer::start().await;
    for path in ["/_liveness", "/_readiness"] {
        let answer = server.call(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (200, &b"ok"[..]));
    }
}

#[tokio::test]
async fn an_answer_is_compressed_for_who_asks() {
    let server = TestServer::start().await;
    server.store("api", &vec![record(60, "ERROR", &"text ".repeat(100)); 20]).await;
    let request = Request::post("/api/projects/1/logs/query")
        .header("authorization", format!("Bearer {}", server.key()))
        .header("accept-encoding", "zstd")
        .body(Body::from(json!({ "query": { "dateRange": last_day() } }).to_string()));
    let answer = server.call(request.unwrap()).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-encoding")), (200, "zstd"));
    let text = zstd::decode_all(&answer.body[..]).unwrap();
    let body: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(body["results"].as_array().unwrap().len(), 20);
}
