//! Rows in memory.

pub(crate) mod segment;
pub use segment::BufferSegment;
