//! Generated rows as they stand in the engine's memory before a file is written from them.

use std::sync::Arc;

use anyhow::{Result, ensure};
use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryArray, RecordBatch, StringDictionaryBuilder, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Int32Type, Schema, SchemaRef, TimestampMicrosecondType};
use data::{ExportLogsServiceRequest, KeyValue, LogGenerator, LogSpec, Value, encode};
use engine::ingest::{RecordLimits, decode_otlp_protobuf};
use engine::schema::{BatchStamp, UTC, columns, dictionary_type, logs_schema};

/// One letter for the type of each attribute, in the order of the keys.
pub(crate) const ATTRIBUTE_TYPES: &str = "attribute_types";
/// The same for the attributes of the resource.
pub(crate) const RESOURCE_ATTRIBUTE_TYPES: &str = "resource_attribute_types";

/// Records of one request. Two to four requests share a group commit, as they do under load.
pub(crate) const RECORDS_PER_REQUEST: u32 = 500;
const REQUESTS_PER_COMMIT: [usize; 3] = [2, 3, 4];
/// Rows that are joined into one batch, as the engine's buffer does.
const JOINED_ROWS: usize = 16 * 1024;
/// A commit comes this long after the last of its records was observed.
const COMMIT_AFTER_US: i64 = 7_000;

/// The schema of generated rows: what the engine stores, and a column of type letters for each map.
pub(crate) fn schema() -> SchemaRef {
    let stored = logs_schema();
    let mut fields: Vec<_> = stored.fields().iter().cloned().collect();
    for name in [ATTRIBUTE_TYPES, RESOURCE_ATTRIBUTE_TYPES] {
        fields.push(Arc::new(Field::new(name, dictionary_type(), false)));
    }
    Arc::new(Schema::new(fields))
}

/// Makes rows in the order of ingestion, in batches, without ever holding more than is asked for.
#[derive(Debug)]
pub(crate) struct RowSource {
    requests: LogGenerator,
    num_commits: u64,
    ingested_us: i64,
}

impl RowSource {
    /// Prepares the generation.
    ///
    /// # Errors
    /// A spec out of bounds.
    pub(crate) fn new(spec: LogSpec) -> Result<Self> {
        let spec = LogSpec { records_per_request: RECORDS_PER_REQUEST, ..spec };
        Ok(Self { requests: LogGenerator::new(spec)?, num_commits: 0, ingested_us: 0 })
    }

    /// At least the asked number of rows, or what is left of them.
    ///
    /// # Errors
    /// When the engine does not take what the generator makes.
    pub(crate) fn next_rows(&mut self, min_rows: usize) -> Result<Vec<RecordBatch>> {
        let (mut joined, mut waiting) = (Vec::new(), Vec::new());
        let (mut num_rows, mut num_waiting) = (0, 0);
        while num_rows < min_rows {
            let commit = self.next_commit()?;
            if commit.is_empty() {
                break;
            }
            for batch in commit {
                num_rows += batch.num_rows();
                num_waiting += batch.num_rows();
                waiting.push(batch);
            }
            if num_waiting >= JOINED_ROWS {
                joined.push(concat_batches(&schema(), &waiting)?);
                waiting.clear();
                num_waiting = 0;
            }
        }
        if !waiting.is_empty() {
            joined.push(concat_batches(&schema(), &waiting)?);
        }
        Ok(joined)
    }

    fn next_commit(&mut self) -> Result<Vec<RecordBatch>> {
        let num_requests = REQUESTS_PER_COMMIT[self.num_commits as usize % REQUESTS_PER_COMMIT.len()];
        let requests: Vec<_> = self.requests.by_ref().take(num_requests).collect();
        let mut decoded = Vec::new();
        for request in &requests {
            decoded.push(decode(request)?);
        }
        let last_us = decoded.iter().filter_map(last_observed_us).max().unwrap_or_default();
        self.ingested_us = self.ingested_us.max(last_us + COMMIT_AFTER_US);
        let sequence = self.num_commits;
        let stamp =
            BatchStamp { writer: Default::default(), epoch: 1, sequence, ingested_us: self.ingested_us };
        self.num_commits += 1;
        let mut first = 0;
        let stamped = decoded.iter().map(|batch| {
            let end = first + batch.num_rows() as u32;
            let ids = stamp.row_ids(first..end).map(|id| id.0);
            first = end;
            stamp_rows(batch, FixedSizeBinaryArray::try_from_iter(ids)?, stamp.ingested_us)
        });
        stamped.collect()
    }
}

/// The decoded columns of a request, and the letters of its attributes' types.
fn decode(request: &ExportLogsServiceRequest) -> Result<RecordBatch> {
    let logs = decode_otlp_protobuf(&encode::to_protobuf(request), 0, &RecordLimits::default())?;
    ensure!(logs.rejected.count == 0, "{} records were rejected", logs.rejected.count);
    let (mut own, mut resource) =
        (StringDictionaryBuilder::<Int32Type>::new(), StringDictionaryBuilder::<Int32Type>::new());
    for resource_logs in &request.resource_logs {
        let attributes = resource_logs.resource.iter().flat_map(|resource| &resource.attributes);
        let of_resource = letters(attributes);
        for record in resource_logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            own.append_value(letters(record.attributes.iter()));
            resource.append_value(&of_resource);
        }
    }
    let rows = logs.rows();
    let mut fields: Vec<_> = rows.schema().fields().iter().cloned().collect();
    let mut arrays = rows.columns().to_vec();
    for (name, mut builder) in [(ATTRIBUTE_TYPES, own), (RESOURCE_ATTRIBUTE_TYPES, resource)] {
        fields.push(Arc::new(Field::new(name, dictionary_type(), false)));
        arrays.push(Arc::new(builder.finish()));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// The letters of some attributes' types, in the order of their keys. Generated keys are unique.
fn letters<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> String {
    let mut kinds: Vec<_> = attributes
        .map(|pair| (pair.key.as_str(), letter(pair.value.as_ref().and_then(|value| value.value.as_ref()))))
        .collect();
    kinds.sort_unstable();
    kinds.into_iter().map(|(_, kind)| kind).collect()
}

fn letter(value: Option<&Value>) -> char {
    match value {
        None => 'n',
        Some(Value::IntValue(_)) => 'i',
        Some(Value::DoubleValue(_)) => 'd',
        Some(Value::BoolValue(_)) => 'b',
        Some(Value::ArrayValue(_)) => 'a',
        Some(Value::KvlistValue(_)) => 'm',
        Some(Value::BytesValue(_)) => 'y',
        Some(_) => 's',
    }
}

fn last_observed_us(batch: &RecordBatch) -> Option<i64> {
    let column = batch.column_by_name(columns::OBSERVED_TIMESTAMP)?;
    arrow::compute::max(column.as_any().downcast_ref::<TimestampMicrosecondArray>()?)
}

fn stamp_rows(batch: &RecordBatch, ids: FixedSizeBinaryArray, ingested_us: i64) -> Result<RecordBatch> {
    let times = arrow::array::PrimitiveArray::<TimestampMicrosecondType>::from_value(ingested_us, ids.len())
        .with_timezone(UTC);
    let (ids, times): (ArrayRef, ArrayRef) = (Arc::new(ids), Arc::new(times));
    let schema = schema();
    let arrays = schema.fields().iter().map(|field| match field.name().as_str() {
        columns::UUID => Ok(Arc::clone(&ids)),
        columns::INGESTED_TIMESTAMP => Ok(Arc::clone(&times)),
        name => batch
            .column_by_name(name)
            .cloned()
            .ok_or_else(|| anyhow::anyhow!("the engine decodes no column {name:?}")),
    });
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new(Arc::clone(&schema), arrays)?)
}
