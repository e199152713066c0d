//! The messages of OTLP in JSON that are read whole: a resource, a scope, a record, values.
//!
//! Text without escapes is borrowed from the body. Unknown members are ignored; 64-bit integers may be strings or
//! numbers; ids are hexadecimal.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Unexpected};

use crate::error::Result;
use crate::ingest::attributes::AttributeList;
use crate::ingest::batch_builder::{
    LogBatchBuilder, LogRecord as BuilderRecord, Resource as BuilderResource,
};
use crate::ingest::value_text::{push_double, push_int, push_json_double, push_json_string};
use crate::ingest::{hex_bytes, scope_name_and_version};
use crate::schema::AttributeType;

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
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Who sends.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    attributes: Option<Vec<KeyValue<'a>>>,
}

/// The part of the sender that records.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Scope<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
}

impl Scope<'_> {
    /// As rows have it.
    pub(super) fn text(&self) -> String {
        scope_name_and_version(text_or_empty(&self.name), text_or_empty(&self.version))
    }
}

/// One record.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogRecord<'a> {
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

impl Resource<'_> {
    /// Its attributes as rows have them.
    pub(super) fn attributes(&self) -> AttributeList<'_> {
        let mut attributes = AttributeList::default();
        push_attributes(&self.attributes, &mut attributes);
        attributes
    }
}

impl LogRecord<'_> {
    /// Adds the record to a batch.
    pub(super) fn append_to(
        &self,
        batch: &mut LogBatchBuilder,
        resource: &BuilderResource<'_>,
        scope: &str,
    ) -> Result<()> {
        let mut attributes = AttributeList::default();
        push_attributes(&self.attributes, &mut attributes);
        attributes.normalise();
        let body = self.body.as_ref().map(AnyValue::body_text).unwrap_or_default();
        batch.append(
            resource,
            scope,
            &BuilderRecord {
                time_unix_nano: self.time_unix_nano.0,
                observed_time_unix_nano: self.observed_time_unix_nano.0,
                severity_number: self.severity_number.0,
                severity_text: text_or_empty(&self.severity_text),
                body: &body,
                attributes: &attributes,
                trace_id: &hex_bytes::<16>(text_or_empty(&self.trace_id)).unwrap_or_default(),
                span_id: &hex_bytes::<8>(text_or_empty(&self.span_id)).unwrap_or_default(),
                flags: self.flags.0,
                event_name: text_or_empty(&self.event_name),
            },
        )
    }
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
