//! A data file as the catalog knows it.

use object_store::path::Path;
use uuid::Uuid;

/// One immutable Parquet object holding rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct DataFile {
    /// UUIDv7, unique for ever; the last part of the path.
    pub id: Uuid,
    /// Where the object is, below the storage root.
    pub path: Path,
    /// How often its rows have been rewritten by compaction; 0 when a flush wrote it.
    pub level: u32,
    /// Earliest `timestamp` in the file, microseconds.
    pub min_timestamp_us: i64,
    /// Latest `timestamp` in the file, microseconds, inclusive.
    pub max_timestamp_us: i64,
    /// Earliest `ingested_timestamp` in the file, microseconds.
    pub min_ingested_us: i64,
    /// Latest `ingested_timestamp` in the file, microseconds, inclusive.
    pub max_ingested_us: i64,
    /// Number of rows; at least 1.
    pub num_rows: u64,
    /// Size of the object.
    pub size_bytes: u64,
    /// Length of the object's tail that holds the page indexes and the footer: reading it once is enough to
    /// plan every further read.
    pub metadata_bytes: u64,
    /// Size of the sidecar; 0 when there is none.
    pub sidecar_bytes: u64,
}

impl DataFile {
    /// Where the object of its sidecar is.
    pub fn sidecar_path(&self) -> Path {
        sidecar_path(&self.path)
    }
}

/// Where the sidecar of the data file at `path` is.
pub(crate) fn sidecar_path(path: &Path) -> Path {
    let path = path.as_ref();
    Path::from(format!("{}.sidecar", path.strip_suffix(".parquet").unwrap_or(path)))
}
