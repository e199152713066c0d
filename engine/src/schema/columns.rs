//! Column names of the `logs` dataset, in the words of the OpenTelemetry log data model.

/// When the event happened; microseconds, UTC.
pub const TIMESTAMP: &str = "timestamp";
/// When the event was observed by the collection system, or received when the sender did not say.
pub const OBSERVED_TIMESTAMP: &str = "observed_timestamp";
/// When the record was accepted here: never goes backwards, whatever the clock does.
pub const INGESTED_TIMESTAMP: &str = "ingested_timestamp";
/// UUIDv7 of the row, fixed before the write-ahead log; its order is the order of ingestion.
pub const UUID: &str = "uuid";
/// W3C trace id; all zero when unset.
pub const TRACE_ID: &str = "trace_id";
/// W3C span id; all zero when unset.
pub const SPAN_ID: &str = "span_id";
/// W3C trace flags.
pub const TRACE_FLAGS: &str = "trace_flags";
/// One of `trace debug info warn error fatal unknown`.
pub const SEVERITY_TEXT: &str = "severity_text";
/// OpenTelemetry severity number.
pub const SEVERITY_NUMBER: &str = "severity_number";
/// The resource's `service.name`, empty when there is none.
pub const SERVICE_NAME: &str = "service_name";
/// The log's body as text; anything but a string is compact JSON.
pub const BODY: &str = "body";
/// Attributes of the resource, sorted by key.
pub const RESOURCE_ATTRIBUTES: &str = "resource_attributes";
/// Letters of the types of the resource attributes, in the order of their keys.
pub const RESOURCE_ATTRIBUTE_TYPES: &str = "resource_attribute_types";
/// 64-bit hash of the sorted resource attributes.
pub const RESOURCE_FINGERPRINT: &str = "resource_fingerprint";
/// `name@version` of the instrumentation scope, empty without a scope.
pub const INSTRUMENTATION_SCOPE: &str = "instrumentation_scope";
/// OpenTelemetry event name, empty when there is none.
pub const EVENT_NAME: &str = "event_name";
/// The record's own attributes, sorted by key.
pub const ATTRIBUTES: &str = "attributes";
/// Letters of the types of the record's own attributes, in the order of their keys.
pub const ATTRIBUTE_TYPES: &str = "attribute_types";
/// Uncompressed size of the row: bytes of the body and of all attribute keys and values.
pub const BYTES_UNCOMPRESSED: &str = "bytes_uncompressed";
