//! Where notifications go.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::secret::Secret;
use crate::secret_key::{SecretKey, SecretKeyError};

/// Where notifications go, in clear; its debug form hides the secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A channel of a Slack workspace that the project is integrated with.
    SlackChannel {
        /// The number of the project's integration.
        integration_id: i64,
        /// The channel as Slack knows it.
        channel_id: String,
        /// What people call the channel; may be empty.
        channel_name: String,
    },
    /// An incoming webhook of Slack, or of something that understands the same.
    SlackWebhook {
        /// Its address, which is a secret.
        url: Secret,
    },
    /// An address that is called.
    Webhook {
        /// The address, which may hold a secret.
        url: Secret,
        /// By which the receiver can tell that it is this server that calls.
        signing_secret: Option<Secret>,
    },
    /// E-mail addresses.
    Email {
        /// All of them get the same message.
        addresses: Vec<String>,
    },
    /// A service of PagerDuty.
    PagerDuty {
        /// The key of its integration.
        routing_key: Secret,
    },
}

impl Target {
    /// The words of all kinds.
    pub const KINDS: [&'static str; 4] = ["slack", "webhook", "email", "pagerduty"];

    /// Its kind, one of [`Self::KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::SlackChannel { .. } | Self::SlackWebhook { .. } => "slack",
            Self::Webhook { .. } => "webhook",
            Self::Email { .. } => "email",
            Self::PagerDuty { .. } => "pagerduty",
        }
    }

    /// What everybody in the project may know of it.
    pub fn shown(&self) -> String {
        match self {
            Self::SlackChannel { channel_id, channel_name, .. } => {
                let name = if channel_name.is_empty() { channel_id } else { channel_name };
                format!("Slack #{}", name.trim_start_matches('#'))
            }
            Self::SlackWebhook { url } => format!("Slack at {}", origin(url)),
            Self::Webhook { url, .. } => format!("webhook at {}", origin(url)),
            Self::Email { addresses } => format!("e-mail to {}", addresses.join(", ")),
            Self::PagerDuty { .. } => "PagerDuty".to_owned(),
        }
    }

    /// Encrypts it for a destination.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub(crate) fn seal(&self, key: &SecretKey, destination: Uuid) -> Result<String, SecretKeyError> {
        key.seal(&context(destination), &self.in_clear().to_string())
    }

    /// Opens what was sealed for a destination.
    ///
    /// # Errors
    /// [`SecretKeyError::Unsealing`] when it was sealed with another key or for another destination.
    pub(crate) fn open(key: &SecretKey, destination: Uuid, sealed: &str) -> Result<Self, SecretKeyError> {
        let clear = key.open_sealed(&context(destination), sealed)?;
        let clear = serde_json::from_str(&clear).map_err(|_| SecretKeyError::Unsealing)?;
        Self::from_clear(&clear).ok_or(SecretKeyError::Unsealing)
    }

    fn in_clear(&self) -> Value {
        match self {
            Self::SlackChannel { integration_id, channel_id, channel_name } => json!({
                "is": "slack_channel", "integration_id": integration_id, "channel_id": channel_id,
                "channel_name": channel_name,
            }),
            Self::SlackWebhook { url } => json!({ "is": "slack_webhook", "url": url.reveal() }),
            Self::Webhook { url, signing_secret } => json!({
                "is": "webhook", "url": url.reveal(),
                "signing_secret": signing_secret.as_ref().map(Secret::reveal),
            }),
            Self::Email { addresses } => json!({ "is": "email", "addresses": addresses }),
            Self::PagerDuty { routing_key } => {
                json!({ "is": "pagerduty", "routing_key": routing_key.reveal() })
            }
        }
    }

    fn from_clear(clear: &Value) -> Option<Self> {
        let text = |name: &str| clear[name].as_str().map(str::to_owned);
        let secret = |name: &str| text(name).map(Secret::new);
        match clear["is"].as_str()? {
            "slack_channel" => Some(Self::SlackChannel {
                integration_id: clear["integration_id"].as_i64()?,
                channel_id: text("channel_id")?,
                channel_name: text("channel_name")?,
            }),
            "slack_webhook" => Some(Self::SlackWebhook { url: secret("url")? }),
            "webhook" => {
                Some(Self::Webhook { url: secret("url")?, signing_secret: secret("signing_secret") })
            }
            "email" => {
                let addresses = clear["addresses"].as_array()?.iter();
                let addresses = addresses.map(|address| address.as_str().map(str::to_owned));
                Some(Self::Email { addresses: addresses.collect::<Option<_>>()? })
            }
            "pagerduty" => Some(Self::PagerDuty { routing_key: secret("routing_key")? }),
            _ => None,
        }
    }
}

/// The place that the secrets of a destination are bound to.
fn context(destination: Uuid) -> String {
    format!("destination {destination}")
}

/// An address without its path, which may be a secret.
fn origin(url: &Secret) -> String {
    let parsed = reqwest::Url::parse(url.reveal());
    parsed.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn all() -> [Target; 6] {
        [
            Target::SlackChannel {
                integration_id: 7,
                channel_id: "C1".to_owned(),
                channel_name: "#ops".to_owned(),
            },
            Target::SlackChannel {
                integration_id: 7,
                channel_id: "C1".to_owned(),
                channel_name: String::new(),
            },
            Target::SlackWebhook { url: secret("https://hooks.example.org/T/hush") },
            Target::Webhook { url: secret("https://example.org:8443/hush?a=hush"), signing_secret: None },
            Target::Email { addresses: vec!["a@example.org".to_owned(), "b@example.org".to_owned()] },
            Target::PagerDuty { routing_key: secret("hush") },
        ]
    }

    #[test]
    fn what_is_sealed_opens_for_its_destination_alone() {
        let key = SecretKey::parse(&"a".repeat(64)).unwrap();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let signed =
            Target::Webhook { url: secret("https://example.org"), signing_secret: Some(secret("s")) };
        for target in all().into_iter().chain([signed]) {
            let sealed = target.seal(&key, one).unwrap();
            assert!(!sealed.contains("hush"), "{sealed}");
            assert_eq!(Target::open(&key, one, &sealed).unwrap(), target);
            assert!(Target::open(&key, other, &sealed).is_err());
        }
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        let shown = all().map(|target| {
            assert!(Target::KINDS.contains(&target.kind()));
            assert!(!format!("{target:?}").contains("hush"));
            target.shown()
        });
        assert_eq!(
            shown,
            [
                "Slack #ops",
                "Slack #C1",
                "Slack at https://hooks.example.org",
                "webhook at https://example.org:8443",
                "e-mail to a@example.org, b@example.org",
                "PagerDuty",
            ]
        );
    }
}
