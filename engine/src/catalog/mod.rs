//! Which rows exist: the catalog database, the manifests that repeat it beside the data, and the live tables
//! that queries take their snapshots from.
//!
//! Queries never ask the database: `LiveTables` is the catalog in memory together with the fresh rows, and a
//! flush replaces rows by files there in one step.

mod discard;
mod live;
mod manifest;
mod snapshot;
mod store;

pub(crate) use live::{Admission, BufferFacts, LiveTables, PendingFlush};
pub(crate) use manifest::publish_manifest;
pub use snapshot::{Snapshot, Sources};
#[cfg(test)]
pub(crate) use store::CATALOG_FILE_NAME;
pub(crate) use store::{CatalogStore, FlushedRange};

use uuid::Uuid;

use crate::schema::TableId;
use crate::storage::DataFile;

/// Changes to one table that become visible together.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) table: TableId,
    /// When, microseconds.
    pub(crate) committed_us: i64,
    /// New data files.
    pub(crate) added: Vec<DataFile>,
    /// Files whose rows are in the new ones, or have expired.
    pub(crate) removed: Vec<Uuid>,
    /// The batches that the new files bring from memory.
    pub(crate) flushed: Option<Flushed>,
}

/// What a flush takes out of memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flushed {
    pub(crate) range: FlushedRange,
    /// Latest ingest time of these rows.
    pub(crate) last_ingested_us: i64,
}
