//! What is acknowledged is there, once: across flushes, stops and damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use engine::clock::{Clock, ManualClock};
use engine::ingest::{DecodedLogs, RecordLimits, decode_otlp_json};
use engine::schema::{ProjectId, TableId, columns};
use engine::{Engine, EngineConfig, ErrorKind};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;
use tempfile::TempDir;

use crate::objects::data_files;

pub(crate) const NOW_US: i64 = 1_765_881_156_184_820;
pub(crate) const PROJECT: ProjectId = ProjectId(1);

pub(crate) fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig { wal_segment_bytes: 64 << 10, max_wal_bytes: 16 << 20, ..EngineConfig::new(data_dir) }
}

pub(crate) async fn open_at(config: EngineConfig, now_us: i64) -> engine::Result<Arc<Engine>> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now_us));
    Engine::open(config, clock).await
}

async fn open(data_dir: &Path) -> Arc<Engine> {
    open_at(config(data_dir), NOW_US).await.unwrap()
}

/// Decoded records whose bodies are `names`, a second apart.
fn logs(names: &[String]) -> DecodedLogs {
    let records = names.iter().enumerate().map(|(index, name)| {
        json!({"timeUnixNano": (NOW_US as u64 + index as u64 * 1_000_000) * 1000, "body": {"stringValue": name}})
    });
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records.collect::<Vec<_>>()}]}]});
    decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap()
}

pub(crate) fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}-{index}")).collect()
}

pub(crate) async fn ingest(engine: &Engine, names: &[String]) {
    engine.ingest(TableId::logs(PROJECT), logs(names)).await.unwrap();
}

/// Every stored row, read from memory and from the files by plain means.
fn stored(engine: &Engine, data_dir: &Path, project: ProjectId) -> Vec<RecordBatch> {
    let snapshot = engine.snapshot(project);
    let mut batches: Vec<_> = snapshot.segments.iter().map(|segment| segment.batch.clone()).collect();
    for file in snapshot.files.iter() {
        let object = fs::File::open(data_dir.join(file.path.as_ref())).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(object).unwrap().build().unwrap();
        let read: Vec<_> = reader.map(Result::unwrap).collect();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, file.num_rows);
        batches.extend(read);
    }
    batches
}

fn stored_bodies(engine: &Engine, data_dir: &Path) -> Vec<String> {
    let mut bodies: Vec<String> = Vec::new();
    for batch in stored(engine, data_dir, PROJECT) {
        let column = batch.column_by_name(columns::BODY).unwrap().as_string_view().clone();
        bodies.extend(column.iter().map(|body| body.unwrap().to_owned()));
    }
    bodies.sort();
    bodies
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// The folder as a machine would find it that lost power now.
pub(crate) fn power_cut(data_dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    copy_folder(data_dir, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn wal_segments(data_dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(data_dir.join("wal")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_rows_survive_a_power_cut_at_every_stage() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let mut acknowledged = Vec::new();
    for stage in 0..6 {
        let batch = names(&format!("stage{stage}"), 20);
        ingest(&engine, &batch).await;
        acknowledged.extend(batch);
        if stage % 2 == 1 {
            engine.flush().await.unwrap();
        }
        assert_eq!(stored_bodies(&engine, folder.path()), sorted(acknowledged.clone()));
        let cut = power_cut(folder.path());
        let reopened = open(cut.path()).await;
        assert_eq!(stored_bodies(&reopened, cut.path()), sorted(acknowledged.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_leaves_files_and_an_empty_log() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, &names("a", 50)).await;
    engine.shutdown().await.unwrap();
    engine.shutdown().await.unwrap();
    let refused = engine.ingest(TableId::logs(PROJECT), logs(&names("late", 1))).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    drop(engine);
    assert_eq!(wal_segments(folder.path()), Vec::<PathBuf>::new());
    assert_eq!(fs::read_dir(folder.path().join("_catalog")).unwrap().count(), 1);
    let reopened = open(folder.path()).await;
    assert_eq!(stored_bodies(&reopened, folder.path()), sorted(names("a", 50)));
    ingest(&reopened, &names("b", 5)).await;
    assert_eq!(stored_bodies(&reopened, folder.path()).len(), 55);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_requests_are_all_kept_once() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let tasks: Vec<_> = (0..16)
        .map(|task| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                for request in 0..10 {
                    ingest(&engine, &names(&format!("{task}/{request}"), 7)).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
        engine.flush().await.unwrap();
    }
    let bodies = stored_bodies(&engine, folder.path());
    let mut distinct = bodies.clone();
    distinct.dedup();
    assert_eq!((bodies.len(), distinct.len()), (16 * 10 * 7, 16 * 10 * 7));
    let cut = power_cut(folder.path());
    assert_eq!(stored_bodies(&*open(cut.path()).await, cut.path()), bodies);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_loses_only_what_was_not_acknowledged() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, &names("whole", 10)).await;
    let before = power_cut(folder.path());
    ingest(&engine, &names("torn", 10)).await;
    let cut = power_cut(folder.path());
    // The frame of the second request stands where the first folder has zeros.
    let (segment, earlier) = (&wal_segments(cut.path())[0], &wal_segments(before.path())[0]);
    let (mut bytes, earlier) = (fs::read(segment).unwrap(), fs::read(earlier).unwrap());
    let frame_start = (0..bytes.len()).find(|&at| bytes[at] != earlier[at]).unwrap();
    let frame_end = bytes.iter().rposition(|&byte| byte != 0).unwrap();
    bytes[(frame_start + frame_end) / 2..].fill(0);
    fs::write(segment, &bytes).unwrap();
    let reopened = open(cut.path()).await;
    assert_eq!(stored_bodies(&reopened, cut.path()), sorted(names("whole", 10)));
    // What is written next must not stand behind the torn frame.
    ingest(&reopened, &names("next", 3)).await;
    let again = power_cut(cut.path());
    assert_eq!(stored_bodies(&*open(again.path()).await, again.path()).len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_before_whole_records_refuses_to_start() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, &names("first", 10)).await;
    ingest(&engine, &names("second", 10)).await;
    let cut = power_cut(folder.path());
    let segment = &wal_segments(cut.path())[0];
    let mut bytes = fs::read(segment).unwrap();
    bytes[200] ^= 1;
    fs::write(segment, &bytes).unwrap();
    let error = open_at(config(cut.path()), NOW_US).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains("offset 64"), "{error}");
    assert!(error.message().contains(".wal"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cut_off_behind_flushed_rows() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for round in 0..40 {
        ingest(&engine, &names(&format!("{round}-{}", "x".repeat(2000)), 10)).await;
        engine.flush().await.unwrap();
    }
    let newest = wal_segments(folder.path()).pop().unwrap();
    let number: u64 = newest.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert!(number > 3, "the test fills several segments, not {number}");
    engine.shutdown().await.unwrap();
    assert_eq!(wal_segments(folder.path()).len(), 0);
    drop(engine);
    assert_eq!(stored_bodies(&*open(folder.path()).await, folder.path()).len(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_buffer_refuses_and_recovers() {
    let folder = TempDir::new().unwrap();
    let one = logs(&names("a", 100));
    let engine =
        open_at(EngineConfig { max_buffer_bytes: 100_000, ..config(folder.path()) }, NOW_US).await.unwrap();
    let mut accepted = 0;
    let error = loop {
        match engine.ingest(TableId::logs(PROJECT), one.clone()).await {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 1000, "the buffer is never full");
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(accepted > 0);
    engine.flush().await.unwrap();
    engine.ingest(TableId::logs(PROJECT), one).await.unwrap();
    assert_eq!(stored_bodies(&engine, folder.path()).len(), (accepted + 1) * 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_larger_than_memory_is_read_back_within_it() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let mut expected = Vec::new();
    for request in 0..60 {
        let batch = names(&format!("{request}-{}", "x".repeat(2000)), 20);
        ingest(&engine, &batch).await;
        expected.extend(batch);
    }
    let expected = sorted(expected);
    let cut = power_cut(folder.path());
    drop(engine);
    let num_segments = wal_segments(cut.path()).len();
    assert!(num_segments > 10, "{num_segments} segments");

    // A start that ends in the middle has flushed a part, which the next one does not read back again.
    let damaged = &wal_segments(cut.path())[num_segments / 2];
    let whole = fs::read(damaged).unwrap();
    let mut bytes = whole.clone();
    bytes[200] ^= 1;
    fs::write(damaged, bytes).unwrap();
    let small = || EngineConfig { max_buffer_bytes: 200_000, ..config(cut.path()) };
    assert_eq!(open_at(small(), NOW_US).await.unwrap_err().kind(), ErrorKind::CorruptData);
    assert!(!data_files(cut.path()).is_empty());
    fs::write(damaged, whole).unwrap();

    for _ in 0..2 {
        let reopened = open_at(small(), NOW_US).await.unwrap();
        let in_memory: usize =
            reopened.snapshot(PROJECT).segments.iter().map(|segment| segment.size_bytes).sum();
        assert!(in_memory <= 200_000, "{in_memory} bytes in memory");
        assert_eq!(stored_bodies(&reopened, cut.path()), expected);
    }
    let reopened = open(cut.path()).await;
    ingest(&reopened, &names("next", 3)).await;
    assert_eq!(stored_bodies(&reopened, cut.path()).len(), expected.len() + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_query_holds_count_until_it_lets_go() {
    let one = logs(&names("a", 100));
    let request_bytes = {
        let folder = TempDir::new().unwrap();
        let engine = open(folder.path()).await;
        engine.ingest(TableId::logs(PROJECT), one.clone()).await.unwrap();
        engine.snapshot(PROJECT).segments[0].size_bytes
    };
    let folder = TempDir::new().unwrap();
    let max_buffer_bytes = request_bytes * 5 / 2;
    let engine = open_at(EngineConfig { max_buffer_bytes, ..config(folder.path()) }, NOW_US).await.unwrap();
    // A flush of the background may come between.
    let held = loop {
        engine.ingest(TableId::logs(PROJECT), one.clone()).await.unwrap();
        engine.ingest(TableId::logs(PROJECT), one.clone()).await.unwrap();
        let held = engine.snapshot(PROJECT);
        engine.flush().await.unwrap();
        if held.segments.iter().map(|segment| segment.size_bytes).sum::<usize>() == 2 * request_bytes {
            break held;
        }
    };
    assert!(engine.snapshot(PROJECT).segments.is_empty());
    let error = engine.ingest(TableId::logs(PROJECT), one.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    drop(held);
    engine.ingest(TableId::logs(PROJECT), one).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_waits_for_the_one_that_runs() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for round in 0..20 {
        ingest(&engine, &names(&format!("{round}"), 50)).await;
        let flushes = (0..4).map(|_| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                engine.flush().await.unwrap();
                engine.snapshot(PROJECT).segments.len()
            })
        });
        for fresh_segments in futures::future::join_all(flushes).await {
            assert_eq!(fresh_segments.unwrap(), 0, "rows are left in memory after a flush");
        }
    }
    assert_eq!(stored_bodies(&engine, folder.path()).len(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_opened_once() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let error = open_at(config(folder.path()), NOW_US).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("in use"), "{error}");
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn row_ids_and_ingest_times_rise_though_the_clock_goes_back() {
    let folder = TempDir::new().unwrap();
    let mut ids: Vec<Vec<u8>> = Vec::new();
    let mut times: Vec<i64> = Vec::new();
    for (round, now_us) in [NOW_US, NOW_US - 3_600_000_000, NOW_US + 1_000_000].into_iter().enumerate() {
        let engine = open_at(config(folder.path()), now_us).await.unwrap();
        for request in 0..3 {
            ingest(&engine, &names(&format!("{round}/{request}"), 4)).await;
        }
        for segment in engine.snapshot(PROJECT).segments {
            let uuids = segment.batch.column_by_name(columns::UUID).unwrap().as_fixed_size_binary().clone();
            ids.extend((0..uuids.len()).map(|row| uuids.value(row).to_vec()));
            let ingested = segment.batch.column_by_name(columns::INGESTED_TIMESTAMP).unwrap();
            times.extend(ingested.as_primitive::<TimestampMicrosecondType>().values().iter());
        }
        engine.shutdown().await.unwrap();
    }
    assert_eq!(ids.len(), 36);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(times.is_sorted());
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_apart() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    engine.ingest(TableId::logs(ProjectId(1)), logs(&names("one", 3))).await.unwrap();
    engine.ingest(TableId::logs(ProjectId(2)), logs(&names("two", 4))).await.unwrap();
    let rows =
        |project| stored(&engine, folder.path(), project).iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!((rows(ProjectId(1)), rows(ProjectId(2)), rows(ProjectId(3))), (3, 4, 0));
    engine.flush().await.unwrap();
    assert_eq!((rows(ProjectId(1)), rows(ProjectId(2)), rows(ProjectId(3))), (3, 4, 0));
    assert!(engine.has_logs(ProjectId(2)).await.unwrap() && !engine.has_logs(ProjectId(3)).await.unwrap());
    assert_eq!(engine.earliest_timestamp_us(ProjectId(1)).await.unwrap(), Some(NOW_US));
}

#[tokio::test(flavor = "multi_thread")]
async fn scattered_times_make_few_files() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let records = (0..5000_u64).map(|day| json!({"timeUnixNano": day * 86_400_000_000_000 + 1}));
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records.collect::<Vec<_>>()}]}]});
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(PROJECT), logs).await.unwrap();
    engine.flush().await.unwrap();
    assert!(data_files(folder.path()).len() <= 17);
    let rows = stored(&engine, folder.path(), PROJECT).iter().map(RecordBatch::num_rows).sum::<usize>();
    assert_eq!(rows, 5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_loses_nothing_and_is_repeated() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, &names("kept", 10)).await;
    // A file where the project's folder has to be.
    let blocker = folder.path().join("logs");
    fs::write(&blocker, b"").unwrap();
    assert_eq!(engine.flush().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(stored_bodies(&engine, folder.path()), sorted(names("kept", 10)));
    fs::remove_file(&blocker).unwrap();
    ingest(&engine, &names("more", 10)).await;
    engine.flush().await.unwrap();
    assert_eq!(stored_bodies(&engine, folder.path()).len(), 20);
    let cut = power_cut(folder.path());
    assert_eq!(stored_bodies(&*open(cut.path()).await, cut.path()).len(), 20);
    assert_eq!(data_files(cut.path()).len(), 1, "the failed flush left nothing behind");
}
