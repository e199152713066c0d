//! The mapping of Datadog's records, and what is done with records that are not quite theirs.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, TimestampMicrosecondType};

use super::*;
use crate::ErrorKind;
use crate::schema::columns;

const RECEIVED_US: i64 = 1_765_881_156_184_820;

#[track_caller]
fn decode_with(body: &str, fallbacks: &[(&str, &str)]) -> RecordBatch {
    let fallbacks: Vec<_> =
        fallbacks.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    decode_datadog_json(body.as_bytes(), &fallbacks, RECEIVED_US, &RecordLimits::default()).unwrap().batch
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = arrow::compute::cast(batch.column_by_name(column).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

/// `key=value` for each entry, and the letters of the types.
fn map(batch: &RecordBatch, column: &str, types: &str, row: usize) -> (String, String) {
    let entries = batch.column_by_name(column).unwrap().as_map().value(row);
    let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1).as_string::<i32>());
    let pairs = (0..keys.len()).map(|i| format!("{}={}", keys.value(i), values.value(i)));
    (pairs.collect::<Vec<_>>().join(" "), texts(batch, types)[row].clone())
}

fn attributes(batch: &RecordBatch, row: usize) -> (String, String) {
    map(batch, columns::ATTRIBUTES, columns::ATTRIBUTE_TYPES, row)
}

fn resource(batch: &RecordBatch, row: usize) -> (String, String) {
    map(batch, columns::RESOURCE_ATTRIBUTES, columns::RESOURCE_ATTRIBUTE_TYPES, row)
}

fn pair(text: &str, letters: &str) -> (String, String) {
    (text.to_owned(), letters.to_owned())
}

#[test]
fn a_full_record_is_mapped() {
    let batch = decode_with(
        r#"[{"ddsource":"nginx","ddtags":"env:prod, canary,a:b:c,:x,","hostname":"h1","service":"web","message":"hi \u00fc",
            "status":"Warning","timestamp":1765881000123,"dd.trace_id":"0123456789ABCDEF0123456789abcdef","dd.span_id":"fedcba9876543210",
            "event.name":"e","otel.scope.name":"lib","n":5,"d":1.5,"b":true,"z":null,"l":[1, {"k" : "v"}],"o":{"x":[]}}]"#,
        &[],
    );
    assert_eq!(texts(&batch, columns::BODY), ["hi ü"]);
    assert_eq!(texts(&batch, columns::SERVICE_NAME), ["web"]);
    assert_eq!(texts(&batch, columns::EVENT_NAME), ["e"]);
    assert_eq!(texts(&batch, columns::INSTRUMENTATION_SCOPE), ["lib"]);
    assert_eq!(texts(&batch, columns::SEVERITY_TEXT), ["warn"]);
    assert_eq!(attributes(&batch, 0), pair(r#"b=true d=1.5 l=[1,{"k":"v"}] n=5 o={"x":[]} z="#, "bdaimn"));
    assert_eq!(
        resource(&batch, 0),
        pair(":x=true a=b:c canary=true ddsource=nginx env=prod host.name=h1 service.name=web", "bsbssss")
    );
    let times = batch.column_by_name(columns::TIMESTAMP).unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!(times.value(0), 1_765_881_000_123_000);
    let id = |column: &str| batch.column_by_name(column).unwrap().as_fixed_size_binary().value(0).to_vec();
    assert_eq!(id(columns::TRACE_ID)[..3], [0x01, 0x23, 0x45]);
    assert_eq!(id(columns::SPAN_ID)[..3], [0xfe, 0xdc, 0xba]);
}

#[test]
fn severities_and_times_of_every_spelling_are_read() {
    let numbers = |batch: &RecordBatch| {
        batch.column_by_name(columns::SEVERITY_NUMBER).unwrap().as_primitive::<Int32Type>().value(0)
    };
    for (status, number) in [
        ("emerg", 21),
        ("EMERGENCY", 21),
        ("crit", 21),
        ("critical", 21),
        ("alert", 21),
        ("err", 17),
        ("Error", 17),
        ("warn", 13),
        ("notice", 9),
        ("info", 9),
        ("debug", 5),
        ("trace", 1),
        ("loud", 9),
        ("", 9),
    ] {
        let batch = decode_with(&format!(r#"{{"status":"{status}"}}"#), &[]);
        assert_eq!(numbers(&batch), number, "{status}");
    }
    assert_eq!(numbers(&decode_with(r#"{"message":"{\"level\":\"fatal\"}"}"#, &[])), 21);
    for (timestamp, micros) in [
        ("1000", 1_000_000),
        ("\"1000\"", 1_000_000),
        ("1000.5", 1_000_500),
        ("\"1970-01-01T00:00:01.5Z\"", 1_500_000),
        ("\"1970-01-01T01:00:01+01:00\"", 1_000_000),
        ("\"1970-01-01 00:00:01\"", 1_000_000),
        ("\"1970-01-01T00:00:01.25\"", 1_250_000),
        ("-1", RECEIVED_US),
        ("1e300", RECEIVED_US),
        ("18446744073709551615", RECEIVED_US),
        ("\"9223372036854775\"", RECEIVED_US),
        ("\"soon\"", RECEIVED_US),
        ("null", RECEIVED_US),
    ] {
        let batch = decode_with(&format!(r#"{{"timestamp":{timestamp}}}"#), &[]);
        let times =
            batch.column_by_name(columns::TIMESTAMP).unwrap().as_primitive::<TimestampMicrosecondType>();
        assert_eq!(times.value(0), micros, "{timestamp}");
    }
}

#[test]
fn what_cannot_be_read_as_what_it_should_be_is_an_attribute() {
    let batch = decode_with(
        r#"{"timestamp":"soon","status":"loud","service":["a"],"trace_id":123,"span_id":"0102","message":{"a" : 1}}"#,
        &[],
    );
    assert_eq!(
        attributes(&batch, 0),
        pair(r#"service=["a"] span_id=0102 status=loud timestamp=soon trace_id=123"#, "asssi")
    );
    assert_eq!(texts(&batch, columns::BODY), [r#"{"a":1}"#]);
    let half = decode_with(r#"{"trace_id":"0123456789abcdef"}"#, &[]);
    let id = half.column_by_name(columns::TRACE_ID).unwrap().as_fixed_size_binary().value(0).to_vec();
    assert_eq!(id, [0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]);
}

#[test]
fn what_the_request_says_holds_for_records_that_do_not_say_it() {
    let batch = decode_with(
        r#"{"message":"own","service":"own","ddtags":"own:1","x":"own"} [{"y":1}]"#,
        &[
            ("service", "s"),
            ("ddtags", "env:q"),
            ("hostname", "h"),
            ("x", "q"),
            ("status", "error"),
            ("message", "m"),
        ],
    );
    assert_eq!(texts(&batch, columns::BODY), ["own", "m"]);
    assert_eq!(texts(&batch, columns::SEVERITY_TEXT), ["error", "error"]);
    assert_eq!(resource(&batch, 0).0, "host.name=h own=1 service.name=own");
    assert_eq!(resource(&batch, 1).0, "env=q host.name=h service.name=s");
    assert_eq!(attributes(&batch, 0).0, "x=own");
    assert_eq!(attributes(&batch, 1).0, "x=q y=1");
}

#[test]
fn bodies_without_records_hold_no_rows() {
    for body in ["", " \n", "[]", "{}", "[{},{}]", "[] {}"] {
        assert_eq!(decode_with(body, &[("service", "s")]).num_rows(), 0, "{body}");
    }
}

#[test]
fn other_bodies_are_refused() {
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    for body in [
        "5",
        "\"text\"",
        "[1]",
        "[[{}]]",
        "{",
        "{\"a\":1}x",
        "null",
        "{\"ddtags\":5}",
        "{\"ddtags\":[5]}",
        &deep,
    ] {
        let error =
            decode_datadog_json(body.as_bytes(), &[], RECEIVED_US, &RecordLimits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{body:.20}");
    }
    assert!(decode_datadog_json(b"\xff", &[], 0, &RecordLimits::default()).is_err());
}

#[test]
fn limits_hold() {
    let limits = RecordLimits { max_record_bytes: 20, max_batch_rows: 2, ..RecordLimits::default() };
    let decode = |body: &str| decode_datadog_json(body.as_bytes(), &[], RECEIVED_US, &limits);
    let logs = decode(r#"[{"message":"a text that is too long"},{"message":"b"}]"#).unwrap();
    assert_eq!((logs.num_rows(), logs.rejected.count), (1, 1));
    let error = decode(r#"[{"a":1},{"a":1},{"a":1}]"#).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
}
