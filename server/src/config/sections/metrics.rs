//! `metrics`: who may read numbers about the server.

use crate::config::MetricsAccess;
use crate::config::setting::Setting;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[Setting {
    section: "metrics",
    key: "access",
    doc: "who may read `GET /metrics`: `local` (callers on this machine that no proxy stands for, and anybody with a \
          personal API key), `key` (a key always), `everyone`, or `none`",
    default: "local",
    apply: |config, text| access(text).map(|value| config.metrics_access = value),
}];

fn access(text: &str) -> Result<MetricsAccess, String> {
    match text {
        "local" => Ok(MetricsAccess::Local),
        "key" => Ok(MetricsAccess::Key),
        "everyone" => Ok(MetricsAccess::Everyone),
        "none" => Ok(MetricsAccess::None),
        _ => Err(format!("{text:?} is not local, key, everyone or none")),
    }
}
