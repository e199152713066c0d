//! Log records as Datadog's intake takes them: flat JSON objects, one or a list of them.
//!
//! The only file that knows the names. What is no reserved name is an attribute; service, host, source and tags are
//! the record's resource. Nothing is lost: a reserved member that cannot be read as what it should be becomes an
//! attribute of the same name.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDateTime};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::attributes::AttributeList;
use super::batch_builder::{LogBatchBuilder, LogRecord, Resource};
use super::json_value::JsonValue;
use super::{DecodedLogs, RecordLimits, hex_bytes};
use crate::error::{Error, Result};
use crate::schema::AttributeType;

/// The attributes of a resource that reserved members become.
const SERVICE_KEY: &str = "service.name";
const HOST_KEY: &str = "host.name";
const SOURCE_KEY: &str = "ddsource";

/// Decodes one object, a list of objects, or several of either in a row. An object without members is no record:
/// agents send one to try the connection.
///
/// `fallbacks` are what a request says beside its body, for records that do not say it themselves: reserved names,
/// and others that become attributes.
///
/// # Errors
/// `InvalidRequest` when the body is not such JSON, `LimitExceeded` when its rows are over the limits.
pub fn decode_datadog_json(
    body: &[u8],
    fallbacks: &[(String, String)],
    received_us: i64,
    limits: &RecordLimits,
) -> Result<DecodedLogs> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid_request("the body is not UTF-8"))?;
    let fallbacks = Record::of_fallbacks(fallbacks);
    let mut sink =
        RecordSink { batch: LogBatchBuilder::new(received_us, limits), fallbacks: &fallbacks, failure: None };
    let mut documents = serde_json::Deserializer::from_str(text);
    while documents.end().is_err() {
        if let Err(error) = (&mut sink).deserialize(&mut documents) {
            return Err(sink.failure.take().unwrap_or_else(|| {
                Error::invalid_request(format!(
                    "the body is neither a JSON object nor a list of objects: {error}"
                ))
            }));
        }
    }
    sink.batch.finish()
}

/// Takes the records of a document one by one, so that no more than one is held beside the rows.
struct RecordSink<'f> {
    batch: LogBatchBuilder,
    fallbacks: &'f Record<'f>,
    /// Why a record was not taken.
    failure: Option<Error>,
}

impl RecordSink<'_> {
    fn take<E: de::Error>(&mut self, mut record: Record<'_>) -> Result<(), E> {
        if !record.has_members {
            return Ok(());
        }
        record.complete(self.fallbacks);
        record.append_to(&mut self.batch).map_err(|error| {
            let message = E::custom(error.message());
            self.failure = Some(error);
            message
        })
    }
}

impl<'de> DeserializeSeed<'de> for &mut RecordSink<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut RecordSink<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(record) = items.next_element::<Record<'de>>()? {
            self.take(record)?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        let record = RecordVisitor.visit_map(members)?;
        self.take(record)
    }
}

/// One record as its sender wrote it.
#[derive(Clone, Debug, Default)]
struct Record<'a> {
    message: Option<JsonValue<'a>>,
    service: Option<Cow<'a, str>>,
    hostname: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    /// Lists of tags, separated by commas.
    tags: Vec<Cow<'a, str>>,
    severity: Option<i32>,
    time_nanos: Option<u64>,
    trace_id: Option<Vec<u8>>,
    span_id: Option<Vec<u8>>,
    event_name: Option<Cow<'a, str>>,
    scope: Option<Cow<'a, str>>,
    attributes: Vec<(Cow<'a, str>, JsonValue<'a>)>,
    has_members: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        while let Some(key) = members.next_key::<JsonValue<'de>>()? {
            let JsonValue::Text(key) = key else { return Err(de::Error::custom("a key is no string")) };
            if key == "ddtags" {
                record.has_members = true;
                let Tags(tags) = members.next_value()?;
                record.tags.extend(tags);
            } else {
                record.read(key, members.next_value()?);
            }
        }
        Ok(record)
    }
}

/// Tags: one text, or a list of texts.
struct Tags<'a>(Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Tags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagsVisitor)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Tags<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tags as a string or a list of strings")
    }

    fn visit_unit<E>(self) -> Result<Tags<'de>, E> {
        Ok(Tags(Vec::new()))
    }

    fn visit_borrowed_str<E>(self, tags: &'de str) -> Result<Tags<'de>, E> {
        Ok(Tags(vec![Cow::Borrowed(tags)]))
    }

    fn visit_str<E>(self, tags: &str) -> Result<Tags<'de>, E> {
        Ok(Tags(vec![Cow::Owned(tags.to_owned())]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tags<'de>, A::Error> {
        let mut tags = Vec::new();
        while let Some(tag) = items.next_element::<JsonValue<'de>>()? {
            let JsonValue::Text(tag) = tag else { return Err(de::Error::custom("a tag is no string")) };
            tags.push(tag);
        }
        Ok(Tags(tags))
    }
}

impl<'a> Record<'a> {
    /// What a request says beside its body.
    fn of_fallbacks(parameters: &'a [(String, String)]) -> Self {
        let mut record = Record::default();
        for (key, value) in parameters {
            if key == "ddtags" {
                record.tags.push(Cow::Borrowed(value));
            } else {
                record.read(Cow::Borrowed(key), JsonValue::Text(Cow::Borrowed(value)));
            }
        }
        record
    }

    /// Takes one member.
    fn read(&mut self, key: Cow<'a, str>, value: JsonValue<'a>) {
        self.has_members = true;
        let understood = match &*key {
            "message" => {
                self.message = Some(value);
                return;
            }
            "service" => read_text(&mut self.service, &value),
            "hostname" => read_text(&mut self.hostname, &value),
            "ddsource" => read_text(&mut self.source, &value),
            "event.name" => read_text(&mut self.event_name, &value),
            "otel.scope.name" => read_text(&mut self.scope, &value),
            "status" => read(&mut self.severity, severity_number(&value.text())),
            "timestamp" => read(&mut self.time_nanos, time_nanos(&value)),
            "trace_id" | "dd.trace_id" => read(&mut self.trace_id, trace_id(&value)),
            "span_id" | "dd.span_id" => read(&mut self.span_id, span_id(&value)),
            _ => false,
        };
        if !understood {
            self.attributes.push((key, value));
        }
    }

    /// Takes over what the record does not say itself.
    fn complete(&mut self, fallbacks: &Record<'_>) {
        let or = |own: &mut Option<Cow<'a, str>>, fallback: &Option<Cow<'_, str>>| {
            if own.is_none() {
                *own = fallback.as_ref().map(|text| Cow::Owned(text.clone().into_owned()));
            }
        };
        or(&mut self.service, &fallbacks.service);
        or(&mut self.hostname, &fallbacks.hostname);
        or(&mut self.source, &fallbacks.source);
        or(&mut self.event_name, &fallbacks.event_name);
        or(&mut self.scope, &fallbacks.scope);
        let owned = |text: &str| JsonValue::Text(Cow::Owned(text.to_owned()));
        if self.message.is_none() {
            self.message = fallbacks.message.as_ref().map(|message| owned(&message.text()));
        }
        if self.tags.is_empty() {
            self.tags = fallbacks.tags.iter().map(|tags| Cow::Owned(tags.clone().into_owned())).collect();
        }
        self.severity = self.severity.or(fallbacks.severity);
        self.time_nanos = self.time_nanos.or(fallbacks.time_nanos);
        self.trace_id = self.trace_id.take().or_else(|| fallbacks.trace_id.clone());
        self.span_id = self.span_id.take().or_else(|| fallbacks.span_id.clone());
        let beside = fallbacks.attributes.iter();
        let beside = beside.map(|(key, value)| (Cow::Owned(key.clone().into_owned()), owned(&value.text())));
        // The last of equal keys stays, and that is the record's own.
        self.attributes.splice(..0, beside);
    }

    fn append_to(&self, batch: &mut LogBatchBuilder) -> Result<()> {
        let mut attributes = AttributeList::default();
        for (key, value) in &self.attributes {
            push(&mut attributes, key, value);
        }
        attributes.normalise();
        let body = self.message.as_ref().map(JsonValue::text).unwrap_or_default();
        let record = LogRecord {
            time_unix_nano: self.time_nanos.unwrap_or_default(),
            observed_time_unix_nano: 0,
            severity_number: self.severity.unwrap_or_default(),
            severity_text: "",
            body: &body,
            attributes: &attributes,
            trace_id: self.trace_id.as_deref().unwrap_or_default(),
            span_id: self.span_id.as_deref().unwrap_or_default(),
            flags: 0,
            event_name: self.event_name.as_deref().unwrap_or_default(),
        };
        batch.append(&self.resource(), self.scope.as_deref().unwrap_or_default(), &record)
    }

    /// Tags first, so that what has a name of its own stays.
    fn resource(&self) -> Resource<'_> {
        let mut attributes = AttributeList::default();
        for tag in self.tags.iter().flat_map(|tags| tags.split(',')).map(str::trim) {
            match tag.split_once(':') {
                Some((key, value)) if !key.is_empty() => {
                    attributes.push_borrowed(key, value, AttributeType::Text);
                }
                _ if tag.is_empty() => {}
                _ => attributes.push_borrowed(tag, "true", AttributeType::Bool),
            }
        }
        for (key, value) in
            [(SERVICE_KEY, &self.service), (HOST_KEY, &self.hostname), (SOURCE_KEY, &self.source)]
        {
            if let Some(value) = value {
                attributes.push_borrowed(key, value, AttributeType::Text);
            }
        }
        Resource::new(attributes)
    }
}

fn push<'s>(list: &mut AttributeList<'s>, key: &'s str, value: &'s JsonValue<'_>) {
    match value.text() {
        Cow::Borrowed(text) => list.push_borrowed(key, text, value.attribute_type()),
        Cow::Owned(text) => list
            .push_written(key, value.attribute_type(), |out| {
                out.push_str(&text);
                Ok::<_, std::convert::Infallible>(())
            })
            .unwrap_or_else(|never| match never {}),
    }
}

fn read<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let understood = value.is_some();
    *place = value.or(place.take());
    understood
}

/// Only lists and objects are no text.
fn read_text<'a>(place: &mut Option<Cow<'a, str>>, value: &JsonValue<'a>) -> bool {
    let text = match value {
        JsonValue::Array(_) | JsonValue::Object(_) => None,
        JsonValue::Text(text) => Some(text.clone()),
        other => Some(Cow::Owned(other.text().into_owned())),
    };
    read(place, text)
}

/// The bytes of a trace id as hexadecimal digits; its lower half alone is what 64-bit tracers write.
fn trace_id(value: &JsonValue<'_>) -> Option<Vec<u8>> {
    let JsonValue::Text(digits) = value else { return None };
    hex_bytes::<16>(digits).or_else(|| Some([vec![0; 8], hex_bytes::<8>(digits)?].concat()))
}

/// The bytes of a span id as hexadecimal digits.
fn span_id(value: &JsonValue<'_>) -> Option<Vec<u8>> {
    let JsonValue::Text(digits) = value else { return None };
    hex_bytes::<8>(digits)
}

/// What Datadog's words for severities are; `None` for a word that is none of them.
fn severity_number(status: &str) -> Option<i32> {
    Some(match status.to_ascii_lowercase().as_str() {
        "emerg" | "emergency" | "crit" | "critical" | "alert" | "fatal" => 21,
        "err" | "error" => 17,
        "warn" | "warning" => 13,
        "notice" | "info" => 9,
        "debug" => 5,
        "trace" => 1,
        _ => return None,
    })
}

/// Milliseconds since the epoch, as a number or as text, or an ISO 8601 time; one without an offset is in UTC.
fn time_nanos(value: &JsonValue<'_>) -> Option<u64> {
    const NANOS_PER_MILLI: u64 = 1_000_000;
    let of_millis =
        |millis: u64| millis.checked_mul(NANOS_PER_MILLI).filter(|nanos| i64::try_from(*nanos).is_ok());
    match value {
        JsonValue::Int(millis) => of_millis(u64::try_from(*millis).ok()?),
        JsonValue::Double(millis) if *millis >= 0.0 && *millis < 9e12 => Some((millis * 1e6) as u64),
        JsonValue::Text(text) => match text.trim().parse() {
            Ok(millis) => of_millis(millis),
            Err(_) => iso_nanos(text.trim()),
        },
        _ => None,
    }
}

fn iso_nanos(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok().or_else(|| {
        let parse = |format| NaiveDateTime::parse_from_str(text, format).ok();
        parse("%Y-%m-%dT%H:%M:%S%.f").or_else(|| parse("%Y-%m-%d %H:%M:%S%.f")).map(|time| time.and_utc())
    })?;
    u64::try_from(time.timestamp_nanos_opt()?).ok()
}
