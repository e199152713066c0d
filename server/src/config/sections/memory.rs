//! `memory`: how much memory there is to share out.

use crate::config::setting::{Setting, bytes};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[Setting {
    section: "memory",
    key: "total_bytes",
    doc: "memory that is shared out: 1/4 each to fresh rows, queries and caches, 1/8 each to requests on their way in and \
              compaction; the process itself takes up to 256 MiB more. With less than 1 GiB the largest request is half \
              of the share of requests",
    default: "2GiB",
    apply: |config, text| bytes(text).map(|value| config.share_memory(value)),
}];
