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
    /// Earliest `timestamp` in the file, microseconds.
    pub min_timestamp_us: i64,
    /// Latest `timestamp` in the file, microseconds, inclusive.
    pub max_timestamp_us: i64,
    /// Number of rows; at least 1.
    pub num_rows: u64,
    /// Size of the object.
    pub size_bytes: u64,
}
