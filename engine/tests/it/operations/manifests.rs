//! Manifests stay few and tell everything.

use engine::operations::{RebuildOptions, RebuildSource, rebuild_catalog};
use tempfile::TempDir;

use super::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn their_number_is_bounded_and_a_catalog_can_be_made_from_them_at_any_time() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    let mut most = 0;
    for round in 0..210 {
        ingest(&engine, PROJECT, &format!("r{round}"), 2, NOW_US + round * 1000).await;
        engine.flush().await.unwrap();
        // Merges now and then, and publishes.
        engine.compact(round % 50 == 49).await.unwrap();
        most = most.max(files_below(&folder.path().join("_catalog"), ".json").len());
        if [10, 63, 64, 65, 130, 200].contains(&round) {
            let cut = copy_of(folder.path());
            remove_catalog(cut.path());
            let options = RebuildOptions { source: RebuildSource::Manifests, ..RebuildOptions::default() };
            let report = rebuild_catalog(&config(cut.path()), &*clock(), options).await.unwrap();
            assert!(report.is_written && report.is_clean(), "{report:?}");
            let rebuilt = open(cut.path()).await;
            assert_eq!(rows(&rebuilt, PROJECT).await, rows(&engine, PROJECT).await, "round {round}");
        }
    }
    assert!(most > 64, "the test writes more manifests than {most}");
    assert!(most <= 2 * 64 + 3, "{most} manifests");
    let checkpoints = files_below(&folder.path().join("_catalog"), ".checkpoint.json");
    assert!((1..=2).contains(&checkpoints.len()), "{checkpoints:?}");
    engine.shutdown().await.unwrap();
    drop(engine);
    assert!(check(folder.path()).await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_leaves_the_chain_from_the_one_before() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path()).await;
    for round in 0..140 {
        ingest(&engine, PROJECT, &format!("r{round}"), 1, NOW_US).await;
        engine.flush().await.unwrap();
        engine.compact(false).await.unwrap();
    }
    let expected = rows(&engine, PROJECT).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let checkpoints = files_below(&folder.path().join("_catalog"), ".checkpoint.json");
    assert_eq!(checkpoints.len(), 2);
    flip_bit(&checkpoints[1], 100);
    assert_found(&check(folder.path()).await, "manifest_damaged", name_of(&checkpoints[1]));
    remove_catalog(folder.path());
    let options = RebuildOptions { source: RebuildSource::Manifests, ..RebuildOptions::default() };
    let report = rebuild_catalog(&config(folder.path()), &*clock(), options).await.unwrap();
    assert!(report.is_written, "{report:?}");
    assert_eq!(rows(&*open(folder.path()).await, PROJECT).await, expected);
}
