//! Checkpoints: the whole catalog in one object, and the end of the manifests before it.

use object_store::path::Path;

use super::MANIFESTS_PER_CHECKPOINT;
use super::format::{Checkpoint, ManifestFile, ManifestRange, ManifestRemoval, encode};
use super::names::{MANIFEST_FOLDER, ManifestName};
use crate::catalog::store::{CatalogImage, CatalogStore, StateName, WriterMarks};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::{DataFile, Storage};

/// Writes a checkpoint when enough manifests have gathered, or a rebuilt catalog has none yet.
///
/// # Errors
/// `Unavailable` when the store or the catalog fails; the call can be repeated.
pub(crate) async fn checkpoint_if_due(catalog: &CatalogStore, storage: &Storage) -> Result<()> {
    if catalog.state(StateName::ManifestsSinceCheckpoint).await? < MANIFESTS_PER_CHECKPOINT {
        return Ok(());
    }
    write_checkpoint(catalog, storage).await
}

/// Writes a checkpoint of what manifests tell, then deletes what the checkpoint before it has made superfluous.
///
/// # Errors
/// As [`checkpoint_if_due`].
pub(crate) async fn write_checkpoint(catalog: &CatalogStore, storage: &Storage) -> Result<()> {
    let image = catalog.image().await?;
    let marks = image.marks.ok_or_else(|| Error::internal("a catalog without a writer"))?;
    let snapshot = image.last_published;
    let bytes = encode(&checkpoint_of(&image, &marks, snapshot))?;
    storage.put(&ManifestName::Checkpoint(snapshot).to_path(), bytes).await?;
    catalog.note_checkpoint(snapshot).await?;
    if image.last_checkpoint < snapshot {
        delete_before(storage, image.last_checkpoint).await?;
    }
    Ok(())
}

/// Writes a checkpoint where no other manifest is, and returns its path.
pub(crate) async fn write_first_checkpoint(
    storage: &Storage,
    marks: &WriterMarks,
    snapshot: i64,
    live: &[(TableId, DataFile)],
) -> Result<Path> {
    let files = live.iter().map(|(table, file)| ManifestFile::new(*table, file)).collect();
    let checkpoint = Checkpoint::new(marks, snapshot, files, Vec::new(), Vec::new());
    let path = ManifestName::Checkpoint(snapshot).to_path();
    storage.put(&path, encode(&checkpoint)?).await?;
    Ok(path)
}

/// The catalog as it was after `snapshot`, which may not be its last one.
fn checkpoint_of(image: &CatalogImage, marks: &WriterMarks, snapshot: i64) -> Checkpoint {
    let known = || image.files.iter().filter(|file| file.added_snapshot <= snapshot);
    let is_removed = |removed: Option<i64>| removed.is_some_and(|removed| removed <= snapshot);
    let live = known().filter(|file| !is_removed(file.removed_snapshot));
    let removed = known().filter(|file| is_removed(file.removed_snapshot));
    let flushed = image.ranges.iter().filter(|(at, _)| *at <= snapshot);
    Checkpoint::new(
        marks,
        snapshot,
        live.map(|file| ManifestFile::new(file.table, &file.file)).collect(),
        removed.map(|file| ManifestRemoval::new(file.table, file.file.id)).collect(),
        flushed.map(|(_, range)| ManifestRange::from(range)).collect(),
    )
}

/// Deletes manifests and checkpoints that a chain from the checkpoint of `kept` does not need.
async fn delete_before(storage: &Storage, kept: i64) -> Result<()> {
    for object in storage.list_objects(MANIFEST_FOLDER).await? {
        let is_superfluous = match ManifestName::parse(&object.path) {
            Some(ManifestName::Manifest(snapshot)) => snapshot <= kept,
            Some(ManifestName::Checkpoint(snapshot)) => snapshot < kept,
            None => false,
        };
        if is_superfluous {
            storage.delete(&object.path).await?;
        }
    }
    Ok(())
}
