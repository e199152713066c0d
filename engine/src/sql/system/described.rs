//! What the columns of `logs` and `activity` mean.

use crate::schema::{activity, columns};

/// The columns of `logs`, in their order.
pub(super) const LOGS: [(&str, &str); 19] = [
    (columns::TIMESTAMP, "when it happened, UTC"),
    (columns::OBSERVED_TIMESTAMP, "when it was observed by the collecting system, or received"),
    (columns::INGESTED_TIMESTAMP, "when it was accepted here; never goes backwards"),
    (columns::UUID, "id of the row, 16 bytes; its order is that of ingestion; uuid_text(uuid) is its text"),
    (
        columns::TRACE_ID,
        "W3C trace id, 16 bytes, all zero when unset; compare it with a text of hexadecimal digits",
    ),
    (columns::SPAN_ID, "W3C span id, 8 bytes, all zero when unset"),
    (columns::TRACE_FLAGS, "W3C trace flags"),
    (columns::SEVERITY_TEXT, "trace, debug, info, warn, error, fatal or unknown"),
    (columns::SEVERITY_NUMBER, "OpenTelemetry severity number"),
    (columns::SERVICE_NAME, "the resource's service.name, empty when there is none"),
    (columns::BODY, "the log's body as text; anything but a string is JSON"),
    (columns::RESOURCE_ATTRIBUTES, "attributes of the resource: resource_attributes['key']"),
    (
        columns::RESOURCE_ATTRIBUTE_TYPES,
        "a letter for the type of each resource attribute, in the order of their keys",
    ),
    (columns::RESOURCE_FINGERPRINT, "hash of the resource attributes"),
    (columns::INSTRUMENTATION_SCOPE, "name@version of the instrumentation scope, empty without one"),
    (columns::EVENT_NAME, "OpenTelemetry event name, empty when there is none"),
    (columns::ATTRIBUTES, "the record's own attributes: attributes['key']"),
    (columns::ATTRIBUTE_TYPES, "a letter for the type of each attribute, in the order of their keys"),
    (columns::BYTES_UNCOMPRESSED, "bytes of the body and of all attribute keys and values"),
];

/// The columns of `activity`, in their order.
pub(super) const ACTIVITY: [(&str, &str); 18] = [
    (columns::TIMESTAMP, "when it was done, UTC"),
    (columns::INGESTED_TIMESTAMP, "when the entry was stored; never goes backwards"),
    (columns::UUID, "id of the row, 16 bytes; its order is that of ingestion"),
    (activity::ID, "id of the entry, 16 bytes"),
    (activity::PROJECT_ID, "the project, null for what concerns the organization"),
    (activity::USER_ID, "who did it, null for the product itself"),
    (activity::WAS_IMPERSONATED, "whether staff acted through the user's session"),
    (activity::IS_SYSTEM, "whether no user did it"),
    (activity::CLIENT, "what the caller said to be"),
    (activity::IP_ADDRESS, "where the call came from"),
    (activity::SCOPE, "type of the resource"),
    (activity::ACTIVITY, "what was done"),
    (activity::ITEM_ID, "id of the resource"),
    (activity::DETAIL, "what exactly was done, JSON: detail ->> 'name'"),
    (activity::SEQUENCE, "place in the chain of the organization, from 1"),
    (activity::CHAIN_VERSION, "version of the encoding that hash is of"),
    (activity::HASH, "SHA-256 of the hash before and the entry"),
    (columns::BYTES_UNCOMPRESSED, "uncompressed size of the row"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{activity_schema, logs_schema};

    #[test]
    fn every_column_is_described() {
        let names = |schema: arrow::datatypes::SchemaRef| -> Vec<String> {
            schema.fields().iter().map(|field| field.name().clone()).collect()
        };
        assert_eq!(LOGS.map(|(name, _)| name).as_slice(), names(logs_schema()));
        assert_eq!(ACTIVITY.map(|(name, _)| name).as_slice(), names(activity_schema()));
    }
}
