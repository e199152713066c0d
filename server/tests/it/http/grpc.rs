//! OTLP over gRPC: the same records through another door, framed and answered as gRPC has it.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::harness::{TestServer, document, last_day, record};

const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

const OK: &str = "0";
const INVALID_ARGUMENT: &str = "3";
const RESOURCE_EXHAUSTED: &str = "8";
const OUT_OF_RANGE: &str = "11";
const UNIMPLEMENTED: &str = "12";
const UNAVAILABLE: &str = "14";
const UNAUTHENTICATED: &str = "16";

/// A reply: its status, and its message when it has one.
struct Reply {
    status: String,
    message: Option<Bytes>,
}

fn message(records: &[Value]) -> Vec<u8> {
    let request: ExportLogsServiceRequest = serde_json::from_value(document("api", records)).unwrap();
    request.encode_to_vec()
}

/// gRPC's frame: whether it is compressed, its length, the message.
fn frame(is_compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&[is_compressed], &length.to_be_bytes()[..], message].concat()
}

async fn call(server: &TestServer, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let mut request = Request::post(path).header("content-type", "application/grpc");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = server::grpc_app(server.state.clone()).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200, "gRPC says what went wrong in its own status");
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let bytes = collected.to_bytes();
    let status = |headers: &HeaderMap| headers.get("grpc-status").map(|s| s.to_str().unwrap().to_owned());
    let status = status(&parts.headers).or_else(|| status(&trailers)).expect("a gRPC status");
    Reply { status, message: bytes.get(5..).map(Bytes::copy_from_slice) }
}

async fn export(server: &TestServer, headers: &[(&str, &str)], body: Vec<u8>) -> Reply {
    let token = format!("Bearer {}", server.token());
    call(server, EXPORT, &[&[("authorization", token.as_str())], headers].concat(), body).await
}

async fn bodies(server: &TestServer) -> Vec<String> {
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    let mut bodies: Vec<String> = rows.iter().map(|row| row["body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    bodies
}

#[tokio::test]
async fn records_are_taken_plain_and_compressed() {
    let server = TestServer::start().await;
    let plain = export(&server, &[], frame(0, &message(&[record(60, "INFO", "plain")]))).await;
    assert_eq!(plain.status, OK);
    let reply = ExportLogsServiceResponse::decode(plain.message.unwrap()).unwrap();
    assert_eq!(reply, ExportLogsServiceResponse::default());
    let packed = zstd::encode_all(&message(&[record(50, "INFO", "packed")])[..], 1).unwrap();
    let packed = export(&server, &[("grpc-encoding", "zstd")], frame(1, &packed)).await;
    assert_eq!(packed.status, OK);
    assert_eq!(bodies(&server).await, ["packed", "plain"]);
}

#[tokio::test]
async fn rejected_records_are_counted_in_the_reply() {
    let server = TestServer::start_with(|config| config.ingest.max_record_bytes = 100).await;
    let records = [record(60, "INFO", &"x".repeat(200)), record(60, "INFO", "kept")];
    let reply = export(&server, &[], frame(0, &message(&records))).await;
    assert_eq!(reply.status, OK);
    let reply = ExportLogsServiceResponse::decode(reply.message.unwrap()).unwrap();
    assert_eq!(reply.partial_success.unwrap().rejected_log_records, 1);
    assert_eq!(bodies(&server).await, ["kept"]);
}

#[tokio::test]
async fn what_cannot_be_taken_has_a_status_that_tells_whether_to_send_again() {
    let server = TestServer::start_with(|config| {
        config.ingest.max_decompressed_bytes = 10_000;
        config.ingest.max_in_flight_bytes = 20_000;
        config.ingest.max_encoded_bytes = 100_000;
    })
    .await;
    let good = frame(0, &message(&[record(60, "INFO", "x")]));
    assert_eq!(call(&server, EXPORT, &[], good.clone()).await.status, UNAUTHENTICATED);
    let wrong = [("authorization", "Bearer phc_wrong")];
    assert_eq!(call(&server, EXPORT, &wrong, good.clone()).await.status, UNAUTHENTICATED);
    let other = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    assert_eq!(call(&server, other, &[], good).await.status, UNIMPLEMENTED);
    assert_eq!(export(&server, &[], frame(0, b"\xff\xff\xff")).await.status, INVALID_ARGUMENT);
    let bomb = zstd::encode_all(&vec![0_u8; 1 << 20][..], 1).unwrap();
    let bomb = export(&server, &[("grpc-encoding", "zstd")], frame(1, &bomb)).await;
    assert!([RESOURCE_EXHAUSTED, OUT_OF_RANGE].contains(&bomb.status.as_str()), "{}", bomb.status);
    let crowd = export(&server, &[], frame(0, &vec![0; 30_000])).await;
    assert_eq!(crowd.status, UNAVAILABLE);
    let large = export(&server, &[], frame(0, &vec![0; 200_000])).await;
    assert_eq!(large.status, RESOURCE_EXHAUSTED);
    assert_eq!(bodies(&server).await, Vec::<String>::new());
}

#[tokio::test]
async fn settings_and_rules_hold_over_grpc_as_well() {
    let server = TestServer::start().await;
    let change =
        |method: Method, path: &'static str, body: Value| server.request(method, path, body.to_string());
    let scrub = change(Method::PATCH, "/api/projects/1/", json!({ "pii_scrub_logs": true })).await;
    let group = json!([{ "key": "message", "type": "log", "operator": "exact", "value": "noise" }]);
    let rule = json!({ "name": "r", "enabled": true, "rule_type": "path_drop", "config": { "filter_group": group } });
    let drop = change(Method::POST, "/api/projects/1/logs/sampling_rules", rule).await;
    assert_eq!((scrub.status.as_u16(), drop.status.as_u16()), (200, 201));
    let records = [record(60, "INFO", "noise"), record(60, "INFO", "mail joe@ex.org")];
    let reply = export(&server, &[], frame(0, &message(&records))).await;
    assert_eq!(reply.status, OK);
    assert_eq!(bodies(&server).await, ["mail {{REDACTED}}"]);
}
