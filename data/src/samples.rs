//! The small checked-in samples, and the specs they were made from.
//!
//! All three log files hold the same records, in the order they were generated.

use crate::activity::ActivitySpec;
use crate::spec::{AttributeKeys, LogSpec};

/// The logs as one OTLP protobuf request.
pub const LOGS_PROTOBUF: &[u8] = include_bytes!("../samples/logs.pb");
/// The logs as one OTLP/JSON document.
pub const LOGS_JSON: &[u8] = include_bytes!("../samples/logs.json");
/// The logs as several OTLP/JSON documents, one per line.
pub const LOGS_NDJSON: &[u8] = include_bytes!("../samples/logs.ndjson");
/// The activity entries as a JSON array.
pub const ACTIVITY_JSON: &[u8] = include_bytes!("../samples/activity.json");

/// 2026-01-14T14:00:00Z, a Wednesday.
const START_US: i64 = 1_768_399_200_000_000;
const TWELVE_HOURS_US: i64 = 12 * 3_600 * 1_000_000;

/// 300 records over an afternoon, an evening and a part of the night, so that two days are touched.
pub fn log_spec() -> LogSpec {
    LogSpec {
        seed: 10,
        rows: 300,
        start_us: START_US,
        end_us: START_US + TWELVE_HOURS_US,
        num_attribute_keys: AttributeKeys::K20,
        records_per_request: 50,
        ..LogSpec::default()
    }
}

/// 60 entries over the same hours.
pub fn activity_spec() -> ActivitySpec {
    ActivitySpec {
        seed: 10,
        entries: 60,
        start_us: START_US,
        end_us: START_US + TWELVE_HOURS_US,
        ..ActivitySpec::default()
    }
}
