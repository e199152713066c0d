//! `auth`: log-ins of the web page.

use std::time::Duration;

use crate::config::setting::{Setting, positive};

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "auth",
        key: "session_hours",
        doc: "how long a log-in lasts, hours",
        default: "336",
        apply: |config, text| {
            positive(text)
                .map(|hours| config.auth.session_lifetime = Duration::from_secs(u64::from(hours) * 3_600))
        },
    },
    Setting {
        section: "auth",
        key: "sensitive_minutes",
        doc: "how long after a log-in organizations, members, roles and keys can be changed in it, minutes",
        default: "120",
        apply: |config, text| {
            positive(text)
                .map(|minutes| config.auth.sensitive_max_age = Duration::from_secs(u64::from(minutes) * 60))
        },
    },
    Setting {
        section: "auth",
        key: "secure_cookies",
        doc: "`always`: browsers send the cookies of a log-in by HTTPS only; `auto`: only if the log-in came so, which \
              a proxy says in `X-Forwarded-Proto`",
        default: "auto",
        apply: |config, text| match text {
            "always" | "auto" => {
                config.auth.secure_cookies = text == "always";
                Ok(())
            }
            _ => Err(format!("{text:?} is not always or auto")),
        },
    },
];
