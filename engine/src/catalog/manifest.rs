//! Manifests: every catalog transaction, repeated as immutable objects beside the data files.
//!
//! From them a catalog can be made anew, and a bucket read without a server. An object holds one or more
//! transactions in order and is named by the last of them, `_catalog/<snapshot>.json`. After a stop between
//! writing an object and noting that, the next object repeats its transactions; a reader takes each snapshot
//! once.

use object_store::path::Path;
use serde::Serialize;

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
    flushed: Vec<ManifestRange>,
}

#[derive(Debug, Serialize)]
struct ManifestFile {
    id: String,
    dataset: &'static str,
    project: i64,
    path: String,
    layout_version: u32,
    min_timestamp_us: i64,
    max_timestamp_us: i64,
    num_rows: u64,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
struct ManifestRange {
    writer: String,
    dataset: &'static str,
    project: i64,
    first_sequence: u64,
    last_sequence: u64,
}

/// Writes a manifest of the transactions that none holds yet. Returns the batches that are safe with it.
///
/// # Errors
/// `Unavailable` when the store or the catalog fails; nothing is noted then, and the call can be repeated.
pub(crate) async fn publish_manifest(catalog: &CatalogStore, storage: &Storage) -> Result<Vec<FlushedRange>> {
    let mut snapshots = catalog.unpublished().await?;
    snapshots.truncate(MAX_SNAPSHOTS);
    let Some(last) = snapshots.last().map(|snapshot| snapshot.snapshot_id) else { return Ok(Vec::new()) };
    let manifest = Manifest {
        format_version: FORMAT_VERSION,
        writer: catalog.writer().to_string(),
        epoch: catalog.epoch(),
        snapshots: snapshots.iter().map(ManifestSnapshot::from).collect(),
    };
    let bytes = serde_json::to_vec(&manifest)
        .map_err(|error| Error::internal("cannot encode a manifest").with_source(error))?;
    storage.put(&manifest_path(last), bytes.into()).await?;
    catalog.mark_published(last).await?;
    Ok(snapshots.into_iter().flat_map(|snapshot| snapshot.flushed).collect())
}

/// Names sort as snapshots do.
fn manifest_path(last_snapshot: i64) -> Path {
    Path::from(format!("_catalog/{last_snapshot:020}.json"))
}

impl From<&UnpublishedSnapshot> for ManifestSnapshot {
    fn from(snapshot: &UnpublishedSnapshot) -> Self {
        Self {
            snapshot: snapshot.snapshot_id,
            added_files: snapshot.files.iter().map(ManifestFile::from).collect(),
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
            min_timestamp_us: file.min_timestamp_us,
            max_timestamp_us: file.max_timestamp_us,
            num_rows: file.num_rows,
            size_bytes: file.size_bytes,
        }
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
