//! Attribute keys and values: of files where frequent keys have columns of their own, of memory, of expired rows.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::query::model::LogFilter;
use engine::query::{
    AttributeKeysRequest, AttributeSource, Facet, FacetsRequest, ListRange, QueryContext, QuerySettings,
    SearchIn, TimeRange, ValueCount, ValuesRequest,
};
use engine::retention::RetentionPolicy;
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig, ErrorKind};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;
use tempfile::TempDir;

use crate::counting_store::{CountingStore, asked_bytes};

const NOW_US: i64 = 1_765_881_156_184_820;
const DAY_US: i64 = 86_400_000_000;
const PROJECT: ProjectId = ProjectId(1);
const NUM_ROWS: u64 = 2000;
const ALL_TIME: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

/// A row each ten microseconds: with a short attribute, a long one, and one that few rows have.
fn request(rows: std::ops::Range<u64>) -> String {
    let records = rows.map(|row| {
        let text = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
        let noise =
            (0..8).map(|word| format!("{:016x}", (row * 8 + word).wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        let mut attributes =
            vec![text("short", (row % 10).to_string()), text("long", noise.collect::<String>())];
        if row % 500 == 0 {
            attributes.push(text("rare", format!("v{row}")));
        }
        json!({"timeUnixNano": time_us(row) * 1000, "attributes": attributes})
    });
    json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records.collect::<Vec<_>>()}]}]}).to_string()
}

fn time_us(row: u64) -> i64 {
    NOW_US - 10 * (NUM_ROWS - row) as i64
}

/// An engine with all rows in one file.
async fn engine(folder: &Path, clock: &Arc<ManualClock>) -> Arc<Engine> {
    let config = EngineConfig { compaction: false, ..EngineConfig::new(folder) };
    let engine = Engine::open(config, Arc::clone(clock) as Arc<dyn Clock>).await.unwrap();
    ingest(&engine, 0..NUM_ROWS).await;
    engine.flush().await.unwrap();
    engine
}

async fn ingest(engine: &Engine, rows: std::ops::Range<u64>) {
    let logs = decode_otlp_json(request(rows).as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
}

fn keys_request(search: &str, search_in: SearchIn) -> AttributeKeysRequest {
    AttributeKeysRequest {
        filter: LogFilter::default(),
        range: ALL_TIME,
        source: AttributeSource::Record,
        search: search.to_owned(),
        search_in,
        keys: BTreeSet::new(),
        list: ListRange { offset: 0, limit: 10 },
    }
}

async fn keys(engine: &Engine) -> Vec<(String, u64)> {
    let keys = engine.attribute_keys(PROJECT, keys_request("", SearchIn::Keys)).await.unwrap().keys;
    keys.into_iter().map(|key| (key.name, key.count)).collect()
}

fn values_of(key: &str) -> ValuesRequest {
    ValuesRequest {
        filter: LogFilter::default(),
        range: ALL_TIME,
        facet: Facet::Attribute { source: AttributeSource::Record, key: key.to_owned() },
        search: String::new(),
        list: ListRange { offset: 0, limit: 3 },
    }
}

fn counted(values: &[(&str, u64)]) -> Vec<ValueCount> {
    values.iter().map(|(value, count)| ValueCount { value: (*value).to_owned(), count: *count }).collect()
}

fn named(keys: &[(&str, u64)]) -> Vec<(String, u64)> {
    keys.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_files_and_in_memory_count_together() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path(), &Arc::new(ManualClock::new(NOW_US))).await;
    assert_eq!(keys(&engine).await, named(&[("long", 2000), ("short", 2000), ("rare", 4)]));
    ingest(&engine, 0..1).await;
    assert_eq!(keys(&engine).await, named(&[("long", 2001), ("short", 2001), ("rare", 5)]));
    let values = engine.values(PROJECT, values_of("short")).await.unwrap();
    assert_eq!(values, counted(&[("0", 201), ("1", 200), ("2", 200)]));
    let values = engine.values(PROJECT, values_of("rare")).await.unwrap();
    assert_eq!(values, counted(&[("v0", 2), ("v1000", 1), ("v1500", 1)]));
    let found = engine.attribute_keys(PROJECT, keys_request("V1", SearchIn::KeysAndValues)).await.unwrap();
    let found: Vec<_> = found.keys.into_iter().map(|key| (key.name, key.count, key.matched_value)).collect();
    assert_eq!(found, [("rare".to_owned(), 2, Some("v1000".to_owned()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_rows_have_neither_keys_nor_values() {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::new(NOW_US));
    let engine = engine(folder.path(), &clock).await;
    ingest(&engine, 500..501).await;
    engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::of_days(Some(1))).unwrap();
    clock.set(time_us(1000) + 5 + DAY_US);
    assert_eq!(keys(&engine).await, named(&[("long", 999), ("short", 999), ("rare", 1)]));
    assert_eq!(engine.values(PROJECT, values_of("rare")).await.unwrap(), counted(&[("v1500", 1)]));
    let values = engine.values(PROJECT, values_of("short")).await.unwrap();
    assert_eq!(values, counted(&[("1", 100), ("2", 100), ("3", 100)]));
}

/// The only file of an engine in a store that counts, and a context over it.
async fn counting(
    engine: &Engine,
    folder: &Path,
    settings: QuerySettings,
) -> (Arc<CountingStore>, QueryContext) {
    let store = Arc::new(InMemory::new());
    let file = Arc::clone(&engine.snapshot(PROJECT).files[0]);
    let bytes = tokio::fs::read(folder.join(file.path.as_ref())).await.unwrap();
    store.put(&file.path, bytes.into()).await.unwrap();
    let store = Arc::new(CountingStore::new(store as Arc<dyn ObjectStore>));
    let context = QueryContext::new(Arc::clone(&store) as Arc<dyn ObjectStore>, settings).unwrap();
    (store, context)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_values_of_a_frequent_key_cost_its_own_bytes() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path(), &Arc::new(ManualClock::new(NOW_US))).await;
    let snapshot = engine.snapshot(PROJECT);
    let (store, context) = counting(&engine, folder.path(), QuerySettings::default()).await;
    let bytes_read = || -> u64 { store.rounds().iter().flatten().map(asked_bytes).sum() };
    // Once for the footer.
    context.values(&snapshot, &values_of("short")).await.unwrap();
    bytes_read();
    let short = context.values(&snapshot, &values_of("short")).await.unwrap();
    assert_eq!(short, counted(&[("0", 200), ("1", 200), ("2", 200)]));
    let (short, file) = (bytes_read(), snapshot.files[0].size_bytes);
    assert!(short < file / 20, "{short} of {file}");
    context.values(&snapshot, &values_of("long")).await.unwrap();
    let long = bytes_read();
    assert!(long > file / 3, "{long} of {file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_into_memory_is_an_error() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path(), &Arc::new(ManualClock::new(NOW_US))).await;
    let snapshot = engine.snapshot(PROJECT);
    let settings = QuerySettings { max_memory_bytes: 100_000, num_threads: 2, ..QuerySettings::default() };
    let (_, context) = counting(&engine, folder.path(), settings).await;
    let by_value = keys_request("0000", SearchIn::KeysAndValues);
    let found = context.attribute_keys(&snapshot, &by_value).await;
    assert!(found.is_ok(), "few values have it: {found:?}");
    let everything = FacetsRequest {
        filter: LogFilter::default(),
        scope: Vec::new(),
        range: ALL_TIME,
        facets: vec![values_of("long").facet],
        search: String::new(),
        limit: usize::MAX,
    };
    let error = context.facets(&snapshot, &everything).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}
