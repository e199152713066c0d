//! Policies: who must approve which action.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Place;
use crate::meta::user::BasicUser;
use crate::meta::{MetaError, is_unique_violation};

/// Who approves, and how many of them.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct ApproverConfig {
    /// Approving votes that are needed, at least 1.
    pub quorum: i64,
    /// Numbers of users.
    pub users: Vec<i64>,
    /// Roles, UUID text.
    pub roles: Vec<String>,
}

/// What can be written of a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyContent {
    /// The action, known or not.
    pub action_key: String,
    /// When the action needs approval; empty is always.
    pub conditions: Map<String, Value>,
    /// The JSON that was sent as the approvers, an object.
    pub approver_config: Map<String, Value>,
    /// Whether a requester who is an approver may vote on the own request.
    pub allow_self_approve: bool,
    /// Levels of members who need no approval, each for itself.
    pub bypass_levels: Vec<i64>,
    /// Roles whose members need no approval, UUID text.
    pub bypass_roles: Vec<String>,
    /// For how long requests can be approved, microseconds.
    pub expires_after_us: i64,
    /// Whether it counts.
    pub enabled: bool,
}

impl PolicyContent {
    /// Who approves.
    pub fn approvers(&self) -> ApproverConfig {
        let list = |key: &str| self.approver_config.get(key).and_then(Value::as_array).into_iter().flatten();
        ApproverConfig {
            quorum: self.approver_config.get("quorum").and_then(Value::as_i64).unwrap_or(0),
            users: list("users").filter_map(Value::as_i64).collect(),
            roles: list("roles").filter_map(Value::as_str).map(str::to_lowercase).collect(),
        }
    }

    /// What people see of it, by name.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let fields = json!({
            "action_key": self.action_key,
            "conditions": self.conditions,
            "approver_config": self.approver_config,
            "allow_self_approve": self.allow_self_approve,
            "bypass_org_membership_levels": self.bypass_levels,
            "bypass_roles": self.bypass_roles,
            "expires_after_seconds": self.expires_after_us / 1_000_000,
            "enabled": self.enabled,
        });
        fields.as_object().cloned().unwrap_or_default()
    }
}

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalPolicy {
    /// UUID text.
    pub id: String,
    /// Where it counts.
    pub place: Place,
    /// What can be written.
    pub content: PolicyContent,
    /// Who made it.
    pub created_by: Option<BasicUser>,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub updated_us: i64,
}

/// Why a policy was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is one for the action already.
    #[error("there is a policy for this action already: change that one")]
    Taken,
    /// There are as many as there may be.
    #[error("there are at most {0} policies")]
    TooMany(i64),
    /// A role is not one of the organization.
    #[error("bypass_roles: {0} is no role of the organization")]
    UnknownRole(String),
    /// The database.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl From<sqlx::Error> for PolicyError {
    fn from(error: sqlx::Error) -> Self {
        if is_unique_violation(&error) { Self::Taken } else { Self::Meta(error.into()) }
    }
}
