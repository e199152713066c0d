//! `tail`: what following rows as they come in may cost.

use crate::config::setting::{Setting, bytes, parse};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "tail",
        key: "max_subscribers",
        doc: "most live tails at a time; beyond, new ones are answered 503",
        default: "64",
        apply: |config, text| parse(text, "a whole number").map(|value| config.tail.max_subscribers = value),
    },
    Setting {
        section: "tail",
        key: "max_subscribers_per_project",
        doc: "most live tails of one project at a time; beyond, new ones are answered 429",
        default: "16",
        apply: |config, text| {
            parse(text, "a whole number").map(|value| config.tail.max_subscribers_per_project = value)
        },
    },
    Setting {
        section: "tail",
        key: "buffer_bytes",
        doc: "bytes of rows that wait for one slow live tail, of the memory of queries; beyond, rows are dropped and \
              counted",
        default: "1MiB",
        apply: |config, text| bytes(text).map(|value| config.tail.buffer_bytes = value),
    },
];
