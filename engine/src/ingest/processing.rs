//! What a project may ask to be done with its records between decoding and the write-ahead log: taking personal data
//! and secrets out, then making attributes of JSON bodies.
//!
//! The rows are made anew, so that nothing of what was taken out stays in any buffer of the batch.

use std::borrow::Cow;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, MapArray, RecordBatch, StringArray, StringDictionaryBuilder, StringViewBuilder,
    UInt32Array, UInt64Array,
};
use arrow::datatypes::{Int32Type, UInt32Type, UInt64Type};

use super::attributes::AttributeList;
use super::batch_builder::{MapColumnBuilder, Resource, cannot_build};
use super::flatten::flatten;
use super::{DecodedLogs, RecordLimits};
use crate::error::{Error, Result};
use crate::schema::{AttributeType, columns};
use crate::scrub::{REDACTED, is_sensitive_key, scrub_text};

/// What is done with records; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Processing {
    /// In the body, attributes and resource attributes, replaces e-mail addresses, bearer tokens and Stripe's secret
    /// keys, and the whole values of attributes whose names say that they are secret. Comes first.
    pub scrub: bool,
    /// Makes the first 50 scalars of a body that is a JSON object or list attributes of the record, named by their
    /// paths. Attributes that are there stay as they are, and so does the body.
    pub parse_json: bool,
}

impl DecodedLogs {
    /// The rows after processing. A record's attributes do not grow it beyond `max_record_bytes`.
    ///
    /// # Errors
    /// `Internal` when the rows are not decoded rows.
    pub fn processed(self, processing: Processing, limits: &RecordLimits) -> Result<Self> {
        if processing == Processing::default() || self.num_rows() == 0 {
            return Ok(self);
        }
        let batch = Rows::of(&self.batch)?.processed(processing, limits.max_record_bytes)?;
        Ok(Self { batch, rejected: self.rejected })
    }
}

/// The columns that processing reads.
struct Rows<'b> {
    batch: &'b RecordBatch,
    attributes: AttributeColumn<'b>,
    resources: AttributeColumn<'b>,
    fingerprints: &'b UInt64Array,
    sizes: &'b UInt32Array,
}

/// The columns that processing makes.
struct NewColumns {
    body: StringViewBuilder,
    attributes: MapColumnBuilder,
    attribute_types: StringDictionaryBuilder<Int32Type>,
    resources: MapColumnBuilder,
    resource_types: StringDictionaryBuilder<Int32Type>,
    fingerprints: Vec<u64>,
    service_name: StringDictionaryBuilder<Int32Type>,
    sizes: Vec<u32>,
}

impl<'b> Rows<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        let number = |name: &str| column(batch, name);
        Ok(Self {
            batch,
            attributes: AttributeColumn::of(batch, columns::ATTRIBUTES, columns::ATTRIBUTE_TYPES)?,
            resources: AttributeColumn::of(
                batch,
                columns::RESOURCE_ATTRIBUTES,
                columns::RESOURCE_ATTRIBUTE_TYPES,
            )?,
            fingerprints: number(columns::RESOURCE_FINGERPRINT)?.as_primitive::<UInt64Type>(),
            sizes: number(columns::BYTES_UNCOMPRESSED)?.as_primitive::<UInt32Type>(),
        })
    }

    fn processed(&self, processing: Processing, max_record_bytes: usize) -> Result<RecordBatch> {
        let bodies = column(self.batch, columns::BODY)?.as_string_view();
        let mut new = NewColumns::new();
        // The rows of one resource share what becomes of it.
        let mut resources: HashMap<u64, Resource<'_>> = HashMap::new();
        for row in 0..self.batch.num_rows() {
            let scrubbed = |text| if processing.scrub { scrub_text(text) } else { Cow::Borrowed(text) };
            let body = scrubbed(bodies.value(row));
            let (mut size, mut list) = (self.sizes.value(row) as usize, AttributeList::default());
            let old_bytes =
                bodies.value(row).len() + self.attributes.size_bytes(row) + self.resources.size_bytes(row);
            self.attributes.read(row, processing.scrub, &mut list);
            list.normalise();
            let resource = resources.entry(self.fingerprints.value(row)).or_insert_with(|| {
                let mut list = AttributeList::default();
                self.resources.read(row, processing.scrub, &mut list);
                Resource::new(list)
            });
            size = (size + body.len() + list.size_bytes() + resource.size_bytes()).saturating_sub(old_bytes);
            let flat = if processing.parse_json { flatten(&body) } else { Vec::new() };
            let mut added = AttributeList::default();
            for attribute in &flat {
                let hidden = processing.scrub && is_sensitive_key(&attribute.key);
                let (text, value_type) = if hidden {
                    (REDACTED, AttributeType::Text)
                } else {
                    (&*attribute.text, attribute.value_type)
                };
                let bytes = attribute.key.len() + text.len();
                let is_new =
                    list.get(&attribute.key).is_none() && added.iter().all(|(key, _)| key != attribute.key);
                if is_new && size + bytes <= max_record_bytes {
                    added.push_borrowed(&attribute.key, text, value_type);
                    size += bytes;
                }
            }
            added.normalise();
            list.merge(added);
            new.push(&body, &list, resource, size);
        }
        new.into_batch(self.batch)
    }
}

impl NewColumns {
    fn new() -> Self {
        Self {
            body: StringViewBuilder::new(),
            attributes: MapColumnBuilder::new(),
            attribute_types: StringDictionaryBuilder::new(),
            resources: MapColumnBuilder::new(),
            resource_types: StringDictionaryBuilder::new(),
            fingerprints: Vec::new(),
            service_name: StringDictionaryBuilder::new(),
            sizes: Vec::new(),
        }
    }

    fn push(&mut self, body: &str, attributes: &AttributeList<'_>, resource: &Resource<'_>, size: usize) {
        self.body.append_value(body);
        self.attributes.append(attributes);
        self.attribute_types.append_value(attributes.type_letters().collect::<String>());
        self.resources.append(resource.attributes());
        self.resource_types.append_value(resource.type_letters());
        self.fingerprints.push(resource.fingerprint());
        self.service_name.append_value(resource.service_name());
        self.sizes.push(u32::try_from(size).unwrap_or(u32::MAX));
    }

    /// The batch with these columns in the place of its own.
    fn into_batch(mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut columns = batch.columns().to_vec();
        let new: [(&str, ArrayRef); 8] = [
            (columns::BODY, Arc::new(self.body.finish())),
            (columns::ATTRIBUTES, Arc::new(self.attributes.finish()?)),
            (columns::ATTRIBUTE_TYPES, Arc::new(self.attribute_types.finish())),
            (columns::RESOURCE_ATTRIBUTES, Arc::new(self.resources.finish()?)),
            (columns::RESOURCE_ATTRIBUTE_TYPES, Arc::new(self.resource_types.finish())),
            (columns::RESOURCE_FINGERPRINT, Arc::new(UInt64Array::from(self.fingerprints))),
            (columns::SERVICE_NAME, Arc::new(self.service_name.finish())),
            (columns::BYTES_UNCOMPRESSED, Arc::new(UInt32Array::from(self.sizes))),
        ];
        for (name, column) in new {
            columns[batch.schema().index_of(name).map_err(cannot_build)?] = column;
        }
        RecordBatch::try_new(batch.schema(), columns).map_err(cannot_build)
    }
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| Error::internal(format!("decoded rows lack the column {name}")))
}

/// A map column and its types.
struct AttributeColumn<'b> {
    map: &'b MapArray,
    keys: &'b StringArray,
    values: &'b StringArray,
    types: arrow::array::TypedDictionaryArray<'b, Int32Type, StringArray>,
}

impl<'b> AttributeColumn<'b> {
    fn of(batch: &'b RecordBatch, name: &str, types: &str) -> Result<Self> {
        let wrong_type = || Error::internal(format!("the column {name} of decoded rows has another type"));
        let map = column(batch, name)?.as_map_opt().ok_or_else(wrong_type)?;
        let types = column(batch, types)?.as_dictionary_opt::<Int32Type>().ok_or_else(wrong_type)?;
        Ok(Self {
            map,
            keys: map.keys().as_string_opt().ok_or_else(wrong_type)?,
            values: map.values().as_string_opt().ok_or_else(wrong_type)?,
            types: types.downcast_dict().ok_or_else(wrong_type)?,
        })
    }

    fn entries(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.map.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    fn size_bytes(&self, row: usize) -> usize {
        self.entries(row).map(|entry| self.keys.value(entry).len() + self.values.value(entry).len()).sum()
    }

    /// Adds the entries of a row.
    fn read(&self, row: usize, scrub: bool, list: &mut AttributeList<'b>) {
        use arrow::array::ArrayAccessor;
        let types = self.types.value(row).chars().map(AttributeType::from_letter);
        let types = types.chain(std::iter::repeat(None));
        for (entry, value_type) in self.entries(row).zip(types) {
            let (key, value) = (self.keys.value(entry), self.values.value(entry));
            let value_type = value_type.unwrap_or(AttributeType::Text);
            if !scrub {
                list.push_borrowed(key, value, value_type);
            } else if is_sensitive_key(key) {
                list.push_borrowed(key, REDACTED, AttributeType::Text);
            } else {
                match scrub_text(value) {
                    Cow::Borrowed(value) => list.push_borrowed(key, value, value_type),
                    Cow::Owned(value) => list
                        .push_written(key, value_type, |out| {
                            out.push_str(&value);
                            Ok::<_, Infallible>(())
                        })
                        .unwrap_or_else(|never| match never {}),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode_otlp_json;
    use super::*;

    const BOTH: Processing = Processing { scrub: true, parse_json: true };

    fn decode(body: &str, attributes: &str) -> DecodedLogs {
        let json = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"svc"}}}},
                {{"key":"owner","value":{{"stringValue":"joe@ex.org"}}}}]}},"scopeLogs":[{{"logRecords":[
                {{"body":{{"stringValue":{body:?}}},"attributes":[{attributes}]}},{{"body":{{"stringValue":"plain"}}}}]}}]}}]}}"#
        );
        decode_otlp_json(json.as_bytes(), 1_000, &RecordLimits::default()).unwrap()
    }

    fn attribute(key: &str, value: &str) -> String {
        format!(r#"{{"key":"{key}","value":{value}}}"#)
    }

    /// `key=value:type` for each entry of the first row.
    fn entries(logs: &DecodedLogs, name: &str, types: &str) -> String {
        let column = AttributeColumn::of(&logs.batch, name, types).unwrap();
        let mut list = AttributeList::default();
        column.read(0, false, &mut list);
        let pairs = list
            .iter()
            .zip(list.type_letters())
            .map(|((key, value), letter)| format!("{key}={value}:{letter}"));
        pairs.collect::<Vec<_>>().join(" ")
    }

    fn attributes(logs: &DecodedLogs) -> String {
        entries(logs, columns::ATTRIBUTES, columns::ATTRIBUTE_TYPES)
    }

    fn body(logs: &DecodedLogs) -> &str {
        column(&logs.batch, columns::BODY).unwrap().as_string_view().value(0)
    }

    fn size(logs: &DecodedLogs) -> u32 {
        column(&logs.batch, columns::BYTES_UNCOMPRESSED).unwrap().as_primitive::<UInt32Type>().value(0)
    }

    #[test]
    fn without_settings_nothing_is_touched() {
        let logs = decode("{\"a\":\"joe@ex.org\"}", "");
        let same = logs.clone().processed(Processing::default(), &RecordLimits::default()).unwrap();
        assert_eq!(same.batch, logs.batch);
    }

    #[test]
    fn secrets_are_taken_out_everywhere() {
        let sent = [
            attribute("n", r#"{"intValue":5}"#),
            attribute("password", r#"{"intValue":5}"#),
            attribute("who", r#"{"arrayValue":{"values":[{"stringValue":"joe@ex.org"}]}}"#),
        ];
        let logs = decode("Bearer abc for joe@ex.org", &sent.join(","));
        let scrub = Processing { scrub: true, parse_json: false };
        let scrubbed = logs.clone().processed(scrub, &RecordLimits::default()).unwrap();
        assert_eq!(body(&scrubbed), "{{REDACTED}} for {{REDACTED}}");
        assert_eq!(attributes(&scrubbed), r#"n=5:i password={{REDACTED}}:s who=["{{REDACTED}}"]:a"#);
        let resource = entries(&scrubbed, columns::RESOURCE_ATTRIBUTES, columns::RESOURCE_ATTRIBUTE_TYPES);
        assert_eq!(resource, "owner={{REDACTED}}:s service.name=svc:s");
        let fingerprint = |logs: &DecodedLogs| {
            column(&logs.batch, columns::RESOURCE_FINGERPRINT).unwrap().as_primitive::<UInt64Type>().value(0)
        };
        assert_ne!(fingerprint(&logs), fingerprint(&scrubbed));
        // 29 characters of body, 3 keys and values, the resource.
        assert_eq!(size(&scrubbed), 29 + (1 + 1) + (8 + 12) + (3 + 16) + (5 + 12) + (12 + 3));
        assert!(!format!("{:?}", scrubbed.batch).contains("joe"), "no buffer keeps it");
    }

    #[test]
    fn members_of_a_json_body_become_attributes() {
        let logs = decode(
            r#"{"a":{"b":1},"own":"body","who":"joe@ex.org","token":7}"#,
            &attribute("own", r#"{"stringValue":"sent"}"#),
        );
        let parse = Processing { scrub: false, parse_json: true };
        let parsed = logs.clone().processed(parse, &RecordLimits::default()).unwrap();
        assert_eq!(attributes(&parsed), "a.b=1:i own=sent:s token=7:i who=joe@ex.org:s");
        assert_eq!(body(&parsed), body(&logs));
        assert_eq!(size(&parsed), size(&logs) + (3 + 1) + (5 + 1) + (3 + 10));
        let both = logs.processed(BOTH, &RecordLimits::default()).unwrap();
        assert_eq!(attributes(&both), "a.b=1:i own=sent:s token={{REDACTED}}:s who={{REDACTED}}:s");
    }

    #[test]
    fn attributes_do_not_grow_a_record_beyond_its_limit() {
        let logs = decode(r#"{"a":"xxxxxxxxxx","b":1}"#, "");
        let limits = RecordLimits { max_record_bytes: size(&logs) as usize + 5, ..RecordLimits::default() };
        let parsed = logs.processed(Processing { scrub: false, parse_json: true }, &limits).unwrap();
        assert_eq!(attributes(&parsed), "b=1:i");
    }
}
