//! Compaction changes no answer, loses nothing and leaves few files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};
use engine::query::{LogRow, TimeRange};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::objects::{data_files, settled_files};
use crate::waiting::until;

const NOW_US: i64 = 1_765_881_156_184_820;
const DAY_US: i64 = 86_400_000_000;
const ALL_TIME: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX };
const PROJECT: ProjectId = ProjectId(1);

fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig {
        wal_segment_bytes: 64 << 10,
        compaction: false,
        target_file_bytes: 64 << 10,
        ..EngineConfig::new(data_dir)
    }
}

async fn open(data_dir: &Path) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    Engine::open(config(data_dir), clock).await.unwrap()
}

/// One record: when, and which of some kinds.
type Record = (i64, usize);

fn record(&(timestamp_us, kind): &Record) -> Value {
    let text = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let mut attributes = vec![text("kind", kind.to_string())];
    // Kinds have keys of their own, frequent and rare ones, and one key of two types.
    attributes.push(text(&format!("own.{}", kind % 7), format!("v{timestamp_us}")));
    if kind.is_multiple_of(2) {
        attributes.push(json!({"key": "mixed", "value": {"intValue": kind}}));
    } else {
        attributes.push(text("mixed", kind.to_string()));
    }
    json!({
        "timeUnixNano": timestamp_us * 1000,
        "body": {"stringValue": format!("request {timestamp_us} of kind {kind}")},
        "attributes": attributes,
    })
}

async fn ingest(engine: &Engine, project: ProjectId, records: &[Record]) {
    let resources = records.chunk_by(|left, right| left.1 % 3 == right.1 % 3).map(|records| {
        let service = format!("service-{}", records[0].1 % 3);
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeLogs": [{"logRecords": records.iter().map(record).collect::<Vec<_>>()}],
        })
    });
    let request = json!({"resourceLogs": resources.collect::<Vec<_>>()});
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(project), logs).await.unwrap();
}

async fn rows(engine: &Engine) -> Vec<LogRow> {
    let query = LogQuery {
        range: ALL_TIME,
        limit: 100_000,
        order: Order::Earliest,
        attributes: AttributeMaps::Included,
        filter: LogFilter::default(),
        after: None,
        ingested_from_us: None,
    };
    engine.query_logs(PROJECT, query).await.unwrap().rows
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn answers_stay_the_same(
        flushes in prop::collection::vec(
            prop::collection::vec((-90 * DAY_US..DAY_US, 0_usize..20), 1..60),
            2..14,
        ),
        restart in any::<bool>(),
    ) {
        runtime().block_on(async {
            let folder = TempDir::new().unwrap();
            let mut engine = open(folder.path()).await;
            for (index, records) in flushes.iter().enumerate() {
                let records: Vec<Record> = records.iter().map(|(offset, kind)| (NOW_US + offset, *kind)).collect();
                ingest(&engine, PROJECT, &records).await;
                // The last rows stay in memory.
                if index + 1 < flushes.len() {
                    engine.flush().await.unwrap();
                }
            }
            let before = rows(&engine).await;
            assert_eq!(before.len(), flushes.iter().map(Vec::len).sum::<usize>());
            for everything in [false, true] {
                engine.compact(everything).await.unwrap();
                assert_eq!(rows(&engine).await, before);
            }
            let live = engine.snapshot(PROJECT).files.len();
            assert_eq!(settled_files(&engine, folder.path(), live).await, live);
            if restart {
                drop(engine);
                engine = open(folder.path()).await;
                assert_eq!(rows(&engine).await, before);
            }
            let count = engine.count_logs(PROJECT, LogFilter::default(), ALL_TIME).await.unwrap();
            assert_eq!(count, before.len() as u64);
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_flushes_leave_few_files() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for flush in 0..60 {
        let records: Vec<Record> =
            (0..50).map(|row| (NOW_US + flush * 1_000_000 + row, row as usize)).collect();
        ingest(&engine, PROJECT, &records).await;
        engine.flush().await.unwrap();
        engine.compact(false).await.unwrap();
        assert!(engine.snapshot(PROJECT).files.len() <= 16);
    }
    engine.compact(true).await.unwrap();
    let files = engine.snapshot(PROJECT).files;
    assert!(files.len() <= 3, "{} files", files.len());
    assert_eq!(files.iter().map(|file| file.num_rows).sum::<u64>(), 3000);
    assert_eq!(data_files(folder.path()).len(), files.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_snapshot_keeps_its_files() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for flush in 0..4 {
        ingest(&engine, PROJECT, &[(NOW_US + flush, 1)]).await;
        engine.flush().await.unwrap();
    }
    let held = engine.snapshot(PROJECT);
    engine.compact(true).await.unwrap();
    assert_eq!(engine.snapshot(PROJECT).files.len(), 1);
    for file in held.files.iter() {
        assert!(folder.path().join(file.path.as_ref()).exists(), "{} is gone", file.path);
    }
    assert_eq!(data_files(folder.path()).len(), 5);
    drop(held);
    engine.compact(true).await.unwrap();
    assert_eq!(data_files(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_a_stop_left_behind_are_deleted_after_the_next_start() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for flush in 0..4 {
        ingest(&engine, PROJECT, &[(NOW_US + flush, 1)]).await;
        engine.flush().await.unwrap();
    }
    let held = engine.snapshot(PROJECT);
    engine.compact(true).await.unwrap();
    assert_eq!(data_files(folder.path()).len(), 5);
    drop((held, engine));
    let engine = open(folder.path()).await;
    engine.compact(true).await.unwrap();
    assert_eq!(data_files(folder.path()).len(), 1);
    assert_eq!(rows(&engine).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_left_alone_and_the_others_are_merged() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for flush in 0..8 {
        ingest(&engine, PROJECT, &[(NOW_US + flush, 1)]).await;
        engine.flush().await.unwrap();
    }
    let files = engine.snapshot(PROJECT).files;
    let damaged = &files[2];
    let path = folder.path().join(damaged.path.as_ref());
    fs::write(&path, vec![0; damaged.size_bytes as usize]).unwrap();
    let error = engine.compact(true).await.unwrap_err();
    assert!(error.to_string().contains(damaged.path.as_ref()), "{error}");
    engine.compact(true).await.unwrap();
    let left = engine.snapshot(PROJECT).files;
    assert_eq!(left.len(), 2);
    assert!(left.iter().any(|file| file.id == damaged.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn merges_happen_in_the_background() {
    let folder = TempDir::new().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    let config = EngineConfig { compaction: true, ..config(folder.path()) };
    let engine = Engine::open(config, clock).await.unwrap();
    for flush in 0..8 {
        ingest(&engine, PROJECT, &[(NOW_US + flush, 1)]).await;
        engine.flush().await.unwrap();
    }
    let is_merged = async || (engine.snapshot(PROJECT).files.len() <= 2).then_some(());
    until("the files are merged", is_merged).await;
    assert_eq!(rows(&engine).await.len(), 8);
    engine.shutdown().await.unwrap();
}
