//! What projects have done with their records between decoding and the write-ahead log.
//!
//! The metadata say what; here it is kept ready to be done, so that a request costs no look at the metadata, and a
//! project without settings and rules nothing at all. The order is: metric rules measure, drop rules drop, what is
//! left is scrubbed, and its JSON bodies are parsed.

pub(crate) mod active;
mod watch;

use engine::ingest::{DecodedLogs, Processing, RecordLimits};
use engine::rules::{Measured, MetricRules, PendingMeasurements, SamplingRules};

pub(crate) use watch::RulesWatch;

/// What is done with the records of one project.
#[derive(Debug)]
pub(crate) struct ProjectRules {
    metrics: MetricRules,
    sampling: SamplingRules,
    processing: Processing,
}

impl ProjectRules {
    /// The records as they are stored, and what they measure once they are.
    ///
    /// # Errors
    /// A fault of the engine.
    pub(crate) fn apply(
        &self,
        logs: DecodedLogs,
        received_us: i64,
        limits: &RecordLimits,
    ) -> engine::Result<(DecodedLogs, PendingMeasurements)> {
        let measured = self.metrics.measure(&logs)?;
        let kept = self.sampling.apply(logs, received_us)?;
        Ok((kept.processed(self.processing, limits)?, measured))
    }

    /// What a metric rule has measured; `None` when it is not enabled.
    pub(crate) fn measured(&self, rule_id: &str) -> Option<Measured> {
        self.metrics.measured(rule_id)
    }
}
