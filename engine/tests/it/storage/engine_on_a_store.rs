//! The engine keeps its promises on every kind of store.

use engine::Engine;
use engine::query::model::LogFilter;

use crate::durability::{NOW_US, PROJECT, ingest, names, open_at, power_cut};
use crate::places::{Place, on_every_place};
use crate::query::filters::ALL_TIME;

on_every_place!(
    rows_are_there_after_a_flush_and_a_restart,
    rows_survive_a_power_cut_at_every_stage,
    row_groups_are_read_in_part,
);

/// How many rows hold a word, which takes reading them.
pub(super) async fn count(engine: &Engine, word: &str) -> engine::Result<u64> {
    let filter = LogFilter { search_term: word.into(), ..LogFilter::default() };
    engine.count_logs(PROJECT, filter, ALL_TIME).await
}

async fn rows_are_there_after_a_flush_and_a_restart(place: &Place) {
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("first", 100)).await;
    engine.flush().await.unwrap();
    ingest(&engine, &names("second", 50)).await;
    assert_eq!(
        (count(&engine, "first-").await.unwrap(), count(&engine, "second-").await.unwrap()),
        (100, 50)
    );
    engine.shutdown().await.unwrap();
    drop(engine);
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    assert_eq!(engine.snapshot(PROJECT).segments.len(), 0, "all rows are in files");
    assert_eq!(
        (count(&engine, "first-").await.unwrap(), count(&engine, "second-").await.unwrap()),
        (100, 50)
    );
    let is_local = place.config.url.is_none();
    assert_eq!(place.data_dir.path().join("logs").exists(), is_local);
    assert_eq!(place.data_dir.path().join("cache").exists(), !is_local);
}

async fn rows_survive_a_power_cut_at_every_stage(place: &Place) {
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    for stage in 0..4 {
        ingest(&engine, &names(&format!("stage{stage}"), 20)).await;
        if stage % 2 == 1 {
            engine.flush().await.unwrap();
        }
        let cut = power_cut(place.data_dir.path());
        let mut config = place.engine_config();
        config.data_dir = cut.path().to_owned();
        let restarted = open_at(config, NOW_US).await.unwrap();
        assert_eq!(count(&restarted, "stage").await.unwrap(), 20 * (stage + 1));
    }
}

async fn row_groups_are_read_in_part(place: &Place) {
    let engine = open_at(place.engine_config(), NOW_US).await.unwrap();
    ingest(&engine, &names("row", 2000)).await;
    engine.flush().await.unwrap();
    // Some columns of one file, by way of the cache where there is one, and again from it.
    for _ in 0..2 {
        assert_eq!(count(&engine, "row-1").await.unwrap(), 1111);
    }
}
