//! Hard limits: unit, reason, and what happens beyond. What an operator may want to change is a setting
//! instead, in [`crate::config`].

/// Files that one flush opens for time buckets. Rows of further buckets share one wide-range file, so that
/// scattered timestamps cost one file and not one for each day.
pub const MAX_BUCKETS_PER_FLUSH: usize = 16;

/// Rows of a slice: a stretch of time inside which the rows of a data file are clustered. More compress a little
/// better, fewer make the newest rows cheaper.
pub const SLICE_ROWS: usize = 32 * 1024;

/// Bytes of the rows of a slice before compression. A slice of long rows has fewer of them: it is decoded and
/// encoded in memory.
pub const MAX_SLICE_BYTES: u64 = 16 << 20;

/// Slices of a row group.
pub const SLICES_PER_ROW_GROUP: usize = 4;

/// Attribute keys of one data file that get a column of their own. Each column costs time in every query that
/// reads the footer; the other keys stay in a map.
pub const MAX_PROMOTED_KEYS: usize = 64;

/// A key gets its own column when at least one row of this many has it.
pub const PROMOTED_SHARE_OF_ROWS: u64 = 200;

/// Bytes that one group commit writes before it is synced; more requests wait for the next one.
pub const MAX_GROUP_COMMIT_BYTES: usize = 64 << 20;

/// Requests waiting for a group commit; more are told to retry.
pub const MAX_WAITING_COMMITS: usize = 4096;

/// Small batches in memory are joined up to this many rows, so that a query meets few of them.
pub const MAX_JOINED_SEGMENT_ROWS: usize = 16 * 1024;

/// Rows of less than this part of `flush_bytes` are few.
pub const SMALL_FLUSH_SHARE: usize = 64;

/// Few rows wait this many times the flush interval for more.
pub const SMALL_FLUSH_PATIENCE: i64 = 12;

/// Data files of fewer rows have no sidecar: reading their rows costs as much.
pub const MIN_SIDECAR_ROWS: u64 = 8192;

/// SQL statements that run at a time, unless something else is said: as many as a few people have open.
pub(crate) const DEFAULT_SQL_STATEMENTS: usize = 8;
