//! The doctor finds nothing in a sound folder, and mends only what is safe to mend.

use std::fs;
use std::path::Path;

use engine::ErrorKind;
use engine::clock::ManualClock;
use engine::operations::{DoctorOptions, RebuildOptions, doctor, rebuild_catalog};
use tempfile::TempDir;
use uuid::Uuid;

use super::harness::*;

/// A stopped folder with several files, some of them merged.
async fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for day in 0..3 {
        ingest(&engine, PROJECT, &format!("d{day}"), 40, NOW_US - day * DAY_US).await;
        ingest(&engine, OTHER_PROJECT, &format!("o{day}"), 10, NOW_US - day * DAY_US).await;
        engine.flush().await.unwrap();
    }
    engine.compact(true).await.unwrap();
    ingest(&engine, PROJECT, "late", 20, NOW_US).await;
    engine.shutdown().await.unwrap();
    folder
}

fn repair() -> DoctorOptions {
    DoctorOptions { repair: true, ..DoctorOptions::default() }
}

fn confirm() -> DoctorOptions {
    DoctorOptions { confirm: true, ..repair() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_folder_has_no_finding_and_is_not_changed() {
    let folder = folder().await;
    let before: Vec<_> =
        files_below(folder.path(), "").into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let report = check_deep(folder.path()).await;
    assert!(report.findings.is_empty() && report.notes.is_empty(), "{report:#?}");
    assert_eq!(report.num_rows, 3 * 50 + 20);
    assert_eq!(report.num_files as usize, data_files(folder.path()).len());
    for (bytes, path) in before.iter().filter(|(_, path)| !name_of(path).starts_with("catalog.db-")) {
        assert!(fs::read(path).unwrap() == *bytes, "{} has changed", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_after_a_power_cut_is_sound() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    ingest(&engine, PROJECT, "a", 30, NOW_US).await;
    engine.flush().await.unwrap();
    ingest(&engine, PROJECT, "b", 30, NOW_US).await;
    let cut = copy_of(folder.path());
    let report = check_deep(cut.path()).await;
    assert!(report.findings.is_empty(), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_data_folder_or_in_use_is_refused() {
    let empty = TempDir::new().unwrap();
    let run = async |path: &Path| {
        doctor(&config(path), &ManualClock::new(NOW_US), &DoctorOptions::default()).await.unwrap_err()
    };
    let error = run(empty.path()).await;
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains("no data folder"), "{error}");
    assert!(fs::read_dir(empty.path()).unwrap().next().is_none(), "looking leaves nothing behind");
    let folder = folder().await;
    let engine = open(folder.path()).await;
    let error = run(folder.path()).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("in use"), "{error}");
    drop(engine);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_mended_from_the_catalog() {
    let folder = folder().await;
    let manifests = files_below(&folder.path().join("_catalog"), ".json");
    for damage in [0, 1, 2] {
        let cut = copy_of(folder.path());
        let manifest = cut.path().join("_catalog").join(name_of(manifests.last().unwrap()));
        match damage {
            0 => flip_bit(&manifest, 80),
            1 => fs::remove_file(&manifest).unwrap(),
            _ => remove_manifests(cut.path()),
        }
        let report = check(cut.path()).await;
        let named = if damage == 0 { name_of(&manifest) } else { "_catalog" };
        assert_found(&report, "manifest_damaged", named);
        let mended = check_with(cut.path(), &repair()).await;
        assert!(mended.is_clean() && !mended.findings.is_empty(), "{mended:#?}");
        let report = check(cut.path()).await;
        assert!(report.findings.is_empty(), "{report:#?}");
        let expected = rows(&*open(folder.path()).await, PROJECT).await;
        remove_catalog(cut.path());
        let rebuilt =
            rebuild_catalog(&config(cut.path()), &*clock(), RebuildOptions::default()).await.unwrap();
        assert!(rebuilt.is_written && rebuilt.is_clean(), "{rebuilt:#?}");
        assert_eq!(rows(&*open(cut.path()).await, PROJECT).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_objects_go_only_when_that_is_confirmed() {
    let folder = folder().await;
    let stray = folder.path().join(format!("logs/project=1/wide/{}.parquet", Uuid::now_v7()));
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::copy(&data_files(folder.path())[0], &stray).unwrap();
    let foreign = folder.path().join("logs/README.txt");
    fs::write(&foreign, "mine").unwrap();
    assert_found(&check(folder.path()).await, "unknown_object", name_of(&stray));
    assert_found(&check_with(folder.path(), &repair()).await, "unknown_object", name_of(&stray));
    assert!(stray.exists());
    let report = check_with(folder.path(), &confirm()).await;
    assert!(report.is_clean(), "{report:#?}");
    assert!(!stray.exists() && foreign.exists());
    assert!(report.notes.iter().any(|note| note.contains("README.txt")), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rebuild_nothing_is_swept_before_the_doctor_has_looked() {
    let folder = folder().await;
    let stray = folder.path().join(format!("logs/project=1/wide/{}.parquet", Uuid::now_v7()));
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "half of something").unwrap();
    rebuild_catalog(&config(folder.path()), &*clock(), RebuildOptions::default()).await.unwrap();
    let paused = |report: &engine::operations::DoctorReport| {
        report.notes.iter().any(|note| note.contains("nothing is swept"))
    };
    let report = check_with(folder.path(), &repair()).await;
    assert_found(&report, "unknown_object", name_of(&stray));
    assert!(paused(&check(folder.path()).await), "something unknown is there");
    drop(open(folder.path()).await);
    assert!(stray.exists());
    assert!(check_with(folder.path(), &confirm()).await.is_clean());
    assert!(!stray.exists());
    let report = check(folder.path()).await;
    assert!(report.findings.is_empty() && !paused(&report), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_leaves_the_catalog_only_by_its_id_and_only_when_it_is_faulty() {
    let folder = folder().await;
    let files = data_files(folder.path());
    let of_project: Vec<_> =
        files.into_iter().filter(|path| path.to_str().unwrap().contains("project=1/")).collect();
    let (sound, missing) = (&of_project[0], &of_project[1]);
    fs::remove_file(missing).unwrap();
    let id = |file: &Path| Uuid::parse_str(file.file_stem().unwrap().to_str().unwrap()).unwrap();
    let drop_file = |file: &Path| DoctorOptions { drop: vec![id(file)], ..repair() };
    let error =
        doctor(&config(folder.path()), &ManualClock::new(NOW_US), &drop_file(sound)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.message().contains(name_of(sound)), "{error}");
    assert_found(&check_with(folder.path(), &repair()).await, "file_missing", name_of(missing));
    let report = check_with(folder.path(), &drop_file(missing)).await;
    assert!(report.is_clean(), "{report:#?}");
    let report = check(folder.path()).await;
    assert!(report.findings.is_empty(), "{report:#?}");
    let engine = open(folder.path()).await;
    assert_eq!(rows(&engine, PROJECT).await.len() as u64 + 30, report.num_rows);
    drop(engine);

    // What is there of a damaged one is kept aside.
    let bytes = fs::read(sound).unwrap();
    cut_in_half(sound);
    assert!(check_with(folder.path(), &drop_file(sound)).await.is_clean());
    assert!(!sound.exists());
    let aside = files_below(&folder.path().join("_quarantine"), ".parquet");
    assert_eq!(aside.len(), 1);
    assert_eq!(fs::read(&aside[0]).unwrap(), bytes[..bytes.len() / 2]);
    assert!(check(folder.path()).await.findings.is_empty());
    assert!(rows(&*open(folder.path()).await, PROJECT).await.len() < 140);
}
