//! Which rows exist: the catalog database, the manifests that repeat it beside the data, and the live tables
//! that queries take their snapshots from.
//!
//! Queries never ask the database: `LiveTables` is the catalog in memory together with the fresh rows, and a
//! flush replaces rows by files there in one step.

mod discard;
mod live;
mod manifest;
mod open;
mod snapshot;
mod store;

pub(crate) use live::{Admission, BufferFacts, LiveTables, PendingFlush};
pub(crate) use manifest::{
    MANIFEST_FOLDER, ManifestImage, ManifestSet, checkpoint_if_due, publish_manifest, read_manifests,
    write_checkpoint, write_first_checkpoint,
};
pub(crate) use open::open_catalog;
pub use snapshot::{Snapshot, Sources};
pub(crate) use store::{
    CATALOG_FILE_NAME, CatalogFile, CatalogImage, CatalogState, CatalogStore, FlushedRange, StateName,
    WriterMarks, create_rebuilt,
};

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
