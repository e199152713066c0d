//! `rate_limits`: how much one key and one project may ask for and send.

use crate::config::RateLimitConfig;
use crate::config::setting::{Setting, bytes, limit};

/// The settings; the preset comes first, so that the others can change it.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "rate_limits",
        key: "preset",
        doc: "`none`, or `reference`: 480 requests a minute and 4,800 an hour with one key, 240 and 1,200 for \
              `patterns_diff`; the settings below change single numbers of it",
        default: "none",
        apply: |config, text| preset(text).map(|value| config.rate_limits = value),
    },
    Setting {
        section: "rate_limits",
        key: "key_per_minute",
        doc: "requests that may be made with one personal API key within a minute, or `none`",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.key_per_minute = value),
    },
    Setting {
        section: "rate_limits",
        key: "key_per_hour",
        doc: "the same within an hour",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.key_per_hour = value),
    },
    Setting {
        section: "rate_limits",
        key: "patterns_diff_per_minute",
        doc: "requests to `logs/patterns_diff`, which are counted by themselves, with one key within a minute, or `none`",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.patterns_diff_per_minute = value),
    },
    Setting {
        section: "rate_limits",
        key: "patterns_diff_per_hour",
        doc: "the same within an hour",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.patterns_diff_per_hour = value),
    },
    Setting {
        section: "rate_limits",
        key: "project_per_minute",
        doc: "requests about one project within a minute, whatever their keys, or `none`",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.project_per_minute = value),
    },
    Setting {
        section: "rate_limits",
        key: "project_per_hour",
        doc: "the same within an hour",
        default: "none",
        apply: |config, text| limit(text).map(|value| config.rate_limits.project_per_hour = value),
    },
    Setting {
        section: "rate_limits",
        key: "ingest_bytes_per_minute",
        doc: "bytes of bodies with records, as they are sent, that one project may send within a minute, or `none`",
        default: "none",
        apply: |config, text| {
            let value = if text == "none" { None } else { Some(bytes(text)? as u64) };
            config.rate_limits.ingest_bytes_per_minute = value;
            Ok(())
        },
    },
];

fn preset(text: &str) -> Result<RateLimitConfig, String> {
    match text {
        "none" => Ok(RateLimitConfig::default()),
        "reference" => Ok(RateLimitConfig {
            key_per_minute: Some(480),
            key_per_hour: Some(4_800),
            patterns_diff_per_minute: Some(240),
            patterns_diff_per_hour: Some(1_200),
            ..RateLimitConfig::default()
        }),
        _ => Err(format!("{text:?} is not none or reference")),
    }
}
