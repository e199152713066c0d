//! Records as Datadog's agents send them: the same doors, limits and rows as those of OTLP.

use std::io::Write;

use axum::body::Body;
use axum::http::{Method, Request};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::harness::{Answer, NOW_US, TestServer, last_day};

async fn post(server: &TestServer, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    server.call(request.body(body.into()).unwrap()).await
}

async fn bodies(server: &TestServer) -> Vec<String> {
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    let mut bodies: Vec<String> = rows.iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    bodies
}

fn message(text: &str) -> String {
    json!([{ "message": text }]).to_string()
}

#[tokio::test]
async fn a_record_becomes_a_row() {
    let server = TestServer::start().await;
    let path = format!("/i/v1/logs/datadog/{}?team=core&service=fallback&ddsource=url", server.token());
    let record = json!({
        "ddsource": "nginx", "ddtags": "env:prod,canary", "hostname": "h1", "message": "paid", "service": "web",
        "status": "err", "timestamp": NOW_US / 1_000 - 5_000, "dd.trace_id": "0123456789abcdef0123456789abcdef",
        "http": { "status_code": 502 }, "duration": 1.5,
    });
    let answer = post(&server, &path, &[], json!([record, {}]).to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    assert_eq!(rows.len(), 1, "an empty object is no record");
    let row = &rows[0];
    assert_eq!(
        (&row["body"], &row["severity_text"], &row["timestamp"]),
        (&json!("paid"), &json!("error"), &json!("2025-12-16T10:32:55Z"))
    );
    assert_eq!(
        row["attributes"],
        json!({ "http": "{\"status_code\":502}", "duration": "1.5", "team": "core" })
    );
    assert_eq!(
        row["resource_attributes"],
        json!({ "service.name": "web", "host.name": "h1", "ddsource": "nginx", "env": "prod", "canary": "true" })
    );
    assert_eq!(row["trace_id"], "0123456789ABCDEF0123456789ABCDEF");
}

#[tokio::test]
async fn the_token_is_found_in_every_place() {
    let server = TestServer::start().await;
    let token = server.token();
    let bearer = format!("Bearer {token}");
    let in_path = format!("/i/v1/logs/datadog/{token}");
    let in_query = format!("/i/v1/logs/datadog?token={token}");
    let as_key = format!("/api/v2/logs?dd-api-key={token}");
    let cases: [(&str, Vec<(&str, &str)>); 8] = [
        (&in_path, vec![]),
        (&in_path, vec![("authorization", "Bearer phc_other")]),
        (&in_query, vec![]),
        (&as_key, vec![]),
        ("/i/v1/logs/datadog", vec![("authorization", &bearer)]),
        ("/i/v1/logs/datadog/", vec![("authorization", token)]),
        ("/api/v2/logs", vec![("DD-API-KEY", token)]),
        ("/api/v2/logs/", vec![("authorization", &bearer)]),
    ];
    for (index, (path, headers)) in cases.iter().enumerate() {
        let answer = post(&server, path, headers, message(&index.to_string())).await;
        assert_eq!(answer.status, 200, "{path} {headers:?} {:?}", answer.body);
    }
    assert_eq!(bodies(&server).await, ["0", "1", "2", "3", "4", "5", "6", "7"]);
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    assert!(rows.iter().all(|row| row["attributes"] == json!({})), "a token is no attribute");
    for (path, headers) in [
        ("/i/v1/logs/datadog/phc_unknown", vec![]),
        ("/i/v1/logs/datadog", vec![]),
        ("/api/v2/logs", vec![("dd-api-key", "phc_unknown")]),
        ("/api/v2/logs", vec![("dd-api-key", server.key())]),
    ] {
        let answer = post(&server, path, &headers, message("x")).await;
        assert_eq!(answer.simple_refusal().0, 401, "{path}");
    }
}

#[tokio::test]
async fn encodings_and_limits_are_those_of_otlp() {
    let server = TestServer::start_with(|config| config.ingest.max_decompressed_bytes = 2_000).await;
    let path = format!("/i/v1/logs/datadog/{}", server.token());
    let gzip = |text: &str| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(post(&server, &path, &[("content-encoding", "gzip")], gzip(&message("a"))).await.status, 200);
    assert_eq!(post(&server, &path, &[], gzip(&message("b"))).await.status, 200);
    let zstd = zstd::encode_all(message("c").as_bytes(), 1).unwrap();
    assert_eq!(post(&server, &path, &[("content-encoding", "zstd")], zstd).await.status, 200);
    assert_eq!(bodies(&server).await, ["a", "b", "c"]);
    let long = message(&"x".repeat(3_000));
    assert_eq!(post(&server, &path, &[], gzip(&long)).await.simple_refusal().0, 413);
    assert_eq!(post(&server, &path, &[], long).await.simple_refusal().0, 413);
    assert_eq!(post(&server, &path, &[("content-encoding", "br")], "x").await.simple_refusal().0, 415);
    for body in ["nonsense", "5", "[1]", "{\"a\":"] {
        assert_eq!(post(&server, &path, &[], body).await.simple_refusal().0, 400, "{body}");
    }
    let answer = server.request(Method::GET, &path, Body::empty()).await;
    assert_eq!(answer.simple_refusal().0, 405);
    assert_eq!(server.request(Method::OPTIONS, &path, Body::empty()).await.status, 200);
}

#[tokio::test]
async fn a_record_that_is_too_large_is_rejected_alone() {
    let server = TestServer::start_with(|config| config.ingest.max_record_bytes = 100).await;
    let path = format!("/i/v1/logs/datadog/{}", server.token());
    let answer =
        post(&server, &path, &[], json!([{ "message": "x".repeat(200) }, { "message": "a" }]).to_string())
            .await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedLogRecords"], Value::from("1"));
    assert_eq!(bodies(&server).await, ["a"]);
}
