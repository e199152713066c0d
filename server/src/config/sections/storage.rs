//! `storage`: where data files are, and how patiently a remote store is asked.

use crate::config::setting::{Setting, bytes, parse, seconds};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "storage",
        key: "url",
        doc: "where data files are: `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, \
              `file:///folder`, or `none` for the data folder",
        default: "none",
        apply: |config, text| {
            config.engine.storage.url = (text != "none").then(|| text.to_owned());
            Ok(())
        },
    },
    Setting {
        section: "storage",
        key: "cache_bytes",
        doc: "most bytes of a remote store's data files that are kept in the data folder; 0 keeps none",
        default: "10GiB",
        apply: |config, text| {
            let value = if text == "0" { Ok(0) } else { bytes(text) };
            value.map(|value| config.engine.storage.cache_bytes = value as u64)
        },
    },
    Setting {
        section: "storage",
        key: "request_timeout_secs",
        doc: "longest time of one request to a remote store, with its body, seconds",
        default: "30",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.request_timeout = value),
    },
    Setting {
        section: "storage",
        key: "connect_timeout_secs",
        doc: "longest time until a connection to a remote store stands, seconds",
        default: "5",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.connect_timeout = value),
    },
    Setting {
        section: "storage",
        key: "max_retries",
        doc: "how often a request is repeated when a remote store fails or is busy",
        default: "5",
        apply: |config, text| {
            parse(text, "a whole number").map(|value| config.engine.storage.max_retries = value)
        },
    },
    Setting {
        section: "storage",
        key: "retry_timeout_secs",
        doc: "time after which a request to a remote store is not repeated any more, seconds",
        default: "60",
        apply: |config, text| seconds(text).map(|value| config.engine.storage.retry_timeout = value),
    },
];
