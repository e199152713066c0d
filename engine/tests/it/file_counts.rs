//! However many projects there are and however wide their times are scattered, files stay few.

use std::path::Path;
use std::sync::Arc;

use engine::clock::{Clock, ManualClock};
use engine::ingest::{DecodedLogs, RecordLimits, decode_otlp_json};
use engine::query::TimeRange;
use engine::query::model::LogFilter;
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig};
use serde_json::json;
use tempfile::TempDir;

use crate::objects::data_files;

const NOW_US: i64 = 1_765_881_156_184_820;
const DAY_US: i64 = 86_400_000_000;
const YEAR_US: i64 = 365 * DAY_US;
const ALL_TIME: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

/// In memory where the system has such a folder: what is counted here does not depend on a disk.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

async fn open(data_dir: &Path) -> Arc<Engine> {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    Engine::open(EngineConfig { compaction: false, ..EngineConfig::new(data_dir) }, clock).await.unwrap()
}

fn logs(times_us: impl Iterator<Item = i64>) -> DecodedLogs {
    let records: Vec<_> = times_us.map(|time_us| json!({"timeUnixNano": time_us * 1000})).collect();
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]});
    decode_otlp_json(request.to_string().as_bytes(), NOW_US, &RecordLimits::default()).unwrap()
}

async fn count(engine: &Engine, project: ProjectId) -> u64 {
    engine.count_logs(project, LogFilter::default(), ALL_TIME).await.unwrap()
}

/// The test was made for 5,000, which take a minute without optimisation.
fn num_projects() -> i64 {
    std::env::var("TIMBERLINE_TEST_PROJECTS").map_or(1_000, |text| text.parse().expect("a whole number"))
}

/// Scattered times that are the same in each run.
fn scattered(seed: i64) -> impl Iterator<Item = i64> {
    (0..100_000_i64)
        .map(move |row| NOW_US - (row + seed).wrapping_mul(7_919_000_003).rem_euclid(10 * YEAR_US))
}

#[tokio::test(flavor = "multi_thread")]
async fn scattered_times_of_one_request_make_few_files() {
    let folder = folder();
    let engine = open(folder.path()).await;
    let project = ProjectId(1);
    for request in 0..2 {
        engine.ingest(TableId::logs(project), logs(scattered(request))).await.unwrap();
        engine.flush().await.unwrap();
        let files = engine.snapshot(project).files;
        assert!(files.len() <= 17 * (request as usize + 1), "{} files", files.len());
    }
    engine.compact(true).await.unwrap();
    let files = engine.snapshot(project).files;
    // One for what spans months, and at most one for each month of the days with most rows.
    assert!(files.len() <= 1 + 2 * 16, "{} files", files.len());
    assert!(files.iter().map(|file| file.num_rows).max().unwrap() > 190_000, "most rows are in one file");
    assert_eq!(count(&engine, project).await, 200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_projects_have_a_file_each() {
    let num_projects = num_projects();
    let folder = folder();
    let engine = open(folder.path()).await;
    let projects = || (1..=num_projects).map(ProjectId);
    for round in 0..2 {
        // Only some go on.
        for project in projects().filter(|project| round == 0 || project.0 % 10 == 0) {
            let times = (0..3).map(|row| NOW_US + round * 1_000_000 + row);
            engine.ingest(TableId::logs(project), logs(times)).await.unwrap();
        }
        engine.flush().await.unwrap();
    }
    engine.compact(true).await.unwrap();
    let num_files: usize = projects().map(|project| engine.snapshot(project).files.len()).sum();
    assert_eq!(num_files, num_projects as usize);
    for project in [1, 10, num_projects - 1, num_projects] {
        assert_eq!(count(&engine, ProjectId(project)).await, if project % 10 == 0 { 6 } else { 3 });
    }
    assert_eq!(data_files(folder.path()).len(), num_files, "what was merged is gone");
}
