//! A cache of a remote store's objects on the local disk, block by block.
//!
//! It stands before the store and is one itself, so that readers know nothing of it. Objects never change, so that a
//! block is either right or not there. Objects whose path begins with `_`, like manifests, are not cached.

mod block_file;
mod disk;
mod flights;
mod index;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chrono::DateTime;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore, Result,
};

use self::block_file::{Block, ObjectKey};
pub(crate) use self::disk::CacheLimits;
use self::disk::DiskCache;
use self::flights::{FetchedRun, Flights, own_failure};
use self::plan::{BLOCK_BYTES, BlockRun, assemble, blocks_of};
use super::layer::StoreLayer;

/// Requests that one read has under way at a time. Enough to fill a fast line; more would only wait in the client.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// Times that blocks which were cached a moment ago are looked for before they are fetched like any others.
const MAX_LOOKS: usize = 2;

/// The largest object that is cached when it is read whole; a larger one streams past. Nothing that is read often
/// is that large and read whole.
const MAX_WHOLE_BYTES: u64 = 64 << 20;

/// What a cache has done since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Blocks on the disk.
    pub num_blocks: usize,
    /// Bytes of them.
    pub size_bytes: u64,
    /// Blocks that reads found on the disk.
    pub num_hits: u64,
    /// Blocks that reads did not find there.
    pub num_misses: u64,
    /// Requests to the store for missing blocks.
    pub num_requests: u64,
    /// Bytes that those brought.
    pub fetched_bytes: u64,
}

/// A remote store with a cache.
#[derive(Debug)]
pub(super) struct CachedStore {
    below: Arc<dyn ObjectStore>,
    shared: Arc<CacheState>,
    keeping: Keeping,
}

/// What becomes of fetched blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keeping {
    Kept,
    /// For work that reads every object once, like compaction: what it reads is not asked for again, and must not
    /// push out what is.
    PassedOn,
}

#[derive(Debug)]
pub(crate) struct CacheState {
    /// Tells the objects of one store from those of another.
    store_name: String,
    disk: DiskCache,
    flights: Flights,
    num_hits: AtomicU64,
    num_misses: AtomicU64,
    num_requests: AtomicU64,
    fetched_bytes: AtomicU64,
}

impl CacheState {
    fn key(&self, path: &Path) -> ObjectKey {
        ObjectKey::of(&self.store_name, path)
    }

    pub(super) fn stats(&self) -> CacheStats {
        let (num_blocks, size_bytes) = self.disk.size();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            num_blocks,
            size_bytes,
            num_hits: read(&self.num_hits),
            num_misses: read(&self.num_misses),
            num_requests: read(&self.num_requests),
            fetched_bytes: read(&self.fetched_bytes),
        }
    }
}

impl CachedStore {
    /// Puts a cache before a store. Reads the names of the blocks in the folder, which blocks.
    pub(super) fn open(
        below: Arc<dyn ObjectStore>,
        directory: PathBuf,
        limits: CacheLimits,
    ) -> std::io::Result<Self> {
        let shared = CacheState {
            store_name: below.to_string(),
            disk: DiskCache::open(directory, limits)?,
            flights: Flights::default(),
            num_hits: AtomicU64::new(0),
            num_misses: AtomicU64::new(0),
            num_requests: AtomicU64::new(0),
            fetched_bytes: AtomicU64::new(0),
        };
        Ok(Self { below, shared: Arc::new(shared), keeping: Keeping::Kept })
    }

    /// The same store for work that reads every object once: it finds what is cached and adds nothing.
    pub(super) fn for_one_pass(&self) -> Self {
        let (below, shared) = (Arc::clone(&self.below), Arc::clone(&self.shared));
        Self { below, shared, keeping: Keeping::PassedOn }
    }

    pub(super) fn state(&self) -> Arc<CacheState> {
        Arc::clone(&self.shared)
    }

    /// The blocks of an object, from the disk or the store. Blocks beyond the object's end are missing.
    async fn read_blocks(&self, path: &Path, wanted: &[u64]) -> Result<BTreeMap<u64, Block>> {
        let object = self.shared.key(path);
        let mut found = self.read_disk(object, wanted.to_vec()).await;
        self.shared.num_hits.fetch_add(found.len() as u64, Ordering::Relaxed);
        self.shared.num_misses.fetch_add((wanted.len() - found.len()) as u64, Ordering::Relaxed);
        for look in 0..=MAX_LOOKS {
            let missing = missing_blocks(wanted, &found);
            if missing.is_empty() {
                break;
            }
            let is_cached = |key| look < MAX_LOOKS && self.shared.disk.contains(key);
            let flights = self.shared.flights.join(object, &missing, is_cached, |run| self.fetch(path, run));
            let mut landed = stream::iter(flights).buffer_unordered(MAX_CONCURRENT_REQUESTS);
            while let Some(fetched) = landed.next().await {
                let fetched = fetched.map_err(own_failure)?;
                found.extend(fetched.blocks().filter(|(number, _)| missing.binary_search(number).is_ok()));
            }
            found.extend(self.read_disk(object, missing_blocks(wanted, &found)).await);
        }
        Ok(found)
    }

    async fn read_disk(&self, object: ObjectKey, numbers: Vec<u64>) -> BTreeMap<u64, Block> {
        if !self.shared.disk.contains_any(object, &numbers) {
            return BTreeMap::new();
        }
        let shared = Arc::clone(&self.shared);
        let read = tokio::task::spawn_blocking(move || shared.disk.read(object, &numbers)).await;
        read.unwrap_or_default()
    }

    /// One request for a run. What it brings is cached before it returns, if it is kept.
    fn fetch(&self, path: &Path, run: BlockRun) -> BoxFuture<'static, Result<FetchedRun>> {
        let (below, shared, path) = (Arc::clone(&self.below), Arc::clone(&self.shared), path.clone());
        let keeping = self.keeping;
        async move {
            shared.num_requests.fetch_add(1, Ordering::Relaxed);
            let range = run.byte_range();
            let options =
                GetOptions { range: Some(GetRange::Bounded(range.clone())), ..GetOptions::default() };
            let result = below.get_opts(&path, options).await?;
            let object_bytes = result.meta.size;
            let bytes = result.bytes().await?;
            if range.start + bytes.len() as u64 != range.end.min(object_bytes) {
                let source = format!("it sent {} bytes of {range:?} of {path}", bytes.len()).into();
                return Err(Error::Generic { store: "remote", source });
            }
            shared.fetched_bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            let fetched = FetchedRun { first: run.first, object_bytes, bytes };
            if keeping == Keeping::PassedOn {
                return Ok(fetched);
            }
            let (object, kept) = (shared.key(&path), fetched.clone());
            // What cannot be kept is fetched again another time.
            let _ = tokio::task::spawn_blocking(move || {
                shared.disk.write(object, kept.first, kept.object_bytes, &kept.bytes);
            })
            .await;
            Ok(fetched)
        }
        .boxed()
    }

    /// An object, or a range of it that lies within it. `None` when the cache is not the one to answer.
    async fn read(&self, path: &Path, range: Option<&Range<u64>>) -> Result<Option<GetResult>> {
        let first = match range {
            Some(range) => self.read_blocks(path, &blocks_of(std::slice::from_ref(range))).await?,
            None => match self.read_blocks(path, &[0]).await {
                // An empty object has no block, which stores call an error.
                Err(error) if !matches!(error, Error::NotFound { .. }) => return Ok(None),
                first => first?,
            },
        };
        let Some(object_bytes) = object_bytes(&first) else { return Ok(None) };
        let (blocks, range) = match range {
            Some(range) => (first, range.clone()),
            None if object_bytes > MAX_WHOLE_BYTES => return Ok(None),
            None if object_bytes <= BLOCK_BYTES => (first, 0..object_bytes),
            None => {
                let rest = blocks_of(std::slice::from_ref(&(BLOCK_BYTES..object_bytes)));
                let mut blocks = self.read_blocks(path, &rest).await?;
                blocks.extend(first);
                (blocks, 0..object_bytes)
            }
        };
        let Some(bytes) = assemble(&bytes_of(blocks), &range) else { return Ok(None) };
        let meta = ObjectMeta {
            location: path.clone(),
            // Objects never change, so that no time tells versions apart.
            last_modified: DateTime::UNIX_EPOCH,
            size: object_bytes,
            e_tag: None,
            version: None,
        };
        let payload = GetResultPayload::Stream(stream::once(std::future::ready(Ok(bytes))).boxed());
        Ok(Some(GetResult { payload, meta, range, attributes: object_store::Attributes::default() }))
    }
}

fn missing_blocks(wanted: &[u64], found: &BTreeMap<u64, Block>) -> Vec<u64> {
    let end = object_bytes(found).map_or(u64::MAX, |bytes| bytes.div_ceil(BLOCK_BYTES));
    wanted.iter().copied().filter(|number| !found.contains_key(number) && *number < end).collect()
}

fn object_bytes(blocks: &BTreeMap<u64, Block>) -> Option<u64> {
    blocks.values().next().map(|block| block.object_bytes)
}

fn bytes_of(blocks: BTreeMap<u64, Block>) -> BTreeMap<u64, Bytes> {
    blocks.into_iter().map(|(number, block)| (number, block.bytes)).collect()
}

fn is_cacheable(path: &Path) -> bool {
    !path.as_ref().starts_with('_')
}

/// Whether nothing is asked but bytes.
fn asks_only_bytes(options: &GetOptions) -> bool {
    let has_condition = options.if_match.is_some()
        || options.if_none_match.is_some()
        || options.if_modified_since.is_some()
        || options.if_unmodified_since.is_some();
    !has_condition && options.version.is_none() && !options.head
}

impl fmt::Display for CachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

impl StoreLayer for CachedStore {
    fn below(&self) -> &Arc<dyn ObjectStore> {
        &self.below
    }

    fn get<'a>(&'a self, path: &'a Path, options: GetOptions) -> BoxFuture<'a, Result<GetResult>> {
        async move {
            let range = match &options.range {
                Some(GetRange::Bounded(range)) => Some(Some(range.clone())),
                None => Some(None),
                Some(_) => None,
            };
            if let Some(range) = range
                && is_cacheable(path)
                && asks_only_bytes(&options)
                && let Some(result) = self.read(path, range.as_ref()).await?
            {
                return Ok(result);
            }
            self.below.get_opts(path, options).await
        }
        .boxed()
    }

    /// Fetches what is missing of all ranges at once.
    fn get_ranges<'a>(
        &'a self,
        path: &'a Path,
        ranges: &'a [Range<u64>],
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        async move {
            if !is_cacheable(path) {
                return self.below.get_ranges(path, ranges).await;
            }
            let blocks = self.read_blocks(path, &blocks_of(ranges)).await?;
            let blocks = bytes_of(blocks);
            let bytes = ranges.iter().map(|range| {
                assemble(&blocks, range).ok_or_else(|| Error::Generic {
                    store: "remote",
                    source: format!("{path} ends before {range:?} does").into(),
                })
            });
            bytes.collect()
        }
        .boxed()
    }

    /// Drops what is cached of an object once it is deleted.
    fn delete(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let shared = Arc::clone(&self.shared);
        let deleted = self.below.delete_stream(paths).then(move |deleted| {
            let shared = Arc::clone(&shared);
            async move {
                let path = deleted?;
                let object = shared.key(&path);
                let _ = tokio::task::spawn_blocking(move || shared.disk.remove_object(object)).await;
                Ok(path)
            }
        });
        deleted.boxed()
    }
}
