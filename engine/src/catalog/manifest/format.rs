//! The bytes of manifests and checkpoints; the only place that makes or reads them.
//!
//! Each is one JSON object with its own version and checksum.

use bytes::Bytes;
use object_store::path::Path;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::store::{FlushedRange, UnpublishedSnapshot, WriterMarks};
use crate::error::{Error, Result};
use crate::schema::TableId;
use crate::storage::checked_json::{self, decode_checked, encode_checked};
use crate::storage::{DataFile, LAYOUT_VERSION};

/// The version this code writes. It reads no earlier one: none was released.
pub(super) const FORMAT_VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    format_version: u32,
    #[serde(flatten)]
    pub(super) marks: ManifestMarks,
    pub(super) snapshots: Vec<ManifestSnapshot>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    format_version: u32,
    #[serde(flatten)]
    pub(super) marks: ManifestMarks,
    pub(super) snapshot: i64,
    pub(super) files: Vec<ManifestFile>,
    /// Files that are live no more and whose objects may still be there.
    pub(super) removed_files: Vec<ManifestRemoval>,
    pub(super) flushed: Vec<ManifestRange>,
}

/// How far the writer had come when the object was written, or further.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct ManifestMarks {
    writer: Uuid,
    epoch: u64,
    last_sequence: u64,
    last_ingested_us: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestSnapshot {
    pub(super) snapshot: i64,
    pub(super) added_files: Vec<ManifestFile>,
    pub(super) removed_files: Vec<ManifestRemoval>,
    pub(super) flushed: Vec<ManifestRange>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestFile {
    id: Uuid,
    dataset: String,
    project: i64,
    /// Of the datasets whose rows belong to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<Uuid>,
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

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestRemoval {
    pub(super) id: Uuid,
    dataset: String,
    project: i64,
    /// Of the datasets whose rows belong to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<Uuid>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestRange {
    writer: Uuid,
    dataset: String,
    project: i64,
    /// Of the datasets whose rows belong to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<Uuid>,
    first_sequence: u64,
    last_sequence: u64,
}

/// Encodes a manifest or a checkpoint.
pub(super) fn encode<T: Serialize>(content: &T) -> Result<Bytes> {
    encode_checked(content)
}

/// Decodes a manifest or a checkpoint.
///
/// # Errors
/// `CorruptData` naming the object: damaged, or of a later version, see [`is_newer`].
pub(super) fn decode<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T> {
    decode_checked(&format!("manifest {path}"), bytes, FORMAT_VERSION)
}

/// Whether an object is whole and of a later version.
pub(super) fn is_newer(bytes: &[u8]) -> bool {
    checked_json::is_newer(bytes, FORMAT_VERSION)
}

impl Manifest {
    pub(super) fn new(marks: &WriterMarks, snapshots: Vec<ManifestSnapshot>) -> Self {
        Self { format_version: FORMAT_VERSION, marks: marks.into(), snapshots }
    }
}

impl Checkpoint {
    pub(super) fn new(
        marks: &WriterMarks,
        snapshot: i64,
        files: Vec<ManifestFile>,
        removed_files: Vec<ManifestRemoval>,
        flushed: Vec<ManifestRange>,
    ) -> Self {
        Self { format_version: FORMAT_VERSION, marks: marks.into(), snapshot, files, removed_files, flushed }
    }
}

impl From<&WriterMarks> for ManifestMarks {
    fn from(marks: &WriterMarks) -> Self {
        let WriterMarks { writer, epoch, last_sequence, last_ingested_us } = *marks;
        Self { writer, epoch, last_sequence, last_ingested_us }
    }
}

impl From<ManifestMarks> for WriterMarks {
    fn from(marks: ManifestMarks) -> Self {
        let ManifestMarks { writer, epoch, last_sequence, last_ingested_us } = marks;
        Self { writer, epoch, last_sequence, last_ingested_us }
    }
}

impl From<&UnpublishedSnapshot> for ManifestSnapshot {
    fn from(snapshot: &UnpublishedSnapshot) -> Self {
        Self {
            snapshot: snapshot.snapshot_id,
            added_files: snapshot.added.iter().map(|(table, file)| ManifestFile::new(*table, file)).collect(),
            removed_files: snapshot
                .removed
                .iter()
                .map(|(table, id)| ManifestRemoval::new(*table, *id))
                .collect(),
            flushed: snapshot.flushed.iter().map(ManifestRange::from).collect(),
        }
    }
}

impl ManifestFile {
    pub(super) fn new(table: TableId, file: &DataFile) -> Self {
        let (project, organization) = table.owner();
        Self {
            id: file.id,
            dataset: table.dataset().as_str().to_owned(),
            project,
            organization,
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

    /// The file, and whose rows it has.
    ///
    /// # Errors
    /// `CorruptData` for what this program does not know.
    pub(super) fn to_file(&self) -> Result<(TableId, DataFile)> {
        let path = Path::parse(&self.path).map_err(|error| {
            Error::corrupt_data(format!("{:?} is no path of a data file", self.path)).with_source(error)
        })?;
        if self.layout_version > LAYOUT_VERSION {
            let found = self.layout_version;
            return Err(Error::corrupt_data(format!(
                "data file {path} has layout version {found}, and this program knows up to {LAYOUT_VERSION}"
            )));
        }
        let file = DataFile {
            id: self.id,
            path,
            level: self.level,
            min_timestamp_us: self.min_timestamp_us,
            max_timestamp_us: self.max_timestamp_us,
            min_ingested_us: self.min_ingested_us,
            max_ingested_us: self.max_ingested_us,
            num_rows: self.num_rows,
            size_bytes: self.size_bytes,
            metadata_bytes: self.metadata_bytes,
            sidecar_bytes: self.sidecar_bytes,
        };
        Ok((TableId::of_owner(&self.dataset, self.project, self.organization)?, file))
    }
}

impl ManifestRemoval {
    pub(super) fn new(table: TableId, id: Uuid) -> Self {
        let (project, organization) = table.owner();
        Self { id, dataset: table.dataset().as_str().to_owned(), project, organization }
    }
}

impl ManifestRange {
    pub(super) fn to_range(&self) -> Result<FlushedRange> {
        Ok(FlushedRange {
            writer: self.writer,
            table: TableId::of_owner(&self.dataset, self.project, self.organization)?,
            first_sequence: self.first_sequence,
            last_sequence: self.last_sequence,
        })
    }
}

impl From<&FlushedRange> for ManifestRange {
    fn from(range: &FlushedRange) -> Self {
        let (project, organization) = range.table.owner();
        Self {
            writer: range.writer,
            dataset: range.table.dataset().as_str().to_owned(),
            project,
            organization,
            first_sequence: range.first_sequence,
            last_sequence: range.last_sequence,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::ProjectId;

    fn marks() -> WriterMarks {
        WriterMarks { writer: Uuid::from_u128(7), epoch: 3, last_sequence: u64::MAX, last_ingested_us: -5 }
    }

    fn snapshot() -> ManifestSnapshot {
        let table = TableId::logs(ProjectId(4));
        let file = DataFile {
            id: Uuid::from_u128(1),
            path: Path::from("logs/project=4/wide/x.parquet"),
            level: 1,
            min_timestamp_us: i64::MIN,
            max_timestamp_us: i64::MAX,
            min_ingested_us: 0,
            max_ingested_us: 1,
            num_rows: 2,
            size_bytes: 3,
            metadata_bytes: 4,
            sidecar_bytes: 5,
        };
        let range = FlushedRange { writer: Uuid::nil(), table, first_sequence: 1, last_sequence: 9 };
        let files = ManifestFile::new(table, &file);
        assert_eq!(files.to_file().unwrap(), (table, file));
        assert_eq!(ManifestRange::from(&range).to_range().unwrap(), range);
        ManifestSnapshot {
            snapshot: 12,
            added_files: vec![files],
            removed_files: vec![ManifestRemoval::new(table, Uuid::nil())],
            flushed: vec![ManifestRange::from(&range)],
        }
    }

    fn manifest() -> Vec<u8> {
        encode(&Manifest::new(&marks(), vec![snapshot()])).unwrap().to_vec()
    }

    #[test]
    fn manifests_round_trip_as_json() {
        let bytes = manifest();
        let read: Manifest = decode(&Path::from("m"), &bytes).unwrap();
        assert_eq!(read.snapshots, [snapshot()]);
        assert_eq!(WriterMarks::from(read.marks), marks());
        let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["snapshots"][0]["added_files"][0]["num_rows"], 2);
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_damage(at in any::<prop::sample::Index>(), bit in 0_u32..8) {
            let mut bytes = manifest();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let error = decode::<Manifest>(&Path::from("_catalog/m.json"), &bytes).unwrap_err();
            prop_assert!(error.message().contains("_catalog/m.json is damaged"), "{}", error);
            prop_assert!(!is_newer(&bytes));
        }
    }

    #[test]
    fn a_later_version_is_refused_by_name() {
        let mut later = Manifest::new(&marks(), Vec::new());
        later.format_version = FORMAT_VERSION + 1;
        let bytes = encode(&later).unwrap();
        let error = decode::<Manifest>(&Path::from("_catalog/m.json"), &bytes).unwrap_err();
        assert!(error.message().contains("_catalog/m.json has format version 2"), "{error}");
        assert!(is_newer(&bytes));
    }

    #[test]
    fn what_is_cut_short_is_damaged() {
        let bytes = manifest();
        for length in [0, 1, 30, bytes.len() / 2, bytes.len() - 1] {
            assert!(decode::<Manifest>(&Path::from("m"), &bytes[..length]).is_err(), "{length}");
        }
    }
}
