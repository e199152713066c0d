//! `query`: what queries may cost.

use crate::config::setting::{Setting, bytes, limit, seconds};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "query",
        key: "memory_bytes",
        doc: "memory that all running queries share",
        default: "512MiB",
        apply: |config, text| bytes(text).map(|value| config.engine.query_memory_bytes = value),
    },
    Setting {
        section: "query",
        key: "timeout_secs",
        doc: "longest time a query may run, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.engine.query_timeout = value),
    },
    Setting {
        section: "query",
        key: "aggregate_timeout_secs",
        doc: "the same for a query that asks for numbers and not for rows, when that is shorter, seconds",
        default: "30",
        apply: |config, text| seconds(text).map(|value| config.engine.aggregate_timeout = value),
    },
    Setting {
        section: "query",
        key: "max_read_bytes",
        doc: "bytes of data files that one query may read, exports apart, or `none`; a query that needs more is \
              answered 400",
        default: "none",
        apply: |config, text| {
            let value = if text == "none" { None } else { Some(bytes(text)? as u64) };
            config.engine.max_read_bytes = value;
            Ok(())
        },
    },
    Setting {
        section: "query",
        key: "max_concurrent_per_organization",
        doc: "questions about logs that the members of one organization may ask at a time, or `none`; more are \
              answered 429",
        default: "256",
        apply: |config, text| limit(text).map(|value| config.max_questions_per_organization = value),
    },
];
