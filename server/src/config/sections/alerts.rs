//! `alerts`: bounds on alerts.

use crate::config::setting::{Setting, parse};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[Setting {
    section: "alerts",
    key: "max_per_project",
    doc: "most alerts of one project, those that are switched off included; 0 is no bound",
    default: "0",
    apply: |config, text| parse(text, "a whole number").map(|value| config.alerts.max_per_project = value),
}];
