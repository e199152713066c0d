//! The recipes that queries ask for, decoded, within a budget of bytes.
//!
//! A recipe is loaded with one read of its range when the place is known from the file's facts, else through
//! the front of the sidecar, which for a small one is all of it. That there is no sidecar, or a damaged one,
//! is remembered for a while, so that not every query asks the store again.
//!
//! | module | what |
//! |---|---|
//! | `entry` | what is kept, and under which key |
//! | `cached` | what a recipe is to the cache |
//! | `load` | loading one recipe from the store |

mod cached;
mod entry;
mod load;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use tokio::sync::Mutex;
use uuid::Uuid;

use self::cached::Cached;
use self::entry::{Entry, Key, Part};
use self::load::Load;
pub use self::load::ReadRange;
use super::absence::{Absence, Recipe};
use super::attribute_values::AttributeValues;
use super::facts::FileFacts;
use super::format::RecipeId;
use super::ids::Ids;
use super::overview::Overview;
use super::rollup::Rollup;
use super::words::Words;
use crate::clock::Clock;
use crate::error::Result;
use crate::storage::DataFile;

/// How long it is remembered that a recipe cannot be had. A sidecar may be made anew meanwhile.
const REMEMBER_ABSENCE_US: i64 = 60_000_000;
/// Loads at a time, at most. Whoever wants what is being loaded waits for it.
const NUM_LOADERS: usize = 64;

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
            return Ok(known);
        }
        let _loading = self.loaders[(file_id.as_u128() % NUM_LOADERS as u128) as usize].lock().await;
        if let Some(known) = self.known(file_id) {
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

    /// What is in memory of a recipe; counts it when there is something.
    fn known<T: Cached>(&self, file_id: Uuid) -> Option<Recipe<T>> {
        let known = self.get(Key { file_id, part: Part::Recipe(T::ID) });
        if known.is_some() {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        known
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
