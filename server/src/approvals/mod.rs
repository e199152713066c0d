//! Approvals: writes that need the consent of others before they are done.
//!
//! A policy says which action needs how many votes of whom. Every write that a policy may be about goes through
//! [`Approvals::perform`]: it is tried in a transaction, so that all its rules are those of the write itself; then it is
//! either kept, or taken back and stored as a change request. The vote that completes the quorum is committed first, the
//! write follows in one transaction with the request's new state and all entries of the audit trail: a stop between the
//! two leaves a request that is approved, which is applied after the next start, once.
//!
//! Modules in reading order: [`conditions`], when a policy is meant; [`lifecycle`], who may do what to a request;
//! [`action`], the registry: what can be gated, one file for each type of resource; [`gate`]; [`decide`], votes and
//! cancelling; [`apply`]; [`jobs`]; [`notice`], who is told.

pub(crate) mod action;
mod apply;
pub(crate) mod conditions;
mod decide;
mod gate;
mod jobs;
pub(crate) mod lifecycle;
mod notice;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use engine::clock::Clock;

use crate::config::ServerConfig;
use crate::error::ApiError;
use crate::meta::approval::ChangeRequest;
use crate::meta::{Meta, MetaError};
use crate::secret_key::SecretKey;

pub(crate) use decide::{Decider, Undecided};
pub(crate) use gate::{Attempt, Stopped};
pub(crate) use jobs::ApprovalJobs;

/// What approvals need of a running server; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Approvals(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    meta: Meta,
    clock: Arc<dyn Clock>,
    /// Encrypts where e-mails go.
    key: Arc<SecretKey>,
    limits: Limits,
    /// Where people reach the server.
    public_url: String,
    /// Whether e-mails can be sent.
    sends_mail: bool,
}

/// What the settings allow writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most alerts of a project; 0 is any number.
    pub(crate) max_alerts: u32,
    /// How long exports are kept, microseconds.
    pub(crate) export_kept_us: i64,
}

impl Approvals {
    pub(crate) fn new(meta: Meta, clock: Arc<dyn Clock>, key: Arc<SecretKey>, config: &ServerConfig) -> Self {
        const US_PER_DAY: i64 = 86_400 * 1_000_000;
        let limits = Limits {
            max_alerts: config.alerts.max_per_project,
            export_kept_us: i64::from(config.export.keep_days).saturating_mul(US_PER_DAY),
        };
        let public_url = crate::alerts::notice::public_url(config);
        let sends_mail = config.smtp.is_configured();
        Self(Arc::new(Shared { meta, clock, key, limits, public_url, sends_mail }))
    }

    fn meta(&self) -> &Meta {
        &self.0.meta
    }

    fn now_us(&self) -> i64 {
        self.0.clock.now_us()
    }
}

/// A request that is there no more, or something that failed.
fn gone(request: Option<ChangeRequest>) -> Result<ChangeRequest, ApiError> {
    request.ok_or_else(|| ApiError::not_found("change request not found"))
}

/// A statement failed.
fn failed(error: sqlx::Error) -> ApiError {
    MetaError::from(error).into()
}
