//! Which rows exist.

mod snapshot;
pub use snapshot::Snapshot;
