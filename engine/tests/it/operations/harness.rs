//! Folders for tests, what is in them, and ways to damage them.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use engine::clock::{Clock, ManualClock};
use engine::ingest::{RecordLimits, decode_otlp_json};
use engine::operations::{DoctorOptions, DoctorReport, doctor};
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};
use engine::query::{LogRow, TimeRange};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig};
use serde_json::json;
use tempfile::TempDir;

pub(crate) use crate::objects::{data_files, files_below};

pub(crate) const NOW_US: i64 = 1_765_881_156_184_820;
pub(crate) const DAY_US: i64 = 86_400_000_000;
pub(crate) const ALL_TIME: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX };
pub(crate) const PROJECT: ProjectId = ProjectId(1);
pub(crate) const OTHER_PROJECT: ProjectId = ProjectId(2);

pub(crate) fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig {
        wal_segment_bytes: 64 << 10,
        max_wal_bytes: 16 << 20,
        compaction: false,
        target_file_bytes: 16 << 10,
        // Everything is asked for at once, on a machine that builds beside.
        query_timeout: std::time::Duration::from_secs(600),
        aggregate_timeout: std::time::Duration::from_secs(600),
        ..EngineConfig::new(data_dir)
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(NOW_US))
}

pub(crate) async fn open(data_dir: &Path) -> Arc<Engine> {
    Engine::open(config(data_dir), clock()).await.unwrap()
}

/// Takes in `count` records of a project, a minute apart, the first at a time.
pub(crate) async fn ingest(engine: &Engine, project: ProjectId, prefix: &str, count: usize, first_us: i64) {
    let records = (0..count).map(|index| {
        let time_us = first_us + index as i64 * 60_000_000;
        // Different text in each, so that compressed pages have something to damage.
        let body = format!("{prefix}-{index} took {} ms of {}", index * 7919 % 1013, index * 104_729 % 7001);
        json!({
            "timeUnixNano": time_us * 1000,
            "severityNumber": 9 + index % 9,
            "body": {"stringValue": body},
            "attributes": [{"key": "request", "value": {"stringValue": format!("{prefix}/{index}")}}],
        })
    });
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records.collect::<Vec<_>>()}]}]});
    let logs = decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap();
    engine.ingest(TableId::logs(project), logs).await.unwrap();
}

/// Every row of a project in a time range.
pub(crate) async fn try_rows(
    engine: &Engine,
    project: ProjectId,
    range: TimeRange,
) -> engine::Result<Vec<LogRow>> {
    let query = LogQuery {
        range,
        limit: 100_000,
        order: Order::Earliest,
        attributes: AttributeMaps::Included,
        filter: LogFilter::default(),
        after: None,
        ingested_from_us: None,
    };
    Ok(engine.query_logs(project, query).await?.rows)
}

pub(crate) async fn rows(engine: &Engine, project: ProjectId) -> Vec<LogRow> {
    try_rows(engine, project, ALL_TIME).await.unwrap()
}

/// The folder as a machine would find it that lost power now.
pub(crate) fn copy_of(data_dir: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    copy_folder(data_dir, copy.path());
    copy
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            match fs::copy(entry.path(), target) {
                // An engine that was dropped a moment ago may still take a file away.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

pub(crate) fn remove_catalog(data_dir: &Path) {
    for file in files_below(data_dir, "").into_iter().filter(|path| path.parent() == Some(data_dir)) {
        if file.file_name().unwrap().to_str().unwrap().starts_with("catalog.db") {
            fs::remove_file(file).unwrap();
        }
    }
}

pub(crate) fn remove_manifests(data_dir: &Path) {
    fs::remove_dir_all(data_dir.join("_catalog")).unwrap();
}

pub(crate) fn flip_bit(file: &Path, at: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[at] ^= 0x10;
    fs::write(file, bytes).unwrap();
}

pub(crate) fn cut_in_half(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

/// The last part of a path, which every message about the file must have.
pub(crate) fn name_of(file: &Path) -> &str {
    file.file_name().unwrap().to_str().unwrap()
}

pub(crate) async fn check(data_dir: &Path) -> DoctorReport {
    check_with(data_dir, &DoctorOptions::default()).await
}

pub(crate) async fn check_deep(data_dir: &Path) -> DoctorReport {
    check_with(data_dir, &DoctorOptions { deep: true, ..DoctorOptions::default() }).await
}

pub(crate) async fn check_with(data_dir: &Path, options: &DoctorOptions) -> DoctorReport {
    doctor(&config(data_dir), &ManualClock::new(NOW_US), options).await.unwrap()
}

/// A report names a file with a finding of a kind.
#[track_caller]
pub(crate) fn assert_found(report: &DoctorReport, kind: &str, file: &str) {
    let is_it = |finding: &engine::operations::Finding| {
        finding.kind.as_str() == kind && finding.object.contains(file) && !finding.is_repaired
    };
    assert!(report.findings.iter().any(is_it), "no {kind} of {file}: {report:#?}");
    assert!(!report.is_clean());
}
