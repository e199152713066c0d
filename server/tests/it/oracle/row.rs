//! What a sent record becomes: the API reference's record mapping, severity and attribute value rules.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::base64_text;
use super::sent::{Group, Record, Value};

/// The keys of a JSON body that may name its severity, in their order.
const LEVEL_KEYS: [&str; 4] = ["level", "severity", "log.level", "config.log_level"];

/// The severity names a JSON body may use.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

/// A row as the query endpoint must give it back.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// Microseconds since the epoch.
    pub(crate) timestamp: i64,
    /// Microseconds since the epoch.
    pub(crate) observed_timestamp: i64,
    pub(crate) body: String,
    pub(crate) severity_text: String,
    pub(crate) severity_number: i64,
    pub(crate) service_name: String,
    pub(crate) resource_attributes: BTreeMap<String, String>,
    pub(crate) instrumentation_scope: String,
    pub(crate) event_name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    /// The server chooses it; known once the row was read back.
    pub(crate) uuid: String,
    /// The server computes it; known once the row was read back.
    pub(crate) resource_fingerprint: String,
}

impl Row {
    /// Bytes of body and of all attribute keys and values, and of a scope or event name longer than 50.
    pub(crate) fn num_bytes(&self) -> u64 {
        let maps = self.attributes.iter().chain(&self.resource_attributes);
        let attributes: usize = maps.map(|(key, value)| key.len() + value.len()).sum();
        let names = [&self.instrumentation_scope, &self.event_name];
        let long_names: usize = names.iter().map(|name| name.len()).filter(|length| *length > 50).sum();
        (self.body.len() + attributes + long_names) as u64
    }
}

/// The rows of a request that the server received at `received`, microseconds.
pub(crate) fn rows_of(groups: &[Group], received: i64) -> Vec<Row> {
    let rows_of_group = |group| move |record| row_of(group, record, received);
    groups.iter().flat_map(|group| group.records.iter().map(rows_of_group(group))).collect()
}

fn row_of(group: &Group, record: &Record, received: i64) -> Row {
    let body = record.body.as_ref().map(body_text).unwrap_or_default();
    let (severity_text, severity_number) = severity(record, &body);
    let resource_attributes = resource_attributes(&group.resource);
    let observed_timestamp = time_or(record.observed_nanos, received);
    Row {
        timestamp: time_or(record.time_nanos, observed_timestamp),
        observed_timestamp,
        body,
        severity_text,
        severity_number,
        service_name: resource_attributes["service.name"].clone(),
        resource_attributes,
        instrumentation_scope: scope_text(group),
        event_name: record.event_name.clone(),
        attributes: attribute_texts(&record.attributes),
        trace_id: record.trace_id.clone().try_into().unwrap_or_default(),
        span_id: record.span_id.clone().try_into().unwrap_or_default(),
        uuid: String::new(),
        resource_fingerprint: String::new(),
    }
}

/// A time that was not sent takes the next best; what is stored is cut to microseconds.
fn time_or(nanos: u64, otherwise: i64) -> i64 {
    match nanos {
        0 => otherwise,
        nanos => (nanos / 1000) as i64,
    }
}

/// `name@version`, empty without a scope.
fn scope_text(group: &Group) -> String {
    group.scope.as_ref().map(|(name, version)| format!("{name}@{version}")).unwrap_or_default()
}

/// A resource without a service name has an empty one.
fn resource_attributes(sent: &[(String, Value)]) -> BTreeMap<String, String> {
    let mut attributes = attribute_texts(sent);
    attributes.entry("service.name".to_owned()).or_default();
    attributes
}

/// The last of several equal keys counts.
fn attribute_texts(sent: &[(String, Value)]) -> BTreeMap<String, String> {
    sent.iter().map(|(key, value)| (key.clone(), value_text(value))).collect()
}

/// Text as it is, anything else as compact JSON, nothing as empty text.
fn body_text(body: &Value) -> String {
    match body {
        Value::Text(text) => text.clone(),
        Value::Null => String::new(),
        other => json_of(other).to_string(),
    }
}

/// Text as it is, lists and maps as compact JSON, bytes as base64, null as empty text.
fn value_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bytes(bytes) => base64_text(bytes),
        Value::Null => String::new(),
        Value::Array(_) | Value::Map(_) => json_of(value).to_string(),
    }
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Bool(flag) => Json::from(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Double(number) => Json::from(*number),
        Value::Bytes(bytes) => Json::from(base64_text(bytes)),
        Value::Null => Json::Null,
        Value::Array(items) => items.iter().map(json_of).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.clone(), json_of(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

/// A positive number wins, then the level that a JSON body names, then the sender's word.
fn severity(record: &Record, body: &str) -> (String, i64) {
    if record.severity_number > 0 {
        return (name_of_number(record.severity_number).to_owned(), i64::from(record.severity_number));
    }
    let name = level_of_body(body).unwrap_or_else(|| name_of_word(&record.severity_text).to_owned());
    let number = number_of_name(&name);
    (name, number)
}

fn name_of_number(number: i32) -> &'static str {
    match number {
        1..=4 => "trace",
        5..=8 => "debug",
        9..=12 => "info",
        13..=16 => "warn",
        17..=20 => "error",
        21..=24 => "fatal",
        _ => "unknown",
    }
}

/// What senders call the severities; any other word is `info`.
fn name_of_word(word: &str) -> &'static str {
    match word.to_lowercase().as_str() {
        "critical" | "fatal" | "crit" | "alert" | "emerg" => "fatal",
        "error" | "err" | "eror" => "error",
        "warn" | "warning" => "warn",
        "debug" | "dbug" => "debug",
        "trace" => "trace",
        _ => "info",
    }
}

fn number_of_name(name: &str) -> i64 {
    match name {
        "trace" => 1,
        "debug" => 5,
        "warn" => 13,
        "error" => 17,
        "fatal" => 21,
        _ => 9,
    }
}

/// The first of the level keys whose value is one of the six names, ignoring case.
fn level_of_body(body: &str) -> Option<String> {
    let Ok(Json::Object(object)) = serde_json::from_str(body) else { return None };
    let words = LEVEL_KEYS.iter().filter_map(|key| object.get(*key)?.as_str());
    words.map(str::to_lowercase).find(|word| LEVELS.contains(&word.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_severity(number: i32, word: &str, body: &str, expected: (&str, i64)) {
        let record = Record { severity_number: number, severity_text: word.to_owned(), ..Record::default() };
        let (name, number) = severity(&record, body);
        assert_eq!((name.as_str(), number), expected);
    }

    #[test]
    fn severity_follows_the_published_examples() {
        check_severity(0, "Warning", "", ("warn", 13));
        check_severity(10, "ERROR", "", ("info", 10));
        check_severity(0, "", r#"{"level":"ERROR"}"#, ("error", 17));
        check_severity(30, "", "", ("unknown", 30));
        check_severity(0, "NOTICE", "", ("info", 9));
        check_severity(-1, "eror", r#"{"level":"notice"}"#, ("error", 17));
        check_severity(0, "debug", r#"["level","fatal"]"#, ("debug", 5));
    }

    #[test]
    fn values_become_text() {
        let map = Value::Map(vec![("a".to_owned(), Value::Array(vec![Value::Int(1), Value::Null]))]);
        assert_eq!(value_text(&map), r#"{"a":[1,null]}"#);
        assert_eq!(value_text(&Value::Double(0.5)), "0.5");
        assert_eq!(value_text(&Value::Bytes(vec![0, 255])), "AP8=");
        assert_eq!(body_text(&Value::Bool(true)), "true");
    }
}
