//! A rebuilt catalog has every row once, or is not written.

use std::fs;
use std::path::{Path, PathBuf};

use engine::operations::{
    OnAmbiguity, RebuildFindingKind, RebuildOptions, RebuildReport, RebuildSource, rebuild_catalog,
};
use engine::query::LogRow;
use engine::{Engine, EngineConfig, ErrorKind};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::harness::*;

async fn rebuild(data_dir: &Path, source: RebuildSource, on_ambiguity: OnAmbiguity) -> RebuildReport {
    let options = RebuildOptions { source, on_ambiguity };
    rebuild_catalog(&config(data_dir), &*clock(), options).await.unwrap()
}

async fn rebuild_from(data_dir: &Path, source: RebuildSource) -> RebuildReport {
    let report = rebuild(data_dir, source, OnAmbiguity::Refuse).await;
    assert!(report.is_written, "{report:#?}");
    assert_eq!(report.source, source);
    report
}

/// The rows that a folder has after its catalog was lost and rebuilt.
async fn rows_after(data_dir: &Path, source: RebuildSource) -> Vec<LogRow> {
    remove_catalog(data_dir);
    if source == RebuildSource::Footers && data_dir.join("_catalog").exists() {
        remove_manifests(data_dir);
    }
    rebuild_from(data_dir, source).await;
    rows(&*open(data_dir).await, PROJECT).await
}

/// A folder whose one flush wrote three files.
async fn three_days(data_dir: &Path) -> std::sync::Arc<engine::Engine> {
    let engine = open(data_dir).await;
    for day in 0..3 {
        ingest(&engine, PROJECT, &format!("day{day}"), 30, NOW_US - day * DAY_US).await;
    }
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_stage_every_row_is_there_once() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for stage in 0..9_i64 {
        match stage % 3 {
            0 | 1 => {
                ingest(&engine, PROJECT, &format!("s{stage}"), 40, NOW_US - stage * DAY_US / 2).await;
                ingest(&engine, OTHER_PROJECT, &format!("o{stage}"), 5, NOW_US).await;
            }
            _ => engine.compact(true).await.unwrap(),
        }
        if stage % 3 == 1 {
            engine.flush().await.unwrap();
        }
        let expected = rows(&engine, PROJECT).await;
        for source in [RebuildSource::Manifests, RebuildSource::Footers] {
            let cut = copy_of(folder.path());
            if source == RebuildSource::Manifests && !cut.path().join("_catalog").exists() {
                continue;
            }
            assert_eq!(rows_after(cut.path(), source).await, expected, "stage {stage} from {source:?}");
            let reopened = open(cut.path()).await;
            assert_eq!(rows(&reopened, PROJECT).await, expected, "after one more start");
            ingest(&reopened, PROJECT, "next", 3, NOW_US).await;
            assert_eq!(rows(&reopened, PROJECT).await.len(), expected.len() + 3);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_catalog_or_with_an_old_one_a_folder_is_not_opened() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, PROJECT, "a", 10, NOW_US).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let old = copy_of(folder.path());
    let engine = open(folder.path()).await;
    ingest(&engine, PROJECT, "b", 10, NOW_US).await;
    let expected = rows(&engine, PROJECT).await;
    engine.shutdown().await.unwrap();
    drop(engine);

    let catalog = folder.path().join("catalog.db");
    fs::copy(old.path().join("catalog.db"), &catalog).unwrap();
    let error = engine::Engine::open(config(folder.path()), clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains("catalog.db") && error.message().contains("older copy"), "{error}");
    assert_found(&check(folder.path()).await, "catalog_outdated", "catalog.db");

    fs::remove_file(&catalog).unwrap();
    let error = engine::Engine::open(config(folder.path()), clock()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains("catalog.db is missing"), "{error}");
    assert!(!catalog.exists(), "an empty catalog would answer with nothing");
    assert_eq!(rows_after(folder.path(), RebuildSource::Manifests).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_catalog_is_set_aside_and_the_epoch_rises() {
    let folder = TempDir::new().unwrap();
    let mut last_epoch = 0;
    for life in 1..=3 {
        let engine = open(folder.path()).await;
        ingest(&engine, PROJECT, &format!("life{life}"), 5, NOW_US).await;
        engine.shutdown().await.unwrap();
        drop(engine);
        let report = rebuild_from(folder.path(), RebuildSource::Manifests).await;
        assert!(report.epoch > last_epoch + 1, "{report:?}");
        last_epoch = report.epoch;
        let aside = report.set_aside.unwrap();
        assert_eq!(name_of(&aside), format!("catalog.db.old{life}"));
        assert!(aside.exists());
    }
    assert_eq!(rows(&*open(folder.path()).await, PROJECT).await.len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let error =
        rebuild_catalog(&config(folder.path()), &*clock(), RebuildOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("in use") && error.message().contains("no server"), "{error}");
    drop(engine);
}

/// A folder as it was before a flush, with some of the files of the flush.
async fn with_parts_of_a_flush(parts: &[usize]) -> (TempDir, Vec<LogRow>) {
    let folder = TempDir::new().unwrap();
    let engine = three_days(folder.path()).await;
    let before = copy_of(folder.path());
    engine.flush().await.unwrap();
    let files = data_files(folder.path());
    assert_eq!(files.len(), 3);
    for &part in parts {
        copy_into(folder.path(), before.path(), &files[part]);
    }
    (before, rows(&engine, PROJECT).await)
}

fn num_rows(file: &Path) -> usize {
    let file = fs::File::open(file).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    reader.metadata().file_metadata().num_rows() as usize
}

fn copy_into(from: &Path, to: &Path, file: &Path) -> PathBuf {
    let target = to.join(file.strip_prefix(from).unwrap());
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::copy(file, &target).unwrap();
    target
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_that_was_not_finished_is_replayed_and_one_that_was_is_not() {
    for parts in [&[][..], &[0], &[1], &[2], &[0, 2], &[0, 1, 2]] {
        let (folder, expected) = with_parts_of_a_flush(parts).await;
        let found = rows_after(folder.path(), RebuildSource::Footers).await;
        assert_eq!(found, expected, "with the parts {parts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_files_of_a_flush_are_told_when_the_log_lacks_their_rows() {
    let (folder, expected) = with_parts_of_a_flush(&[0, 2]).await;
    remove_catalog(folder.path());
    fs::remove_dir_all(folder.path().join("wal")).unwrap();
    let refused = rebuild(folder.path(), RebuildSource::Footers, OnAmbiguity::Refuse).await;
    assert!(!refused.is_written);
    assert!(
        refused.findings.iter().any(|finding| finding.message.contains("rows are missing")),
        "{refused:?}"
    );
    assert!(!folder.path().join("catalog.db").exists());
    let taken = rebuild(folder.path(), RebuildSource::Footers, OnAmbiguity::LeaveOut).await;
    assert!(taken.is_written);
    assert_eq!(rows(&*open(folder.path()).await, PROJECT).await.len(), expected.len() * 2 / 3);
}

/// A folder before and after its small files were merged into several.
struct Compacted {
    before: TempDir,
    after: TempDir,
    /// Files that only the folder of before has.
    inputs: Vec<PathBuf>,
    /// Files that only the folder of after has.
    outputs: Vec<PathBuf>,
    expected: Vec<LogRow>,
}

async fn around_a_compaction() -> Compacted {
    let after = TempDir::new().unwrap();
    let engine = open(after.path()).await;
    for flush in 0..6_i64 {
        ingest(&engine, PROJECT, &format!("f{flush}"), 400, NOW_US - flush * 400 * 60_000_000).await;
        engine.flush().await.unwrap();
    }
    let before = copy_of(after.path());
    let files = engine.snapshot(PROJECT).files;
    let mean_bytes = files.iter().map(|file| file.size_bytes).sum::<u64>() / files.len() as u64;
    drop((engine, files));
    // Three files reach the target, so that there are two merges.
    let target_file_bytes = mean_bytes * 14 / 5;
    let config = EngineConfig { target_file_bytes, ..config(after.path()) };
    let engine = Engine::open(config, clock()).await.unwrap();
    engine.compact(true).await.unwrap();
    let expected = rows(&engine, PROJECT).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let only_in = |one: &Path, other: &Path| -> Vec<PathBuf> {
        let others = data_files(other);
        let is_new = |file: &PathBuf| others.iter().all(|other| name_of(other) != name_of(file));
        data_files(one).into_iter().filter(is_new).collect()
    };
    let inputs = only_in(before.path(), after.path());
    let outputs = only_in(after.path(), before.path());
    assert!(inputs.len() > 2 && outputs.len() > 1, "{inputs:?} became {outputs:?}");
    Compacted { before, after, inputs, outputs, expected }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_counts_when_it_is_whole_and_is_dropped_when_it_is_not() {
    let Compacted { before, after, outputs, expected, .. } = around_a_compaction().await;
    for taken in 0..=outputs.len() {
        let folder = copy_of(before.path());
        for output in &outputs[..taken] {
            copy_into(after.path(), folder.path(), output);
        }
        let found = rows_after(folder.path(), RebuildSource::Footers).await;
        assert_eq!(found, expected, "with {taken} of {} outputs", outputs.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_only_compacted_files_hold_are_not_replayed() {
    let Compacted { before, after, expected, .. } = around_a_compaction().await;
    // The log as it was when every batch was in it: its rows are in files that no longer say so.
    let first = TempDir::new().unwrap();
    copy_folder(after.path(), first.path());
    let log = first.path().join("wal");
    fs::remove_dir_all(&log).unwrap();
    copy_folder(&before.path().join("wal"), &log);
    assert!(!files_below(&log, ".wal").is_empty(), "the log of before has batches");
    assert_eq!(rows_after(first.path(), RebuildSource::Footers).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compaction_that_lost_an_input_after_it_was_whole_lacks_nothing() {
    let Compacted { before, after, inputs, outputs, expected } = around_a_compaction().await;
    let folder = copy_of(before.path());
    for output in &outputs {
        copy_into(after.path(), folder.path(), output);
    }
    for input in inputs.iter().step_by(2) {
        fs::remove_file(folder.path().join(input.strip_prefix(before.path()).unwrap())).unwrap();
    }
    assert_eq!(rows_after(folder.path(), RebuildSource::Footers).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_ambiguous_and_nothing_is_guessed() {
    let folder = TempDir::new().unwrap();
    let engine = three_days(folder.path()).await;
    let expected = rows(&engine, PROJECT).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    remove_catalog(folder.path());
    remove_manifests(folder.path());
    let files = data_files(folder.path());
    let num_lost = num_rows(&files[1]);
    cut_in_half(&files[1]);

    let refused = rebuild(folder.path(), RebuildSource::Auto, OnAmbiguity::Refuse).await;
    assert!(!refused.is_written && refused.source == RebuildSource::Footers, "{refused:#?}");
    let is_named = |finding: &engine::operations::RebuildFinding| {
        finding.kind == RebuildFindingKind::Ambiguous && finding.object.contains(name_of(&files[1]))
    };
    assert!(refused.findings.iter().any(is_named), "{refused:#?}");
    assert!(!folder.path().join("catalog.db").exists(), "nothing is written");
    for on_ambiguity in [OnAmbiguity::Keep, OnAmbiguity::LeaveOut] {
        let cut = copy_of(folder.path());
        let report = rebuild(cut.path(), RebuildSource::Footers, on_ambiguity).await;
        assert!(report.is_written && !report.is_clean(), "{report:#?}");
        assert_eq!(rows(&*open(cut.path()).await, PROJECT).await.len(), expected.len() - num_lost);
        assert_eq!(data_files(cut.path()).len(), files.len(), "nothing is deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_with_a_gap_are_not_believed() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for round in 0..5 {
        ingest(&engine, PROJECT, &format!("r{round}"), 10, NOW_US).await;
        engine.flush().await.unwrap();
        engine.compact(false).await.unwrap();
    }
    let expected = rows(&engine, PROJECT).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let manifests = files_below(&folder.path().join("_catalog"), ".json");
    assert_eq!(manifests.len(), 5);
    remove_catalog(folder.path());
    for lost in [0, 2, 4] {
        let cut = copy_of(folder.path());
        fs::remove_file(cut.path().join("_catalog").join(name_of(&manifests[lost]))).unwrap();
        let auto = rebuild(cut.path(), RebuildSource::Auto, OnAmbiguity::Refuse).await;
        if lost == 4 {
            // Nothing in the manifests tells that there was one more; a file without a log does.
            assert!(!auto.is_written, "{auto:#?}");
            assert_eq!(auto.source, RebuildSource::Manifests);
            assert!(rebuild(cut.path(), RebuildSource::Footers, OnAmbiguity::Refuse).await.is_written);
        } else {
            assert!(auto.is_written, "{auto:#?}");
            assert_eq!(auto.source, RebuildSource::Footers, "without manifest {lost}");
        }
        assert_eq!(rows(&*open(cut.path()).await, PROJECT).await, expected, "without manifest {lost}");
    }
    let damaged = copy_of(folder.path());
    flip_bit(&damaged.path().join("_catalog").join(name_of(&manifests[1])), 60);
    let options = RebuildOptions { source: RebuildSource::Manifests, ..RebuildOptions::default() };
    let error = rebuild_catalog(&config(damaged.path()), &*clock(), options).await.unwrap_err();
    assert!(error.message().contains(name_of(&manifests[1])), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_live_file_is_told_and_stays_in_the_catalog() {
    let folder = TempDir::new().unwrap();
    let engine = three_days(folder.path()).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let lost = data_files(folder.path()).remove(1);
    fs::remove_file(&lost).unwrap();
    let report = rebuild_from(folder.path(), RebuildSource::Manifests).await;
    assert!(!report.is_clean());
    let finding = report.findings.iter().find(|finding| finding.kind == RebuildFindingKind::Damage).unwrap();
    assert!(finding.object.contains(name_of(&lost)), "{report:?}");
    let engine = open(folder.path()).await;
    let error = try_rows(&engine, PROJECT, ALL_TIME).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(name_of(&lost)), "{error}");
}
