//! A backup has every row of its moment, once, and comes back as it was.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::clock::ManualClock;
use engine::operations::{BackupMode, BackupSummary, RestoreSummary, restore};
use engine::query::LogRow;
use engine::{Engine, ErrorKind};
use tempfile::TempDir;
use uuid::Uuid;

use super::harness::*;

async fn back_up(engine: &Engine, folder: &Path, mode: BackupMode) -> BackupSummary {
    engine.backup(folder, mode).await.unwrap().finish(NOW_US).await.unwrap()
}

async fn try_restore(backup: &Path, data_dir: &Path) -> engine::Result<RestoreSummary> {
    restore(backup, &config(data_dir), &ManualClock::new(NOW_US)).await
}

async fn filled(folder: &Path) -> Arc<Engine> {
    let engine = open(folder).await;
    for round in 0..4 {
        ingest(&engine, PROJECT, &format!("r{round}"), 200, NOW_US - round * DAY_US).await;
        ingest(&engine, OTHER_PROJECT, &format!("o{round}"), 20, NOW_US - round * DAY_US).await;
        engine.flush().await.unwrap();
    }
    engine.compact(true).await.unwrap();
    ingest(&engine, PROJECT, "fresh", 30, NOW_US).await;
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_folder_has_the_same_rows() {
    let (folder, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let engine = filled(folder.path()).await;
    let expected = (rows(&engine, PROJECT).await, rows(&engine, OTHER_PROJECT).await);
    for (mode, name) in [(BackupMode::Link, "link"), (BackupMode::Copy, "copy")] {
        let (backup, restored) = (work.path().join(name), work.path().join(format!("{name}-restored")));
        let summary = back_up(&engine, &backup, mode).await;
        assert_eq!(summary.num_rows, 4 * 220 + 30);
        assert_eq!(summary.num_linked == summary.num_files, mode == BackupMode::Link, "{summary:?}");
        assert_eq!(summary.num_linked == 0, mode == BackupMode::Copy, "{summary:?}");
        let summary = try_restore(&backup, &restored).await.unwrap();
        assert_eq!((summary.num_rows, summary.finished_us), (4 * 220 + 30, NOW_US));
        let report = check_deep(&restored).await;
        assert!(report.findings.is_empty(), "{report:#?}");
        let reopened = open(&restored).await;
        assert_eq!((rows(&reopened, PROJECT).await, rows(&reopened, OTHER_PROJECT).await), expected);
        // What comes later is of a later life: ids do not repeat.
        ingest(&reopened, PROJECT, "later", 5, NOW_US).await;
        let mut ids: Vec<_> = rows(&reopened, PROJECT).await.iter().map(|row| row.uuid).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), expected.0.len() + 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_while_rows_come_in_and_files_are_merged_is_of_one_moment() {
    let (folder, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let engine = filled(folder.path()).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (engine, is_over) = (Arc::clone(&engine), Arc::clone(&is_over));
        tokio::spawn(async move {
            let mut round = 0;
            while !is_over.load(Ordering::Relaxed) {
                ingest(&engine, PROJECT, &format!("w{round}"), 5, NOW_US + round * 1000).await;
                round += 1;
                // The other side is to get its share of the processors.
                tokio::time::sleep(Duration::from_millis(2)).await;
                if round % 20 == 0 {
                    engine.flush().await.unwrap();
                    // Deletes what it has merged, unless somebody holds it.
                    engine.compact(true).await.unwrap();
                }
            }
        })
    };
    for number in 0..4 {
        let backup = work.path().join(number.to_string());
        let before = rows(&engine, PROJECT).await;
        let summary = back_up(&engine, &backup, BackupMode::Copy).await;
        let after = rows(&engine, PROJECT).await;
        let restored = work.path().join(format!("restored{number}"));
        try_restore(&backup, &restored).await.unwrap();
        let reopened = open(&restored).await;
        let found = rows(&reopened, PROJECT).await;
        assert_eq!(found.len() as u64 + 80, summary.num_rows);
        let (before, restored_rows, after) = (by_id(&before), by_id(&found), by_id(&after));
        assert_eq!(restored_rows.len(), found.len(), "no row is there twice");
        let is_in = |rows: &HashMap<Uuid, LogRow>, id, row| rows.get(id) == Some(row);
        assert!(
            before.iter().all(|(id, row)| is_in(&restored_rows, id, row)),
            "acknowledged before, and there"
        );
        assert!(restored_rows.iter().all(|(id, row)| is_in(&after, id, row)), "nothing that was never sent");
        assert!(check_deep(&restored_after_stop(reopened, &restored).await).await.findings.is_empty());
    }
    is_over.store(true, Ordering::Relaxed);
    writer.await.unwrap();
}

fn by_id(rows: &[LogRow]) -> HashMap<Uuid, LogRow> {
    rows.iter().map(|row| (row.uuid, row.clone())).collect()
}

async fn restored_after_stop(engine: Arc<Engine>, data_dir: &Path) -> std::path::PathBuf {
    engine.shutdown().await.unwrap();
    drop(engine);
    data_dir.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_whole_backup_is_restored() {
    let (folder, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let engine = filled(folder.path()).await;
    let unfinished = work.path().join("unfinished");
    drop(engine.backup(&unfinished, BackupMode::Copy).await.unwrap());
    let target = work.path().join("target");
    let error = try_restore(&unfinished, &target).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("not finished"), "{error}");
    assert!(!target.exists());

    let backup = work.path().join("backup");
    back_up(&engine, &backup, BackupMode::Copy).await;
    for file in files_below(&backup, "") {
        for damage in [flip_first_bit as fn(&Path), cut_in_half, remove] {
            let copy = copy_of(&backup);
            damage(&copy.path().join(file.strip_prefix(&backup).unwrap()));
            let error = try_restore(copy.path(), &target).await.unwrap_err();
            assert!(error.message().contains(name_of(&file)), "{} is not named: {error}", file.display());
            assert!(!target.exists(), "nothing is written");
        }
    }
    fs::create_dir(&target).unwrap();
    fs::write(target.join("something"), "x").unwrap();
    let error = try_restore(&backup, &target).await.unwrap_err();
    assert!(error.message().contains("is not empty"), "{error}");
    let error = engine.backup(&target, BackupMode::Copy).await.unwrap_err();
    assert!(error.message().contains("is not empty"), "{error}");
}

fn flip_first_bit(file: &Path) {
    flip_bit(file, 10);
}

fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_is_not_backed_up_in_silence() {
    let (folder, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let engine = filled(folder.path()).await;
    engine.flush().await.unwrap();
    let file = data_files(folder.path()).remove(0);
    for (number, damage) in [cut_in_half as fn(&Path), remove].into_iter().enumerate() {
        damage(&file);
        let target = work.path().join(number.to_string());
        let error = engine.backup(&target, BackupMode::Link).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains(name_of(&file)), "{error}");
    }
}
