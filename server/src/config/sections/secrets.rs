//! `secrets`: what secrets of other services are stored encrypted with.

use crate::config::setting::{Setting, unless_none};
use crate::secret::Secret;
use crate::secret_key::SecretKey;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[Setting {
    section: "secrets",
    key: "key",
    doc: "64 hexadecimal digits that secrets of other services, like Slack's tokens, are stored encrypted with; with `none` they are in the file `secret.key` of the data folder, which is made; best given in the environment",
    default: "none",
    apply: |config, text| {
        config.secret_key = unless_none(text).map(Secret::new);
        let checked = config.secret_key.as_ref().map(|key| SecretKey::parse(key.reveal())).transpose();
        checked.map(|_| ()).map_err(|error| error.to_string())
    },
}];
