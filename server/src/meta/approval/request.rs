//! Change requests: writes that wait for approval, and what became of them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Place, from_json};
use crate::meta::MetaError;

/// How far a request is. Only the first two change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestState {
    /// Votes are waited for.
    Pending,
    /// There are enough votes; the write follows at once, or after a restart.
    Approved,
    /// The write was done.
    Applied,
    /// An approver said no, or the requester took it back.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The write could not be done.
    Failed,
}

impl RequestState {
    /// Every state there is.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Approved, Self::Applied, Self::Rejected, Self::Expired, Self::Failed];

    /// The word of the API, and as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Applied => "applied",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// The state that a word is.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether something is still to come.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

/// Whether a request could be applied when it was last looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Validation {
    /// It could.
    #[default]
    Valid,
    /// What it changes is not what it was when it was requested; why.
    Stale(String),
    /// The write is not allowed as things are; what is wrong, by member.
    Invalid(Map<String, Value>),
}

impl Validation {
    /// The word of the API, and as it is stored.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Stale(_) => "stale",
            Self::Invalid(_) => "invalid",
        }
    }

    /// What is wrong, if anything is.
    pub fn errors(&self) -> Option<Map<String, Value>> {
        match self {
            Self::Valid => None,
            Self::Stale(reason) => {
                Some(Map::from_iter([("staleness".to_owned(), Value::from(reason.as_str()))]))
            }
            Self::Invalid(errors) => Some(errors.clone()),
        }
    }

    pub(super) fn read(word: &str, errors: Option<&str>) -> Result<Self, MetaError> {
        let errors: Map<String, Value> =
            errors.map(|errors| from_json(errors, "errors of a request")).transpose()?.unwrap_or_default();
        match word {
            "valid" => Ok(Self::Valid),
            "stale" => {
                let reason = errors.get("staleness").and_then(Value::as_str).unwrap_or_default();
                Ok(Self::Stale(reason.to_owned()))
            }
            "invalid" => Ok(Self::Invalid(errors)),
            other => Err(MetaError::Corrupt(format!("a request that is {other:?}"))),
        }
    }
}

/// What the policy said when the request was made: it alone decides.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct PolicySnapshot {
    /// Approving votes that are needed.
    pub quorum: i64,
    /// Numbers of users who approve.
    pub users: Vec<i64>,
    /// Roles that approve, UUID text.
    pub roles: Vec<String>,
    /// Whether a requester who is an approver may vote.
    pub allow_self_approve: bool,
    /// When the action needed approval.
    pub conditions: Map<String, Value>,
    /// Levels of members who needed none.
    pub bypass_org_membership_levels: Vec<i64>,
    /// Roles whose members needed none, UUID text.
    pub bypass_roles: Vec<String>,
}

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeRequest {
    /// UUID text.
    pub id: String,
    /// Where it belongs.
    pub place: Place,
    /// What is to be done.
    pub action_key: String,
    /// The action's version at the time.
    pub action_version: i64,
    /// What kind of thing is changed.
    pub resource_type: String,
    /// The thing; none when it is to be made.
    pub resource_id: Option<String>,
    /// Tells things that are to be made apart; may be empty.
    pub natural_key: String,
    /// The write, and what it changes.
    pub intent: Map<String, Value>,
    /// The same for people.
    pub intent_display: Map<String, Value>,
    /// Under which policy.
    pub snapshot: PolicySnapshot,
    /// Whether it could be applied when it was last looked at.
    pub validation: Validation,
    /// When it was last found that it could not, microseconds.
    pub validated_us: Option<i64>,
    /// How far it is.
    pub state: RequestState,
    /// Who asked.
    pub created_by: i64,
    /// As whom it was applied.
    pub applied_by: Option<i64>,
    /// Microseconds.
    pub created_us: i64,
    /// Microseconds.
    pub updated_us: i64,
    /// Until when it can be approved, microseconds.
    pub expires_us: i64,
    /// Microseconds.
    pub applied_us: Option<i64>,
    /// Why it was not applied; empty when there is nothing to say.
    pub apply_error: String,
    /// What applying it made.
    pub result_data: Option<Map<String, Value>>,
}

/// A request that is to be made.
#[derive(Clone, Debug)]
pub struct NewChangeRequest {
    /// Where it belongs.
    pub place: Place,
    /// What is to be done.
    pub action_key: &'static str,
    /// The action's version.
    pub action_version: i64,
    /// What kind of thing is changed.
    pub resource_type: &'static str,
    /// The thing; none when it is to be made.
    pub resource_id: Option<String>,
    /// Tells things that are to be made apart; may be empty.
    pub natural_key: String,
    /// The write, and what it changes.
    pub intent: Map<String, Value>,
    /// The same for people.
    pub intent_display: Map<String, Value>,
    /// Under which policy.
    pub snapshot: PolicySnapshot,
    /// Who asks.
    pub created_by: i64,
    /// Until when it can be approved, microseconds.
    pub expires_us: i64,
}

/// Which requests are asked for.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// In any of these states; none is in any state at all.
    pub states: Option<Vec<RequestState>>,
    /// For this action.
    pub action_key: Option<String>,
    /// By this user.
    pub requester: Option<i64>,
    /// About this kind of thing.
    pub resource_type: Option<String>,
    /// About this thing.
    pub resource_id: Option<String>,
}

/// How a request ends, or that it has enough votes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Approved,
    Rejected,
    Expired,
    Applied { result_data: Map<String, Value> },
    Failed { apply_error: String },
}

impl Outcome {
    pub(crate) fn state(&self) -> RequestState {
        match self {
            Self::Approved => RequestState::Approved,
            Self::Rejected => RequestState::Rejected,
            Self::Expired => RequestState::Expired,
            Self::Applied { .. } => RequestState::Applied,
            Self::Failed { .. } => RequestState::Failed,
        }
    }
}
