//! Damage of every kind of file: an error or a finding that names it, all else answered, never a wrong number.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::util::pretty::pretty_format_batches;
use engine::query::model::LogFilter;
use engine::query::{QueryOrigin, TimeRange, from_datafusion};
use engine::{Engine, EngineConfig, ErrorKind};
use futures::TryStreamExt;
use tempfile::TempDir;

use super::harness::*;

/// A stopped folder: three days of one project, one of another; one file each.
async fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for day in 0..3 {
        ingest(&engine, PROJECT, &format!("day{day}"), 60, DAY_US * (20_000 + day)).await;
    }
    ingest(&engine, OTHER_PROJECT, "other", 40, DAY_US * 20_000).await;
    engine.shutdown().await.unwrap();
    folder
}

/// The file of a day, of which there are three.
fn file_of_day(data_dir: &Path, day: usize) -> PathBuf {
    let files = files_below(&data_dir.join("logs/project=1"), ".parquet");
    assert_eq!(files.len(), 3);
    files[day].clone()
}

fn day(number: i64) -> TimeRange {
    TimeRange { start_us: DAY_US * (20_000 + number), end_us: DAY_US * (20_001 + number) - 1 }
}

/// A damaged file of the middle day fails what needs it, and nothing else.
async fn assert_only_the_middle_day_fails(data_dir: &Path, file: &Path) {
    let engine = open(data_dir).await;
    for range in [day(1), ALL_TIME] {
        let error = try_rows(&engine, PROJECT, range).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains(name_of(file)), "{error}");
    }
    for number in [0, 2] {
        assert_eq!(try_rows(&engine, PROJECT, day(number)).await.unwrap().len(), 60);
        let filter = LogFilter { search_term: format!("day{number}"), ..LogFilter::default() };
        assert_eq!(engine.count_logs(PROJECT, filter, day(number)).await.unwrap(), 60);
    }
    assert_eq!(rows(&engine, OTHER_PROJECT).await.len(), 40);
    // What comes in is taken and answered.
    ingest(&engine, PROJECT, "new", 5, DAY_US * 20_005).await;
    engine.flush().await.unwrap();
    assert_eq!(try_rows(&engine, PROJECT, day(5)).await.unwrap().len(), 5);
    engine.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_data_file() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    fs::remove_file(&file).unwrap();
    assert_found(&check(folder.path()).await, "file_missing", name_of(&file));
    assert_only_the_middle_day_fails(folder.path(), &file).await;
    assert_found(&check(folder.path()).await, "file_missing", name_of(&file));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_that_was_cut_short() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    cut_in_half(&file);
    assert_found(&check(folder.path()).await, "file_damaged", name_of(&file));
    assert_only_the_middle_day_fails(folder.path(), &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_of_zeros() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    let length = fs::metadata(&file).unwrap().len() as usize;
    fs::write(&file, vec![0; length]).unwrap();
    assert_found(&check(folder.path()).await, "file_damaged", name_of(&file));
    assert_only_the_middle_day_fails(folder.path(), &file).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_file_in_the_place_of_another() {
    let folder = folder().await;
    let (file, other) = (file_of_day(folder.path(), 1), file_of_day(folder.path(), 2));
    fs::copy(&other, &file).unwrap();
    let report = check(folder.path()).await;
    assert!(
        report.findings.iter().any(|finding| finding.object.contains(name_of(&file))),
        "the file of another day is not found: {report:#?}"
    );
}

/// Questions of different columns, of all rows and of few.
const STATEMENTS: [&str; 4] = [
    "SELECT severity_text, count(*) AS num, sum(severity_number) AS sum FROM logs GROUP BY 1 ORDER BY 1",
    "SELECT count(*) AS num FROM logs WHERE body LIKE '%-17 took%'",
    "SELECT min(timestamp) AS first, max(ingested_timestamp) AS last, count(DISTINCT uuid) AS num FROM logs",
    "SELECT attributes, bytes_uncompressed FROM logs ORDER BY timestamp, uuid",
];

/// The answers to all questions, each of them, as text.
async fn answers(engine: &Engine) -> Vec<engine::Result<String>> {
    let mut answers = Vec::new();
    answers.push(try_rows(engine, PROJECT, ALL_TIME).await.map(|rows| format!("{rows:?}")));
    let filter = LogFilter { search_term: "day1-1".into(), ..LogFilter::default() };
    answers.push(engine.count_logs(PROJECT, filter, ALL_TIME).await.map(|count| count.to_string()));
    for statement in STATEMENTS {
        answers.push(sql(engine, statement).await);
    }
    answers
}

async fn sql(engine: &Engine, statement: &str) -> engine::Result<String> {
    let as_own = |error| from_datafusion(error, QueryOrigin::Sql);
    let batches: Vec<_> = engine.sql(PROJECT, statement).await?.try_collect().await.map_err(as_own)?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_in_a_data_file_never_changes_an_answer() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    let whole = fs::read(&file).unwrap();
    let expected: Vec<String> =
        answers(&*open(folder.path()).await).await.into_iter().map(Result::unwrap).collect();
    let mut num_failed = 0;
    for at in (0..whole.len()).step_by(whole.len() / 61) {
        flip_bit(&file, at);
        let engine = open(folder.path()).await;
        for (answer, expected) in answers(&engine).await.into_iter().zip(&expected) {
            match answer {
                Ok(answer) => assert_eq!(&answer, expected, "at {at}"),
                Err(error) => {
                    num_failed += 1;
                    assert_eq!(error.kind(), ErrorKind::CorruptData, "at {at}: {error}");
                    assert!(error.message().contains(name_of(&file)), "at {at}: {error}");
                }
            }
        }
        drop(engine);
        fs::write(&file, &whole).unwrap();
    }
    assert!(num_failed > 100, "{num_failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_does_not_copy_damage() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    let whole = fs::read(&file).unwrap();
    let expected = rows(&*open(folder.path()).await, PROJECT).await;
    let damages: [&dyn Fn(&Path); 3] =
        [&|file| flip_bit(file, 2_000), &|file| flip_bit(file, whole.len() / 3), &cut_in_half];
    for damage in damages {
        let cut = copy_of(folder.path());
        let file = cut.path().join(file.strip_prefix(folder.path()).unwrap());
        damage(&file);
        let large = EngineConfig { target_file_bytes: 1 << 20, ..config(cut.path()) };
        let engine = Engine::open(large, clock()).await.unwrap();
        let error = engine.compact(true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains(name_of(&file)), "{error}");
        // The others are merged, and the damaged one stays as it is.
        engine.compact(true).await.unwrap();
        assert_eq!(engine.snapshot(PROJECT).files.len(), 2);
        fs::write(&file, &whole).unwrap();
        assert_eq!(rows(&engine, PROJECT).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_bit_in_the_pages_is_found_by_a_deep_check() {
    let folder = folder().await;
    let file = file_of_day(folder.path(), 1);
    let whole = fs::read(&file).unwrap();
    let (mut in_pages, mut found_behind, mut num_behind) = (0, 0, 0);
    let marker = b"timberline.pages_xxh3";
    let at = whole.windows(marker.len()).position(|window| window == marker).unwrap();
    let tail = String::from_utf8_lossy(&whole[at + marker.len()..at + marker.len() + 60]).into_owned();
    let pages: usize = tail
        .split(':')
        .nth(1)
        .unwrap()
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap();
    for at in (4..whole.len()).step_by(whole.len() / 101) {
        flip_bit(&file, at);
        let report = check_deep(folder.path()).await;
        if at < pages {
            in_pages += 1;
            assert_found(&report, "file_damaged", name_of(&file));
        } else {
            num_behind += 1;
            found_behind += usize::from(!report.is_clean());
        }
        fs::write(&file, &whole).unwrap();
    }
    eprintln!("{in_pages} flips in pages found; behind them {found_behind} of {num_behind}");
    assert!(in_pages > 20, "{in_pages}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_manifest() {
    let folder = folder().await;
    let expected = rows(&*open(folder.path()).await, PROJECT).await;
    let manifest = files_below(&folder.path().join("_catalog"), ".json").pop().unwrap();
    for damage in [|file: &Path| flip_bit(file, 50), cut_in_half as fn(&Path)] {
        let cut = copy_of(folder.path());
        let manifest = cut.path().join("_catalog").join(name_of(&manifest));
        damage(&manifest);
        assert_found(&check(cut.path()).await, "manifest_damaged", name_of(&manifest));
        let engine = open(cut.path()).await;
        assert_eq!(rows(&engine, PROJECT).await, expected, "answers need no manifest");
        ingest(&engine, PROJECT, "new", 3, NOW_US).await;
        engine.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_catalog() {
    let folder = folder().await;
    let expected = rows(&*open(folder.path()).await, PROJECT).await;
    let length = fs::metadata(folder.path().join("catalog.db")).unwrap().len() as usize;
    let damages: [&dyn Fn(&Path); 4] = [
        &|file| fs::write(file, vec![0x55; length]).unwrap(),
        &cut_in_half,
        &|file| flip_bit(file, 20),
        // The page of a table.
        &|file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[4096 * 2..4096 * 3].fill(0xFF);
            fs::write(file, bytes).unwrap();
        },
    ];
    for (number, damage) in damages.iter().enumerate() {
        let cut = copy_of(folder.path());
        // Everything is in the one file after a clean end.
        let engine = open(cut.path()).await;
        engine.shutdown().await.unwrap();
        drop(engine);
        damage(&cut.path().join("catalog.db"));
        let error = Engine::open(config(cut.path()), clock()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "damage {number}: {error}");
        assert!(error.message().contains("catalog.db"), "damage {number}: {error}");
        assert_found(&check(cut.path()).await, "catalog_damaged", "catalog.db");
        let options = engine::operations::RebuildOptions::default();
        let report =
            engine::operations::rebuild_catalog(&config(cut.path()), &*clock(), options).await.unwrap();
        assert!(report.is_written && report.is_clean(), "damage {number}: {report:#?}");
        assert_eq!(rows(&*open(cut.path()).await, PROJECT).await, expected, "damage {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_log() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, PROJECT, "one", 20, NOW_US).await;
    ingest(&engine, PROJECT, "two", 20, NOW_US).await;
    let cut = copy_of(folder.path());
    let segment = files_below(&cut.path().join("wal"), ".wal").remove(0);
    flip_bit(&segment, 300);
    let error = Engine::open(config(cut.path()), clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(name_of(&segment)), "{error}");
    assert_found(&check(cut.path()).await, "log_damaged", name_of(&segment));
    let options = engine::operations::RebuildOptions::default();
    let error =
        engine::operations::rebuild_catalog(&config(cut.path()), &*clock(), options).await.unwrap_err();
    assert!(error.message().contains(name_of(&segment)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_nobody_wrote() {
    let folder = folder().await;
    let expected = rows(&*open(folder.path()).await, PROJECT).await;
    let sidecar = file_of_day(folder.path(), 1).with_extension("sidecar");
    fs::write(&sidecar, "garbage").unwrap();
    assert_found(&check(folder.path()).await, "sidecar_damaged", name_of(&sidecar));
    assert_eq!(rows(&*open(folder.path()).await, PROJECT).await, expected);
}
