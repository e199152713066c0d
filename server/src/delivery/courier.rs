//! One try: a notification that was claimed is sent, and what came of it is noted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engine::clock::Clock;
use uuid::Uuid;

use super::email::{Mailer, MailerError};
use super::http::Http;
use super::outcome::{Outcome, wait_after};
use super::{Notification, Target, pagerduty, slack, webhook};
use crate::accounts::integrations::{self, Connection};
use crate::config::ServerConfig;
use crate::meta::notification::{Claim, Next};
use crate::meta::{Meta, MetaError};
use crate::secret_key::SecretKey;

/// Longer than any try takes.
const LEASE_US: i64 = 60 * 1_000_000;
/// How old a notification may be that is still sent.
const MAX_AGE_US: i64 = 24 * 3_600 * 1_000_000;
/// How long what was deleted can be told from what never was.
const KEPT_US: i64 = 90 * 24 * 3_600 * 1_000_000;

/// Whoever sends notifications.
#[derive(Debug)]
pub(super) struct Courier {
    meta: Meta,
    key: Arc<SecretKey>,
    clock: Arc<dyn Clock>,
    http: Http,
    mailer: Option<Mailer>,
    slack_url: String,
    pagerduty_url: String,
    pub(super) counts: DeliveryCounts,
}

/// What was done since the start.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounts {
    /// Notifications that were taken.
    pub(crate) sent: AtomicU64,
    /// Those that never will be.
    pub(crate) failed: AtomicU64,
    /// Tries after which another one is to follow.
    pub(crate) retried: AtomicU64,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// TLS cannot be set up.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] reqwest::Error),
    /// The settings for e-mails cannot be used.
    #[error(transparent)]
    Mailer(#[from] MailerError),
    /// The metadata database fails.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl Courier {
    pub(super) fn new(
        meta: Meta,
        key: Arc<SecretKey>,
        config: &ServerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DeliveryError> {
        Ok(Self {
            meta,
            key,
            clock,
            http: Http::new(&config.delivery)?,
            mailer: Mailer::new(&config.smtp)?,
            slack_url: config.delivery.slack_url.clone(),
            pagerduty_url: config.delivery.pagerduty_url.clone(),
            counts: DeliveryCounts::default(),
        })
    }

    /// Takes up to so many notifications that are due, none for destinations to which something is being sent.
    pub(super) async fn claim(&self, limit: usize, busy: &[Uuid]) -> Result<Vec<Claim>, MetaError> {
        let now_us = self.clock.now_us();
        self.meta.claim_notifications(limit, busy, now_us, now_us.saturating_add(LEASE_US)).await
    }

    /// Sends a notification and notes what came of it. What cannot be noted is sent once more, later.
    pub(super) async fn deliver(&self, claim: Claim) {
        let outcome = self.send(&claim).await;
        if let Err(error) = self.note(&claim, outcome).await {
            let destination = claim.destination.id;
            tracing::error!(%error, %destination, "cannot note what came of a notification");
        }
    }

    async fn note(&self, claim: &Claim, outcome: Outcome) -> Result<(), MetaError> {
        let now_us = self.clock.now_us();
        let (reason, next) = match outcome {
            Outcome::Taken => {
                self.meta.notification_sent(claim, now_us).await?;
                self.counts.sent.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Outcome::Refused { reason } => (reason, Next::GiveUp),
            Outcome::Later { reason, after } => {
                let wait = wait_after(claim.num_tries, after, jitter());
                let wait_us = wait.map(|wait| i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
                let next = wait_us.map(|wait_us| Next::TryAt(now_us.saturating_add(wait_us)));
                (reason, next.unwrap_or(Next::GiveUp))
            }
        };
        self.meta.notification_failed(claim, &reason, next, now_us).await?;
        let (destination, num_tries) = (claim.destination.id, claim.num_tries);
        match next {
            Next::TryAt(_) => {
                self.counts.retried.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%destination, num_tries, reason, "a notification is tried again");
            }
            Next::GiveUp => {
                self.counts.failed.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%destination, num_tries, reason, "a notification was not delivered");
            }
        }
        Ok(())
    }

    async fn send(&self, claim: &Claim) -> Outcome {
        let now_us = self.clock.now_us();
        if now_us.saturating_sub(claim.created_us) > MAX_AGE_US {
            return Outcome::refused("it has waited for more than a day");
        }
        let Ok(told) = serde_json::from_str::<Notification>(&claim.content) else {
            return Outcome::refused("the stored notification cannot be read");
        };
        let Ok(target) = claim.destination.target(&self.key) else {
            return Outcome::refused("the stored target was encrypted with another secret key");
        };
        let http = &self.http;
        match &target {
            Target::Webhook { url, signing_secret } => {
                webhook::post(http, (url, signing_secret.as_ref()), &told, now_us).await
            }
            Target::SlackWebhook { url } => slack::post_to_webhook(http, url, &told, now_us).await,
            Target::SlackChannel { integration_id, channel_id, .. } => {
                self.send_to_channel(claim, (*integration_id, channel_id), &told, now_us).await
            }
            Target::Email { addresses } => match &self.mailer {
                Some(mailer) => mailer.send(addresses, (&claim.destination, &told)).await,
                None => Outcome::refused("this server sends no e-mails any more"),
            },
            Target::PagerDuty { routing_key } => {
                let what = (&claim.destination, &told);
                pagerduty::post(http, &self.pagerduty_url, routing_key, what, now_us).await
            }
        }
    }

    async fn send_to_channel(
        &self,
        claim: &Claim,
        (integration_id, channel): (i64, &str),
        told: &Notification,
        now_us: i64,
    ) -> Outcome {
        let found = self.meta.integration(claim.destination.project_id, integration_id).await;
        let integration = match found {
            Ok(Some(integration)) => integration,
            Ok(None) => {
                return Outcome::refused("the project is not integrated with this workspace any more");
            }
            Err(_) => return Outcome::later("the server could not read its own metadata"),
        };
        match integrations::open(&self.key, &integration) {
            Ok(Connection::Slack { access_token }) => {
                slack::post_to_channel(&self.http, &self.slack_url, (&access_token, channel), told, now_us)
                    .await
            }
            Ok(Connection::Webhook { .. }) => Outcome::refused("the integration is none with Slack"),
            Err(_) => Outcome::refused("the stored integration was encrypted with another secret key"),
        }
    }

    /// Removes what has waited for too long, and destinations that were deleted long ago.
    pub(super) async fn sweep(&self) -> Result<(), MetaError> {
        let now_us = self.clock.now_us();
        // Who claims what is a little too old says so of the destination; the rest goes at once.
        let noted_before_us = now_us.saturating_sub(2 * MAX_AGE_US);
        let removed =
            self.meta.forget_old_notifications(noted_before_us, now_us.saturating_sub(KEPT_US)).await?;
        self.counts.failed.fetch_add(removed, Ordering::Relaxed);
        Ok(())
    }

    /// Sends what is due, and returns how many these were.
    #[cfg(test)]
    pub(super) async fn deliver_due(&self) -> usize {
        let claims = self.claim(100, &[]).await.unwrap();
        let num_claims = claims.len();
        futures::future::join_all(claims.into_iter().map(|claim| self.deliver(claim))).await;
        num_claims
    }
}

/// Less than a second. Without random bytes there is none.
fn jitter() -> Duration {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    Duration::from_micros(u64::from(u16::from_le_bytes(bytes)) * 15)
}
