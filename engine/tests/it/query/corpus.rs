//! Rows for tests, and snapshots of them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, Int32Array, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
    StringDictionaryBuilder, StringViewArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int32Type};
use engine::buffer::BufferSegment;
use engine::catalog::Snapshot;
use engine::index::{SidecarBuilder, SidecarLimits};
use engine::query::{QueryContext, QuerySettings};
use engine::schema::{ProjectId, TableId, UTC, logs_schema};
use engine::storage::DataFile;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use crate::places::{Place, query_store};

/// One log record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Row {
    pub(crate) uuid: u128,
    pub(crate) timestamp_us: i64,
    pub(crate) observed_us: i64,
    pub(crate) ingested_us: i64,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) severity: &'static str,
    pub(crate) severity_number: i32,
    pub(crate) service: String,
    pub(crate) body: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) fingerprint: u64,
    pub(crate) scope: String,
    pub(crate) event_name: String,
    pub(crate) bytes: u32,
}

impl Row {
    /// A row with an id, a time, and a body.
    pub(crate) fn new(uuid: u128, timestamp_us: i64, body: &str) -> Self {
        Self { uuid, timestamp_us, body: body.into(), severity: "info", ..Self::default() }
    }

    pub(crate) fn with_attributes(mut self, attributes: &[(&str, &str)]) -> Self {
        self.attributes = sorted(attributes);
        self
    }

    pub(crate) fn with_resource(mut self, attributes: &[(&str, &str)]) -> Self {
        self.resource = sorted(attributes);
        self
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    pub(crate) fn resource_attribute(&self, key: &str) -> Option<&str> {
        self.resource.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

fn sorted(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> =
        attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    attributes.sort();
    attributes
}

/// Rows in the stored schema.
pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let times = |of: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(of)).with_timezone(UTC))
    };
    let dictionary = |of: fn(&Row) -> &str| -> ArrayRef {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        rows.iter().for_each(|row| builder.append_value(of(row)));
        Arc::new(builder.finish())
    };
    // Every value is text.
    let letters = |of: fn(&Row) -> usize| -> ArrayRef {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        rows.iter().for_each(|row| builder.append_value("s".repeat(of(row))));
        Arc::new(builder.finish())
    };
    let bytes = |width: i32, of: fn(&Row) -> Vec<u8>| -> ArrayRef {
        let values: Vec<u8> = rows.iter().flat_map(of).collect();
        Arc::new(FixedSizeBinaryArray::new(width, values.into(), None))
    };
    let columns: Vec<ArrayRef> = vec![
        times(|row| row.timestamp_us),
        times(|row| row.observed_us),
        times(|row| row.ingested_us),
        bytes(16, |row| row.uuid.to_be_bytes().to_vec()),
        bytes(16, |row| row.trace_id.to_vec()),
        bytes(8, |row| row.span_id.to_vec()),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|_| 1))),
        dictionary(|row| row.severity),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.severity_number))),
        dictionary(|row| &row.service),
        Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row.body))),
        maps(rows.iter().map(|row| &row.resource)),
        letters(|row| row.resource.len()),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.fingerprint))),
        dictionary(|row| &row.scope),
        dictionary(|row| &row.event_name),
        maps(rows.iter().map(|row| &row.attributes)),
        letters(|row| row.attributes.len()),
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.bytes))),
    ];
    RecordBatch::try_new(logs_schema(), columns).unwrap()
}

fn maps<'a>(rows: impl Iterator<Item = &'a Vec<(String, String)>>) -> ArrayRef {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())
        .with_values_field(Field::new("value", DataType::Utf8, false));
    for entries in rows {
        for (key, value) in entries {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
    }
    let maps = builder.finish();
    let (_, offsets, entries, nulls, _) = maps.into_parts();
    let schema = logs_schema();
    let field = schema.field_with_name("attributes").unwrap();
    let DataType::Map(entry_field, ordered) = field.data_type() else { panic!("attributes are a map") };
    Arc::new(arrow::array::MapArray::new(Arc::clone(entry_field), offsets, entries, nulls, *ordered))
}

/// A snapshot of rows, the store its files are in, and a context over the store.
pub(crate) struct Corpus {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) snapshot: Snapshot,
    pub(crate) context: QueryContext,
    /// What the store needs to live.
    pub(crate) _place: Option<Place>,
}

impl Corpus {
    /// Rows as data files and as segments, in the order of the slices. Row groups are small, so that several
    /// are in a file and statistics have something to prune.
    pub(crate) async fn new(files: &[Vec<Row>], segments: &[Vec<Row>]) -> Self {
        Self::with_settings(files, segments, small_settings()).await
    }

    pub(crate) async fn with_settings(
        files: &[Vec<Row>],
        segments: &[Vec<Row>],
        settings: QuerySettings,
    ) -> Self {
        let (store, place) = query_store().await;
        let mut data_files = Vec::new();
        for (index, rows) in files.iter().filter(|rows| !rows.is_empty()).enumerate() {
            data_files.push(Arc::new(write_file(store.as_ref(), index, rows).await));
        }
        let segments = segments.iter().filter(|rows| !rows.is_empty()).zip(1..);
        let snapshot = Snapshot {
            table: TableId::logs(ProjectId(1)),
            files: Arc::new(data_files),
            segments: segments.map(|(rows, sequence)| Arc::new(segment(rows, sequence))).collect(),
            retention: None,
        };
        let context = QueryContext::new(Arc::clone(&store), settings).unwrap();
        Self { store, snapshot, context, _place: place }
    }
}

pub(crate) fn small_settings() -> QuerySettings {
    QuerySettings { batch_size: 64, num_threads: 2, ..QuerySettings::default() }
}

async fn write_file(store: &dyn ObjectStore, index: usize, rows: &[Row]) -> DataFile {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| (row.timestamp_us, row.uuid));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(50))
        .set_data_page_row_count_limit(10)
        .set_write_batch_size(5)
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, logs_schema(), Some(properties)).unwrap();
    writer.write(&batch(&rows)).unwrap();
    let metadata = writer.close().unwrap();
    let columns = metadata.row_groups().iter().flat_map(|row_group| row_group.columns());
    let data_bytes = columns.map(|column| column.byte_range().0 + column.byte_range().1).max().unwrap();
    let path = Path::from(format!("logs/project=1/{index}.parquet"));
    let size_bytes = bytes.len() as u64;
    store.put(&path, bytes.into()).await.unwrap();
    let mut file = DataFile {
        id: Uuid::from_u128(index as u128),
        path,
        level: 0,
        min_timestamp_us: rows.iter().map(|row| row.timestamp_us).min().unwrap(),
        max_timestamp_us: rows.iter().map(|row| row.timestamp_us).max().unwrap(),
        min_ingested_us: rows.iter().map(|row| row.ingested_us).min().unwrap(),
        max_ingested_us: rows.iter().map(|row| row.ingested_us).max().unwrap(),
        num_rows: rows.len() as u64,
        size_bytes,
        metadata_bytes: size_bytes - data_bytes,
        sidecar_bytes: 0,
    };
    if let Some(limits) = sidecar_limits(index) {
        let mut builder = SidecarBuilder::new(&limits);
        builder.add(&batch(&rows)).unwrap();
        let sidecar = builder.finish(file.id, file.num_rows).unwrap();
        file.sidecar_bytes = sidecar.bytes.len() as u64;
        store.put(&file.sidecar_path(), sidecar.bytes.into()).await.unwrap();
    }
    file
}

/// Some files have none, some a fine one, and some one with coarse cells that lacks keys and values.
fn sidecar_limits(index: usize) -> Option<SidecarLimits> {
    let usual = SidecarLimits::default();
    match index % 3 {
        0 => None,
        1 => Some(SidecarLimits { min_rows_per_cell: 1, ..usual }),
        _ => Some(SidecarLimits { min_rows_per_cell: 4, max_key_bytes: 150, max_values_per_key: 2, ..usual }),
    }
}

fn segment(rows: &[Row], sequence: u64) -> BufferSegment {
    let batch = batch(rows);
    BufferSegment {
        min_timestamp_us: rows.iter().map(|row| row.timestamp_us).min().unwrap(),
        max_timestamp_us: rows.iter().map(|row| row.timestamp_us).max().unwrap(),
        min_ingested_us: rows.iter().map(|row| row.ingested_us).min().unwrap(),
        max_ingested_us: rows.iter().map(|row| row.ingested_us).max().unwrap(),
        sequence,
        size_bytes: batch.get_array_memory_size(),
        batch,
    }
}
