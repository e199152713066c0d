//! The recipes that queries ask for, decoded, within a budget of bytes.
//!
//! A recipe is loaded with one read of its range when the place is known from the file's facts, else through
//! the front of the sidecar, which for a small one is all of it. That there is no sidecar, or a damaged one,
//! is remembered for a while, so that not every query asks the store again.

use std::any::Any;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use moka::sync::Cache;
use object_store::path::Path;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::absence::{Absence, Recipe};
use super::attribute_values::AttributeValues;
use super::bytes::{Decoded, Refused, ensure};
use super::facts::FileFacts;
use super::format::{Head, MAX_HEAD_BYTES, RecipeEntry, RecipeId};
use super::ids::Ids;
use super::overview::Overview;
use super::rollup::Rollup;
use super::sidecar::{absence, locate, slice};
use super::words::Words;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::storage::DataFile;

/// What is read of a sidecar of which nothing is known: small ones are whole in it, and a head always is.
const FRONT_BYTES: u64 = 64 << 10;
const _: () = assert!(MAX_HEAD_BYTES as u64 <= FRONT_BYTES);
/// How long it is remembered that a recipe cannot be had. A sidecar may be made anew meanwhile.
const REMEMBER_ABSENCE_US: i64 = 60_000_000;
/// Recipes that decompress to more are decoded on a blocking thread: it takes more than half a millisecond.
const MAX_INLINE_BYTES: u32 = 64 << 10;
/// Loads at a time, at most. Whoever wants what is being loaded waits for it.
const NUM_LOADERS: usize = 64;
/// Memory that an entry takes beside its content.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// Reads parts of objects.
pub trait ReadRange: Sync {
    /// The bytes of an object in a range: fewer when the object ends before the range does, none when it ends
    /// before the range begins.
    ///
    /// # Errors
    /// `NotFound` when there is no such object; anything else when it cannot be read now.
    fn read(&self, path: &Path, range: Range<u64>) -> impl Future<Output = Result<Bytes>> + Send;
}

/// The data file whose sidecar is wanted.
#[derive(Clone, Copy, Debug)]
pub struct SidecarSource<'a> {
    /// The data file.
    pub file: &'a DataFile,
    /// What is known of it, if anything.
    pub facts: Option<&'a FileFacts>,
}

/// Recipes in memory.
pub struct SidecarCache {
    entries: Cache<Key, Entry>,
    loaders: Box<[Mutex<()>]>,
    clock: Arc<dyn Clock>,
    /// How often a part was asked for and in memory.
    hits: AtomicU64,
    /// How often a part was asked for and had to be read.
    misses: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    file_id: Uuid,
    part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Head,
    Recipe(RecipeId),
}

#[derive(Clone)]
enum Entry {
    Present { content: Arc<dyn Any + Send + Sync>, memory_bytes: usize },
    Absent { absence: Absence, until_us: i64 },
}

/// What a recipe is to the cache.
trait Cached: Send + Sync + Sized + 'static {
    const ID: RecipeId;
    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self>;
    fn memory_bytes(&self) -> usize;
}

impl Cached for Rollup {
    const ID: RecipeId = RecipeId::Rollup;

    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        Self::decode(bytes, num_rows)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

impl Cached for AttributeValues {
    const ID: RecipeId = RecipeId::AttributeValues;

    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        Self::decode(bytes, num_rows)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

impl Cached for Words {
    const ID: RecipeId = RecipeId::Words;

    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        Self::decode(bytes, num_rows)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

impl Cached for Ids {
    const ID: RecipeId = RecipeId::Ids;

    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        Self::decode(bytes, num_rows)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

impl Cached for Overview {
    const ID: RecipeId = RecipeId::Overview;

    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
        Self::decode(bytes, num_rows)
    }

    fn memory_bytes(&self) -> usize {
        self.memory_bytes()
    }
}

impl std::fmt::Debug for SidecarCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SidecarCache").field("size_bytes", &self.size_bytes()).finish_non_exhaustive()
    }
}

impl SidecarCache {
    /// Keeps at most about `max_bytes`; what was not asked for lately makes room.
    pub fn new(max_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, entry: &Entry| u32::try_from(entry.memory_bytes()).unwrap_or(u32::MAX))
            .build();
        Self {
            entries,
            loaders: (0..NUM_LOADERS).map(|_| Mutex::new(())).collect(),
            clock,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// Rows of a file by time, service and severity.
    ///
    /// # Errors
    /// What the store answers when it cannot be read now. That there is no such object is an answer.
    pub async fn rollup(&self, source: &SidecarSource<'_>, store: &impl ReadRange) -> Result<Recipe<Rollup>> {
        self.recipe(source, store).await
    }

    /// Keys and values of a file.
    ///
    /// # Errors
    /// What the store answers when it cannot be read now. That there is no such object is an answer.
    pub async fn attribute_values(
        &self,
        source: &SidecarSource<'_>,
        store: &impl ReadRange,
    ) -> Result<Recipe<AttributeValues>> {
        self.recipe(source, store).await
    }

    /// Words of a file's bodies.
    ///
    /// # Errors
    /// What the store answers when it cannot be read now. That there is no such object is an answer.
    pub async fn words(&self, source: &SidecarSource<'_>, store: &impl ReadRange) -> Result<Recipe<Words>> {
        self.recipe(source, store).await
    }

    /// Ids of a file by stretches of rows.
    ///
    /// # Errors
    /// What the store answers when it cannot be read now. That there is no such object is an answer.
    pub async fn ids(&self, source: &SidecarSource<'_>, store: &impl ReadRange) -> Result<Recipe<Ids>> {
        self.recipe(source, store).await
    }

    /// What the entries of a file can be filtered by.
    ///
    /// # Errors
    /// What the store answers when it cannot be read now. That there is no such object is an answer.
    pub async fn overview(
        &self,
        source: &SidecarSource<'_>,
        store: &impl ReadRange,
    ) -> Result<Recipe<Overview>> {
        self.recipe(source, store).await
    }

    /// Forgets what is known of a file: it is gone, or its sidecar was made anew.
    pub fn forget(&self, file_id: Uuid) {
        let recipes = RecipeId::ALL.map(Part::Recipe);
        for part in recipes.into_iter().chain([Part::Head]) {
            self.entries.invalidate(&Key { file_id, part });
        }
    }

    /// Memory that is taken now.
    pub fn size_bytes(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.weighted_size()
    }

    /// How often what was asked for was in memory, and how often it had to be read.
    pub fn lookups(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    async fn recipe<T: Cached>(
        &self,
        source: &SidecarSource<'_>,
        store: &impl ReadRange,
    ) -> Result<Recipe<T>> {
        let file_id = source.file.id;
        if source.file.sidecar_bytes == 0 {
            return Ok(Recipe::Absent(Absence::NoSidecar));
        }
        if let Some(known) = self.known(file_id) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        let _loading = self.loaders[(file_id.as_u128() % NUM_LOADERS as u128) as usize].lock().await;
        if let Some(known) = self.known(file_id) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(known);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let sidecar = source.file.sidecar_path();
        let loaded = Load { cache: self, source, store, sidecar: &sidecar }.recipe::<T>().await?;
        if let Recipe::Absent(Absence::Damaged(message) | Absence::Newer(message)) = &loaded {
            tracing::warn!("{message}; rows are read instead");
        }
        let entry = match &loaded {
            Recipe::Present(recipe) => Entry::present(recipe, T::memory_bytes(recipe)),
            Recipe::Absent(absence) => self.absent(absence),
        };
        self.entries.insert(Key { file_id, part: Part::Recipe(T::ID) }, entry);
        Ok(loaded)
    }

    /// What is in memory of a recipe.
    fn known<T: Cached>(&self, file_id: Uuid) -> Option<Recipe<T>> {
        self.get(Key { file_id, part: Part::Recipe(T::ID) })
    }

    fn get<T: Send + Sync + 'static>(&self, key: Key) -> Option<Recipe<T>> {
        match self.entries.get(&key)? {
            Entry::Present { content, .. } => {
                Some(Recipe::Present(content.downcast().expect("BUG: a part has one type")))
            }
            Entry::Absent { absence, until_us } => {
                (self.clock.now_us() < until_us).then_some(Recipe::Absent(absence))
            }
        }
    }

    fn absent(&self, absence: &Absence) -> Entry {
        let until_us = self.clock.now_us().saturating_add(REMEMBER_ABSENCE_US);
        Entry::Absent { absence: absence.clone(), until_us }
    }
}

impl Entry {
    fn present<T: Send + Sync + 'static>(content: &Arc<T>, memory_bytes: usize) -> Self {
        let content = Arc::clone(content);
        Self::Present { content, memory_bytes }
    }

    fn memory_bytes(&self) -> usize {
        ENTRY_OVERHEAD_BYTES
            + match self {
                Self::Present { memory_bytes, .. } => *memory_bytes,
                Self::Absent { absence, .. } => match absence {
                    Absence::Newer(message) | Absence::Damaged(message) => message.len(),
                    _ => 0,
                },
            }
    }
}

/// One load of a recipe.
struct Load<'a, S> {
    cache: &'a SidecarCache,
    source: &'a SidecarSource<'a>,
    store: &'a S,
    sidecar: &'a Path,
}

impl<S: ReadRange> Load<'_, S> {
    async fn recipe<T: Cached>(&self) -> Result<Recipe<T>> {
        match self.source.facts.map(|facts| locate(&facts.recipes, T::ID)) {
            Some(Ok(located)) => match self.at::<T>(located, None).await? {
                Ok(recipe) => return Ok(Recipe::Present(recipe)),
                Err(Absence::NoSidecar) => return Ok(Recipe::Absent(Absence::NoSidecar)),
                Err(_) => {}
            },
            Some(Err(skipped @ (Absence::AsLargeAsData | Absence::OverBudget))) => {
                return Ok(Recipe::Absent(skipped));
            }
            Some(Err(_)) | None => {}
        }
        // Nothing is known, or the sidecar has been made anew since.
        let (head, front) = match self.head().await? {
            Ok(found) => found,
            Err(absence) => return Ok(Recipe::Absent(absence)),
        };
        let loaded = match locate(&head.directory, T::ID) {
            Ok(located) => self.at::<T>(located, front.as_ref()).await?,
            Err(absence) => Err(absence),
        };
        Ok(loaded.map_or_else(Recipe::Absent, Recipe::Present))
    }

    /// The head of the sidecar, and the front of the object if it was read for that.
    async fn head(&self) -> Result<Result<(Arc<Head>, Option<Bytes>), Absence>> {
        let key = Key { file_id: self.source.file.id, part: Part::Head };
        match self.cache.get::<Head>(key) {
            Some(Recipe::Present(head)) => return Ok(Ok((head, None))),
            Some(Recipe::Absent(absence)) => return Ok(Err(absence)),
            None => {}
        }
        let checked = self.read(0..FRONT_BYTES).await?.and_then(|front| {
            let head = Head::decode(&front).and_then(|head| self.check(head));
            head.map(|head| (Arc::new(head), Some(front))).map_err(|refused| absence(self.sidecar, refused))
        });
        let entry = match &checked {
            Ok((head, _)) => Entry::present(head, size_of::<Head>() + size_of_val::<[_]>(&head.directory)),
            Err(absence) => self.cache.absent(absence),
        };
        self.cache.entries.insert(key, entry);
        Ok(checked)
    }

    /// A sidecar in the wrong place says nothing about the file.
    fn check(&self, head: Head) -> Decoded<Head> {
        ensure(head.file_id == self.source.file.id, "it is of another data file")?;
        ensure(head.num_rows == self.source.file.num_rows, "it has not the rows of its data file")?;
        Ok(head)
    }

    /// The recipe at a place of the object, of which the front may have been read.
    async fn at<T: Cached>(
        &self,
        (entry, range): (RecipeEntry, Range<u64>),
        front: Option<&Bytes>,
    ) -> Result<Result<Arc<T>, Absence>> {
        let bytes = match front.and_then(|front| slice(front, range.clone())) {
            Some(bytes) => bytes,
            None => match self.read(range).await? {
                Ok(bytes) => bytes,
                Err(absence) => return Ok(Err(absence)),
            },
        };
        let num_rows = self.source.file.num_rows;
        let decode = move || entry.unpack(&bytes).and_then(|unpacked| T::decode(&unpacked, num_rows));
        let decoded: Result<T, Refused> = if entry.is_longer_than(MAX_INLINE_BYTES) {
            tokio::task::spawn_blocking(decode)
                .await
                .map_err(|error| Error::internal("decoding a sidecar was ended").with_source(error))?
        } else {
            decode()
        };
        Ok(decoded.map(Arc::new).map_err(|refused| absence(self.sidecar, refused)))
    }

    async fn read(&self, range: Range<u64>) -> Result<Result<Bytes, Absence>> {
        match self.store.read(self.sidecar, range).await {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Err(Absence::NoSidecar)),
            Err(error) => Err(error),
        }
    }
}
