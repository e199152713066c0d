//! `alerts`: where notifications may go.

use crate::config::setting::{Setting, address, unless_none};
use crate::delivery::AllowedTarget;

/// The settings.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        section: "alerts",
        key: "allow_private_targets",
        doc: "`true`: webhooks may lead to private, loopback and link-local addresses as well, for closed networks; \
              `false`: users cannot reach by a webhook what only this server may reach",
        default: "false",
        apply: |config, text| {
            config.delivery.allow_private_targets = match text {
                "true" => true,
                "false" => false,
                _ => return Err(format!("{text:?} is not true or false")),
            };
            Ok(())
        },
    },
    Setting {
        section: "alerts",
        key: "allowed_targets",
        doc: "names, addresses and networks that webhooks may lead to although they are private, joined by commas, like \
              `hooks.internal, 10.1.0.0/16`, or `none`",
        default: "none",
        apply: |config, text| {
            let listed = unless_none(text).unwrap_or_default();
            let entries = listed.split(',').map(str::trim).filter(|entry| !entry.is_empty());
            let entries = entries.map(str::parse::<AllowedTarget>).collect::<Result<_, _>>();
            entries.map(|entries| config.delivery.allowed_targets = entries)
        },
    },
    Setting {
        section: "alerts",
        key: "slack_url",
        doc: "address of Slack's API",
        default: "https://slack.com/api",
        apply: |config, text| required(text).map(|url| config.delivery.slack_url = url),
    },
    Setting {
        section: "alerts",
        key: "pagerduty_url",
        doc: "address that takes events of PagerDuty, version 2",
        default: "https://events.pagerduty.com/v2/enqueue",
        apply: |config, text| required(text).map(|url| config.delivery.pagerduty_url = url),
    },
];

fn required(text: &str) -> Result<String, String> {
    address(text)?.ok_or_else(|| format!("{text:?} is not an address that begins with https:// or http://"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;

    #[test]
    fn a_list_of_targets_is_read_whole_or_refused() {
        let mut config = ServerConfig::new("x");
        let setting = SETTINGS.iter().find(|setting| setting.key == "allowed_targets").unwrap();
        config.set(setting, "hooks.internal, 10.1.0.0/16", "test").unwrap();
        assert_eq!(config.delivery.allowed_targets.len(), 2);
        config.set(setting, "none", "test").unwrap();
        assert_eq!(config.delivery.allowed_targets, []);
        assert!(config.set(setting, "10.1.0.0/99", "test").is_err());
    }
}
