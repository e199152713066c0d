//! `metadata`: where the metadata are.

use crate::config::setting::Setting;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[Setting {
    section: "metadata",
    key: "url",
    doc: "where organizations, users, projects and keys are: `postgres://user:password@host/database`, \
              or `none` for a file in the data folder",
    default: "none",
    apply: |config, text| {
        let url = if text == "none" { Ok(None) } else { text.parse().map(Some) };
        url.map(|value| config.metadata_url = value)
    },
}];
