//! Which rows exist: the catalog database, the manifests that repeat it beside the data, and the live tables
//! that queries take their snapshots from.
//!
//! Queries never ask the database: `LiveTables` is the catalog in memory together with the fresh rows, and a
//! flush replaces rows by files there in one step.

mod live;
mod manifest;
mod snapshot;
mod store;

pub(crate) use live::{Admission, BufferFacts, LiveTables, PendingFlush};
pub(crate) use manifest::publish_manifest;
pub use snapshot::Snapshot;
pub(crate) use store::{CatalogStore, FlushedRange};

use crate::storage::DataFile;

/// Changes that become visible together.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// When, microseconds.
    pub(crate) committed_us: i64,
    /// New data files; all of the table of `flushed`.
    pub(crate) files: Vec<DataFile>,
    /// The batches whose rows they hold.
    pub(crate) flushed: FlushedRange,
    /// Latest ingest time of these rows.
    pub(crate) last_ingested_us: i64,
}
