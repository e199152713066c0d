//! Rows in memory: one batch of one table, acknowledged and not yet flushed.

use arrow::array::RecordBatch;

/// The rows of one batch, in the stored schema.
#[derive(Clone, Debug)]
pub struct BufferSegment {
    /// The rows; at least one.
    pub batch: RecordBatch,
    /// Earliest `timestamp`, microseconds.
    pub min_timestamp_us: i64,
    /// Latest `timestamp`, microseconds, inclusive.
    pub max_timestamp_us: i64,
    /// Sequence number of the batch.
    pub sequence: u64,
    /// Memory that the rows hold.
    pub size_bytes: usize,
}
