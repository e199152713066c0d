//! How notifications leave the server.

use crate::delivery::AllowedTarget;
use crate::secret::Secret;

/// Where notifications may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryConfig {
    /// Whether webhooks may lead to private addresses as well.
    pub allow_private_targets: bool,
    /// What webhooks may lead to although it is private.
    pub allowed_targets: Vec<AllowedTarget>,
    /// What the names of Slack's methods are appended to.
    pub slack_url: String,
    /// What takes events of PagerDuty.
    pub pagerduty_url: String,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        Self {
            allow_private_targets: false,
            allowed_targets: Vec::new(),
            slack_url: "https://slack.com/api".to_owned(),
            pagerduty_url: "https://events.pagerduty.com/v2/enqueue".to_owned(),
        }
    }
}

/// The server that takes e-mails; none without a host and a sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpConfig {
    /// Its name.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
    /// How the connection to it is encrypted.
    pub tls: SmtpTls,
    /// Who it is told that this server is.
    pub user: Option<String>,
    /// By which this server shows that.
    pub password: Option<Secret>,
    /// Whom e-mails are from.
    pub from: Option<String>,
}

/// How a connection to a server for e-mails is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// Before anything is said.
    StartTls,
    /// From the first byte.
    Implicit,
    /// Not at all.
    None,
}

impl SmtpConfig {
    /// Whether e-mails can be sent.
    pub fn is_configured(&self) -> bool {
        self.host.is_some() && self.from.is_some()
    }
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self { host: None, port: 587, tls: SmtpTls::StartTls, user: None, password: None, from: None }
    }
}
