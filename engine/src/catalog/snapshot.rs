//! What one query reads: a pinned set of data files and in-memory rows.

use std::sync::Arc;

use crate::buffer::BufferSegment;
use crate::retention::{RetentionCutoff, Standing, TimeBounds};
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
    /// Which of these rows have expired: no question sees them. `None` when none have.
    pub retention: Option<Arc<RetentionCutoff>>,
}

/// Files and segments: where rows are.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Data files.
    pub files: Vec<Arc<DataFile>>,
    /// Rows in memory.
    pub segments: Vec<Arc<BufferSegment>>,
}

impl Sources {
    /// The earliest `timestamp` that a row can have, microseconds; `None` without rows.
    pub fn min_timestamp_us(&self) -> Option<i64> {
        let files = self.files.iter().map(|file| file.min_timestamp_us);
        files.chain(self.segments.iter().map(|segment| segment.min_timestamp_us)).min()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.segments.is_empty()
    }

    /// Those none of whose rows have expired, and those whose rows have to be looked at to tell. Reads no file.
    pub fn split(self, cutoff: Option<&RetentionCutoff>) -> (Self, Self) {
        let Some(cutoff) = cutoff else { return (self, Self::default()) };
        let is_live = |bounds: TimeBounds| cutoff.standing(bounds) == Standing::Live;
        let (live_files, other_files) =
            self.files.into_iter().partition(|file| is_live(file.as_ref().into()));
        let (live_segments, other_segments) =
            self.segments.into_iter().partition(|segment| is_live(segment.as_ref().into()));
        (
            Self { files: live_files, segments: live_segments },
            Self { files: other_files, segments: other_segments },
        )
    }
}

impl Snapshot {
    /// Leaves out what has expired whole, and carries the cutoff when other rows may have expired.
    pub(super) fn without_expired(mut self, cutoff: Arc<RetentionCutoff>) -> Self {
        let is_left = |bounds: TimeBounds| cutoff.standing(bounds) != Standing::Expired;
        // Mostly nothing has expired that was not removed long ago: then the list is shared.
        if !self.files.iter().all(|file| is_left(file.as_ref().into())) {
            let left = self.files.iter().filter(|file| is_left(file.as_ref().into()));
            self.files = Arc::new(left.cloned().collect());
        }
        self.segments.retain(|segment| is_left(segment.as_ref().into()));
        self.retention = Some(cutoff);
        self
    }

    /// All files and segments.
    pub fn sources(&self) -> Sources {
        Sources { files: self.files.to_vec(), segments: self.segments.clone() }
    }
}
