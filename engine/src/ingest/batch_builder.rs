//! Records in, columns out: the mapping rules of log records, shared by all wire formats.

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryBuilder, Int32Builder, MapArray, RecordBatch, StringBuilder,
    StringDictionaryBuilder, StringViewBuilder, StructArray, TimestampMicrosecondBuilder, UInt32Builder,
    UInt64Builder,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

use super::attributes::AttributeList;
use super::body_level::body_level;
use super::{DecodedLogs, RecordLimits, Rejected};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{AttributeType, Severity, UTC, decoded_logs_schema, map_entry_fields};

/// The attribute that names a resource's service.
const SERVICE_NAME_KEY: &str = "service.name";

/// A scope's or event's name counts in the size of a row when it is longer than this.
const UNCOUNTED_NAME_BYTES: usize = 50;

/// One record as its sender wrote it.
#[derive(Debug)]
pub(super) struct LogRecord<'r, 'a> {
    /// Nanoseconds since the epoch; 0 when not sent.
    pub(super) time_unix_nano: u64,
    /// Nanoseconds since the epoch; 0 when not sent.
    pub(super) observed_time_unix_nano: u64,
    pub(super) severity_number: i32,
    pub(super) severity_text: &'r str,
    /// The body's text form.
    pub(super) body: &'r str,
    /// Normalised.
    pub(super) attributes: &'r AttributeList<'a>,
    /// Any length but 16 is unset.
    pub(super) trace_id: &'r [u8],
    /// Any length but 8 is unset.
    pub(super) span_id: &'r [u8],
    pub(super) flags: u32,
    pub(super) event_name: &'r str,
}

/// A resource, ready to be repeated on each of its rows.
#[derive(Debug)]
pub(super) struct Resource<'a> {
    attributes: AttributeList<'a>,
    fingerprint: u64,
    size_bytes: usize,
    type_letters: String,
}

impl<'a> Resource<'a> {
    /// Prepares a resource; one without a service name gets an empty one.
    pub(super) fn new(mut attributes: AttributeList<'a>) -> Self {
        attributes.normalise();
        if attributes.get(SERVICE_NAME_KEY).is_none() {
            attributes.push_borrowed(SERVICE_NAME_KEY, "", AttributeType::Text);
            attributes.normalise();
        }
        let fingerprint = fingerprint(&attributes);
        let size_bytes = attributes.size_bytes();
        let type_letters = attributes.type_letters().collect();
        Self { attributes, fingerprint, size_bytes, type_letters }
    }

    pub(super) fn service_name(&self) -> &str {
        self.attributes.get(SERVICE_NAME_KEY).unwrap_or_default()
    }

    pub(super) fn attributes(&self) -> &AttributeList<'a> {
        &self.attributes
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    pub(super) fn type_letters(&self) -> &str {
        &self.type_letters
    }
}

/// A hash of sorted attributes, stable for ever: stored, and given to clients.
fn fingerprint(attributes: &AttributeList<'_>) -> u64 {
    let mut hasher = Xxh3::new();
    for text in attributes.iter().flat_map(|(key, value)| [key, value]) {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.digest()
}

/// Builds the columns of one request's records.
pub(super) struct LogBatchBuilder {
    received_us: i64,
    limits: RecordLimits,
    rejected: Rejected,
    num_rows: usize,
    size_bytes: usize,
    timestamp: TimestampMicrosecondBuilder,
    observed_timestamp: TimestampMicrosecondBuilder,
    trace_id: FixedSizeBinaryBuilder,
    span_id: FixedSizeBinaryBuilder,
    trace_flags: UInt32Builder,
    severity_text: StringDictionaryBuilder<Int32Type>,
    severity_number: Int32Builder,
    service_name: StringDictionaryBuilder<Int32Type>,
    body: StringViewBuilder,
    resource_attributes: MapColumnBuilder,
    resource_attribute_types: StringDictionaryBuilder<Int32Type>,
    resource_fingerprint: UInt64Builder,
    instrumentation_scope: StringDictionaryBuilder<Int32Type>,
    event_name: StringDictionaryBuilder<Int32Type>,
    attributes: MapColumnBuilder,
    attribute_types: StringDictionaryBuilder<Int32Type>,
    bytes_uncompressed: UInt32Builder,
    /// Kept to keep its memory.
    type_letters: String,
}

impl LogBatchBuilder {
    /// `received_us` is when the request came in.
    pub(super) fn new(received_us: i64, limits: &RecordLimits) -> Self {
        Self {
            received_us,
            limits: limits.clone(),
            rejected: Rejected::default(),
            num_rows: 0,
            size_bytes: 0,
            timestamp: TimestampMicrosecondBuilder::new().with_timezone(UTC),
            observed_timestamp: TimestampMicrosecondBuilder::new().with_timezone(UTC),
            trace_id: FixedSizeBinaryBuilder::new(16),
            span_id: FixedSizeBinaryBuilder::new(8),
            trace_flags: UInt32Builder::new(),
            severity_text: StringDictionaryBuilder::new(),
            severity_number: Int32Builder::new(),
            service_name: StringDictionaryBuilder::new(),
            body: StringViewBuilder::new(),
            resource_attributes: MapColumnBuilder::new(),
            resource_attribute_types: StringDictionaryBuilder::new(),
            resource_fingerprint: UInt64Builder::new(),
            instrumentation_scope: StringDictionaryBuilder::new(),
            event_name: StringDictionaryBuilder::new(),
            attributes: MapColumnBuilder::new(),
            attribute_types: StringDictionaryBuilder::new(),
            bytes_uncompressed: UInt32Builder::new(),
            type_letters: String::new(),
        }
    }

    /// Adds a record, or counts it as rejected with the reason.
    ///
    /// # Errors
    /// `LimitExceeded` when the request's rows together are over the limit.
    pub(super) fn append(
        &mut self,
        resource: &Resource<'_>,
        scope: &str,
        record: &LogRecord<'_, '_>,
    ) -> Result<()> {
        let size_bytes = row_size_bytes(resource, scope, record);
        if size_bytes > self.limits.max_record_bytes {
            let max = self.limits.max_record_bytes;
            self.reject(|| format!("a record of {size_bytes} bytes is over the limit of {max} bytes"));
            return Ok(());
        }
        let Some((timestamp_us, observed_us)) = self.times(record) else {
            self.reject(|| "a record's time does not fit in 63 bits of nanoseconds".to_owned());
            return Ok(());
        };
        self.admit(size_bytes)?;
        self.timestamp.append_value(timestamp_us);
        self.observed_timestamp.append_value(observed_us);
        self.append_columns(resource, scope, record, size_bytes)
    }

    /// A missing time takes the observed time, and that the time of receipt.
    fn times(&self, record: &LogRecord<'_, '_>) -> Option<(i64, i64)> {
        let micros = |nanos: u64| i64::try_from(nanos).ok().map(|nanos| nanos / 1000);
        let observed_us = match record.observed_time_unix_nano {
            0 => self.received_us,
            nanos => micros(nanos)?,
        };
        let timestamp_us = match record.time_unix_nano {
            0 => observed_us,
            nanos => micros(nanos)?,
        };
        Some((timestamp_us, observed_us))
    }

    /// Counts a record that is not taken.
    pub(super) fn reject(&mut self, reason: impl FnOnce() -> String) {
        self.rejected.count += 1;
        self.rejected.first_reason.get_or_insert_with(reason);
    }

    fn admit(&mut self, row_bytes: usize) -> Result<()> {
        self.num_rows += 1;
        self.size_bytes += row_bytes;
        let RecordLimits { max_batch_rows, max_batch_bytes, .. } = self.limits;
        if self.num_rows > max_batch_rows || self.size_bytes > max_batch_bytes {
            let message = format!(
                "the request's records are over the limit of {max_batch_rows} rows or {max_batch_bytes} bytes \
                 once each carries its resource; send smaller requests"
            );
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        Ok(())
    }

    fn append_columns(
        &mut self,
        resource: &Resource<'_>,
        scope: &str,
        record: &LogRecord<'_, '_>,
        size_bytes: usize,
    ) -> Result<()> {
        let severity =
            Severity::decide(record.severity_number, record.severity_text, || body_level(record.body));
        self.trace_id.append_value(id_or_unset::<16>(record.trace_id)).map_err(cannot_build)?;
        self.span_id.append_value(id_or_unset::<8>(record.span_id)).map_err(cannot_build)?;
        self.trace_flags.append_value(record.flags);
        self.severity_text.append_value(severity.text.as_str());
        self.severity_number.append_value(severity.number);
        self.service_name.append_value(resource.service_name());
        self.body.append_value(record.body);
        self.resource_attributes.append(&resource.attributes);
        self.resource_attribute_types.append_value(&resource.type_letters);
        self.resource_fingerprint.append_value(resource.fingerprint);
        self.instrumentation_scope.append_value(scope);
        self.event_name.append_value(record.event_name);
        self.attributes.append(record.attributes);
        self.type_letters.clear();
        self.type_letters.extend(record.attributes.type_letters());
        self.attribute_types.append_value(&self.type_letters);
        self.bytes_uncompressed.append_value(u32::try_from(size_bytes).unwrap_or(u32::MAX));
        Ok(())
    }

    /// The rows, in the order they were added.
    pub(super) fn finish(mut self) -> Result<DecodedLogs> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.timestamp.finish()),
            Arc::new(self.observed_timestamp.finish()),
            Arc::new(self.trace_id.finish()),
            Arc::new(self.span_id.finish()),
            Arc::new(self.trace_flags.finish()),
            Arc::new(self.severity_text.finish()),
            Arc::new(self.severity_number.finish()),
            Arc::new(self.service_name.finish()),
            Arc::new(self.body.finish()),
            Arc::new(self.resource_attributes.finish()?),
            Arc::new(self.resource_attribute_types.finish()),
            Arc::new(self.resource_fingerprint.finish()),
            Arc::new(self.instrumentation_scope.finish()),
            Arc::new(self.event_name.finish()),
            Arc::new(self.attributes.finish()?),
            Arc::new(self.attribute_types.finish()),
            Arc::new(self.bytes_uncompressed.finish()),
        ];
        // Builders begin with room for a thousand values: of few rows that is nearly all of their memory.
        columns.iter_mut().for_each(Array::shrink_to_fit);
        let batch = RecordBatch::try_new(decoded_logs_schema(), columns).map_err(cannot_build)?;
        Ok(DecodedLogs { batch, rejected: self.rejected })
    }
}

/// Bytes of the body and of all attributes, and of a long scope or event name.
fn row_size_bytes(resource: &Resource<'_>, scope: &str, record: &LogRecord<'_, '_>) -> usize {
    let counted = |name: &str| if name.len() > UNCOUNTED_NAME_BYTES { name.len() } else { 0 };
    record.body.len()
        + record.attributes.size_bytes()
        + resource.size_bytes
        + counted(scope)
        + counted(record.event_name)
}

fn id_or_unset<const N: usize>(id: &[u8]) -> [u8; N] {
    id.try_into().unwrap_or([0; N])
}

pub(super) fn cannot_build(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot build a batch of records").with_source(error)
}

/// Builds a map column from attribute lists.
#[derive(Debug)]
pub(super) struct MapColumnBuilder {
    offsets: Vec<i32>,
    keys: StringBuilder,
    values: StringBuilder,
}

impl MapColumnBuilder {
    pub(super) fn new() -> Self {
        Self { offsets: vec![0], keys: StringBuilder::new(), values: StringBuilder::new() }
    }

    /// The batch's limits in rows and bytes keep every offset far from 32 bits.
    pub(super) fn append(&mut self, attributes: &AttributeList<'_>) {
        let mut end = *self.offsets.last().expect("BUG: offsets begin with 0");
        for (key, value) in attributes.iter() {
            self.keys.append_value(key);
            self.values.append_value(value);
            end += 1;
        }
        self.offsets.push(end);
    }

    pub(super) fn finish(mut self) -> Result<MapArray> {
        let entries = StructArray::try_new(
            map_entry_fields(),
            vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())],
            None,
        )
        .map_err(cannot_build)?;
        let field = Field::new("entries", DataType::Struct(map_entry_fields()), false);
        let offsets = OffsetBuffer::new(self.offsets.into());
        MapArray::try_new(Arc::new(field), offsets, entries, None, false).map_err(cannot_build)
    }
}
