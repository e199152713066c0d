//! A folder of format version 1, frozen: every later version reads it to the same rows, and refuses what is newer.
//!
//! `engine/tests/fixtures/folder-v1` has data files of a flush and of a merge, manifests and a checkpoint, a catalog,
//! and a log with rows that no data file holds; `rows.ndjson` beside it has what they mean. Until a release has frozen
//! the formats `TIMBERLINE_WRITE_FIXTURES=1 cargo test -p engine --test it formats` makes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::json::LineDelimitedWriter;
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::operations::{
    OnAmbiguity, RebuildOptions, RebuildSource, rebuild_catalog, {DoctorOptions, DoctorReport},
};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig, ErrorKind};
use futures::TryStreamExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use xxhash_rust::xxh3::xxh3_64;

use crate::operations::harness::*;

/// Sorted by time, as `rows.ndjson` has them.
const ALL_ROWS: &str = "SELECT * FROM logs ORDER BY timestamp, uuid";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

fn small_segments(data_dir: &Path) -> EngineConfig {
    EngineConfig { wal_segment_bytes: 16 << 10, target_file_bytes: 1 << 20, ..config(data_dir) }
}

/// Every row of both projects.
async fn all_rows(engine: &Engine) -> String {
    let mut lines = Vec::new();
    for project in [PROJECT, OTHER_PROJECT] {
        let batches: Vec<_> = engine.sql(project, ALL_ROWS).await.unwrap().try_collect().await.unwrap();
        let mut writer = LineDelimitedWriter::new(&mut lines);
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    String::from_utf8(lines).unwrap()
}

/// Records with every kind of value, ids and without, frequent keys and rare ones.
fn records(first: usize, count: usize) -> Vec<Value> {
    let record = |number: usize| {
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        let mut attributes = vec![
            text("request_id", &format!("{:032x}", (number as u128 + 7) * 0x1234_5678_9abc_def1)),
            json!({"key": "http.status", "value": {"intValue": 200 + number % 5}}),
            json!({"key": "duration", "value": {"doubleValue": number as f64 / 8.0}}),
            json!({"key": "cached", "value": {"boolValue": number.is_multiple_of(2)}}),
        ];
        if number.is_multiple_of(5) {
            attributes.push(text("mixed", "500"));
        } else {
            attributes.push(json!({"key": "mixed", "value": {"intValue": number}}));
        }
        if number.is_multiple_of(40) {
            let values = json!([{"stringValue": "käse"}, {"intValue": 2}]);
            attributes.push(json!({"key": "list", "value": {"arrayValue": {"values": values}}}));
            attributes.push(text(&format!("rare.{number}"), ""));
        }
        let mut record = json!({
            "timeUnixNano": (NOW_US + number as i64 * 1_000_003) * 1000,
            "observedTimeUnixNano": (NOW_US + number as i64 * 1_000_003 + 250) * 1000,
            "severityNumber": number % 25,
            "body": {"stringValue": format!("request {number} took {} ms — ünïcode", number * 37 % 101)},
            "attributes": attributes,
        });
        if number.is_multiple_of(3) {
            record["traceId"] = json!(format!("{:032x}", number / 6 + 1));
            record["spanId"] = json!(format!("{:016x}", number + 1));
            record["eventName"] = json!("span.event");
        }
        record
    };
    (first..first + count).map(record).collect()
}

async fn send(engine: &Engine, project: ProjectId, first: usize, count: usize) {
    let resource = json!({"attributes": [
        {"key": "service.name", "value": {"stringValue": format!("service-{}", first % 3)}},
        {"key": "host.name", "value": {"stringValue": "host-1"}},
    ]});
    let scope = json!({"name": "library", "version": "1.2"});
    let request = json!({"resourceLogs": [
        {"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": records(first, count)}]},
    ]});
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(project), logs).await.unwrap();
}

/// Leaves what an engine needs, in few bytes.
async fn pack(data_dir: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data_dir.join("catalog.db"));
    let catalog = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&catalog).await.unwrap();
    catalog.close().await;
    for entry in fs::read_dir(data_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && name_of(&path) != "catalog.db" {
            fs::remove_file(path).unwrap();
        }
    }
}

/// Writes the fixtures.
async fn write_fixtures(target: &Path) {
    let folder = TempDir::new().unwrap();
    let engine = Engine::open(small_segments(folder.path()), clock()).await.unwrap();
    for part in 0..2 {
        send(&engine, PROJECT, part * 30, 30).await;
        engine.flush().await.unwrap();
    }
    engine.compact(true).await.unwrap();
    engine.shutdown().await.unwrap();
    drop(engine);
    // A rebuild writes a checkpoint.
    let options = RebuildOptions { source: RebuildSource::Manifests, on_ambiguity: OnAmbiguity::Refuse };
    assert!(rebuild_catalog(&config(folder.path()), &*clock(), options).await.unwrap().is_written);
    let confirm = DoctorOptions { repair: true, confirm: true, ..DoctorOptions::default() };
    assert!(check_with(folder.path(), &confirm).await.is_clean());

    let engine = Engine::open(small_segments(folder.path()), clock()).await.unwrap();
    send(&engine, PROJECT, 200, 15).await;
    send(&engine, OTHER_PROJECT, 300, 10).await;
    engine.flush().await.unwrap();
    engine.compact(false).await.unwrap();
    // These stay in the log.
    send(&engine, PROJECT, 400, 5).await;
    send(&engine, OTHER_PROJECT, 500, 3).await;
    let rows = all_rows(&engine).await;
    let cut = copy_of(folder.path());
    drop(engine);
    pack(cut.path()).await;
    assert_eq!(all_rows(&*open(copy_of(cut.path()).path()).await).await, rows);
    let _ = fs::remove_dir_all(target.join("folder-v1"));
    copy_folder(cut.path(), &target.join("folder-v1"));
    fs::write(target.join("rows.ndjson"), rows).unwrap();
}

/// The frozen folder, to work on, and its rows.
async fn frozen() -> (TempDir, String) {
    if std::env::var_os("TIMBERLINE_WRITE_FIXTURES").is_some() {
        static WRITTEN: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
        WRITTEN.get_or_init(|| async { write_fixtures(&fixtures()).await }).await;
    }
    let rows = fs::read_to_string(fixtures().join("rows.ndjson")).unwrap();
    assert_eq!(rows.lines().count(), 60 + 15 + 10 + 5 + 3);
    (copy_of(&fixtures().join("folder-v1")), rows)
}

async fn rows_of(data_dir: &Path) -> String {
    all_rows(&*open(data_dir).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_version_1_is_read() {
    let (folder, rows) = frozen().await;
    let manifests = files_below(&folder.path().join("_catalog"), ".json");
    assert_eq!(manifests.iter().filter(|path| name_of(path).contains("checkpoint")).count(), 1);
    assert!(manifests.len() > 1 && !files_below(&folder.path().join("wal"), ".wal").is_empty());
    let report = check_deep(folder.path()).await;
    assert!(report.findings.is_empty(), "{report:#?}");
    assert_eq!(rows_of(folder.path()).await, rows);
    // And again, now that this version has written in it.
    let engine = open(folder.path()).await;
    let mut levels: Vec<u32> = engine.snapshot(PROJECT).files.iter().map(|file| file.level).collect();
    levels.sort_unstable();
    assert_eq!(levels, [0, 1], "a flush and a merge");
    engine.compact(true).await.unwrap();
    engine.shutdown().await.unwrap();
    drop(engine);
    assert_eq!(rows_of(folder.path()).await, rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_of_version_1_is_made_anew_from_manifests_and_from_footers() {
    for source in [RebuildSource::Manifests, RebuildSource::Footers] {
        let (folder, rows) = frozen().await;
        remove_catalog(folder.path());
        if source == RebuildSource::Footers {
            remove_manifests(folder.path());
        }
        let options = RebuildOptions { source, on_ambiguity: OnAmbiguity::Refuse };
        let report = rebuild_catalog(&config(folder.path()), &*clock(), options).await.unwrap();
        assert!(report.is_written, "{report:#?}");
        assert_eq!(rows_of(folder.path()).await, rows, "from {source:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_a_later_version_is_refused() {
    let (folder, _) = frozen().await;
    let segment = files_below(&folder.path().join("wal"), ".wal").remove(0);
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] += 2;
    let checksum = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&checksum.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    let error = Engine::open(config(folder.path()), clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(name_of(&segment)) && error.message().contains("version 3"), "{error}");
    assert_found(&check(folder.path()).await, "log_damaged", name_of(&segment));
}

/// Changes the layout version in a footer, and its checksum with it.
fn make_newer(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let find = |bytes: &[u8], key: &str| {
        bytes.windows(key.len()).rposition(|window| window == key.as_bytes()).unwrap() + key.len()
    };
    // Behind a key come the field of the value and its length.
    let version = find(&bytes, "timberline.layout_version") + 2;
    assert_eq!(bytes[version], b'1');
    bytes[version] = b'2';
    let place = find(&bytes, "timberline.metadata_xxh3") + 2;
    let value = String::from_utf8(bytes[place..place + 33].to_vec()).unwrap();
    let length = usize::from_str_radix(&value[17..], 16).unwrap();
    bytes[place..place + 33].copy_from_slice(format!("{:016x}:{:016x}", 0, 0).as_bytes());
    let checksum = xxh3_64(&bytes[bytes.len() - length..]);
    bytes[place..place + 33].copy_from_slice(format!("{checksum:016x}:{length:016x}").as_bytes());
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_of_a_later_version_is_refused() {
    let (folder, _) = frozen().await;
    let file = files_below(&folder.path().join("logs/project=2"), ".parquet").remove(0);
    make_newer(&file);
    let report: DoctorReport = check(folder.path()).await;
    assert_found(&report, "file_damaged", name_of(&file));
    assert!(format!("{report:?}").contains("layout version 2"), "{report:#?}");
    let engine = open(folder.path()).await;
    let error = try_rows(&engine, OTHER_PROJECT, ALL_TIME).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(name_of(&file)), "{error}");
    assert_eq!(rows(&engine, PROJECT).await.len(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_of_a_later_version_is_refused() {
    // The newest two: the checkpoint and what came after it.
    for from_the_end in 1..=2 {
        let (folder, _) = frozen().await;
        let mut manifests = files_below(&folder.path().join("_catalog"), ".json");
        let manifest = manifests.remove(manifests.len() - from_the_end);
        let text = fs::read_to_string(&manifest).unwrap();
        let content = text.split(",\"checksum\"").next().unwrap();
        let newer = content.replacen("\"format_version\":1", "\"format_version\":2", 1);
        assert_ne!(content, newer);
        let checksum = xxh3_64(newer.as_bytes());
        fs::write(&manifest, format!("{newer},\"checksum\":\"{checksum:016x}\"}}")).unwrap();
        remove_catalog(folder.path());
        let options = RebuildOptions { source: RebuildSource::Manifests, on_ambiguity: OnAmbiguity::Refuse };
        let error = rebuild_catalog(&config(folder.path()), &*clock(), options).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData);
        assert!(error.message().contains(name_of(&manifest)), "{error}");
        assert!(error.message().contains("format version 2"), "{error}");
    }
}
