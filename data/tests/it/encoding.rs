//! What is written can be read back by anything that speaks OTLP.

use data::encode::{self, Encoding};
use data::{ExportLogsServiceRequest, LogGenerator, LogSpec};
use opentelemetry_proto::tonic::logs::v1::ResourceLogs;
use prost::Message;

fn spec() -> LogSpec {
    LogSpec { rows: 400, records_per_request: 90, ..LogSpec::default() }
}

fn generated() -> Vec<ExportLogsServiceRequest> {
    LogGenerator::new(spec()).unwrap().collect()
}

fn all_resource_logs() -> Vec<ResourceLogs> {
    generated().into_iter().flat_map(|request| request.resource_logs).collect()
}

fn written(encoding: Encoding) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert_eq!(encode::write_requests(generated(), encoding, &mut bytes).unwrap(), 400);
    bytes
}

#[test]
fn a_request_survives_protobuf_and_json() {
    for request in generated() {
        let from_protobuf = ExportLogsServiceRequest::decode(encode::to_protobuf(&request).as_slice());
        assert_eq!(from_protobuf.unwrap(), request);
        let from_json: ExportLogsServiceRequest = serde_json::from_slice(&encode::to_json(&request)).unwrap();
        assert_eq!(from_json, request);
    }
}

#[test]
fn protobuf_and_json_files_are_one_request_with_everything() {
    let from_protobuf = ExportLogsServiceRequest::decode(written(Encoding::Protobuf).as_slice()).unwrap();
    assert_eq!(from_protobuf.resource_logs, all_resource_logs());
    let from_json: ExportLogsServiceRequest = serde_json::from_slice(&written(Encoding::Json)).unwrap();
    assert_eq!(from_json.resource_logs, all_resource_logs());
}

#[test]
fn json_lines_hold_one_request_each() {
    let bytes = written(Encoding::NdJson);
    let lines = std::str::from_utf8(&bytes).unwrap().lines();
    let requests: Vec<ExportLogsServiceRequest> =
        lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(requests, generated());
}

#[test]
fn nothing_is_still_a_document() {
    let write = |encoding| {
        let mut bytes = Vec::new();
        assert_eq!(encode::write_requests([], encoding, &mut bytes).unwrap(), 0);
        bytes
    };
    let from_json: ExportLogsServiceRequest = serde_json::from_slice(&write(Encoding::Json)).unwrap();
    assert_eq!(from_json, ExportLogsServiceRequest::default());
    assert!(write(Encoding::Protobuf).is_empty());
    assert!(write(Encoding::NdJson).is_empty());
}

#[test]
fn encodings_are_named_as_on_the_command_line() {
    assert_eq!("ndjson".parse(), Ok(Encoding::NdJson));
    let error = "xml".parse::<Encoding>().unwrap_err();
    assert_eq!(error, "encoding must be protobuf, json or ndjson, not \"xml\"");
}
