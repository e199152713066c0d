//! `traces`: traces of the server's own work.

use crate::config::setting::{Setting, address, parse};
use crate::config::traces::SecretHeaders;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "traces",
        key: "endpoint",
        doc: "what takes traces of the server's own work over OTLP/HTTP, like `http://localhost:4320/v1/traces`, or \
              `none`",
        default: "none",
        apply: |config, text| address(text).map(|value| config.traces.endpoint = value),
    },
    Setting {
        section: "traces",
        key: "headers",
        doc: "headers of requests there, `name=value,name=value`, values with `%`-escapes, or `none`; best given in the environment",
        default: "none",
        apply: |config, text| SecretHeaders::parse(text).map(|value| config.traces.headers = value),
    },
    Setting {
        section: "traces",
        key: "sample_ratio",
        doc: "share of traces that is sent, from 0 to 1; one that a caller began is sent when the caller sends it",
        default: "1",
        apply: |config, text| {
            const WHAT: &str = "a number from 0 to 1";
            let ratio: f64 = parse(text, WHAT)?;
            if !(0.0..=1.0).contains(&ratio) {
                return Err(format!("{text:?} is not {WHAT}"));
            }
            config.traces.sample_ratio = ratio;
            Ok(())
        },
    },
];
