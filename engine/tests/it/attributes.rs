//! Attributes with columns of their own: what reading one costs, and that every way to ask finds it.

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::query::model::LogFilter;
use engine::query::{
    Dimension, GroupOrder, GroupsRequest, LowerBound, QueryContext, QuerySettings, ResolvedRange,
};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use serde_json::json;
use tempfile::TempDir;

use crate::counting_store::{CountingStore, asked_bytes};

const NOW_US: i64 = 1_765_881_156_184_820;
const PROJECT: ProjectId = ProjectId(1);

/// Rows with a short attribute, a long one, and one that few rows have.
async fn engine(folder: &Path) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    let config = EngineConfig { compaction: false, ..EngineConfig::new(folder) };
    let engine = Engine::open(config, clock).await.unwrap();
    let records = (0..4000_u64).map(|row| {
        let text = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
        let noise = |salt: u64| {
            (0..8).map(move |word| {
                format!("{:016x}", (row * 8 + word + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15))
            })
        };
        let mut attributes =
            vec![text("short", (row % 10).to_string()), text("long", noise(7).collect::<String>())];
        if row % 1000 == 0 {
            attributes.push(text("rare", "yes".to_owned()));
        }
        json!({
            "timeUnixNano": (NOW_US as u64 + row) * 1000,
            "body": {"stringValue": noise(3).collect::<String>()},
            "attributes": attributes,
        })
    });
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records.collect::<Vec<_>>()}]}]});
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
    engine.flush().await.unwrap();
    engine
}

async fn ask(engine: &Engine, sql: &str) -> Vec<RecordBatch> {
    engine.sql(PROJECT, sql).await.unwrap().try_collect().await.unwrap()
}

async fn count(engine: &Engine, sql: &str) -> i64 {
    ask(engine, sql).await[0].column(0).as_primitive::<Int64Type>().value(0)
}

/// Bytes that a statement reads from data files.
async fn bytes_scanned(engine: &Engine, sql: &str) -> f64 {
    let batches = ask(engine, &format!("EXPLAIN ANALYZE {sql}")).await;
    let plan: String = batches.iter().map(|batch| batch.column(1).as_string::<i32>().value(0)).collect();
    let (_, metric) = plan.split_once("bytes_scanned=").unwrap_or_else(|| panic!("no such metric in {plan}"));
    let metric = metric.split([',', ']']).next().unwrap();
    let (number, unit) = metric.split_once(' ').unwrap_or((metric, "B"));
    let scale = match unit.trim() {
        "B" => 1.0,
        "K" | "KB" => 1024.0,
        "M" | "MB" => 1024.0 * 1024.0,
        unit => panic!("unknown unit {unit} in {plan}"),
    };
    number.trim().parse::<f64>().unwrap() * scale
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_one_attribute_costs_its_own_bytes() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let file_bytes = engine.snapshot(PROJECT).files[0].size_bytes as f64;
    for cheap in [
        "SELECT count(*) FROM logs WHERE attributes['short'] = '3'",
        "SELECT attributes['short'], count(*) FROM logs GROUP BY attributes['short']",
        "SELECT max(attributes['short']) FROM logs",
    ] {
        let bytes = bytes_scanned(&engine, cheap).await;
        assert!(bytes < file_bytes / 50.0, "{cheap} reads {bytes} of {file_bytes} bytes");
    }
    let bytes = bytes_scanned(&engine, "SELECT max(attributes['long']) FROM logs").await;
    assert!(bytes > file_bytes / 10.0, "{bytes} of {file_bytes}");
}

/// Bytes that a question reads of the data files, without their metadata.
async fn bytes_read(engine: &Engine, folder: &Path, dimension: Dimension, num_groups: u64) -> u64 {
    let files = LocalFileSystem::new_with_prefix(folder).unwrap();
    let store = Arc::new(CountingStore::new(Arc::new(files)));
    let reading: Arc<dyn ObjectStore> = Arc::<CountingStore>::clone(&store);
    let context = QueryContext::new(reading, QuerySettings::default()).unwrap();
    let end_us = NOW_US + 4000;
    let ask = async |dimension: Dimension| {
        let request = GroupsRequest {
            filter: LogFilter::default(),
            range: ResolvedRange { from: LowerBound::At(NOW_US), to_us: end_us, interval_to_us: end_us },
            dimensions: vec![dimension],
            order: GroupOrder::LogCount,
            limit: NonZeroUsize::MIN,
        };
        context.groups(&engine.snapshot(PROJECT), &request).await.unwrap().total_groups
    };
    // Afterwards the metadata is known.
    ask(Dimension::Severity).await;
    store.rounds();
    assert_eq!(ask(dimension).await, num_groups);
    store.rounds().iter().flatten().map(asked_bytes).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn grouping_by_one_attribute_costs_its_own_bytes() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    let file_bytes = engine.snapshot(PROJECT).files[0].size_bytes;
    let key = |key: &str| Dimension::Attribute(key.to_owned());
    let short = bytes_read(&engine, folder.path(), key("short"), 10).await;
    assert!(short < file_bytes / 20, "{short} of {file_bytes} bytes");
    let first = Dimension::FirstAttribute(vec!["none".to_owned(), "short".to_owned()]);
    let first = bytes_read(&engine, folder.path(), first, 10).await;
    assert!(first < file_bytes / 20, "{first} of {file_bytes} bytes");
    let long = bytes_read(&engine, folder.path(), key("long"), 4000).await;
    assert!(long > file_bytes / 10, "{long} of {file_bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_ask_finds_an_attribute() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path()).await;
    assert_eq!(count(&engine, "SELECT count(*) FROM logs WHERE attributes['short'] = '3'").await, 400);
    assert_eq!(count(&engine, "SELECT count(*) FROM logs WHERE attributes['rare'] = 'yes'").await, 4);
    assert_eq!(count(&engine, "SELECT count(*) FROM logs WHERE attributes['none'] IS NULL").await, 4000);
    assert_eq!(
        count(&engine, "SELECT count(*) FROM logs WHERE map_keys(attributes) = ['long', 'rare', 'short']")
            .await,
        4
    );
    assert_eq!(count(&engine, "SELECT count(DISTINCT attributes['long']) FROM logs").await, 4000);
    let joined = "SELECT count(*) FROM logs a JOIN logs b ON a.uuid = b.uuid WHERE a.attributes['short'] = b.attributes['short']";
    assert_eq!(count(&engine, joined).await, 4000);
}
