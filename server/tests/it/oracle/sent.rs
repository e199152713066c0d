//! Log records as a sender has them, and their two OTLP encodings.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use serde_json::{Value as Json, json};

/// An attribute value or a body.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
    Bytes(Vec<u8>),
    Null,
}

/// One log record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Nanoseconds since the epoch; 0 is not sent.
    pub(crate) time_nanos: u64,
    /// Nanoseconds since the epoch; 0 is not sent.
    pub(crate) observed_nanos: u64,
    pub(crate) severity_number: i32,
    pub(crate) severity_text: String,
    pub(crate) body: Option<Value>,
    pub(crate) attributes: Vec<(String, Value)>,
    pub(crate) trace_id: Vec<u8>,
    pub(crate) span_id: Vec<u8>,
    pub(crate) event_name: String,
}

/// Name and version of an instrumentation scope.
pub(crate) type Scope = (String, String);

/// Records of one resource and scope.
#[derive(Clone, Debug, Default)]
pub(crate) struct Group {
    pub(crate) resource: Vec<(String, Value)>,
    pub(crate) scope: Option<Scope>,
    pub(crate) records: Vec<Record>,
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
    /// One JSON document per group, each on its own line.
    JsonLines,
}

impl Encoding {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json | Self::JsonLines => "application/json",
        }
    }
}

/// The body of an export request.
pub(crate) fn encode(groups: &[Group], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => protobuf(groups).encode_to_vec(),
        Encoding::Json => json_document(groups).to_string().into_bytes(),
        Encoding::JsonLines => {
            let lines = groups.iter().map(|group| json_document(std::slice::from_ref(group)).to_string());
            lines.collect::<Vec<_>>().join("\n").into_bytes()
        }
    }
}

fn protobuf(groups: &[Group]) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest { resource_logs: groups.iter().map(proto_resource_logs).collect() }
}

fn proto_resource_logs(group: &Group) -> ResourceLogs {
    let scope = group.scope.as_ref().map(|(name, version)| InstrumentationScope {
        name: name.clone(),
        version: version.clone(),
        ..Default::default()
    });
    let log_records = group.records.iter().map(proto_record).collect();
    ResourceLogs {
        resource: Some(Resource { attributes: proto_attributes(&group.resource), ..Default::default() }),
        scope_logs: vec![ScopeLogs { scope, log_records, schema_url: String::new() }],
        schema_url: String::new(),
    }
}

fn proto_record(record: &Record) -> LogRecord {
    LogRecord {
        time_unix_nano: record.time_nanos,
        observed_time_unix_nano: record.observed_nanos,
        severity_number: record.severity_number,
        severity_text: record.severity_text.clone(),
        body: record.body.as_ref().map(proto_value),
        attributes: proto_attributes(&record.attributes),
        trace_id: record.trace_id.clone(),
        span_id: record.span_id.clone(),
        event_name: record.event_name.clone(),
        ..Default::default()
    }
}

fn proto_attributes(attributes: &[(String, Value)]) -> Vec<KeyValue> {
    let entry = |(key, value): &(String, Value)| KeyValue {
        key: key.clone(),
        value: Some(proto_value(value)),
        ..Default::default()
    };
    attributes.iter().map(entry).collect()
}

fn proto_value(value: &Value) -> AnyValue {
    let value = match value {
        Value::Text(text) => Some(ProtoValue::StringValue(text.clone())),
        Value::Bool(flag) => Some(ProtoValue::BoolValue(*flag)),
        Value::Int(number) => Some(ProtoValue::IntValue(*number)),
        Value::Double(number) => Some(ProtoValue::DoubleValue(*number)),
        Value::Array(items) => {
            Some(ProtoValue::ArrayValue(ArrayValue { values: items.iter().map(proto_value).collect() }))
        }
        Value::Map(entries) => {
            Some(ProtoValue::KvlistValue(KeyValueList { values: proto_attributes(entries) }))
        }
        Value::Bytes(bytes) => Some(ProtoValue::BytesValue(bytes.clone())),
        Value::Null => None,
    };
    AnyValue { value }
}

fn json_document(groups: &[Group]) -> Json {
    json!({ "resourceLogs": groups.iter().map(json_resource_logs).collect::<Vec<_>>() })
}

fn json_resource_logs(group: &Group) -> Json {
    let records: Vec<Json> = group.records.iter().map(json_record).collect();
    let mut scope_logs = json!({ "logRecords": records });
    if let Some((name, version)) = &group.scope {
        scope_logs["scope"] = json!({ "name": name, "version": version });
    }
    json!({ "resource": { "attributes": json_attributes(&group.resource) }, "scopeLogs": [scope_logs] })
}

/// A record in OTLP/JSON: absent fields are left out, and of the 64-bit integers the times are strings.
fn json_record(record: &Record) -> Json {
    let mut json = json!({ "attributes": json_attributes(&record.attributes) });
    if record.time_nanos != 0 {
        json["timeUnixNano"] = json!(record.time_nanos.to_string());
    }
    if record.observed_nanos != 0 {
        json["observedTimeUnixNano"] = json!(record.observed_nanos);
    }
    if record.severity_number != 0 {
        json["severityNumber"] = json!(record.severity_number);
    }
    if let Some(body) = &record.body {
        json["body"] = json_value(body);
    }
    let texts = [
        ("severityText", record.severity_text.clone()),
        ("traceId", hex(&record.trace_id)),
        ("spanId", hex(&record.span_id)),
        ("eventName", record.event_name.clone()),
    ];
    for (field, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        json[field] = json!(text);
    }
    json
}

fn json_attributes(attributes: &[(String, Value)]) -> Json {
    attributes.iter().map(|(key, value)| json!({ "key": key, "value": json_value(value) })).collect()
}

/// Integers alternate between the two forms that the encoding allows: even ones are strings.
fn json_value(value: &Value) -> Json {
    match value {
        Value::Text(text) => json!({ "stringValue": text }),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Int(number) if number % 2 == 0 => json!({ "intValue": number.to_string() }),
        Value::Int(number) => json!({ "intValue": number }),
        Value::Double(number) => json!({ "doubleValue": number }),
        Value::Array(items) => {
            json!({ "arrayValue": { "values": items.iter().map(json_value).collect::<Vec<_>>() } })
        }
        Value::Map(entries) => json!({ "kvlistValue": { "values": json_attributes(entries) } }),
        Value::Bytes(bytes) => json!({ "bytesValue": super::base64_text(bytes) }),
        Value::Null => json!({}),
    }
}

/// Lower-case hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
