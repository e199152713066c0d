//! How the tests look at generated records.

use data::{LogGenerator, LogSpec};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// A record with its resource's attributes.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) resource: Vec<KeyValue>,
    pub(crate) record: LogRecord,
}

impl Row {
    pub(crate) fn service(&self) -> &str {
        self.resource_text("service.name")
    }

    pub(crate) fn resource_text(&self, key: &str) -> &str {
        match value(&self.resource, key) {
            Some(Value::StringValue(text)) => text,
            other => panic!("resource attribute {key} is {other:?}"),
        }
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&Value> {
        value(&self.record.attributes, key)
    }

    pub(crate) fn time_us(&self) -> i64 {
        assert_eq!(self.record.time_unix_nano % 1_000, 0);
        (self.record.time_unix_nano / 1_000) as i64
    }

    /// The severity number, also where only the text tells it.
    pub(crate) fn severity_number(&self) -> i32 {
        match (self.record.severity_number, self.record.severity_text.as_str()) {
            (0, "TRACE") => 1,
            (0, "DEBUG") => 5,
            (0, "INFO") => 9,
            (0, "WARN") => 13,
            (0, "ERROR") => 17,
            (0, "FATAL") => 21,
            (number, _) => number,
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.severity_number() >= 17
    }
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref()?.value.as_ref()
}

/// All rows of a spec, request by request.
pub(crate) fn requests(spec: LogSpec) -> Vec<Vec<Row>> {
    let mut requests = Vec::new();
    for request in LogGenerator::new(spec).unwrap() {
        let mut rows = Vec::new();
        for resource_logs in request.resource_logs {
            let resource = resource_logs.resource.unwrap().attributes;
            for record in resource_logs.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                rows.push(Row { resource: resource.clone(), record });
            }
        }
        requests.push(rows);
    }
    requests
}

/// All rows of a spec.
pub(crate) fn rows(spec: LogSpec) -> Vec<Row> {
    requests(spec).into_iter().flatten().collect()
}
