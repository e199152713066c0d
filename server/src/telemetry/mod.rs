//! Numbers about the running server, for its operators: what is counted, and how it is written for Prometheus.
//!
//! Nothing in here names a project, a user or a row. Reading order: [`Telemetry`] (what the server counts itself),
//! [`exposition`] (the text), [`gather`] (which numbers there are), [`traces`] (the server's own traces).

mod exposition;
mod gather;
mod traces;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use engine::stats::Durations;
use parking_lot::RwLock;

use crate::error::ApiError;

pub(crate) use self::exposition::TEXT_FORMAT;
pub(crate) use self::gather::gather;
pub(crate) use self::traces::TraceExport;

/// What requests without a route are counted under.
pub(crate) const NO_ROUTE: &str = "none";

/// Counts since the start. Its size is bounded by the number of routes, methods and statuses.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    requests: RwLock<BTreeMap<RequestKind, Arc<Durations>>>,
    ingest: IngestCounts,
}

/// What requests are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RequestKind {
    /// The route with its parameters' names, never the path.
    route: Arc<str>,
    method: &'static str,
    status: u16,
}

/// What came in.
#[derive(Debug, Default)]
struct IngestCounts {
    taken: AtomicU64,
    refused: AtomicU64,
    throttled: AtomicU64,
    unavailable: AtomicU64,
    failed: AtomicU64,
    rows: AtomicU64,
    rejected_rows: AtomicU64,
    bytes: AtomicU64,
}

impl Telemetry {
    /// Counts a request that has been answered.
    pub(crate) fn note_request(&self, route: &str, method: &Method, status: StatusCode, elapsed: Duration) {
        let kind = RequestKind { route: route.into(), method: known_method(method), status: status.as_u16() };
        let known = self.requests.read().get(&kind).map(Arc::clone);
        let durations = known.unwrap_or_else(|| Arc::clone(self.requests.write().entry(kind).or_default()));
        durations.record(elapsed);
    }

    /// Counts a request that sent records, by its outcome.
    pub(crate) fn note_ingest<T>(&self, outcome: &Result<T, ApiError>) {
        let counts = &self.ingest;
        let counter = match outcome.as_ref().map_err(ApiError::status) {
            Ok(_) => &counts.taken,
            Err(StatusCode::TOO_MANY_REQUESTS) => &counts.throttled,
            Err(StatusCode::SERVICE_UNAVAILABLE) => &counts.unavailable,
            Err(status) if status.is_client_error() => &counts.refused,
            Err(_) => &counts.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts records that are durable now, those of the same request that were rejected, and the bytes of its body.
    pub(crate) fn note_records(&self, num_rows: usize, num_rejected: u64, num_bytes: usize) {
        self.ingest.rows.fetch_add(num_rows as u64, Ordering::Relaxed);
        self.ingest.rejected_rows.fetch_add(num_rejected, Ordering::Relaxed);
        self.ingest.bytes.fetch_add(num_bytes as u64, Ordering::Relaxed);
    }
}

/// Callers may make methods up; those are one.
fn known_method(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
