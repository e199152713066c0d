//! What one query reads: a pinned set of data files and in-memory rows.

use std::sync::Arc;

use crate::buffer::BufferSegment;
use crate::schema::TableId;
use crate::storage::DataFile;

/// The rows of one table at one moment. Holding it keeps every file and segment of it readable.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Whose rows.
    pub table: TableId,
    /// Live data files, in no particular order.
    pub files: Arc<Vec<Arc<DataFile>>>,
    /// Acknowledged rows that no data file of this snapshot holds, in order of ingestion.
    pub segments: Vec<Arc<BufferSegment>>,
}

impl Snapshot {
    /// The earliest `timestamp` of any row, microseconds; `None` without rows. Reads no file.
    pub fn min_timestamp_us(&self) -> Option<i64> {
        let files = self.files.iter().map(|file| file.min_timestamp_us);
        files.chain(self.segments.iter().map(|segment| segment.min_timestamp_us)).min()
    }

    /// Whether the table has no row at all. Reads no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.segments.is_empty()
    }
}
