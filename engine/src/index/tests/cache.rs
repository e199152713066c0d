//! The cache: what it asks of the store, what it remembers, and for how long.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use parking_lot::Mutex;
use uuid::Uuid;

use super::rows::{Row, batch};
use super::{build, file_id, recipes};
use crate::clock::ManualClock;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{
    Absence, BuiltSidecar, FileFacts, ReadRange, Recipe, SidecarBuilder, SidecarCache, SidecarLimits,
    SidecarSource,
};
use crate::storage::DataFile;

/// Objects in memory, and what was asked of them.
#[derive(Default)]
struct Store {
    objects: Mutex<HashMap<Path, Bytes>>,
    reads: Mutex<Vec<Range<u64>>>,
    is_down: Mutex<bool>,
}

impl ReadRange for Store {
    async fn read(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        tokio::task::yield_now().await;
        self.reads.lock().push(range.clone());
        if *self.is_down.lock() {
            return Err(Error::unavailable("the store is down"));
        }
        let object = self.objects.lock().get(path).cloned();
        let object = object.ok_or_else(|| Error::new(ErrorKind::NotFound, "no such object"))?;
        let end = usize::try_from(range.end).unwrap().min(object.len());
        Ok(object.slice(usize::try_from(range.start).unwrap().min(end)..end))
    }
}

fn data_file(id: Uuid, rows: &[Row]) -> DataFile {
    DataFile {
        id,
        path: Path::from("logs/project=7/date=2026-01-12/file.parquet"),
        level: 0,
        min_timestamp_us: 0,
        max_timestamp_us: 0,
        min_ingested_us: 0,
        max_ingested_us: 0,
        num_rows: rows.len() as u64,
        size_bytes: 1000,
        metadata_bytes: 100,
        sidecar_bytes: 100,
    }
}

/// Rows with five keys of as many values each, which do not compress to less than half.
fn rows(num_rows: i64, num_values: i64) -> Vec<Row> {
    let value = |key: i64, number: i64| {
        let seed = (key * num_values + number % num_values).to_le_bytes();
        format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&seed))
    };
    let row = |number: i64| {
        let row = Row::new(number * 1_000_000, "api", "info");
        (0..5).fold(row, |row, key| row.with(&format!("key-{key}"), &value(key, number)))
    };
    (0..num_rows).map(row).collect()
}

/// Few rows in a cell and all values, so that there is something of each.
fn limits() -> SidecarLimits {
    SidecarLimits { min_rows_per_cell: 1, min_value_bytes: 4 << 20, ..SidecarLimits::default() }
}

struct Setup {
    clock: Arc<ManualClock>,
    cache: SidecarCache,
    store: Store,
    rows: Vec<Row>,
    built: BuiltSidecar,
    file: DataFile,
}

impl Setup {
    fn new(rows: Vec<Row>) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let cache = SidecarCache::new(64 << 20, Arc::clone(&clock) as Arc<dyn crate::clock::Clock>);
        let built = build(&rows, &limits());
        let file = data_file(file_id(), &rows);
        let setup = Self { clock, cache, store: Store::default(), rows, built, file };
        setup.put(setup.built.bytes.clone());
        setup
    }

    fn put(&self, sidecar: Bytes) {
        self.store.objects.lock().insert(self.file.sidecar_path(), sidecar);
    }

    fn source<'a>(&'a self, facts: Option<&'a FileFacts>) -> SidecarSource<'a> {
        SidecarSource { file: &self.file, facts }
    }

    /// Asks for both recipes, and returns what was wrong with each and the reads that it took.
    async fn ask(&self, facts: Option<&FileFacts>) -> (Option<Absence>, Option<Absence>, Vec<Range<u64>>) {
        self.store.reads.lock().clear();
        let expected = recipes(&self.rows, &limits());
        let rollup = self.cache.rollup(&self.source(facts), &self.store).await.unwrap();
        let values = self.cache.attribute_values(&self.source(facts), &self.store).await.unwrap();
        assert!(rollup.present().is_none_or(|rollup| expected.rollup.present() == Some(rollup)));
        assert!(values.present().is_none_or(|values| expected.attribute_values.present() == Some(values)));
        let reads = self.store.reads.lock().clone();
        (rollup.absence().cloned(), values.absence().cloned(), reads)
    }

    fn range(&self, number: usize) -> Range<u64> {
        let entry = self.built.facts.recipes[number];
        u64::from(entry.offset)..u64::from(entry.offset + entry.length)
    }
}

const FRONT: Range<u64> = 0..64 << 10;

#[tokio::test]
async fn a_small_sidecar_is_read_once() {
    let setup = Setup::new(rows(100, 10));
    let (rollup, values, reads) = setup.ask(None).await;
    assert_eq!((rollup, values), (None, None));
    // The second recipe is read by its range: the front was not kept, only its head.
    assert_eq!(reads, [FRONT, setup.range(1)]);
    assert_eq!(setup.ask(None).await, (None, None, vec![]));
    setup.cache.forget(file_id());
    assert_eq!(setup.ask(None).await.2.len(), 2);
}

#[tokio::test]
async fn known_places_are_read_alone() {
    let setup = Setup::new(rows(2000, 1000));
    let facts = setup.built.facts.clone();
    let (rollup, values, reads) = setup.ask(Some(&facts)).await;
    assert_eq!((rollup, values), (None, None));
    assert_eq!(reads, [setup.range(0), setup.range(1)]);
}

#[tokio::test]
async fn a_large_sidecar_is_read_in_parts() {
    let setup = Setup::new(rows(2000, 1000));
    assert!(setup.range(1).end > FRONT.end, "{:?}", setup.range(1));
    let (rollup, values, reads) = setup.ask(None).await;
    assert_eq!((rollup, values), (None, None));
    assert_eq!(reads, [FRONT, setup.range(1)]);
}

#[tokio::test]
async fn a_sidecar_made_anew_is_found_through_its_own_directory() {
    let setup = Setup::new(rows(100, 10));
    let stale = build(&rows(500, 70), &limits()).facts;
    let (rollup, values, reads) = setup.ask(Some(&stale)).await;
    assert_eq!((rollup, values), (None, None));
    assert!(reads.contains(&FRONT), "{reads:?}");
}

#[tokio::test]
async fn a_missing_sidecar_is_asked_for_once_in_a_while() {
    let setup = Setup::new(rows(100, 10));
    setup.store.objects.lock().clear();
    let missing = Some(Absence::NoSidecar);
    assert_eq!(setup.ask(None).await, (missing.clone(), missing.clone(), vec![FRONT]));
    setup.clock.set(59_999_999);
    assert_eq!(setup.ask(None).await, (missing.clone(), missing, vec![]));
    setup.put(setup.built.bytes.clone());
    setup.clock.set(60_000_000);
    let (rollup, values, _) = setup.ask(None).await;
    assert_eq!((rollup, values), (None, None));
}

#[tokio::test]
async fn a_file_that_never_had_a_sidecar_is_not_asked_for_one() {
    let mut setup = Setup::new(rows(100, 10));
    setup.file.sidecar_bytes = 0;
    let missing = Some(Absence::NoSidecar);
    assert_eq!(setup.ask(None).await, (missing.clone(), missing, vec![]));
}

#[tokio::test]
async fn a_missing_sidecar_with_facts_is_asked_for_once_for_each_recipe() {
    let setup = Setup::new(rows(100, 10));
    setup.store.objects.lock().clear();
    let (missing, facts) = (Some(Absence::NoSidecar), setup.built.facts.clone());
    let (rollup, values, reads) = setup.ask(Some(&facts)).await;
    assert_eq!((rollup, values, reads), (missing.clone(), missing, vec![setup.range(0), setup.range(1)]));
    assert_eq!(setup.ask(Some(&facts)).await.2, []);
}

#[tokio::test]
async fn damage_is_told_with_its_reason_and_spares_the_other_recipe() {
    let setup = Setup::new(rows(100, 10));
    let mut damaged = setup.built.bytes.to_vec();
    damaged[setup.range(1).end as usize - 1] ^= 1;
    setup.put(damaged.into());
    for facts in [None, Some(&setup.built.facts)] {
        setup.cache.forget(file_id());
        let (rollup, values, _) = setup.ask(facts).await;
        assert_eq!(rollup, None);
        let Some(Absence::Damaged(message)) = values else { panic!("{values:?}") };
        assert!(message.contains("date=2026-01-12/file.sidecar"), "{message}");
        assert_eq!(setup.ask(facts).await.2, [], "the damage is remembered");
    }
}

#[tokio::test]
async fn a_sidecar_of_another_file_is_damage() {
    let setup = Setup::new(rows(100, 10));
    setup.put(build(&rows(99, 10), &limits()).bytes);
    let (rollup, values, _) = setup.ask(None).await;
    assert!(matches!(rollup, Some(Absence::Damaged(_))) && rollup == values, "{rollup:?} {values:?}");
}

#[tokio::test]
async fn recipes_that_were_not_worth_it_are_not_asked_for() {
    let setup = Setup::new(rows(100, 10));
    let facts = build(&setup.rows[..], &SidecarLimits { min_rows_per_cell: 1000, ..limits() }).facts;
    let (rollup, _, reads) = setup.ask(Some(&facts)).await;
    assert_eq!(rollup, Some(Absence::AsLargeAsData));
    assert!(!reads.contains(&setup.range(0)), "{reads:?}");
}

#[tokio::test]
async fn a_store_that_is_down_is_not_remembered() {
    let setup = Setup::new(rows(100, 10));
    *setup.store.is_down.lock() = true;
    let error = setup.cache.rollup(&setup.source(None), &setup.store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    *setup.store.is_down.lock() = false;
    let (rollup, values, _) = setup.ask(None).await;
    assert_eq!((rollup, values), (None, None));
}

#[tokio::test]
async fn who_asks_for_the_same_at_one_time_causes_one_load() {
    let setup = Setup::new(rows(100, 10));
    let (source, facts) = (setup.source(None), Some(&setup.built.facts));
    let source = SidecarSource { facts, ..source };
    let asks = (0..20).map(|_| setup.cache.rollup(&source, &setup.store));
    let answers = futures::future::join_all(asks).await;
    assert!(answers.into_iter().all(|answer| matches!(answer, Ok(Recipe::Present(_)))));
    assert_eq!(setup.store.reads.lock().len(), 1);
}

#[tokio::test]
async fn the_cache_keeps_to_its_bytes() {
    let setup = Setup::new(rows(500, 100));
    let recipe_bytes =
        recipes(&setup.rows, &limits()).attribute_values.present().unwrap().memory_bytes() as u64;
    let cache = SidecarCache::new(3 * recipe_bytes, Arc::clone(&setup.clock) as Arc<dyn crate::clock::Clock>);
    for number in 0..20 {
        let id = Uuid::from_u128(number);
        let mut builder = SidecarBuilder::new(&limits());
        builder.add(&batch(&setup.rows)).unwrap();
        setup.put(builder.finish(id, setup.rows.len() as u64).unwrap().bytes);
        let source = SidecarSource { file: &data_file(id, &setup.rows), facts: None };
        assert!(cache.attribute_values(&source, &setup.store).await.unwrap().present().is_some());
        assert!(cache.size_bytes() <= 3 * recipe_bytes, "{} bytes", cache.size_bytes());
    }
    assert!(cache.size_bytes() >= recipe_bytes);
}
