//! `ingest`: what a request that sends records may cost.

use crate::config::setting::{Setting, bytes};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "ingest",
        key: "max_encoded_bytes",
        doc: "largest request body as it is sent",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_encoded_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_decompressed_bytes",
        doc: "largest request body after decompression",
        default: "64MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_decompressed_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_in_flight_bytes",
        doc: "bytes that all ingest requests under way may hold together",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_in_flight_bytes = value),
    },
    Setting {
        section: "ingest",
        key: "max_record_bytes",
        doc: "largest record; larger ones are rejected in the partial-success reply",
        default: "1MiB",
        apply: |config, text| bytes(text).map(|value| config.ingest.max_record_bytes = value),
    },
];
