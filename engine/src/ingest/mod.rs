//! Bytes to rows: OTLP requests, in protobuf or JSON, and Datadog's JSON, straight into Arrow columns.
//!
//! Wire names stay in `otlp_protobuf`, `otlp_json` and `datadog_json`; what a record's fields mean is decided once, in
//! `batch_builder`. Nothing here knows files or requests.

mod attributes;
mod batch_builder;
mod body_level;
mod datadog_json;
#[cfg(test)]
mod datadog_tests;
mod flatten;
mod json_value;
mod otlp_json;
mod otlp_protobuf;
mod processing;
#[cfg(test)]
mod tests;
mod value_text;
mod wire;

use arrow::array::RecordBatch;

pub use datadog_json::decode_datadog_json;
pub use otlp_json::decode_otlp_json;
pub use otlp_protobuf::decode_otlp_protobuf;
pub use processing::Processing;

/// The rows of one request, decided but for what ingestion assigns: row ids and ingest time.
#[derive(Clone, Debug)]
pub struct DecodedLogs {
    pub(crate) batch: RecordBatch,
    /// What was not taken.
    pub rejected: Rejected,
}

impl DecodedLogs {
    /// The rows, in the order of the request; their schema is [`crate::schema::decoded_logs_schema`].
    pub fn rows(&self) -> &RecordBatch {
        &self.batch
    }

    /// Number of rows to ingest.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }
}

/// The records of a request that cannot be stored, while its others can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// How many.
    pub count: u64,
    /// Why the first one cannot.
    pub first_reason: Option<String>,
}

/// What a request's records may cost.
#[derive(Clone, Debug)]
pub struct RecordLimits {
    /// Largest record: bytes of its body and of all keys and values of its attributes and its resource's.
    /// A larger one is rejected alone.
    pub max_record_bytes: usize,
    /// Largest sum of the records' sizes in one request. A larger request is refused whole: it bounds what a
    /// small request can grow to when its records repeat a large resource.
    pub max_batch_bytes: usize,
    /// Most records in one request. More are refused whole.
    pub max_batch_rows: usize,
}

impl Default for RecordLimits {
    fn default() -> Self {
        Self { max_record_bytes: 1 << 20, max_batch_bytes: 256 << 20, max_batch_rows: 1 << 20 }
    }
}

/// The text of an instrumentation scope: `name@version`, empty for a scope that says nothing.
fn scope_name_and_version(name: &str, version: &str) -> String {
    if name.is_empty() && version.is_empty() { String::new() } else { format!("{name}@{version}") }
}

/// The `N` bytes of a hexadecimal id; `None` for anything else.
fn hex_bytes<const N: usize>(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() == 2 * N)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
