//! What notifications come from, and what they tell of.

use uuid::Uuid;

use super::uuid_of;
use crate::meta::MetaError;

/// What notifications come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// An alert on logs.
    LogAlert(Uuid),
    /// A subscription to the audit trail.
    ActivitySubscription(Uuid),
    /// A request that waits for approval.
    ChangeRequest(Uuid),
}

impl Owner {
    const LOG_ALERT: &'static str = "log_alert";
    const ACTIVITY_SUBSCRIPTION: &'static str = "activity_subscription";
    const CHANGE_REQUEST: &'static str = "change_request";

    /// Its id.
    pub fn id(self) -> Uuid {
        match self {
            Self::LogAlert(id) | Self::ActivitySubscription(id) | Self::ChangeRequest(id) => id,
        }
    }

    pub(in crate::meta) fn kind(self) -> &'static str {
        match self {
            Self::LogAlert(_) => Self::LOG_ALERT,
            Self::ActivitySubscription(_) => Self::ACTIVITY_SUBSCRIPTION,
            Self::ChangeRequest(_) => Self::CHANGE_REQUEST,
        }
    }

    /// What people call such a thing.
    pub(super) fn product(self) -> &'static str {
        match self {
            Self::LogAlert(_) => "Logs alert",
            Self::ActivitySubscription(_) => "Activity subscription",
            Self::ChangeRequest(_) => "Change request",
        }
    }

    pub(super) fn from_parts(kind: &str, id: &str) -> Result<Self, MetaError> {
        let id = uuid_of(id)?;
        match kind {
            Self::LOG_ALERT => Ok(Self::LogAlert(id)),
            Self::ACTIVITY_SUBSCRIPTION => Ok(Self::ActivitySubscription(id)),
            Self::CHANGE_REQUEST => Ok(Self::ChangeRequest(id)),
            _ => Err(MetaError::Corrupt(format!("a destination of a {kind:?}"))),
        }
    }
}

/// What is told of. Each destination is told of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An alert has begun to fire.
    AlertFiring,
    /// An alert does not fire any more.
    AlertResolved,
    /// An alert fails and is not checked any more.
    AlertBroken,
    /// The check of an alert has failed.
    AlertErrored,
    /// The audit trail has a new entry.
    ActivityEntry,
    /// A change waits for approval.
    ApprovalRequested,
    /// Something was decided about a change.
    ApprovalResolved,
}

impl EventKind {
    /// All that an alert tells, in the order in which the ids of a group are answered.
    pub const OF_ALERTS: [Self; 4] =
        [Self::AlertFiring, Self::AlertResolved, Self::AlertBroken, Self::AlertErrored];

    /// Each with its name and with what is said of it.
    const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::AlertFiring, "$logs_alert_firing", "firing"),
        (Self::AlertResolved, "$logs_alert_resolved", "resolved"),
        (Self::AlertBroken, "$logs_alert_auto_disabled", "broken"),
        (Self::AlertErrored, "$logs_alert_errored", "errored"),
        (Self::ActivityEntry, "$activity_log_entry_created", "new entry"),
        (Self::ApprovalRequested, "$approval_requested", "approval requested"),
        (Self::ApprovalResolved, "$approval_resolved", "approval resolved"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What is said of it.
    pub fn word(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (Self, &'static str, &'static str) {
        let found = Self::ALL.into_iter().find(|(event, _, _)| *event == self);
        found.expect("BUG: every kind of event has a row")
    }

    pub(super) fn from_name(name: &str) -> Result<Self, MetaError> {
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == name);
        found
            .map(|(event, _, _)| event)
            .ok_or_else(|| MetaError::Corrupt(format!("a destination for {name:?}")))
    }
}
