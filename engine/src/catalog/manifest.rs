//! Manifests: every catalog transaction, repeated as immutable objects beside the data files.
//!
//! From them a catalog can be made anew, and a bucket read without a server. An object holds one or more
//! transactions in order and is named by the last of them, `_catalog/<snapshot>.json`. After a stop between
//! writing an object and noting that, the next object repeats its transactions; a reader takes each snapshot
//! once.

use object_store::path::Path;
use serde::Serialize;
use uuid::Uuid;

use super::store::{CatalogStore, FlushedRange, UnpublishedSnapshot};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::{DataFile, LAYOUT_VERSION, Storage};

/// The version this code writes.
const FORMAT_VERSION: u32 = 0;

/// Transactions in one manifest; more wait for the next one.
const MAX_SNAPSHOTS: usize = 1000;

#[derive(Debug, Serialize)]
struct Manifest {
    format_version: u32,
    writer: String,
    epoch: u64,
    snapshots: Vec<ManifestSnapshot>,
}

#[derive(Debug, Serialize)]
struct ManifestSnapshot {
    snapshot: i64,
    added_files: Vec<ManifestFile>,
    removed_files: Vec<ManifestRemoval>,
    flushed: Vec<ManifestRange>,
}

#[derive(Debug, Serialize)]
struct ManifestFile {
    id: String,
    dataset: &'static str,
    project: i64,
    path: String,
    layout_version: u32,
    level: u32,
    min_timestamp_us: i64,
    max_timestamp_us: i64,
    min_ingested_us: i64,
    max_ingested_us: i64,
    num_rows: u64,
    size_bytes: u64,
    metadata_bytes: u64,
    sidecar_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ManifestRemoval {
    id: String,
    dataset: &'static str,
    project: i64,
}

#[derive(Debug, Serialize)]
struct ManifestRange {
    writer: String,
    dataset: &'static str,
    project: i64,
    first_sequence: u64,
    last_sequence: u64,
}

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
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        writer: catalog.writer().to_string(),
        epoch: catalog.epoch(),
        snapshots: snapshots.iter().map(ManifestSnapshot::from).collect(),
    };
    let bytes = serde_json::to_vec(&manifest)
        .map_err(|error| Error::internal("cannot encode a manifest").with_source(error))?;
    storage.put(&manifest_path(last_snapshot), bytes.into()).await?;
    catalog.mark_published(last_snapshot).await?;
    let has_more = snapshots.len() == MAX_SNAPSHOTS;
    let flushed = snapshots.into_iter().flat_map(|snapshot| snapshot.flushed).collect();
    Ok(Some(Published { last_snapshot, flushed, has_more }))
}

/// Names sort as snapshots do.
fn manifest_path(last_snapshot: i64) -> Path {
    Path::from(format!("_catalog/{last_snapshot:020}.json"))
}

impl From<&UnpublishedSnapshot> for ManifestSnapshot {
    fn from(snapshot: &UnpublishedSnapshot) -> Self {
        Self {
            snapshot: snapshot.snapshot_id,
            added_files: snapshot.added.iter().map(ManifestFile::from).collect(),
            removed_files: snapshot.removed.iter().map(ManifestRemoval::from).collect(),
            flushed: snapshot.flushed.iter().map(ManifestRange::from).collect(),
        }
    }
}

impl From<&(TableId, DataFile)> for ManifestFile {
    fn from((table, file): &(TableId, DataFile)) -> Self {
        Self {
            id: file.id.to_string(),
            dataset: table.dataset.as_str(),
            project: table.project.0,
            path: file.path.to_string(),
            layout_version: LAYOUT_VERSION,
            level: file.level,
            min_timestamp_us: file.min_timestamp_us,
            max_timestamp_us: file.max_timestamp_us,
            min_ingested_us: file.min_ingested_us,
            max_ingested_us: file.max_ingested_us,
            num_rows: file.num_rows,
            size_bytes: file.size_bytes,
            metadata_bytes: file.metadata_bytes,
            sidecar_bytes: file.sidecar_bytes,
        }
    }
}

impl From<&(TableId, Uuid)> for ManifestRemoval {
    fn from((table, id): &(TableId, Uuid)) -> Self {
        Self { id: id.to_string(), dataset: table.dataset.as_str(), project: table.project.0 }
    }
}

impl From<&FlushedRange> for ManifestRange {
    fn from(range: &FlushedRange) -> Self {
        Self {
            writer: range.writer.to_string(),
            dataset: range.table.dataset.as_str(),
            project: range.table.project.0,
            first_sequence: range.first_sequence,
            last_sequence: range.last_sequence,
        }
    }
}
