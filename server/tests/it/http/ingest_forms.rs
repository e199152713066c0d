//! Records in every form and encoding, and the reply in the form of the request.

use std::io::Write;

use axum::body::Body;
use axum::http::{Method, Request};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer, document, last_day, record};

fn json_document(body: &str) -> Vec<u8> {
    document("api", &[record(60, "INFO", body)]).to_string().into_bytes()
}

fn protobuf(body: &str) -> Vec<u8> {
    let request: ExportLogsServiceRequest = serde_json::from_slice(&json_document(body)).unwrap();
    request.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

async fn bodies(server: &TestServer) -> Vec<String> {
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    let mut bodies: Vec<String> = rows.iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    bodies
}

fn is_protobuf_success(answer: &Answer) -> bool {
    answer.status == 200
        && answer.header("content-type") == "application/x-protobuf"
        && ExportLogsServiceResponse::decode(&answer.body[..]).unwrap()
            == ExportLogsServiceResponse::default()
}

fn is_json_success(answer: &Answer) -> bool {
    answer.status == 200 && answer.header("content-type") == "application/json" && answer.json() == json!({})
}

#[tokio::test]
async fn every_encoding_of_both_forms_is_taken() {
    let server = TestServer::start().await;
    type Pack = fn(&[u8]) -> Vec<u8>;
    let encodings: [(&str, Pack); 6] = [
        ("identity", <[u8]>::to_vec),
        ("gzip", gzip),
        ("gzip", <[u8]>::to_vec),
        ("zstd", zstd),
        ("deflate", zlib),
        ("deflate", raw_deflate),
    ];
    let mut expected = Vec::new();
    for (index, (encoding, pack)) in encodings.into_iter().enumerate() {
        let text = format!("{index} protobuf");
        let headers = [("content-type", "application/x-protobuf"), ("content-encoding", encoding)];
        let answer = server.send(&headers, pack(&protobuf(&text))).await;
        assert!(is_protobuf_success(&answer), "{encoding}: {answer:?}");
        expected.push(text);
        let text = format!("{index} json");
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let answer = server.send(&headers, pack(&json_document(&text))).await;
        assert!(is_json_success(&answer), "{encoding}: {answer:?}");
        expected.push(text);
    }
    expected.sort();
    assert_eq!(bodies(&server).await, expected);
}

#[tokio::test]
async fn gzip_needs_no_header() {
    let server = TestServer::start().await;
    assert!(is_protobuf_success(&server.send(&[], gzip(&protobuf("a"))).await));
    assert_eq!(bodies(&server).await, ["a"]);
}

#[tokio::test]
async fn a_form_is_found_out_when_it_is_not_declared_or_declared_wrong() {
    let server = TestServer::start().await;
    assert!(is_protobuf_success(&server.send(&[], protobuf("a")).await));
    assert!(is_json_success(&server.send(&[], json_document("b")).await));
    // The reply has the form that the sender reads.
    assert!(is_json_success(&server.send(&[("content-type", "application/json")], protobuf("c")).await));
    assert!(is_protobuf_success(
        &server.send(&[("content-type", "application/x-protobuf")], json_document("d")).await
    ));
    assert_eq!(bodies(&server).await, ["a", "b", "c", "d"]);
}

#[tokio::test]
async fn json_lines_are_merged() {
    let server = TestServer::start().await;
    let lines = [json_document("a"), b"".to_vec(), json_document("b"), b" ".to_vec()].join(&b"\n"[..]);
    assert!(is_json_success(&server.send(&[("content-type", "application/x-ndjson")], lines.clone()).await));
    assert!(is_json_success(&server.send(&[], lines).await));
    assert_eq!(bodies(&server).await, ["a", "a", "b", "b"]);
}

#[tokio::test]
async fn nothing_sent_is_nothing_stored() {
    let server = TestServer::start().await;
    assert!(is_protobuf_success(&server.send(&[], "").await));
    assert!(is_protobuf_success(&server.send(&[("content-type", "application/x-protobuf")], "").await));
    assert!(is_json_success(&server.send(&[("content-type", "application/json")], "").await));
    assert!(is_json_success(&server.send(&[], "{}").await));
    let has_logs = server.request(Method::GET, "/api/projects/1/logs/has_logs", "").await;
    assert_eq!(has_logs.json(), json!({ "hasLogs": false }));
}

#[tokio::test]
async fn records_over_the_limit_are_rejected_alone() {
    let server = TestServer::start_with(|config| config.ingest.max_record_bytes = 500).await;
    let large = "x".repeat(600);
    let records = [record(60, "INFO", "small"), record(60, "INFO", &large), record(60, "INFO", &large)];
    let body = document("api", &records).to_string();
    let answer = server.send(&[("content-type", "application/json")], body.clone()).await;
    assert_eq!(answer.status, 200);
    let partial = &answer.json()["partialSuccess"];
    assert_eq!(partial["rejectedLogRecords"], "2");
    assert!(partial["errorMessage"].as_str().unwrap().contains("500"), "{partial}");

    let request: ExportLogsServiceRequest = serde_json::from_str(&body).unwrap();
    let answer = server.send(&[("content-type", "application/x-protobuf")], request.encode_to_vec()).await;
    assert_eq!(answer.status, 200);
    let partial = ExportLogsServiceResponse::decode(&answer.body[..]).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_log_records, 2);
    assert!(partial.error_message.contains("500"), "{}", partial.error_message);
    assert_eq!(bodies(&server).await, ["small", "small"]);
}

#[tokio::test]
async fn both_paths_take_records_and_the_token_from_both_places() {
    let server = TestServer::start().await;
    let token = server.token();
    let requests = [
        Request::post("/i/v1/logs").header("authorization", format!("Bearer {token}")),
        Request::post("/i/v1/logs/").header("authorization", token),
        Request::post(format!("/v1/logs?token={token}")),
        Request::post(format!("/v1/logs/?token={token}")),
    ];
    for request in requests {
        let answer = server.call(request.body(Body::from(json_document("a"))).unwrap()).await;
        assert!(is_json_success(&answer), "{answer:?}");
    }
    assert_eq!(bodies(&server).await, ["a"; 4]);
}

#[tokio::test]
async fn a_page_of_any_origin_may_send() {
    let server = TestServer::start().await;
    for path in ["/v1/logs", "/i/v1/logs"] {
        let preflight = Request::options(path)
            .header("origin", "https://example.com")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .body(Body::empty());
        let answer = server.call(preflight.unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-methods"), "POST");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
    }
    for answer in [server.send(&[], json_document("a")).await, server.send(&[], "nonsense").await] {
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{answer:?}");
    }
}

#[tokio::test]
async fn the_checked_in_samples_are_taken_alike() {
    let server = TestServer::start().await;
    for sample in [data::samples::LOGS_PROTOBUF, data::samples::LOGS_JSON, data::samples::LOGS_NDJSON] {
        assert_eq!(server.send(&[], sample).await.status, 200);
    }
    let all = json!({ "dateRange": { "date_from": "all", "date_to": "2026-12-31" } });
    assert_eq!(server.ask("count", all).await.json(), json!({ "count": 3 * data::samples::log_spec().rows }));
    let values: Value = server
        .ask("sparkline", json!({ "dateRange": { "date_from": "2026-01-14", "date_to": "2026-01-16" } }))
        .await
        .json();
    let total: u64 = values.as_array().unwrap().iter().map(|entry| entry["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 3 * data::samples::log_spec().rows);
}
