//! What the cache asks of the store, counted.

#![allow(clippy::single_range_in_vec_init, reason = "one range is meant")]

use std::sync::atomic::AtomicUsize;

use futures::future::join_all;
use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::storage::layer::Layered;

const B: u64 = BLOCK_BYTES;

/// A store that notes what it is asked for.
#[derive(Debug)]
struct Recorder {
    below: Arc<dyn ObjectStore>,
    requests: Mutex<Vec<Range<u64>>>,
    in_flight: AtomicUsize,
    /// Times that a request came while no other was under way.
    num_rounds: AtomicUsize,
    is_broken: std::sync::atomic::AtomicBool,
}

impl fmt::Display for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("test://bucket")
    }
}

impl StoreLayer for Recorder {
    fn below(&self) -> &Arc<dyn ObjectStore> {
        &self.below
    }

    fn get<'a>(&'a self, path: &'a Path, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        async move {
            if let Some(GetRange::Bounded(range)) = &options.range {
                self.requests.lock().push(range.clone());
            }
            if self.in_flight.fetch_add(1, Ordering::SeqCst) == 0 {
                self.num_rounds.fetch_add(1, Ordering::SeqCst);
            }
            // Requests that are made together are all under way before one is answered.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            if self.is_broken.load(Ordering::SeqCst) {
                return Err(Error::Generic { store: "test", source: "broken".into() });
            }
            self.below.get_opts(path, options).await
        }
        .boxed()
    }
}

struct Fixture {
    folder: TempDir,
    recorder: Arc<Layered<Recorder>>,
    store: Layered<CachedStore>,
    object: Vec<u8>,
    path: Path,
}

impl Fixture {
    /// A cached store with one object of five and a bit blocks.
    async fn new() -> Self {
        let below = Arc::new(InMemory::new());
        let object: Vec<u8> = (0..5 * B + 100).map(|at| (at % 249) as u8).collect();
        let path = Path::from("logs/project=1/a.parquet");
        below.put(&path, PutPayload::from(object.clone())).await.unwrap();
        let recorder = Arc::new(Layered(Recorder {
            below,
            requests: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            num_rounds: AtomicUsize::new(0),
            is_broken: false.into(),
        }));
        let folder = TempDir::new().unwrap();
        let store = open(&recorder, &folder, 100 << 20);
        Self { folder, recorder, store, object, path }
    }

    async fn read(&self, ranges: &[Range<u64>]) {
        let parts = self.store.get_ranges(&self.path, ranges).await.unwrap();
        for (part, range) in parts.iter().zip(ranges) {
            assert!(part == &self.object[range.start as usize..range.end as usize], "{range:?}");
        }
    }

    /// What the store was asked for since the last time.
    fn requests(&self) -> Vec<Range<u64>> {
        let mut requests = std::mem::take(&mut *self.recorder.0.requests.lock());
        requests.sort_by_key(|range| range.start);
        requests
    }

    fn rounds(&self) -> usize {
        self.recorder.0.num_rounds.swap(0, Ordering::SeqCst)
    }
}

fn open(recorder: &Arc<Layered<Recorder>>, folder: &TempDir, max_bytes: u64) -> Layered<CachedStore> {
    let below: Arc<dyn ObjectStore> = Arc::<Layered<Recorder>>::clone(recorder);
    let limits = CacheLimits { max_bytes, min_free_bytes: 0 };
    Layered(CachedStore::open(below, folder.path().join("cache"), limits).unwrap())
}

#[tokio::test]
async fn missing_blocks_of_all_ranges_are_fetched_in_one_round_and_then_kept() {
    let fixture = Fixture::new().await;
    let ranges = [10..20, B - 5..B + 5, 3 * B..3 * B + 1];
    fixture.read(&ranges).await;
    assert_eq!((fixture.requests(), fixture.rounds()), (vec![0..2 * B, 3 * B..4 * B], 1));
    fixture.read(&ranges).await;
    fixture.read(&[0..2 * B]).await;
    assert_eq!(fixture.requests(), []);
    fixture.read(&[0..4 * B]).await;
    assert_eq!(fixture.requests(), [2 * B..3 * B], "only the gap");
}

#[tokio::test]
async fn the_last_block_is_as_long_as_the_object() {
    let fixture = Fixture::new().await;
    let size = fixture.object.len() as u64;
    fixture.read(&[size - 8..size]).await;
    fixture.read(&[size - 100..size]).await;
    assert_eq!(fixture.requests(), [5 * B..6 * B]);
    let beyond = fixture.store.get_ranges(&fixture.path, &[size - 8..size + 1]).await.unwrap_err();
    assert!(beyond.to_string().contains("ends before"), "{beyond}");
    assert_eq!(fixture.requests(), []);
}

#[tokio::test]
async fn an_object_is_read_whole() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        let read = fixture.store.get(&fixture.path).await.unwrap();
        assert_eq!(read.meta.size, fixture.object.len() as u64);
        assert!(read.bytes().await.unwrap() == fixture.object);
    }
    assert_eq!(fixture.requests(), [0..B, B..6 * B]);
    let range = fixture.store.get_range(&fixture.path, 7..9).await.unwrap();
    assert_eq!(range, fixture.object[7..9]);
}

#[tokio::test]
async fn readers_of_the_same_block_wait_for_one_request() {
    let fixture = Fixture::new().await;
    let fixture = &fixture;
    join_all((0..10).map(|at| async move { fixture.read(&[at..at + 100, at + 5..at + 6]).await })).await;
    assert_eq!(fixture.requests(), [0..B]);
}

#[tokio::test]
async fn a_reader_that_gives_up_does_not_take_the_block_from_the_others() {
    let fixture = Fixture::new().await;
    let (first, second) = ([0..10], [5..15]);
    let mut impatient = Box::pin(fixture.store.get_ranges(&fixture.path, &first));
    let mut patient = Box::pin(fixture.read(&second));
    assert!(futures::poll!(impatient.as_mut()).is_pending());
    assert!(futures::poll!(patient.as_mut()).is_pending());
    drop(impatient);
    patient.await;
    assert_eq!(fixture.requests(), [0..B]);
}

#[tokio::test]
async fn a_failure_reaches_every_reader_and_is_not_kept() {
    let fixture = Fixture::new().await;
    fixture.recorder.0.is_broken.store(true, Ordering::SeqCst);
    let reads = join_all((0..3).map(|_| fixture.store.get_ranges(&fixture.path, &[0..10]))).await;
    for read in reads {
        assert!(read.unwrap_err().to_string().contains("broken"));
    }
    fixture.recorder.0.is_broken.store(false, Ordering::SeqCst);
    fixture.read(&[0..10]).await;
}

#[tokio::test]
async fn blocks_survive_a_restart_and_go_with_their_object() {
    let mut fixture = Fixture::new().await;
    fixture.read(&[0..6 * B - B]).await;
    fixture.requests();
    fixture.store = open(&fixture.recorder, &fixture.folder, 100 << 20);
    fixture.read(&[0..5 * B]).await;
    assert_eq!(fixture.requests(), []);
    fixture.store.delete(&fixture.path).await.unwrap();
    assert_eq!(fixture.store.0.state().stats().num_blocks, 0);
    let gone = fixture.store.get_range(&fixture.path, 0..10).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
}

#[tokio::test]
async fn a_cache_that_is_too_small_or_broken_is_passed_by() {
    let mut fixture = Fixture::new().await;
    fixture.store = open(&fixture.recorder, &fixture.folder, 10);
    fixture.read(&[0..2 * B]).await;
    fixture.store = open(&fixture.recorder, &fixture.folder, 100 << 20);
    std::fs::remove_dir_all(fixture.folder.path().join("cache")).unwrap();
    std::fs::write(fixture.folder.path().join("cache"), b"").unwrap();
    fixture.read(&[0..2 * B]).await;
    fixture.read(&[0..2 * B]).await;
    assert_eq!(fixture.requests().len(), 3);
}

#[tokio::test]
async fn a_damaged_block_is_fetched_again() {
    let fixture = Fixture::new().await;
    fixture.read(&[0..B]).await;
    fixture.requests();
    for folder in std::fs::read_dir(fixture.folder.path().join("cache")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xFF;
            std::fs::write(path, bytes).unwrap();
        }
    }
    fixture.read(&[0..B]).await;
    assert_eq!(fixture.requests(), [0..B]);
}

#[tokio::test]
async fn one_pass_over_an_object_uses_the_cache_and_leaves_it_alone() {
    let fixture = Fixture::new().await;
    fixture.read(&[B..2 * B]).await;
    fixture.requests();
    let one_pass = Layered(fixture.store.0.for_one_pass());
    let read = one_pass.get_ranges(&fixture.path, &[0..3 * B]).await.unwrap();
    assert!(read[0] == fixture.object[..3 * B as usize]);
    assert_eq!(fixture.requests(), [0..B, 2 * B..3 * B]);
    assert_eq!(fixture.store.0.state().stats().num_blocks, 1);
}

#[tokio::test]
async fn manifests_are_read_from_the_store_each_time() {
    let fixture = Fixture::new().await;
    let path = Path::from("_catalog/1.json");
    fixture.store.put(&path, PutPayload::from_static(b"one")).await.unwrap();
    assert_eq!(fixture.store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
    fixture.store.put(&path, PutPayload::from_static(b"two")).await.unwrap();
    assert_eq!(fixture.store.get(&path).await.unwrap().bytes().await.unwrap(), "two");
}

#[tokio::test]
async fn an_empty_object_is_read() {
    let fixture = Fixture::new().await;
    let path = Path::from("logs/empty");
    fixture.store.put(&path, PutPayload::new()).await.unwrap();
    assert_eq!(fixture.store.get(&path).await.unwrap().bytes().await.unwrap().len(), 0);
}
