//! OTLP in protobuf: `ExportLogsServiceRequest`, read field by field without building its messages.
//!
//! The only file that knows the field numbers, those of `opentelemetry/proto/logs/v1/logs.proto` and
//! `common/v1/common.proto`.

use std::borrow::Cow;

use super::attributes::AttributeList;
use super::batch_builder::{LogBatchBuilder, LogRecord, Resource};
use super::value_text::{push_bytes, push_double, push_int, push_json_double, push_json_string};
use super::wire::{Field, MessageReader};
use super::{DecodedLogs, RecordLimits};
use crate::error::{Error, Result};
use crate::schema::AttributeType;

/// How deep arrays and key-value lists may nest; protobuf implementations stop at the same depth.
const MAX_NESTING: usize = 100;

/// Decodes a request; an empty body is a request without records.
///
/// # Errors
/// `InvalidRequest` when the body is not such a message, `LimitExceeded` when its rows are over the limits.
pub fn decode_otlp_protobuf(body: &[u8], received_us: i64, limits: &RecordLimits) -> Result<DecodedLogs> {
    let mut decoder =
        Decoder { batch: LogBatchBuilder::new(received_us, limits), attributes: AttributeList::default() };
    let mut request = MessageReader::new(body);
    while let Some(field) = request.next_field()? {
        if field.number == 1 {
            decoder.resource_logs(field.message()?)?;
        }
    }
    decoder.batch.finish()
}

struct Decoder<'a> {
    batch: LogBatchBuilder,
    /// The attributes of the record at hand; kept to keep its memory.
    attributes: AttributeList<'a>,
}

impl<'a> Decoder<'a> {
    fn resource_logs(&mut self, message: MessageReader<'a>) -> Result<()> {
        // Fields come in any order, and the records need their resource first.
        let mut resource = AttributeList::default();
        let mut fields = message;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                resource_attributes(field.message()?, &mut resource)?;
            }
        }
        let resource = Resource::new(resource);
        let mut fields = message;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.scope_logs(&resource, field.message()?)?;
            }
        }
        Ok(())
    }

    fn scope_logs(&mut self, resource: &Resource<'a>, message: MessageReader<'a>) -> Result<()> {
        let mut scope = String::new();
        let mut fields = message;
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                scope = scope_text(field.message()?)?;
            }
        }
        let mut fields = message;
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                self.log_record(resource, &scope, field.message()?)?;
            }
        }
        Ok(())
    }

    fn log_record(&mut self, resource: &Resource<'a>, scope: &str, message: MessageReader<'a>) -> Result<()> {
        self.attributes.clear();
        let mut fields = RecordFields::default();
        let mut message = message;
        while let Some(field) = message.next_field()? {
            match field.number {
                6 => key_value(field.message()?, &mut self.attributes)?,
                _ => fields.read(&field)?,
            }
        }
        self.attributes.normalise();
        let record = LogRecord {
            time_unix_nano: fields.time_unix_nano,
            observed_time_unix_nano: fields.observed_time_unix_nano,
            severity_number: fields.severity_number,
            severity_text: fields.severity_text,
            body: &fields.body,
            attributes: &self.attributes,
            trace_id: fields.trace_id,
            span_id: fields.span_id,
            flags: fields.flags,
            event_name: fields.event_name,
        };
        self.batch.append(resource, scope, &record)
    }
}

/// The fields of a `LogRecord` but its attributes.
#[derive(Default)]
struct RecordFields<'a> {
    time_unix_nano: u64,
    observed_time_unix_nano: u64,
    severity_number: i32,
    severity_text: &'a str,
    body: Cow<'a, str>,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    flags: u32,
    event_name: &'a str,
}

impl<'a> RecordFields<'a> {
    fn read(&mut self, field: &Field<'a>) -> Result<()> {
        match field.number {
            1 => self.time_unix_nano = field.fixed64()?,
            2 => self.severity_number = field.varint()? as i32,
            3 => self.severity_text = field.text()?,
            5 => self.body = body_text(field.message()?)?,
            8 => self.flags = field.fixed32()?,
            9 => self.trace_id = field.bytes()?,
            10 => self.span_id = field.bytes()?,
            11 => self.observed_time_unix_nano = field.fixed64()?,
            12 => self.event_name = field.text()?,
            _ => {}
        }
        Ok(())
    }
}

fn resource_attributes<'a>(mut message: MessageReader<'a>, list: &mut AttributeList<'a>) -> Result<()> {
    while let Some(field) = message.next_field()? {
        if field.number == 1 {
            key_value(field.message()?, list)?;
        }
    }
    Ok(())
}

/// `name@version`; empty for a scope that says nothing.
fn scope_text(mut message: MessageReader<'_>) -> Result<String> {
    let (mut name, mut version) = ("", "");
    while let Some(field) = message.next_field()? {
        match field.number {
            1 => name = field.text()?,
            2 => version = field.text()?,
            _ => {}
        }
    }
    Ok(super::scope_name_and_version(name, version))
}

fn key_value<'a>(message: MessageReader<'a>, list: &mut AttributeList<'a>) -> Result<()> {
    let (key, value) = read_key_value(message)?;
    match value {
        AnyValue::Null => list.push_borrowed(key, "", value.attribute_type()),
        AnyValue::Text(text) => list.push_borrowed(key, text, value.attribute_type()),
        other => list.push_written(key, other.attribute_type(), |out| other.push_text(out))?,
    }
    Ok(())
}

fn read_key_value<'a>(mut message: MessageReader<'a>) -> Result<(&'a str, AnyValue<'a>)> {
    let (mut key, mut value) = ("", AnyValue::Null);
    while let Some(field) = message.next_field()? {
        match field.number {
            1 => key = field.text()?,
            2 => value = AnyValue::read(field.message()?)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// A string is itself, any other value its compact JSON; null is empty.
fn body_text<'a>(message: MessageReader<'a>) -> Result<Cow<'a, str>> {
    match AnyValue::read(message)? {
        AnyValue::Null => Ok(Cow::Borrowed("")),
        AnyValue::Text(text) => Ok(Cow::Borrowed(text)),
        other => {
            let mut json = String::new();
            other.push_json(&mut json, 0)?;
            Ok(Cow::Owned(json))
        }
    }
}

/// An `AnyValue`, its lists still unread.
#[derive(Clone, Copy, Debug)]
enum AnyValue<'a> {
    Null,
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Array(MessageReader<'a>),
    KeyValueList(MessageReader<'a>),
    Bytes(&'a [u8]),
}

impl<'a> AnyValue<'a> {
    /// The last field set wins, as for any protobuf `oneof`.
    fn read(mut message: MessageReader<'a>) -> Result<Self> {
        let mut value = Self::Null;
        while let Some(field) = message.next_field()? {
            value = match field.number {
                1 => Self::Text(field.text()?),
                2 => Self::Bool(field.varint()? != 0),
                3 => Self::Int(field.varint()? as i64),
                4 => Self::Double(f64::from_bits(field.fixed64()?)),
                5 => Self::Array(field.message()?),
                6 => Self::KeyValueList(field.message()?),
                7 => Self::Bytes(field.bytes()?),
                _ => continue,
            };
        }
        Ok(value)
    }

    fn attribute_type(&self) -> AttributeType {
        match self {
            Self::Null => AttributeType::Null,
            Self::Text(_) => AttributeType::Text,
            Self::Bool(_) => AttributeType::Bool,
            Self::Int(_) => AttributeType::Int,
            Self::Double(_) => AttributeType::Double,
            Self::Array(_) => AttributeType::Array,
            Self::KeyValueList(_) => AttributeType::Map,
            Self::Bytes(_) => AttributeType::Bytes,
        }
    }

    /// Appends the text of an attribute value.
    fn push_text(self, out: &mut String) -> Result<()> {
        match self {
            Self::Null => {}
            Self::Text(text) => out.push_str(text),
            Self::Double(value) => push_double(out, value),
            Self::Bytes(value) => push_bytes(out, value),
            Self::Bool(_) | Self::Int(_) | Self::Array(_) | Self::KeyValueList(_) => {
                self.push_json(out, 0)?
            }
        }
        Ok(())
    }

    /// Appends the value as compact JSON.
    fn push_json(self, out: &mut String, depth: usize) -> Result<()> {
        match self {
            Self::Null => out.push_str("null"),
            Self::Text(text) => push_json_string(out, text),
            Self::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Self::Int(value) => push_int(out, value),
            Self::Double(value) => push_json_double(out, value),
            Self::Bytes(value) => {
                out.push('"');
                push_bytes(out, value);
                out.push('"');
            }
            Self::Array(values) => push_array(out, values, depth + 1)?,
            Self::KeyValueList(values) => push_object(out, values, depth + 1)?,
        }
        Ok(())
    }
}

fn push_array(out: &mut String, mut values: MessageReader<'_>, depth: usize) -> Result<()> {
    check_nesting(depth)?;
    out.push('[');
    let mut separator = "";
    while let Some(field) = values.next_field()? {
        if field.number == 1 {
            out.push_str(separator);
            AnyValue::read(field.message()?)?.push_json(out, depth)?;
            separator = ",";
        }
    }
    out.push(']');
    Ok(())
}

fn push_object(out: &mut String, mut values: MessageReader<'_>, depth: usize) -> Result<()> {
    check_nesting(depth)?;
    out.push('{');
    let mut separator = "";
    while let Some(field) = values.next_field()? {
        if field.number == 1 {
            let (key, value) = read_key_value(field.message()?)?;
            out.push_str(separator);
            push_json_string(out, key);
            out.push(':');
            value.push_json(out, depth)?;
            separator = ",";
        }
    }
    out.push('}');
    Ok(())
}

fn check_nesting(depth: usize) -> Result<()> {
    if depth > MAX_NESTING {
        return Err(Error::invalid_request(format!("a value nests deeper than {MAX_NESTING} levels")));
    }
    Ok(())
}
