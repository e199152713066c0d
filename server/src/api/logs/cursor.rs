//! The place between two pages, as clients carry it: base64 of `{"timestamp": ISO, "uuid": text}`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::query::model::Cursor;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::iso_time;

/// Writes a cursor.
pub(super) fn encode(cursor: &Cursor) -> String {
    let text = json!({ "timestamp": iso_time::format(cursor.timestamp_us), "uuid": cursor.uuid.to_string() });
    STANDARD.encode(text.to_string())
}

/// Reads a cursor; none when it is not one.
pub(super) fn decode(text: &str) -> Option<Cursor> {
    let value: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    Some(Cursor {
        timestamp_us: iso_time::parse(value.get("timestamp")?.as_str()?)?,
        uuid: Uuid::parse_str(value.get("uuid")?.as_str()?).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_form() {
        for timestamp_us in [0, 1_765_881_156_184_820, 1_765_881_000_000_000, -5] {
            let cursor =
                Cursor { timestamp_us, uuid: Uuid::from_u128(0x0198_7c1e_0000_7000_8000_0000_0000_0001) };
            assert_eq!(decode(&encode(&cursor)), Some(cursor));
        }
    }

    #[test]
    fn other_text_is_no_cursor() {
        let encoded = |value: Value| STANDARD.encode(value.to_string());
        for text in [
            "x".to_owned(),
            "====".to_owned(),
            STANDARD.encode("not json"),
            encoded(json!([])),
            encoded(json!({ "timestamp": "2025-12-16T10:32:36Z" })),
            encoded(json!({ "timestamp": "yesterday", "uuid": "01987c1e-0000-7000-8000-000000000001" })),
            encoded(json!({ "timestamp": "2025-12-16T10:32:36Z", "uuid": "1" })),
        ] {
            assert_eq!(decode(&text), None, "{text}");
        }
    }
}
