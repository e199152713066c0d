//! What projects have done with their records between decoding and the write-ahead log.
//!
//! The metadata say what; here it is kept ready to be done, so that a request costs no look at the metadata, and a
//! project without settings and rules nothing at all.

mod watch;

use engine::ingest::{DecodedLogs, Processing, RecordLimits};

pub(crate) use watch::RulesWatch;

/// What is done with the records of one project.
#[derive(Debug)]
pub(crate) struct ProjectRules {
    processing: Processing,
}

impl ProjectRules {
    /// The records as they are stored.
    ///
    /// # Errors
    /// A fault of the engine.
    pub(crate) fn apply(&self, logs: DecodedLogs, limits: &RecordLimits) -> engine::Result<DecodedLogs> {
        logs.processed(self.processing, limits)
    }
}
