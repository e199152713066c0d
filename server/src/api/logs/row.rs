//! A log row as the API writes it.

use engine::query::LogRow;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::custom_columns::CustomColumn;
use crate::api::iso_time;

/// What the rows of one answer have in common.
#[derive(Debug)]
pub(super) struct RowShape<'a> {
    /// Written on every row: nothing older than it will still arrive.
    pub(super) live_logs_checkpoint: Option<String>,
    /// Extra members.
    pub(super) custom_columns: &'a [CustomColumn],
    /// Whether the attribute maps are written or left empty.
    pub(super) attributes: engine::query::model::AttributeMaps,
}

/// One row with the shape that it is written in.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) row: &'a LogRow,
    pub(super) shape: &'a RowShape<'a>,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { row, shape } = self;
        let (attributes, resource_attributes) = match shape.attributes {
            engine::query::model::AttributeMaps::Included => {
                (&row.attributes[..], &row.resource_attributes[..])
            }
            engine::query::model::AttributeMaps::Excluded => (&[][..], &[][..]),
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("uuid", &row.uuid)?;
        map.serialize_entry("trace_id", &hex(&row.trace_id))?;
        map.serialize_entry("span_id", &hex(&row.span_id))?;
        map.serialize_entry("body", &row.body)?;
        map.serialize_entry("attributes", &TextMap(attributes))?;
        map.serialize_entry("timestamp", &iso_time::format(row.timestamp_us))?;
        map.serialize_entry("observed_timestamp", &iso_time::format(row.observed_timestamp_us))?;
        map.serialize_entry("severity_text", &row.severity_text)?;
        map.serialize_entry("severity_number", &row.severity_number)?;
        map.serialize_entry("level", &row.severity_text)?;
        map.serialize_entry("resource_attributes", &TextMap(resource_attributes))?;
        // Text, because it exceeds what a JSON number carries exactly.
        map.serialize_entry("resource_fingerprint", &row.resource_fingerprint.to_string())?;
        map.serialize_entry("instrumentation_scope", &row.instrumentation_scope)?;
        map.serialize_entry("event_name", &row.event_name)?;
        map.serialize_entry("live_logs_checkpoint", &shape.live_logs_checkpoint)?;
        for (index, column) in shape.custom_columns.iter().enumerate() {
            // The same text twice is the same member; JSON objects have each name once.
            if !shape.custom_columns[..index].contains(column) {
                map.serialize_entry(&column.alias, &column.value(row))?;
            }
        }
        map.end()
    }
}

/// Keys and values as a JSON object.
#[derive(Debug)]
pub(super) struct TextMap<'a>(pub(super) &'a [(String, String)]);

impl Serialize for TextMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// Upper-case hex, two digits per byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use engine::query::model::AttributeMaps;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    pub(in super::super) fn sample_row() -> LogRow {
        LogRow {
            uuid: Uuid::from_u128(0x0198_7c1e_0000_7000_8000_0000_0000_0001),
            timestamp_us: 1_765_881_156_184_820,
            observed_timestamp_us: 1_765_881_157_000_000,
            trace_id: 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes(),
            span_id: [0; 8],
            body: r#"{"error":{"code":7,"text":"boom"}}"#.to_owned(),
            attributes: vec![("http.status".to_owned(), "500".to_owned())],
            severity_text: "error".to_owned(),
            severity_number: 17,
            resource_attributes: vec![("service.name".to_owned(), "api".to_owned())],
            resource_fingerprint: u64::MAX,
            instrumentation_scope: "lib@1".to_owned(),
            event_name: String::new(),
        }
    }

    fn written(attributes: AttributeMaps) -> serde_json::Value {
        let shape = RowShape {
            live_logs_checkpoint: Some("2025-12-16T10:32:37Z".into()),
            custom_columns: &[],
            attributes,
        };
        json!(Row { row: &sample_row(), shape: &shape })
    }

    #[test]
    fn a_row_has_the_members_of_the_contract() {
        assert_eq!(
            written(AttributeMaps::Included),
            json!({
                "uuid": "01987c1e-0000-7000-8000-000000000001",
                "trace_id": "0123456789ABCDEF0123456789ABCDEF",
                "span_id": "0000000000000000",
                "body": "{\"error\":{\"code\":7,\"text\":\"boom\"}}",
                "attributes": { "http.status": "500" },
                "timestamp": "2025-12-16T10:32:36.184820Z",
                "observed_timestamp": "2025-12-16T10:32:37Z",
                "severity_text": "error",
                "severity_number": 17,
                "level": "error",
                "resource_attributes": { "service.name": "api" },
                "resource_fingerprint": "18446744073709551615",
                "instrumentation_scope": "lib@1",
                "event_name": "",
                "live_logs_checkpoint": "2025-12-16T10:32:37Z",
            })
        );
    }

    #[test]
    fn excluded_attributes_are_empty_objects() {
        let row = written(AttributeMaps::Excluded);
        assert_eq!((&row["attributes"], &row["resource_attributes"]), (&json!({}), &json!({})));
    }
}
