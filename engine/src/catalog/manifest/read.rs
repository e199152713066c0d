//! Reading manifests back: what the catalog was, and whether that is all of it.

use std::collections::{BTreeMap, BTreeSet};

use object_store::path::Path;
use uuid::Uuid;

use super::format::{Checkpoint, Manifest, ManifestSnapshot, decode, is_newer};
use super::names::{MANIFEST_FOLDER, ManifestName};
use crate::catalog::store::{FlushedRange, WriterMarks};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::TableId;
use crate::storage::{DataFile, Storage};

/// What the manifests of a store tell.
#[derive(Debug, Default)]
pub(crate) struct ManifestSet {
    /// The catalog after the last snapshot that an unbroken chain leads to; `None` when none begins.
    pub(crate) image: Option<ManifestImage>,
    /// What is wrong with the newest objects.
    pub(crate) problems: Vec<ManifestProblem>,
    /// Whether the image may lack something, or be wrong.
    is_broken: bool,
    /// The marks of the last epoch that any readable object tells of.
    pub(crate) marks: Option<WriterMarks>,
    /// The highest snapshot in any name.
    pub(crate) last_snapshot: i64,
}

impl ManifestSet {
    /// The catalog, if nothing is missing between the beginning and the last manifest.
    pub(crate) fn whole(&self) -> Option<&ManifestImage> {
        self.image.as_ref().filter(|_| !self.is_broken)
    }
}

/// Something about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ManifestProblem {
    pub(crate) object: Path,
    pub(crate) message: String,
}

/// The catalog after a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct ManifestImage {
    pub(crate) snapshot: i64,
    pub(crate) live: BTreeMap<Uuid, (TableId, DataFile)>,
    /// Files that are live no more and whose objects may still be there.
    pub(crate) removed: BTreeSet<Uuid>,
    pub(crate) ranges: Vec<FlushedRange>,
}

/// The highest snapshot in the name of any manifest; 0 when there is none.
///
/// # Errors
/// `Unavailable` when the store does not answer.
pub(crate) async fn last_manifest(storage: &Storage) -> Result<i64> {
    let objects = storage.list_objects(MANIFEST_FOLDER).await?;
    let names = objects.iter().filter_map(|object| ManifestName::parse(&object.path));
    Ok(names.map(ManifestName::snapshot).max().unwrap_or(0))
}

/// Reads the newest whole checkpoint and the manifests after it.
///
/// # Errors
/// `Unavailable` when the store does not answer; `CorruptData` naming an object of a later version. Damage is no
/// error here.
pub(crate) async fn read_manifests(storage: &Storage) -> Result<ManifestSet> {
    let objects = storage.list_objects(MANIFEST_FOLDER).await?;
    let mut set = ManifestSet::default();
    let mut names = Vec::new();
    for object in objects {
        match ManifestName::parse(&object.path) {
            Some(name) => names.push((name, object.path)),
            None => tracing::warn!(path = %object.path, "this object is no manifest"),
        }
    }
    names.sort_by_key(|(name, _)| name.snapshot());
    set.last_snapshot = names.last().map_or(0, |(name, _)| name.snapshot());
    let mut image = newest_checkpoint(storage, &names, &mut set).await?;
    let began_at = image.as_ref().map_or(0, |image| image.snapshot);
    let mut previous: BTreeMap<i64, ManifestSnapshot> = BTreeMap::new();
    for (name, path) in &names {
        let ManifestName::Manifest(last) = *name else { continue };
        if last <= began_at {
            continue;
        }
        let Some(manifest) = read::<Manifest>(storage, path, &mut set).await? else { continue };
        set.note_marks(manifest.marks.into());
        if manifest.snapshots.last().map(|snapshot| snapshot.snapshot) != Some(last) {
            set.problem(path, "it does not end with the snapshot of its name".to_owned());
        }
        let image = image.get_or_insert_default();
        for snapshot in manifest.snapshots {
            set.take(image, began_at, path, snapshot, &mut previous);
        }
    }
    if let Some(image) = &image
        && image.snapshot < set.last_snapshot
        && !set.is_broken
    {
        let path = ManifestName::Manifest(image.snapshot + 1).to_path();
        set.problem(&path, "snapshots from here on are missing".to_owned());
    }
    set.image = image;
    Ok(set)
}

/// The newest checkpoint that can be read.
async fn newest_checkpoint(
    storage: &Storage,
    names: &[(ManifestName, Path)],
    set: &mut ManifestSet,
) -> Result<Option<ManifestImage>> {
    for (name, path) in names.iter().rev() {
        let ManifestName::Checkpoint(snapshot) = *name else { continue };
        let Some(checkpoint) = read::<Checkpoint>(storage, path, set).await? else { continue };
        if checkpoint.snapshot != snapshot {
            let message = format!("manifest {path}: it is of another snapshot than its name says");
            set.problems.push(ManifestProblem { object: path.clone(), message });
            continue;
        }
        set.note_marks(checkpoint.marks.into());
        match image_of(&checkpoint) {
            Ok(image) => return Ok(Some(image)),
            Err(error) => {
                return Err(Error::corrupt_data(format!("manifest {path}: {}", error.message())));
            }
        }
    }
    Ok(None)
}

fn image_of(checkpoint: &Checkpoint) -> Result<ManifestImage> {
    let files =
        checkpoint.files.iter().map(|file| file.to_file().map(|(table, file)| (file.id, (table, file))));
    Ok(ManifestImage {
        snapshot: checkpoint.snapshot,
        live: files.collect::<Result<_>>()?,
        removed: checkpoint.removed_files.iter().map(|removed| removed.id).collect(),
        ranges: checkpoint.flushed.iter().map(|range| range.to_range()).collect::<Result<_>>()?,
    })
}

/// Reads an object; `None` when it is damaged, which is noted. Whether the chain needs it shows in what follows.
async fn read<T: serde::de::DeserializeOwned>(
    storage: &Storage,
    path: &Path,
    set: &mut ManifestSet,
) -> Result<Option<T>> {
    let bytes = storage.read_object(path).await?;
    match decode(path, &bytes) {
        Ok(content) => Ok(Some(content)),
        Err(error) if is_newer(&bytes) || error.kind() != ErrorKind::CorruptData => Err(error),
        Err(error) => {
            set.problems.push(ManifestProblem { object: path.clone(), message: error.message().to_owned() });
            Ok(None)
        }
    }
}

impl ManifestSet {
    /// Notes something that breaks the chain.
    fn problem(&mut self, path: &Path, message: String) {
        self.is_broken = true;
        self.problems
            .push(ManifestProblem { object: path.clone(), message: format!("manifest {path}: {message}") });
    }

    fn note_marks(&mut self, marks: WriterMarks) {
        self.marks.get_or_insert(marks).advance(marks);
    }

    /// Adds a snapshot to the image, unless an earlier object had it.
    fn take(
        &mut self,
        image: &mut ManifestImage,
        began_at: i64,
        path: &Path,
        snapshot: ManifestSnapshot,
        previous: &mut BTreeMap<i64, ManifestSnapshot>,
    ) {
        let number = snapshot.snapshot;
        if number <= began_at {
            return;
        }
        if let Some(same) = previous.get(&number) {
            if *same != snapshot {
                self.problem(path, format!("it tells otherwise of snapshot {number} than one before it"));
            }
            return;
        }
        if number != image.snapshot + 1 {
            self.problem(path, format!("snapshots {} to {} are missing", image.snapshot + 1, number - 1));
        }
        if let Err(error) = image.apply(&snapshot) {
            self.problem(path, format!("snapshot {number}: {}", error.message()));
        }
        image.snapshot = number;
        previous.insert(number, snapshot);
    }
}

impl ManifestImage {
    fn apply(&mut self, snapshot: &ManifestSnapshot) -> Result<()> {
        let mut result = Ok(());
        let mut fail = |message: String| {
            if result.is_ok() {
                result = Err(Error::corrupt_data(message));
            }
        };
        for added in &snapshot.added_files {
            match added.to_file() {
                Ok((table, file)) => {
                    let id = file.id;
                    if self.live.insert(id, (table, file)).is_some() {
                        fail(format!("data file {id} is added twice"));
                    }
                }
                Err(error) => fail(error.message().to_owned()),
            }
        }
        for removed in &snapshot.removed_files {
            if self.live.remove(&removed.id).is_none() {
                fail(format!("data file {} is removed and was not live", removed.id));
            }
            self.removed.insert(removed.id);
        }
        for range in &snapshot.flushed {
            match range.to_range() {
                Ok(range) => self.ranges.push(range),
                Err(error) => fail(error.message().to_owned()),
            }
        }
        result
    }
}
