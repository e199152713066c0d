//! OTLP in JSON: one request document, or several in a row (JSON Lines).
//!
//! The only folder that knows the JSON names. Records are read one by one, so that no more than one is held beside the
//! rows: a few bytes of JSON can be a hundred of memory.

mod model;

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use self::model::{LogRecord, Resource, Scope, Text};
use super::batch_builder::{LogBatchBuilder, Resource as BuilderResource};
use super::{DecodedLogs, RecordLimits};
use crate::error::{Error, Result};

/// Objects in the text of one record or resource. Each takes some 250 bytes while it is read.
const MAX_OBJECTS: usize = 256 * 1024;

/// Decodes one document or several in a row; an object without members is a request without records.
///
/// # Errors
/// `InvalidRequest` when the body is not such JSON, or an object that has members but no `resourceLogs`:
/// somebody sent something else and would lose it. `LimitExceeded` when its rows are over the limits.
pub fn decode_otlp_json(body: &[u8], received_us: i64, limits: &RecordLimits) -> Result<DecodedLogs> {
    let text = std::str::from_utf8(body).map_err(|_| Error::invalid_request("the body is not UTF-8"))?;
    let mut sink = Sink { batch: LogBatchBuilder::new(received_us, limits), failure: None };
    let mut documents = serde_json::Deserializer::from_str(text);
    while documents.end().is_err() {
        if let Err(error) = DocumentReader(&mut sink).deserialize(&mut documents) {
            return Err(sink.failure.take().unwrap_or_else(|| {
                Error::invalid_request(format!("the body is not an OTLP logs request in JSON: {error}"))
            }));
        }
    }
    sink.batch.finish()
}

/// Where records go.
struct Sink {
    batch: LogBatchBuilder,
    /// Why the request is refused, where that is no fault of the JSON.
    failure: Option<Error>,
}

impl Sink {
    fn refuse<E: serde::de::Error>(&mut self, error: Error) -> E {
        let message = E::custom(error.message());
        self.failure = Some(error);
        message
    }
}

/// A whole request.
struct DocumentReader<'s>(&'s mut Sink);

impl<'de> DeserializeSeed<'de> for DocumentReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for DocumentReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resourceLogs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (mut has_records, mut has_others) = (false, false);
        while let Some(Text(key)) = members.next_key()? {
            if key == "resourceLogs" {
                has_records |= members.next_value_seed(ListOf(&mut ResourceLogsReader(self.0)))?;
            } else {
                has_others = true;
                members.next_value::<IgnoredAny>()?;
            }
        }
        if has_others && !has_records {
            return Err(self.0.refuse(Error::invalid_request("the JSON object has no resourceLogs")));
        }
        Ok(())
    }
}

/// A list whose items are read one by one, or null; says whether it was a list.
struct ListOf<'r, R>(&'r mut R);

impl<'de, R> DeserializeSeed<'de> for ListOf<'_, R>
where
    for<'i> &'i mut R: DeserializeSeed<'de, Value = ()>,
{
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, R> Visitor<'de> for ListOf<'_, R>
where
    for<'i> &'i mut R: DeserializeSeed<'de, Value = ()>,
{
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items.next_element_seed(&mut *self.0)?.is_some() {}
        Ok(true)
    }
}

/// The records of one resource.
struct ResourceLogsReader<'s>(&'s mut Sink);

impl<'de> DeserializeSeed<'de> for &mut ResourceLogsReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut ResourceLogsReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with resource and scopeLogs")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut resource: Option<Resource<'de>> = None;
        // Members come in any order, and records need their resource first.
        let mut earlier: Option<&RawValue> = None;
        while let Some(Text(key)) = members.next_key()? {
            match (&*key, &resource) {
                ("resource", _) => {
                    let text: &RawValue = members.next_value()?;
                    resource = Some(self.resource(text)?);
                }
                ("scopeLogs", Some(resource)) => {
                    let resource = &BuilderResource::new(resource.attributes());
                    let mut reader = ScopeLogsReader { sink: self.0, resource };
                    members.next_value_seed(ListOf(&mut reader))?;
                }
                ("scopeLogs", None) => earlier = Some(members.next_value()?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let Some(earlier) = earlier else { return Ok(()) };
        let resource = resource.unwrap_or_default();
        let resource = &BuilderResource::new(resource.attributes());
        read_list(earlier, &mut ScopeLogsReader { sink: self.0, resource })
    }
}

impl ResourceLogsReader<'_> {
    fn resource<'de, E: serde::de::Error>(&mut self, text: &'de RawValue) -> Result<Resource<'de>, E> {
        if num_objects(text) > MAX_OBJECTS {
            let message = format!("a resource has more than {MAX_OBJECTS} values");
            return Err(self.0.refuse(Error::new(crate::error::ErrorKind::LimitExceeded, message)));
        }
        Ok(read::<Option<_>, E>(text)?.unwrap_or_default())
    }
}

/// The records of one scope.
struct ScopeLogsReader<'s, 'r> {
    sink: &'s mut Sink,
    resource: &'r BuilderResource<'r>,
}

impl<'de> DeserializeSeed<'de> for &mut ScopeLogsReader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut ScopeLogsReader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with scope and logRecords")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut scope: Option<String> = None;
        let mut earlier: Option<&RawValue> = None;
        while let Some(Text(key)) = members.next_key()? {
            match (&*key, &scope) {
                ("scope", _) => {
                    scope = Some(members.next_value::<Option<Scope<'de>>>()?.unwrap_or_default().text());
                }
                ("logRecords", Some(scope)) => {
                    members.next_value_seed(ListOf(&mut self.records(scope)))?;
                }
                ("logRecords", None) => earlier = Some(members.next_value()?),
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        let Some(earlier) = earlier else { return Ok(()) };
        read_list(earlier, &mut self.records(&scope.unwrap_or_default()))
    }
}

impl ScopeLogsReader<'_, '_> {
    fn records<'x>(&'x mut self, scope: &'x str) -> RecordReader<'x> {
        RecordReader { sink: self.sink, resource: self.resource, scope }
    }
}

/// One record.
struct RecordReader<'s> {
    sink: &'s mut Sink,
    resource: &'s BuilderResource<'s>,
    scope: &'s str,
}

impl<'de> DeserializeSeed<'de> for &mut RecordReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?;
        if num_objects(text) > MAX_OBJECTS {
            self.sink.batch.reject(|| format!("a record has more than {MAX_OBJECTS} values"));
            return Ok(());
        }
        let record: LogRecord<'de> = read(text)?;
        let appended = record.append_to(&mut self.sink.batch, self.resource, self.scope);
        appended.map_err(|error| self.sink.refuse(error))
    }
}

/// At least as many as there are objects, without reading them.
fn num_objects(text: &RawValue) -> usize {
    text.get().bytes().filter(|byte| *byte == b'{').count()
}

fn read<'de, T: Deserialize<'de>, E: serde::de::Error>(text: &'de RawValue) -> Result<T, E> {
    serde_json::from_str(text.get()).map_err(in_part)
}

fn read_list<'de, R, E: serde::de::Error>(text: &'de RawValue, reader: &mut R) -> Result<(), E>
where
    for<'i> &'i mut R: DeserializeSeed<'de, Value = ()>,
{
    let mut list = serde_json::Deserializer::from_str(text.get());
    ListOf(reader).deserialize(&mut list).map_err(in_part)?;
    Ok(())
}

/// An error in a part of the body. Its position is one in the part, and whoever reads the body adds another.
fn in_part<E: serde::de::Error>(error: serde_json::Error) -> E {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    E::custom(text.strip_suffix(&position).unwrap_or(&text))
}
