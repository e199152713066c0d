//! The mapping of records, held against the protobuf and the JSON encodings of the same requests.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, TimestampMicrosecondType, UInt32Type};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::*;
use crate::schema::columns;

const RECEIVED_US: i64 = 1_765_881_156_184_820;

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: &str) -> AnyValue {
    value(Value::StringValue(text.to_owned()))
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn request(resource: Vec<KeyValue>, records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = InstrumentationScope { name: "lib".into(), version: "1.2".into(), ..Default::default() };
    let scope_logs = ScopeLogs { scope: Some(scope), log_records: records, ..Default::default() };
    let resource = Some(Resource { attributes: resource, ..Default::default() });
    let resource_logs = ResourceLogs { resource, scope_logs: vec![scope_logs], ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![resource_logs] }
}

/// Decodes a request from both encodings, which must give the same rows.
#[track_caller]
fn decode(request: &ExportLogsServiceRequest) -> DecodedLogs {
    let limits = RecordLimits::default();
    let protobuf = decode_otlp_protobuf(&request.encode_to_vec(), RECEIVED_US, &limits).unwrap();
    let json = serde_json::to_vec(request).unwrap();
    let from_json = decode_otlp_json(&json, RECEIVED_US, &limits).unwrap();
    assert_eq!(protobuf.batch, from_json.batch);
    assert_eq!(protobuf.rejected, from_json.rejected);
    protobuf
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column =
        arrow::compute::cast(batch.column_by_name(column).unwrap(), &arrow::datatypes::DataType::Utf8);
    column.unwrap().as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

fn map(batch: &RecordBatch, column: &str, row: usize) -> Vec<(String, String)> {
    let entries = batch.column_by_name(column).unwrap().as_map().value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    (0..entries.len()).map(|i| (keys.value(i).to_owned(), values.value(i).to_owned())).collect()
}

fn micros(batch: &RecordBatch, column: &str) -> Vec<i64> {
    batch.column_by_name(column).unwrap().as_primitive::<TimestampMicrosecondType>().values().to_vec()
}

#[test]
fn every_kind_of_value_has_its_text() {
    let list = ArrayValue { values: vec![value(Value::IntValue(1)), text("a\"b"), AnyValue { value: None }] };
    let nested = KeyValueList { values: vec![attribute("k", value(Value::DoubleValue(0.5)))] };
    let attributes = vec![
        attribute("text", text("plain")),
        attribute("bool", value(Value::BoolValue(true))),
        attribute("int", value(Value::IntValue(-7))),
        attribute("double", value(Value::DoubleValue(500.0))),
        attribute("array", value(Value::ArrayValue(list))),
        attribute("object", value(Value::KvlistValue(nested))),
        attribute("null", AnyValue { value: None }),
        attribute("twice", text("first")),
        attribute("twice", text("last")),
    ];
    let logs = decode(&request(vec![], vec![LogRecord { attributes, ..Default::default() }]));
    let expected = [
        ("array", r#"[1,"a\"b",null]"#),
        ("bool", "true"),
        ("double", "500.0"),
        ("int", "-7"),
        ("null", ""),
        ("object", r#"{"k":0.5}"#),
        ("text", "plain"),
        ("twice", "last"),
    ];
    let expected: Vec<_> = expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    assert_eq!(map(&logs.batch, columns::ATTRIBUTES, 0), expected);
}

#[test]
fn bytes_are_base64() {
    let attributes = vec![attribute("bytes", value(Value::BytesValue(vec![1, 2, 255])))];
    let body = Some(value(Value::BytesValue(vec![1, 2, 255])));
    let logs = decode(&request(vec![], vec![LogRecord { attributes, body, ..Default::default() }]));
    assert_eq!(map(&logs.batch, columns::ATTRIBUTES, 0), [("bytes".to_owned(), "AQL/".to_owned())]);
    assert_eq!(texts(&logs.batch, columns::BODY), ["\"AQL/\""]);
}

#[test]
fn a_resource_without_a_service_gets_an_empty_one() {
    let logs = decode(&request(vec![attribute("host.name", text("h"))], vec![LogRecord::default()]));
    assert_eq!(texts(&logs.batch, columns::SERVICE_NAME), [""]);
    let expected = [("host.name".to_owned(), "h".to_owned()), ("service.name".to_owned(), String::new())];
    assert_eq!(map(&logs.batch, columns::RESOURCE_ATTRIBUTES, 0), expected);
}

#[test]
fn scope_event_flags_and_ids_are_kept_and_bad_ids_are_unset() {
    let good = LogRecord {
        trace_id: (1..17).collect(),
        span_id: (1..9).collect(),
        flags: 1,
        event_name: "device.app.lifecycle".into(),
        ..Default::default()
    };
    let bad = LogRecord { trace_id: vec![1, 2, 3], span_id: vec![9; 9], ..Default::default() };
    let logs = decode(&request(vec![attribute("service.name", text("api"))], vec![good, bad]));
    let ids = |column| logs.batch.column_by_name(column).unwrap().as_fixed_size_binary().clone();
    assert_eq!(ids(columns::TRACE_ID).value(0), (1..17).collect::<Vec<u8>>());
    assert_eq!(ids(columns::TRACE_ID).value(1), [0; 16]);
    assert_eq!(ids(columns::SPAN_ID).value(0), (1..9).collect::<Vec<u8>>());
    assert_eq!(ids(columns::SPAN_ID).value(1), [0; 8]);
    let flags = logs.batch.column_by_name(columns::TRACE_FLAGS).unwrap().as_primitive::<UInt32Type>();
    assert_eq!(flags.values().as_ref(), [1, 0]);
    assert_eq!(texts(&logs.batch, columns::EVENT_NAME), ["device.app.lifecycle", ""]);
    assert_eq!(texts(&logs.batch, columns::INSTRUMENTATION_SCOPE), ["lib@1.2", "lib@1.2"]);
    assert_eq!(texts(&logs.batch, columns::SERVICE_NAME), ["api", "api"]);
}

#[test]
fn missing_times_take_the_observed_time_then_the_time_of_receipt() {
    let record = |time: u64, observed: u64| LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: observed,
        ..Default::default()
    };
    let logs =
        decode(&request(vec![], vec![record(0, 0), record(0, 5_000), record(7_999, 0), record(1, 2_000)]));
    assert_eq!(micros(&logs.batch, columns::TIMESTAMP), [RECEIVED_US, 5, 7, 0]);
    assert_eq!(micros(&logs.batch, columns::OBSERVED_TIMESTAMP), [RECEIVED_US, 5, RECEIVED_US, 2]);
}

#[test]
fn bad_records_are_rejected_alone() {
    let late = LogRecord { time_unix_nano: u64::MAX, ..Default::default() };
    let huge = LogRecord { body: Some(text(&"x".repeat((1 << 20) + 1))), ..Default::default() };
    let good = LogRecord { body: Some(text("kept")), ..Default::default() };
    let logs = decode(&request(vec![], vec![late, huge, good]));
    assert_eq!(logs.rejected.count, 2);
    assert!(logs.rejected.first_reason.as_deref().unwrap().contains("63 bits"));
    assert_eq!(texts(&logs.batch, columns::BODY), ["kept"]);
}

#[test]
fn a_large_resource_on_many_records_is_refused() {
    let resource = vec![attribute("blob", text(&"x".repeat(1 << 19)))];
    let request = request(resource, vec![LogRecord::default(); 600]);
    let limits = RecordLimits::default();
    let error = decode_otlp_protobuf(&request.encode_to_vec(), RECEIVED_US, &limits).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::LimitExceeded);
}

#[test]
fn severities_are_decided_from_number_body_and_word() {
    let record = |number, word: &str, body: &str| LogRecord {
        severity_number: number,
        severity_text: word.to_owned(),
        body: Some(text(body)),
        ..Default::default()
    };
    let records = vec![
        record(0, "Warning", ""),
        record(10, "ERROR", ""),
        record(0, "", r#"{"level":"ERROR"}"#),
        record(30, "", ""),
        record(0, "NOTICE", ""),
    ];
    let logs = decode(&request(vec![], records));
    assert_eq!(texts(&logs.batch, columns::SEVERITY_TEXT), ["warn", "info", "error", "unknown", "info"]);
    let numbers = logs.batch.column_by_name(columns::SEVERITY_NUMBER).unwrap().as_primitive::<Int32Type>();
    assert_eq!(numbers.values().as_ref(), [13, 10, 17, 30, 9]);
}

#[test]
fn the_resource_may_follow_its_records() {
    let full = request(vec![attribute("service.name", text("late"))], vec![LogRecord::default()]);
    let logs = &full.resource_logs[0];
    let scope_logs = logs.scope_logs[0].encode_to_vec();
    let resource = logs.resource.as_ref().unwrap().encode_to_vec();
    let field = |number: u8, bytes: &[u8]| {
        let mut field = vec![number << 3 | 2];
        prost::encoding::encode_varint(bytes.len() as u64, &mut field);
        field.extend(bytes);
        field
    };
    let reordered = [field(2, &scope_logs), field(1, &resource)].concat();
    let logs = decode_otlp_protobuf(&field(1, &reordered), RECEIVED_US, &RecordLimits::default()).unwrap();
    assert_eq!(texts(&logs.batch, columns::SERVICE_NAME), ["late"]);
}

#[test]
fn json_is_read_leniently() {
    let body = r#"
        {"resourceLogs":[{"unknown":1,"scopeLogs":[{"logRecords":[
            {"timeUnixNano":"1000","severityNumber":"17","body":{},"traceId":"5B8EFFF798038103D269B633813FC60C",
             "attributes":[{"key":"n","value":{"intValue":12}},{"key":"s","value":{"intValue":"13"}},{"key":"e","value":{}}]}
        ]}]}]}
        {"resourceLogs":null}

        {"resourceLogs":[{"resource":null,"scopeLogs":[{"scope":null,"logRecords":[{"timeUnixNano":2000,"body":{"stringValue":"b"}}]}]}]}"#;
    let logs = decode_otlp_json(body.as_bytes(), RECEIVED_US, &RecordLimits::default()).unwrap();
    assert_eq!(micros(&logs.batch, columns::TIMESTAMP), [1, 2]);
    assert_eq!(texts(&logs.batch, columns::BODY), ["", "b"]);
    assert_eq!(texts(&logs.batch, columns::SEVERITY_TEXT), ["error", "info"]);
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(map(&logs.batch, columns::ATTRIBUTES, 0), [pair("e", ""), pair("n", "12"), pair("s", "13")]);
    let trace_ids = logs.batch.column_by_name(columns::TRACE_ID).unwrap().as_fixed_size_binary();
    assert_eq!(trace_ids.value(0)[..2], [0x5B, 0x8E]);
}

#[test]
fn members_of_json_come_in_any_order() {
    let record = |body: &str| format!(r#"{{"body":{{"stringValue":"{body}"}}}}"#);
    let service = |name: &str| {
        format!(
            r#""resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"{name}"}}}}]}}"#
        )
    };
    let (scope, records) = (r#""scope":{"name":"lib"}"#, format!(r#""logRecords":[{}]"#, record("x")));
    let mut bodies = Vec::new();
    for scope_logs in [format!("{{{scope},{records}}}"), format!("{{{records},{scope}}}")] {
        let scope_logs = format!(r#""scopeLogs":[{scope_logs}]"#);
        for resource_logs in
            [format!("{{{},{scope_logs}}}", service("a")), format!("{{{scope_logs},{}}}", service("a"))]
        {
            bodies.push(format!(r#"{{"resourceLogs":[{resource_logs}]}}"#));
        }
    }
    for body in &bodies {
        let logs = decode_otlp_json(body.as_bytes(), RECEIVED_US, &RecordLimits::default()).unwrap();
        assert_eq!(texts(&logs.batch, columns::BODY), ["x"], "{body}");
        assert_eq!(texts(&logs.batch, columns::SERVICE_NAME), ["a"], "{body}");
        assert_eq!(texts(&logs.batch, columns::INSTRUMENTATION_SCOPE), ["lib@"], "{body}");
    }
}

/// Three bytes of JSON are hundreds of memory when they are an object.
#[test]
fn json_does_not_grow_in_memory() {
    let decode = |records: &str, resource: &str| {
        let body = format!(
            r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#
        );
        decode_otlp_json(
            body.as_bytes(),
            RECEIVED_US,
            &RecordLimits { max_batch_rows: 5, ..Default::default() },
        )
    };
    let objects = vec!["{}"; 300_000].join(",");
    let wide = format!(r#"{{"attributes":[{objects}]}}"#);
    let logs = decode(&format!("{wide},{{}}"), "null").unwrap();
    assert_eq!((logs.num_rows(), logs.rejected.count), (1, 1));
    assert!(logs.rejected.first_reason.unwrap().contains("262144 values"));
    let error = decode("{}", &wide).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::LimitExceeded, "{error}");
    let error = decode(&objects, "null").unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::LimitExceeded, "refused at the sixth record: {error}");
}

#[test]
fn a_wrong_member_of_json_is_found_where_it_stands() {
    let body = "{\"resourceLogs\":[{\"scopeLogs\":[{\"scope\":{},\"logRecords\":[\n{\"flags\":1},\n{\"flags\":\"x\"}]}]}]}";
    let error = decode_otlp_json(body.as_bytes(), RECEIVED_US, &RecordLimits::default()).unwrap_err();
    assert!(error.message().contains("invalid digit") && error.message().contains("line 3"), "{error}");
}

#[test]
fn empty_requests_hold_no_rows() {
    let limits = RecordLimits::default();
    assert_eq!(decode_otlp_protobuf(b"", RECEIVED_US, &limits).unwrap().num_rows(), 0);
    assert_eq!(decode_otlp_json(b"{}", RECEIVED_US, &limits).unwrap().num_rows(), 0);
    assert_eq!(decode_otlp_json(b"", RECEIVED_US, &limits).unwrap().num_rows(), 0);
}

#[test]
fn other_documents_are_refused() {
    let limits = RecordLimits::default();
    let deep = format!("{{\"resourceLogs\":{}", "[".repeat(100_000));
    let bodies: [&[u8]; 7] = [
        b"not json",
        b"[]",
        b"{\"message\":\"a flat log line\"}",
        b"{\"resourceLogs\":5}",
        b"{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":-5}]}]}]}",
        b"{\"resourceLogs\":[]} trailing",
        deep.as_bytes(),
    ];
    for body in bodies {
        let error = decode_otlp_json(body, RECEIVED_US, &limits).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest, "{}", String::from_utf8_lossy(body));
    }
    let error = decode_otlp_protobuf(b"{\"resourceLogs\":[]}", RECEIVED_US, &limits).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::InvalidRequest);
}

#[test]
fn nesting_is_bounded() {
    let mut deep = text("x");
    for _ in 0..150 {
        deep = value(Value::ArrayValue(ArrayValue { values: vec![deep] }));
    }
    let request = request(vec![], vec![LogRecord { body: Some(deep), ..Default::default() }]);
    let error =
        decode_otlp_protobuf(&request.encode_to_vec(), RECEIVED_US, &RecordLimits::default()).unwrap_err();
    assert!(error.message().contains("nests deeper"), "{error}");
}
