//! A place in the order of ingestion of a table.

use crate::schema::RowId;

/// A place in the order of ingestion of a table, within one life of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IngestMark {
    /// Rows with a higher id come after the mark.
    pub(crate) id: RowId,
    /// Rows of batches with a higher number come after the mark.
    pub(crate) sequence: u64,
}

impl IngestMark {
    /// Before every row.
    pub(crate) const BEFORE_ALL: Self = Self { id: RowId::BEFORE_ALL, sequence: 0 };

    /// After a batch and all earlier ones.
    pub(crate) fn after(ingested_us: i64, sequence: u64) -> Self {
        Self { id: RowId::end_of_batch(ingested_us, sequence), sequence }
    }
}
