//! Rows for tests, made by hand or at random.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, MapArray, MapBuilder, RecordBatch, StringBuilder, StringDictionaryBuilder,
    StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Fields, Int32Type, Schema};
use proptest::prelude::*;

use crate::schema::{UTC, columns, logs_schema, map_entry_fields};

/// What a sidecar looks at in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) timestamp_us: i64,
    pub(super) severity: String,
    pub(super) service: String,
    pub(super) event: String,
    pub(super) scope: String,
    pub(super) body: String,
    pub(super) bytes: u32,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) resource: BTreeMap<String, String>,
    /// Arbitrary: no more than a hint.
    pub(super) fingerprint: u64,
}

impl Row {
    /// A row of a service at a time.
    pub(super) fn new(timestamp_us: i64, service: &str, severity: &str) -> Self {
        Self {
            timestamp_us,
            service: service.into(),
            severity: severity.into(),
            bytes: 100,
            ..Self::default()
        }
    }

    pub(super) fn with(mut self, key: &str, value: &str) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }

    pub(super) fn with_resource(mut self, key: &str, value: &str) -> Self {
        self.resource.insert(key.into(), value.into());
        self
    }
}

/// Rows with the columns that a sidecar looks at.
pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let entries = |of: fn(&Row) -> &BTreeMap<String, String>| {
        maps(rows.iter().map(|row| of(row).iter().map(|(key, value)| (key.as_str(), value.as_str()))))
    };
    let times = rows.iter().map(|row| row.timestamp_us);
    from_columns(vec![
        (columns::TIMESTAMP, Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone(UTC))),
        (columns::SEVERITY_TEXT, dictionary(rows.iter().map(|row| row.severity.as_str()))),
        (columns::SERVICE_NAME, dictionary(rows.iter().map(|row| row.service.as_str()))),
        (
            columns::BODY,
            Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| row.body.as_str()))),
        ),
        (columns::RESOURCE_ATTRIBUTES, entries(|row| &row.resource)),
        (
            columns::RESOURCE_FINGERPRINT,
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.fingerprint))),
        ),
        (columns::INSTRUMENTATION_SCOPE, dictionary(rows.iter().map(|row| row.scope.as_str()))),
        (columns::EVENT_NAME, dictionary(rows.iter().map(|row| row.event.as_str()))),
        (columns::ATTRIBUTES, entries(|row| &row.attributes)),
        (
            columns::BYTES_UNCOMPRESSED,
            Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.bytes))),
        ),
    ])
}

/// Columns with the fields that the schema has for them.
pub(super) fn from_columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let schema = logs_schema();
    let fields: Fields =
        columns.iter().map(|(name, _)| schema.field_with_name(name).unwrap().clone()).collect();
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn dictionary<'a>(texts: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    texts.for_each(|text| builder.append_value(text));
    Arc::new(builder.finish())
}

/// Maps of text to text. Keys may repeat.
pub(super) fn maps<'a>(rows: impl Iterator<Item = impl Iterator<Item = (&'a str, &'a str)>>) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
        .with_values_field(Field::new("value", arrow::datatypes::DataType::Utf8, false));
    for entries in rows {
        for (key, value) in entries {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
    }
    let (_, offsets, entries, nulls, _) = builder.finish().into_parts();
    let (_, columns, _) = entries.into_parts();
    let entries = arrow::array::StructArray::new(map_entry_fields(), columns, None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    Arc::new(MapArray::new(field, offsets, entries, nulls, false))
}

/// Rows in batches that share memory: slices of one batch, the last one first.
pub(super) fn sliced(rows: &[Row], cuts: &[prop::sample::Index]) -> Vec<RecordBatch> {
    let whole = batch(rows);
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
    bounds.extend([0, rows.len()]);
    bounds.sort_unstable();
    let slices = bounds.windows(2).map(|pair| whole.slice(pair[0], pair[1] - pair[0]));
    slices.rev().collect()
}

/// Instants that lie close together or far apart, on both sides of the epoch.
pub(super) fn instant() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0_i64..20_000_000,
        4 => -90_000_000_000_i64..90_000_000_000,
        1 => -4_000_000_000_000_000_i64..4_000_000_000_000_000,
        1 => prop::sample::select(vec![i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX]),
    ]
}

pub(super) fn service() -> impl Strategy<Value = String> {
    one_of(&["", "api", "checkout", "käse", "worker-1", "worker-2"])
}

pub(super) fn severity() -> impl Strategy<Value = String> {
    one_of(&["info", "warn", "error", "unknown"])
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(texts).prop_map(str::to_owned)
}

/// Rows of few names, keys and values, so that they meet.
pub(super) fn rows(num_rows: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let names = (service(), severity(), one_of(&["", "x", "y"]), one_of(&["", "x@1", "x@2", "y@1"]));
    let keys = || one_of(&["a", "aa", "ab", "b", "ba", "c", "cc", "http.a", "http.b", "http.c"]);
    let values = || one_of(&["", "u", "uu", "uv", "v", "vw", "vwv", "w", "ä", "äu", "äää", "u\u{0}"]);
    let entries = move || prop::collection::btree_map(keys(), values(), 0..4);
    let row = (instant(), names, entries(), entries(), any::<u32>(), 0_u64..3).prop_map(
        |(timestamp_us, (service, severity, event, scope), attributes, resource, bytes, fingerprint)| Row {
            timestamp_us,
            severity,
            service,
            event,
            scope,
            body: String::new(),
            bytes,
            attributes,
            resource,
            fingerprint,
        },
    );
    prop::collection::vec(row, num_rows)
}
