//! From whole rows to the columns of a data file and back: layout version 1.
//!
//! | column of a whole row | in a data file |
//! |---|---|
//! | `observed_timestamp` | `observed_delay_us`: how much later than `timestamp`, which is a small number |
//! | `trace_id`, `span_id` | null when unset |
//! | `attributes`, `resource_attributes` | frequent keys in columns of their own, the rest in the maps |
//! | any other | as it is |
//!
//! Entries of the audit trail are stored as they are.
//!
//! Files of version 0 have all columns as whole rows have them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeBinaryArray, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::binary;
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int64Type, Schema, SchemaRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::Promotion;
use super::promotion::{MAP_COLUMNS, assemble_map, parse_column_name};
use crate::error::{Error, Result};
use crate::schema::{Dataset, UTC, columns, logs_schema};

/// How much later than its time a record was observed, microseconds; negative when it was earlier.
pub(crate) const OBSERVED_DELAY: &str = "observed_delay_us";

/// The schema of a data file of logs.
pub(super) fn file_schema(promotion: &Promotion) -> SchemaRef {
    let whole = logs_schema();
    let plain = whole.fields().iter().map(|field| match field.name().as_str() {
        columns::OBSERVED_TIMESTAMP => Arc::new(Field::new(OBSERVED_DELAY, DataType::Int64, false)),
        columns::TRACE_ID | columns::SPAN_ID => Arc::new(field.as_ref().clone().with_nullable(true)),
        _ => Arc::clone(field),
    });
    let promoted = promotion.column_names().map(|name| Arc::new(Field::new(name, DataType::Utf8, true)));
    Arc::new(Schema::new(plain.collect::<Vec<FieldRef>>().into_iter().chain(promoted).collect::<Fields>()))
}

/// Whole rows as columns of a data file.
///
/// # Errors
/// `Internal` when they are not whole rows.
pub(super) fn to_file_columns(
    dataset: Dataset,
    rows: &RecordBatch,
    promotion: &Promotion,
) -> Result<RecordBatch> {
    if dataset != Dataset::Logs {
        return Ok(rows.clone());
    }
    let (attributes, attribute_columns) = promotion.split_map(rows, 0)?;
    let (resource, resource_columns) = promotion.split_map(rows, 1)?;
    let plain = rows.schema_ref().fields().iter().zip(rows.columns()).map(|(field, column)| {
        Ok::<ArrayRef, Error>(match field.name().as_str() {
            columns::OBSERVED_TIMESTAMP => Arc::new(observed_delay(rows, column)?),
            columns::TRACE_ID | columns::SPAN_ID => Arc::new(unset_as_null(column)?),
            name if name == MAP_COLUMNS[0] => Arc::new(attributes.clone()),
            name if name == MAP_COLUMNS[1] => Arc::new(resource.clone()),
            _ => Arc::clone(column),
        })
    });
    let mut arrays = plain.collect::<Result<Vec<ArrayRef>>>()?;
    arrays.extend(attribute_columns);
    arrays.extend(resource_columns);
    RecordBatch::try_new(file_schema(promotion), arrays).map_err(cannot_arrange)
}

/// Columns of a data file as whole rows again: the opposite of [`to_file_columns`].
///
/// # Errors
/// `CorruptData` when a column that every data file has is missing or of another type.
pub(crate) fn to_whole_rows(dataset: Dataset, file: &RecordBatch) -> Result<RecordBatch> {
    let whole = dataset.schema();
    let arrays = whole.fields().iter().map(|field| whole_column(file, field.name()));
    let arrays = arrays.collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(whole, arrays)
        .map_err(|error| Error::corrupt_data("a data file has columns of other types").with_source(error))
}

/// Some columns of whole rows, made of what [`file_columns_of`] says they need.
///
/// # Errors
/// As [`to_whole_rows`].
pub(crate) fn whole_columns(file: &RecordBatch, names: &[&str]) -> Result<RecordBatch> {
    let whole = logs_schema();
    let fields = names.iter().map(|name| whole.field_with_name(name).cloned());
    let fields = fields.collect::<Result<Fields, _>>().map_err(cannot_arrange)?;
    let arrays = names.iter().map(|name| whole_column(file, name)).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::corrupt_data("a data file has columns of other types").with_source(error))
}

/// The columns of a data file, by their places and rising, that some columns of whole rows are made of.
pub(crate) fn file_columns_of(file: &Schema, names: &[&str]) -> Vec<usize> {
    let is_needed = |column: &str| match parse_column_name(column) {
        Some((map, _)) => names.contains(&MAP_COLUMNS[map]),
        None if column == OBSERVED_DELAY => names.contains(&columns::OBSERVED_TIMESTAMP),
        None if column == columns::TIMESTAMP => {
            names.contains(&column) || names.contains(&columns::OBSERVED_TIMESTAMP)
        }
        None => names.contains(&column),
    };
    let fields = file.fields().iter().enumerate();
    fields.filter(|(_, field)| is_needed(field.name())).map(|(place, _)| place).collect()
}

fn whole_column(file: &RecordBatch, name: &str) -> Result<ArrayRef> {
    if name == columns::OBSERVED_TIMESTAMP
        && let Some(delay) = file.column_by_name(OBSERVED_DELAY)
    {
        return Ok(Arc::new(observed_time(file_column(file, columns::TIMESTAMP)?, delay)?));
    }
    let column = file_column(file, name)?;
    if matches!(name, columns::TRACE_ID | columns::SPAN_ID) {
        return Ok(Arc::new(null_as_unset(column)?));
    }
    let Some(map) = MAP_COLUMNS.iter().position(|map| *map == name) else { return Ok(Arc::clone(column)) };
    let schema = file.schema();
    let promoted = schema.fields().iter().zip(file.columns()).filter_map(|(field, column)| {
        let (of_map, key) = parse_column_name(field.name())?;
        (of_map == map).then_some((key, column))
    });
    let rest = column.as_map_opt().ok_or_else(|| other_type(name, column))?;
    Ok(Arc::new(assemble_map(rest, &promoted.collect::<Vec<_>>())?))
}

fn file_column<'f>(file: &'f RecordBatch, name: &str) -> Result<&'f ArrayRef> {
    file.column_by_name(name)
        .ok_or_else(|| Error::corrupt_data(format!("a data file lacks the column {name:?}")))
}

fn observed_delay(rows: &RecordBatch, observed: &ArrayRef) -> Result<Int64Array> {
    let time = rows.column_by_name(columns::TIMESTAMP).and_then(|column| column.as_primitive_opt());
    let observed = observed.as_primitive_opt();
    let (Some(time), Some(observed)) = (time, observed) else {
        return Err(Error::internal("rows without their times"));
    };
    let (time, observed): (&TimestampMicrosecondArray, &TimestampMicrosecondArray) = (time, observed);
    // The opposite of the sum that reading takes, for any two instants.
    binary(observed, time, |observed: i64, time: i64| observed.wrapping_sub(time)).map_err(cannot_arrange)
}

/// When records were observed.
pub(crate) fn observed_time(time: &ArrayRef, delay: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let times = time.as_primitive_opt::<TimestampMicrosecondType>();
    let times = times.ok_or_else(|| other_type(columns::TIMESTAMP, time))?;
    let delays = delay.as_primitive_opt::<Int64Type>().ok_or_else(|| other_type(OBSERVED_DELAY, delay))?;
    let observed: TimestampMicrosecondArray =
        binary(times, delays, |time: i64, delay: i64| time.wrapping_add(delay)).map_err(cannot_arrange)?;
    Ok(observed.with_timezone(UTC))
}

/// Ids with null in the place of zeros.
fn unset_as_null(ids: &ArrayRef) -> Result<FixedSizeBinaryArray> {
    let ids = fixed_size(ids)?;
    let is_set =
        NullBuffer::from_iter(ids.iter().map(|id| id.is_some_and(|id| id.iter().any(|byte| *byte != 0))));
    FixedSizeBinaryArray::try_new(ids.value_length(), ids.values().clone(), Some(is_set))
        .map_err(cannot_arrange)
}

/// Ids with zeros in the place of null.
pub(crate) fn null_as_unset(ids: &ArrayRef) -> Result<FixedSizeBinaryArray> {
    let ids = fixed_size(ids)?;
    if ids.null_count() == 0 {
        return FixedSizeBinaryArray::try_new(ids.value_length(), ids.values().clone(), None)
            .map_err(cannot_arrange);
    }
    let width = ids.value_length() as usize;
    let mut bytes = Vec::with_capacity(ids.len() * width);
    for id in ids {
        match id {
            Some(id) => bytes.extend_from_slice(id),
            None => bytes.resize(bytes.len() + width, 0),
        }
    }
    FixedSizeBinaryArray::try_new(ids.value_length(), bytes.into(), None).map_err(cannot_arrange)
}

fn fixed_size(ids: &ArrayRef) -> Result<&FixedSizeBinaryArray> {
    ids.as_fixed_size_binary_opt().ok_or_else(|| other_type("id", ids))
}

fn other_type(name: &str, column: &ArrayRef) -> Error {
    Error::corrupt_data(format!("the column {name:?} of a data file is of type {}", column.data_type()))
}

fn cannot_arrange(error: ArrowError) -> Error {
    Error::internal("cannot arrange rows for a data file").with_source(error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::buffer::BufferSegment;
    use crate::ingest::{RecordLimits, decode_otlp_json};
    use crate::limits::MAX_PROMOTED_KEYS;
    use crate::schema::BatchStamp;
    use crate::storage::KeyCounts;
    use serde_json::json;
    use uuid::Uuid;

    /// Whole rows whose attributes are `rows`.
    fn rows(rows: &[Vec<(String, String)>]) -> RecordBatch {
        let attributes = |entries: &[(String, String)]| {
            entries
                .iter()
                .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}))
                .collect::<Vec<_>>()
        };
        let resources = rows.iter().map(|entries| {
            json!({
                "resource": {"attributes": attributes(&entries[entries.len() / 2..])},
                "scopeLogs": [{"logRecords": [{"attributes": attributes(entries)}]}],
            })
        });
        let request = json!({"resourceLogs": resources.collect::<Vec<_>>()}).to_string();
        let decoded = decode_otlp_json(request.as_bytes(), 5, &RecordLimits::default()).unwrap();
        let stamp = BatchStamp { writer: Uuid::nil(), epoch: 1, sequence: 1, ingested_us: 5 };
        BufferSegment::stamped(Dataset::Logs, &decoded.batch, &stamp, 0..rows.len() as u32, 1).unwrap().batch
    }

    fn promotion_of(batch: &RecordBatch) -> Promotion {
        let mut counts = KeyCounts::default();
        counts.count_rows(batch).unwrap();
        Promotion::choose(&counts, batch.num_rows() as u64)
    }

    proptest! {
        #[test]
        fn rows_come_back_as_they_were(
            entries in prop::collection::vec(prop::collection::vec(("[a-f/]{0,2}", ".{0,4}"), 0..8), 1..40),
            least in 1_usize..4,
        ) {
            let batch = rows(&entries);
            let mut counts = KeyCounts::default();
            counts.count_rows(&batch).unwrap();
            // With more rows than there are, fewer keys are promoted.
            let promotion = Promotion::choose(&counts, batch.num_rows() as u64 * (least as u64 * 40));
            let columns = to_file_columns(Dataset::Logs, &batch, &promotion).unwrap();
            prop_assert_eq!(to_whole_rows(Dataset::Logs, &columns).unwrap(), batch);
        }
    }

    #[test]
    fn ids_and_observed_times_come_back() {
        let record = |trace: &str, observed: u64| json!({"timeUnixNano": "1765881156184820000", "observedTimeUnixNano": observed, "traceId": trace});
        let records = [
            record("", 5000),
            record(&"0a".repeat(16), 1_765_881_156_999_999_000),
            record(&"00".repeat(16), 0),
        ];
        let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string();
        let decoded = decode_otlp_json(request.as_bytes(), 7, &RecordLimits::default()).unwrap();
        let stamp = BatchStamp { writer: Uuid::nil(), epoch: 1, sequence: 1, ingested_us: 5 };
        let batch = BufferSegment::stamped(Dataset::Logs, &decoded.batch, &stamp, 0..3, 1).unwrap().batch;
        let columns = to_file_columns(Dataset::Logs, &batch, &promotion_of(&batch)).unwrap();
        assert_eq!(columns.column_by_name("trace_id").unwrap().null_count(), 2);
        assert_eq!(columns.column_by_name("span_id").unwrap().null_count(), 3);
        assert_eq!(to_whole_rows(Dataset::Logs, &columns).unwrap(), batch);
    }

    #[test]
    fn files_of_version_0_are_read() {
        let batch = rows(&[vec![("a".to_owned(), "1".to_owned())]]);
        assert_eq!(to_whole_rows(Dataset::Logs, &batch).unwrap(), batch);
    }

    #[test]
    fn frequent_keys_get_columns_and_rare_ones_stay_in_the_map() {
        let entries: Vec<Vec<(String, String)>> = (0..1000)
            .map(|row| {
                let own = (row % 500 == 0).then(|| ("rare".to_owned(), "x".to_owned()));
                own.into_iter().chain([("status".to_owned(), row.to_string())]).collect()
            })
            .collect();
        let batch = rows(&entries);
        let promotion = promotion_of(&batch);
        let names: Vec<String> = promotion.column_names().collect();
        assert!(names.contains(&"attributes/status".to_owned()), "{names:?}");
        assert!(!names.contains(&"attributes/rare".to_owned()), "{names:?}");
        let columns = to_file_columns(Dataset::Logs, &batch, &promotion).unwrap();
        let rest = columns.column_by_name("attributes").unwrap().as_map();
        assert_eq!(rest.entries().len(), 2);
    }

    #[test]
    fn no_more_keys_than_the_bound_are_promoted() {
        let entry = |key: usize| (format!("key{key}"), "v".to_owned());
        let entries: Vec<Vec<_>> = (0..3).map(|_| (0..1000).map(entry).collect()).collect();
        assert_eq!(promotion_of(&rows(&entries)).column_names().count(), MAX_PROMOTED_KEYS);
    }
}
