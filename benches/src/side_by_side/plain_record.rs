//! Records of plain JSON objects: a time, a text, perhaps a level and a service, and anything else.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, NaiveDateTime};
use data::ExportLogsServiceRequest;
use serde_json::{Map, Value, json};

use super::dataset::RECORDS_PER_REQUEST;

const TIMES: [&str; 6] = ["timestamp", "time", "ts", "@timestamp", "datetime", "date"];
const BODIES: [&str; 5] = ["body", "message", "msg", "log", "line"];
const LEVELS: [&str; 5] = ["severity_text", "severity", "level", "loglevel", "lvl"];
const SERVICES: [&str; 4] = ["service_name", "service.name", "service", "app"];

/// Requests of so many objects at a time.
pub(super) struct PlainRecords<I> {
    objects: I,
    num_read: u64,
}

impl<I: Iterator<Item = Result<Value>>> PlainRecords<I> {
    pub(super) fn new(objects: I) -> Self {
        Self { objects, num_read: 0 }
    }

    fn request(&mut self) -> Result<Option<ExportLogsServiceRequest>> {
        let mut by_service: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for object in self.objects.by_ref().take(RECORDS_PER_REQUEST) {
            self.num_read += 1;
            let (service, record) = record(object?).with_context(|| format!("record {}", self.num_read))?;
            by_service.entry(service).or_default().push(record);
        }
        if by_service.is_empty() {
            return Ok(None);
        }
        let resources: Vec<Value> = by_service
            .into_iter()
            .map(|(service, records)| {
                json!({
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                    "scopeLogs": [{"logRecords": records}],
                })
            })
            .collect();
        Ok(Some(serde_json::from_value(json!({ "resourceLogs": resources }))?))
    }
}

impl<I: Iterator<Item = Result<Value>>> Iterator for PlainRecords<I> {
    type Item = Result<ExportLogsServiceRequest>;

    fn next(&mut self) -> Option<Self::Item> {
        self.request().transpose()
    }
}

/// The service of an object, and its OTLP record.
fn record(object: Value) -> Result<(String, Value)> {
    let Value::Object(mut members) = object else { bail!("{object} is no object") };
    let time = take(&mut members, &TIMES).context("it has no time")?;
    let nanos = nanos(&time).with_context(|| format!("{time} is no time"))?;
    let text_of = |value: Option<Value>| value.map_or_else(String::new, |value| text(&value));
    let body = text_of(take(&mut members, &BODIES));
    let level = text_of(take(&mut members, &LEVELS));
    let service = text_of(take(&mut members, &SERVICES));
    let attributes: Vec<Value> = members
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| json!({"key": key, "value": any_value(&value)}))
        .collect();
    let record = json!({
        "timeUnixNano": nanos.to_string(), "severityText": level, "body": {"stringValue": body}, "attributes": attributes,
    });
    Ok((service, record))
}

fn take(members: &mut Map<String, Value>, names: &[&str]) -> Option<Value> {
    names.iter().find_map(|name| members.remove(*name))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) if number.is_i64() => json!({ "intValue": number.to_string() }),
        Value::Number(number) => json!({ "doubleValue": number }),
        other => json!({ "stringValue": text(other) }),
    }
}

/// A time as text, or as a number of seconds, milliseconds, microseconds or nanoseconds, whichever makes it a time of
/// our days.
fn nanos(time: &Value) -> Option<i64> {
    if let Some(number) = time.as_f64() {
        let scale = match number {
            ..1e11 => 1e9,
            ..1e14 => 1e6,
            ..1e17 => 1e3,
            _ => 1.0,
        };
        return Some((number * scale) as i64);
    }
    let text = time.as_str()?;
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let time = zoned
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map(|time| time.and_utc()));
    let time = time
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map(|time| time.and_utc()));
    time.ok()?.timestamp_nanos_opt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_text_or_numbers_of_any_unit() {
        for time in [json!("1970-01-02T00:00:00Z"), json!("1970-01-02 00:00:00"), json!(86_400)] {
            assert_eq!(nanos(&time), Some(86_400_000_000_000), "{time}");
        }
        let (secs, nanos_of) = (1_768_176_000_i64, 1_768_176_000_000_000_000);
        for scale in [1, 1_000, 1_000_000, 1_000_000_000] {
            assert_eq!(nanos(&json!(secs * scale)), Some(nanos_of), "{scale}");
        }
        assert_eq!(nanos(&json!("yesterday")), None);
    }

    #[test]
    fn what_has_no_other_meaning_is_an_attribute() {
        let object =
            json!({"ts": "2026-01-12T00:00:00Z", "msg": "hello", "level": "warn", "service": "web", "n": 3});
        let request = PlainRecords::new(std::iter::once(Ok(object))).next().unwrap().unwrap();
        let logs = &request.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!((logs.attributes.len(), logs.severity_text.as_str()), (1, "warn"));
        assert!(PlainRecords::new(std::iter::once(Ok(json!({"msg": "x"})))).next().unwrap().is_err());
    }
}
