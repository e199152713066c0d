//! OTLP in JSON: one request document, or several in a row (JSON Lines).
//!
//! The only file that knows the JSON names. Text without escapes is borrowed from the body. Unknown members
//! are ignored; 64-bit integers may be strings or numbers; ids are hexadecimal.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Unexpected, Visitor};
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::str::FromStr;

use super::attributes::AttributeList;
use super::batch_builder::{LogBatchBuilder, LogRecord as BuilderRecord, Resource as BuilderResource};
use super::value_text::{push_double, push_int, push_json_double, push_json_string};
use super::{DecodedLogs, RecordLimits, hex_bytes};
use crate::error::{Error, Result};
use crate::schema::AttributeType;

/// Decodes one document or several in a row; an object without members is a request without records.
///
/// # Errors
/// `InvalidRequest` when the body is not such JSON, or an object that has members but no `resourceLogs`:
/// somebody sent something else and would lose it. `LimitExceeded` when its rows are over the limits.
pub fn decode_otlp_json(body: &[u8], received_us: i64, limits: &RecordLimits) -> Result<DecodedLogs> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid_request("the body is not UTF-8"))?;
    let mut batch = LogBatchBuilder::new(received_us, limits);
    for document in serde_json::Deserializer::from_str(text).into_iter::<Document<'_>>() {
        let document = document.map_err(|error| {
            Error::invalid_request(format!("the body is not an OTLP logs request in JSON: {error}"))
        })?;
        append_document(&document, &mut batch)?;
    }
    batch.finish()
}

fn append_document(document: &Document<'_>, batch: &mut LogBatchBuilder) -> Result<()> {
    if document.has_others && document.resource_logs.is_none() {
        return Err(Error::invalid_request("the JSON object has no resourceLogs"));
    }
    for resource_logs in document.resource_logs.iter().flatten() {
        let mut attributes = AttributeList::default();
        if let Some(resource) = &resource_logs.resource {
            push_attributes(&resource.attributes, &mut attributes);
        }
        let resource = BuilderResource::new(attributes);
        for scope_logs in resource_logs.scope_logs.iter().flatten() {
            let scope = scope_logs.scope.as_ref().map(Scope::text).unwrap_or_default();
            for record in scope_logs.log_records.iter().flatten() {
                append_record(&resource, &scope, record, batch)?;
            }
        }
    }
    Ok(())
}

fn append_record(
    resource: &BuilderResource<'_>,
    scope: &str,
    record: &LogRecord<'_>,
    batch: &mut LogBatchBuilder,
) -> Result<()> {
    let mut attributes = AttributeList::default();
    push_attributes(&record.attributes, &mut attributes);
    attributes.normalise();
    let body = record.body.as_ref().map(AnyValue::body_text).unwrap_or_default();
    batch.append(
        resource,
        scope,
        &BuilderRecord {
            time_unix_nano: record.time_unix_nano.0,
            observed_time_unix_nano: record.observed_time_unix_nano.0,
            severity_number: record.severity_number.0,
            severity_text: text_or_empty(&record.severity_text),
            body: &body,
            attributes: &attributes,
            trace_id: &hex_bytes::<16>(text_or_empty(&record.trace_id)).unwrap_or_default(),
            span_id: &hex_bytes::<8>(text_or_empty(&record.span_id)).unwrap_or_default(),
            flags: record.flags.0,
            event_name: text_or_empty(&record.event_name),
        },
    )
}

fn push_attributes<'a>(attributes: &'a Option<Vec<KeyValue<'a>>>, list: &mut AttributeList<'a>) {
    for KeyValue { key, value } in attributes.iter().flatten() {
        let key = text_or_empty(key);
        let value_type = value.as_ref().map_or(AttributeType::Null, AnyValue::attribute_type);
        match value.as_ref().and_then(AnyValue::borrowed_text) {
            Some(text) => list.push_borrowed(key, text, value_type),
            None => list
                .push_written(key, value_type, |out| {
                    value.iter().for_each(|value| value.push_text(out));
                    Ok::<_, std::convert::Infallible>(())
                })
                .unwrap_or_else(|never| match never {}),
        }
    }
}

fn text_or_empty<'s>(text: &'s Option<Text<'_>>) -> &'s str {
    text.as_ref().map_or("", |text| &text.0)
}

/// Text, borrowed from the body where it has no escapes.
#[derive(Debug, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A whole request.
#[derive(Debug)]
struct Document<'a> {
    resource_logs: Option<Vec<ResourceLogs<'a>>>,
    /// Whether it has members of other names.
    has_others: bool,
}

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resourceLogs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<'de>, A::Error> {
        let mut document = Document { resource_logs: None, has_others: false };
        while let Some(Text(key)) = map.next_key()? {
            if key == "resourceLogs" {
                document.resource_logs = map.next_value()?;
            } else {
                document.has_others = true;
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(document)
    }
}

#[derive(Debug, Deserialize)]
struct ResourceLogs<'a> {
    #[serde(borrow)]
    resource: Option<Resource<'a>>,
    #[serde(borrow, rename = "scopeLogs")]
    scope_logs: Option<Vec<ScopeLogs<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

#[derive(Debug, Deserialize)]
struct ScopeLogs<'a> {
    #[serde(borrow)]
    scope: Option<Scope<'a>>,
    #[serde(borrow, rename = "logRecords")]
    log_records: Option<Vec<LogRecord<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Scope<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
}

impl Scope<'_> {
    fn text(&self) -> String {
        super::scope_name_and_version(text_or_empty(&self.name), text_or_empty(&self.version))
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(default)]
    time_unix_nano: Integer<u64>,
    #[serde(default)]
    observed_time_unix_nano: Integer<u64>,
    #[serde(default)]
    severity_number: Integer<i32>,
    #[serde(borrow)]
    severity_text: Option<Text<'a>>,
    #[serde(borrow)]
    body: Option<AnyValue<'a>>,
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
    #[serde(borrow)]
    trace_id: Option<Text<'a>>,
    #[serde(borrow)]
    span_id: Option<Text<'a>>,
    #[serde(default)]
    flags: Integer<u32>,
    #[serde(borrow)]
    event_name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct KeyValue<'a> {
    #[serde(borrow)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

/// An `AnyValue`; without any member it is null.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Option<Text<'a>>,
    bool_value: Option<bool>,
    int_value: Option<Integer<i64>>,
    double_value: Option<Double>,
    #[serde(borrow)]
    array_value: Option<ArrayValue<'a>>,
    #[serde(borrow)]
    kvlist_value: Option<KeyValueList<'a>>,
    /// Base64, as it is stored.
    #[serde(borrow)]
    bytes_value: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct ArrayValue<'a> {
    #[serde(borrow)]
    values: Option<Vec<AnyValue<'a>>>,
}

#[derive(Debug, Deserialize)]
struct KeyValueList<'a> {
    #[serde(borrow)]
    values: Option<Vec<KeyValue<'a>>>,
}

impl AnyValue<'_> {
    /// The value's text where it stands in the body as text.
    fn borrowed_text(&self) -> Option<&str> {
        self.string_value.as_ref().or(self.bytes_value.as_ref()).map(|text| &*text.0)
    }

    /// In the order in which text is looked for.
    fn attribute_type(&self) -> AttributeType {
        if self.string_value.is_some() {
            AttributeType::Text
        } else if self.bytes_value.is_some() {
            AttributeType::Bytes
        } else if self.double_value.is_some() {
            AttributeType::Double
        } else if self.bool_value.is_some() {
            AttributeType::Bool
        } else if self.int_value.is_some() {
            AttributeType::Int
        } else if self.array_value.is_some() {
            AttributeType::Array
        } else if self.kvlist_value.is_some() {
            AttributeType::Map
        } else {
            AttributeType::Null
        }
    }

    /// A string is itself, any other value its compact JSON; null is empty.
    fn body_text(&self) -> Cow<'_, str> {
        if let Some(text) = &self.string_value {
            return Cow::Borrowed(&text.0);
        }
        let mut json = String::new();
        self.push_json(&mut json);
        if json == "null" {
            json.clear();
        }
        Cow::Owned(json)
    }

    /// Appends the text of an attribute value.
    fn push_text(&self, out: &mut String) {
        if let Some(text) = self.borrowed_text() {
            out.push_str(text);
        } else if let Some(value) = &self.double_value {
            push_double(out, value.0);
        } else if !self.is_null() {
            self.push_json(out);
        }
    }

    fn is_null(&self) -> bool {
        self.borrowed_text().is_none()
            && self.bool_value.is_none()
            && self.int_value.is_none()
            && self.double_value.is_none()
            && self.array_value.is_none()
            && self.kvlist_value.is_none()
    }

    /// Appends the value as compact JSON.
    fn push_json(&self, out: &mut String) {
        if let Some(text) = self.borrowed_text() {
            push_json_string(out, text);
        } else if let Some(value) = self.bool_value {
            out.push_str(if value { "true" } else { "false" });
        } else if let Some(value) = &self.int_value {
            push_int(out, value.0);
        } else if let Some(value) = &self.double_value {
            push_json_double(out, value.0);
        } else if let Some(array) = &self.array_value {
            push_joined(out, '[', array.values.iter().flatten(), ']', |out, value| value.push_json(out));
        } else if let Some(list) = &self.kvlist_value {
            push_joined(out, '{', list.values.iter().flatten(), '}', |out, entry| {
                push_json_string(out, text_or_empty(&entry.key));
                out.push(':');
                match &entry.value {
                    Some(value) => value.push_json(out),
                    None => out.push_str("null"),
                }
            });
        } else {
            out.push_str("null");
        }
    }
}

fn push_joined<T>(
    out: &mut String,
    open: char,
    items: impl Iterator<Item = T>,
    close: char,
    mut push: impl FnMut(&mut String, T),
) {
    out.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        push(out, item);
    }
    out.push(close);
}

/// An integer written as a number or as a string.
#[derive(Debug, Default)]
struct Integer<T>(T);

impl<'de, T> Deserialize<'de> for Integer<T>
where
    T: Default + FromStr<Err: Display>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Null => T::default(),
            NumberOrText::Number(number) => number.to_string().parse().map_err(D::Error::custom)?,
            NumberOrText::Text(text) => text.parse().map_err(D::Error::custom)?,
        };
        Ok(Self(value))
    }
}

/// A double written as a number or, where JSON has none, as `"NaN"`, `"Infinity"` or `"-Infinity"`.
#[derive(Debug)]
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(number) => number.as_f64(),
            NumberOrText::Text(text) => text.parse().ok(),
            NumberOrText::Null => None,
        };
        value.map(Self).ok_or_else(|| D::Error::invalid_value(Unexpected::Other("no number"), &"a double"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Null,
    Number(serde_json::Number),
    Text(String),
}
