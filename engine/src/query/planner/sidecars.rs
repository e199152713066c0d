//! Sidecars as queries read them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore};

use super::super::cost::CostMeter;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::index::{
    AttributeValues, Ids, Overview, ReadRange, Recipe, Rollup, SidecarCache, SidecarSource, Words,
};
use crate::storage::DataFile;

/// The sidecars of data files: those in memory, and the store that has all of them.
#[derive(Clone)]
pub(in crate::query) struct Sidecars {
    cache: Arc<SidecarCache>,
    store: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Sidecars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sidecars").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Sidecars {
    /// Keeps at most about `max_bytes` of them in memory.
    pub(in crate::query) fn new(
        store: Arc<dyn ObjectStore>,
        max_bytes: usize,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { cache: Arc::new(SidecarCache::new(max_bytes as u64, clock)), store }
    }

    /// How often what was asked for was in memory, and how often it had to be read.
    pub(in crate::query) fn lookups(&self) -> (u64, u64) {
        self.cache.lookups()
    }

    /// The rollup of a file; none when its rows have to be asked.
    pub(in crate::query) async fn rollup(&self, file: &DataFile, cost: &CostMeter) -> Option<Arc<Rollup>> {
        let source = SidecarSource { file, facts: None };
        present(file, self.cache.rollup(&source, &self.reads(cost)).await)
    }

    /// The keys and values of a file; none when its rows have to be asked.
    pub(super) async fn attribute_values(
        &self,
        file: &DataFile,
        cost: &CostMeter,
    ) -> Option<Arc<AttributeValues>> {
        let source = SidecarSource { file, facts: None };
        present(file, self.cache.attribute_values(&source, &self.reads(cost)).await)
    }

    /// The words of a file's bodies; none when its rows have to be asked.
    pub(in crate::query) async fn words(&self, file: &DataFile, cost: &CostMeter) -> Option<Arc<Words>> {
        let source = SidecarSource { file, facts: None };
        present(file, self.cache.words(&source, &self.reads(cost)).await)
    }

    /// The ids of a file; none when its rows have to be asked.
    pub(in crate::query) async fn ids(&self, file: &DataFile, cost: &CostMeter) -> Option<Arc<Ids>> {
        let source = SidecarSource { file, facts: None };
        present(file, self.cache.ids(&source, &self.reads(cost)).await)
    }

    /// What the entries of a file can be filtered by; none when they have to be asked.
    pub(in crate::query) async fn overview(
        &self,
        file: &DataFile,
        cost: &CostMeter,
    ) -> Option<Arc<Overview>> {
        let source = SidecarSource { file, facts: None };
        present(file, self.cache.overview(&source, &self.reads(cost)).await)
    }

    fn reads(&self, cost: &CostMeter) -> CountedReads<'_> {
        CountedReads { store: self.store.as_ref(), bytes: cost.bytes() }
    }
}

/// A sidecar is never needed: a store that does not answer now may do so for the rows.
fn present<T>(file: &DataFile, recipe: Result<Recipe<T>>) -> Option<Arc<T>> {
    match recipe {
        Ok(Recipe::Present(recipe)) => Some(recipe),
        Ok(Recipe::Absent(_)) => None,
        Err(error) => {
            tracing::warn!(file = %file.path, %error, "cannot read a sidecar; the rows are read instead");
            None
        }
    }
}

struct CountedReads<'a> {
    store: &'a dyn ObjectStore,
    bytes: Arc<AtomicU64>,
}

impl ReadRange for CountedReads<'_> {
    async fn read(&self, path: &Path, range: Range<u64>) -> Result<Bytes> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let read = async { self.store.get_opts(path, options).await?.bytes().await };
        let bytes = read.await.map_err(|error| {
            let kind = match error {
                object_store::Error::NotFound { .. } => ErrorKind::NotFound,
                _ => ErrorKind::Unavailable,
            };
            Error::new(kind, format!("cannot read {path}")).with_source(error)
        })?;
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
