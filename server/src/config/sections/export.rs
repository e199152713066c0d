//! `export`: what exports may take.

use crate::config::setting::{Setting, bytes, positive};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "export",
        key: "max_streams",
        doc: "exports that are streamed at a time; further ones are answered 503",
        default: "4",
        apply: |config, text| positive(text).map(|value| config.export.max_streams = value as usize),
    },
    Setting {
        section: "export",
        key: "max_file_bytes",
        doc: "largest file of an export that is made in the background",
        default: "256MiB",
        apply: |config, text| bytes(text).map(|value| config.export.max_file_bytes = value),
    },
    Setting {
        section: "export",
        key: "keep_days",
        doc: "how long such a file is kept, days",
        default: "7",
        apply: |config, text| positive(text).map(|value| config.export.keep_days = value),
    },
];
