//! Hard limits: unit, reason, and what happens beyond. What an operator may want to change is a setting
//! instead, in [`crate::config`].

/// Files that one flush opens for time buckets. Rows of further buckets share one wide-range file, so that
/// scattered timestamps cost one file and not one for each day.
pub const MAX_BUCKETS_PER_FLUSH: usize = 16;

/// Rows that one data file is written from at a time: bounds the memory of a flush beside the rows.
pub const WRITE_BATCH_ROWS: usize = 8192;

/// Rows of a row group. A count that one attribute filter decides decodes whole row groups.
pub const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes that one group commit writes before it is synced; more requests wait for the next one.
pub const MAX_GROUP_COMMIT_BYTES: usize = 64 << 20;

/// Requests waiting for a group commit; more are told to retry.
pub const MAX_WAITING_COMMITS: usize = 4096;

/// Small batches in memory are joined up to this many rows, so that a query meets few of them.
pub const MAX_JOINED_SEGMENT_ROWS: usize = 16 * 1024;
