//! From the first entry to the removal of the oldest: stops, deliveries that are repeated, lost catalogs, damage.

use std::fs;
use std::sync::Arc;

use engine::ErrorKind;
use engine::activity::{ChainHead, Delivery};
use engine::clock::ManualClock;
use engine::operations::{
    DoctorOptions, OnAmbiguity, RebuildOptions, RebuildSource, doctor, rebuild_catalog,
};
use engine::query::{ActivityExpression, ActivityFilter, ActivityTenant};
use engine::retention::RetentionPolicy;
use engine::schema::TableId;
use tempfile::TempDir;

use super::*;
use crate::operations::harness::{copy_of, files_below, remove_catalog, remove_manifests};

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW_US))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_repeated_adds_nothing_twice() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), &clock()).await;
    append(&engine, ORGANIZATION, (0..5).map(entry).collect()).await;
    append(&engine, OTHER, vec![entry(3)]).await;
    // The machine stops after the entries were stored, before anybody heard of it.
    let cut = copy_of(folder.path());
    drop(engine);
    for is_flushed in [false, true] {
        let engine = open(cut.path(), &clock()).await;
        if is_flushed {
            engine.flush().await.unwrap();
        }
        let again = (3..8).map(entry).collect();
        let floor = ChainHead::default();
        let appended =
            engine.append_activity(ORGANIZATION, again, Delivery::PerhapsAgain, floor).await.unwrap();
        assert_eq!(appended.num_new, if is_flushed { 0 } else { 3 });
        assert_eq!(appended.head.sequence, 8);
        assert_eq!(check_chain(&engine, ORGANIZATION, floor).await, 8);
        assert_eq!(check_chain(&engine, OTHER, floor).await, 1);
        engine.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_survives_stops_merges_and_lost_catalogs() {
    let folder = TempDir::new().unwrap();
    for life in 0..4_u128 {
        let engine = open(folder.path(), &clock()).await;
        append(&engine, ORGANIZATION, (0..20).map(|number| entry(life * 100 + number)).collect()).await;
        if life % 2 == 1 {
            engine.flush().await.unwrap();
        }
        let cut = copy_of(folder.path());
        let reopened = open(cut.path(), &clock()).await;
        assert_eq!(
            check_chain(&reopened, ORGANIZATION, ChainHead::default()).await,
            20 * (life as usize + 1)
        );
        drop(reopened);
        engine.compact(true).await.unwrap();
        drop(engine);
    }
    let path = format!("activity/organization={}", ORGANIZATION.0);
    assert!(!files_below(&folder.path().join(path), ".parquet").is_empty());
    for source in [RebuildSource::Manifests, RebuildSource::Footers] {
        let cut = copy_of(folder.path());
        remove_catalog(cut.path());
        if source == RebuildSource::Footers {
            remove_manifests(cut.path());
        }
        let options = RebuildOptions { source, on_ambiguity: OnAmbiguity::Refuse };
        let report = rebuild_catalog(&config(cut.path()), &*clock(), options).await.unwrap();
        assert!(report.is_written, "{report:?}");
        let engine = open(cut.path(), &clock()).await;
        assert_eq!(check_chain(&engine, ORGANIZATION, ChainHead::default()).await, 80, "{source:?}");
    }
    let options = DoctorOptions { deep: true, ..DoctorOptions::default() };
    let report = doctor(&config(folder.path()), &*clock(), &options).await.unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_came_in_first_leaves_whatever_its_date() {
    let (folder, clock) = (TempDir::new().unwrap(), clock());
    let engine = open(folder.path(), &clock).await;
    append(&engine, ORGANIZATION, (0..10).map(entry).collect()).await;
    engine.flush().await.unwrap();
    clock.set(NOW_US + 10 * DAY_US);
    // Imported: done long before, stored after.
    let mut imported: Vec<_> = (10..20).map(entry).collect();
    imported.iter_mut().for_each(|entry| entry.timestamp_us -= 400 * DAY_US);
    append(&engine, ORGANIZATION, imported).await;
    engine.flush().await.unwrap();
    append(&engine, ORGANIZATION, (20..25).map(entry).collect()).await;
    let (table, kept_from_us) = (TableId::activity(ORGANIZATION), NOW_US + DAY_US);
    let left = engine.chain_head_before(ORGANIZATION, kept_from_us).await.unwrap();
    assert_eq!(left.sequence, 10);
    engine.set_retention(table, RetentionPolicy::kept_from(kept_from_us)).unwrap();
    assert_eq!(check_chain(&engine, ORGANIZATION, left).await, 15);
    assert_eq!(engine.chain_start(ORGANIZATION).await.unwrap(), Some(11));
    for _ in 0..24 * 12 {
        engine.expire().await.unwrap();
    }
    engine.compact(true).await.unwrap();
    assert_eq!(check_chain(&engine, ORGANIZATION, left).await, 15);
    engine.set_retention(table, RetentionPolicy::default()).unwrap();
    assert_eq!(
        engine.chain_start(ORGANIZATION).await.unwrap(),
        Some(11),
        "the first ten have left the storage"
    );
    let mut by_rule = RetentionPolicy::of_days(Some(3));
    by_rule.kept_from_us = Some(0);
    let error = engine.set_retention(table, by_rule).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_which_nothing_is_left_goes_on() {
    let (folder, clock) = (TempDir::new().unwrap(), clock());
    let floor = ChainHead { sequence: 41, hash: [9; 32] };
    let engine = open(folder.path(), &clock).await;
    engine.append_activity(ORGANIZATION, vec![entry(1)], Delivery::PerhapsAgain, floor).await.unwrap();
    assert_eq!(check_chain(&engine, ORGANIZATION, floor).await, 1);
    let none = engine.append_activity(ORGANIZATION, vec![], Delivery::First, floor).await.unwrap();
    assert_eq!((none.num_new, none.head.sequence), (0, 42));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_the_same_time_make_one_chain() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), &clock()).await;
    let calls: Vec<_> = (0..20_u128)
        .map(|number| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                append(&engine, if number % 2 == 0 { ORGANIZATION } else { OTHER }, vec![entry(number)])
                    .await;
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    for organization in [ORGANIZATION, OTHER] {
        assert_eq!(check_chain(&engine, organization, ChainHead::default()).await, 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expression_is_one_more_condition() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), &clock()).await;
    let mut entries: Vec<_> = (0..6).map(entry).collect();
    entries[1].scope = "User".into();
    entries[2].client = Some("web".into());
    entries[3].project = None;
    entries[4].detail = None;
    append(&engine, ORGANIZATION, entries).await;
    engine.flush().await.unwrap();
    for (text, expected) in [
        ("scope = 'User'", vec![1]),
        ("client ILIKE 'W%'", vec![2]),
        ("client <> 'cli'", vec![2]),
        ("project_id IS NULL OR item_id IN ('5')", vec![3, 5]),
        ("detail IS NULL AND NOT is_system", vec![4]),
        ("created_at > '2025-12-16T10:32:36.184823Z'", vec![4, 5]),
        ("lower(scope) LIKE 'us__' AND length(activity) = 7", vec![1]),
        ("false", vec![]),
    ] {
        let expression = Some(ActivityExpression::parse(text).unwrap());
        let filter = ActivityFilter { expression, ..ActivityFilter::all(ActivityTenant::Organization) };
        let found = page(&engine, filter).await;
        let numbers: Vec<_> = found.iter().map(|stored| stored.entry.id.as_u128()).collect();
        assert_eq!(numbers, expected, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_is_found_and_named() {
    let folder = TempDir::new().unwrap();
    let engine = open(folder.path(), &clock()).await;
    append(&engine, ORGANIZATION, (0..50).map(entry).collect()).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    let file = files_below(&folder.path().join("activity"), ".parquet").remove(0);
    let mut bytes = fs::read(&file).unwrap();
    bytes[200] ^= 1;
    fs::write(&file, bytes).unwrap();
    let engine = open(folder.path(), &clock()).await;
    let error = engine.chain_part(ORGANIZATION, 0..i64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
}
