//! `query`: what queries may cost.

use crate::config::setting::{Setting, bytes, seconds};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "query",
        key: "memory_bytes",
        doc: "memory that all running queries share",
        default: "768MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.query_memory_bytes = value),
    },
    Setting {
        section: "query",
        key: "timeout_secs",
        doc: "longest time a query may run, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.engine.query_timeout = value),
    },
];
