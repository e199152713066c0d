//! Manifests: every catalog transaction, repeated as immutable objects beside the data files.
//!
//! From them a catalog can be made anew, and a bucket read without a server. Two kinds of objects lie in
//! `_catalog/`:
//!
//! - `<snapshot>.json`, a manifest: one or more transactions in order, named by the last of them. After a stop
//!   between writing an object and noting that, the next object repeats its transactions; a reader takes each
//!   snapshot once.
//! - `<snapshot>.checkpoint.json`, a checkpoint: the whole set of live files after that snapshot. A reader begins
//!   with the newest one and takes the manifests after it.
//!
//! After [`MANIFESTS_PER_CHECKPOINT`] manifests a checkpoint follows, and then what the checkpoint before it has
//! made superfluous is deleted: one that is damaged still leaves a whole chain from the one before it, and the
//! number of objects is bounded by a little more than twice [`MANIFESTS_PER_CHECKPOINT`]. The bytes are made in
//! `format.rs`.

mod checkpoint;
mod format;
mod names;
mod read;

pub(crate) use checkpoint::{checkpoint_if_due, write_checkpoint, write_first_checkpoint};
pub(crate) use names::MANIFEST_FOLDER;
pub(crate) use read::{ManifestImage, ManifestSet, last_manifest, read_manifests};

use super::store::{CatalogStore, FlushedRange};
use crate::error::Result;
use crate::storage::Storage;
use format::{Manifest, ManifestSnapshot, encode};
use names::ManifestName;

/// Manifests between two checkpoints.
pub(crate) const MANIFESTS_PER_CHECKPOINT: i64 = 64;

/// Transactions in one manifest; more wait for the next one.
const MAX_SNAPSHOTS: usize = 1000;

/// What manifests hold after one was written.
#[derive(Debug)]
pub(crate) struct Published {
    /// Every transaction up to this one.
    pub(crate) last_snapshot: i64,
    /// The batches that became safe with this manifest.
    pub(crate) flushed: Vec<FlushedRange>,
    /// Whether transactions are left for the next manifest.
    pub(crate) has_more: bool,
}

/// Writes a manifest of the transactions that none holds yet; `None` when there are none.
///
/// # Errors
/// `Unavailable` when the store or the catalog fails; nothing is noted then, and the call can be repeated.
pub(crate) async fn publish_manifest(catalog: &CatalogStore, storage: &Storage) -> Result<Option<Published>> {
    let snapshots = catalog.unpublished(MAX_SNAPSHOTS).await?;
    let Some(last_snapshot) = snapshots.last().map(|snapshot| snapshot.snapshot_id) else { return Ok(None) };
    // Read after the transactions: the marks may be ahead of them, never behind.
    let marks = catalog.marks().await?;
    let manifest = Manifest::new(&marks, snapshots.iter().map(ManifestSnapshot::from).collect());
    storage.put(&ManifestName::Manifest(last_snapshot).to_path(), encode(&manifest)?).await?;
    catalog.mark_published(last_snapshot).await?;
    let has_more = snapshots.len() == MAX_SNAPSHOTS;
    let flushed = snapshots.into_iter().flat_map(|snapshot| snapshot.flushed).collect();
    Ok(Some(Published { last_snapshot, flushed, has_more }))
}
