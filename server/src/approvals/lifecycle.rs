//! Who may do what to a request, and what follows: pure rules over what is stored.
//!
//! ```text
//! pending --approve, not enough--> pending        pending --reject by an approver--> rejected
//! pending --approve, enough--> approved           pending --cancel by the requester--> rejected
//! approved --write done--> applied                pending | approved --too late--> expired
//! approved --write refused--> failed
//! ```

use crate::meta::approval::{ChangeRequest, Decision, PolicySnapshot, RequestState, Validation, Vote};

/// Somebody who asks to decide, or to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Viewer {
    /// The user's number; none is nobody in particular.
    pub(crate) user_id: Option<i64>,
    /// The user's roles in the organization, UUID text.
    pub(crate) roles: Vec<String>,
}

impl Viewer {
    /// Whether the policy names the user, or a role of the user.
    fn is_approver(&self, snapshot: &PolicySnapshot) -> bool {
        let is_role = |role: &String| self.roles.iter().any(|own| own.eq_ignore_ascii_case(role));
        self.user_id.is_some_and(|id| snapshot.users.contains(&id)) || snapshot.roles.iter().any(is_role)
    }

    /// Whether the user made the request.
    pub(crate) fn is_requester(&self, request: &ChangeRequest) -> bool {
        self.user_id == Some(request.created_by)
    }

    /// Whether the user's vote would count, whatever became of the request.
    pub(crate) fn can_approve(&self, request: &ChangeRequest) -> bool {
        let may_decide = !self.is_requester(request) || request.snapshot.allow_self_approve;
        self.is_approver(&request.snapshot) && may_decide
    }

    /// Whether the user may take the request back.
    pub(crate) fn can_cancel(&self, request: &ChangeRequest, votes: &[Vote]) -> bool {
        let is_stale = matches!(request.validation, Validation::Stale(_));
        let is_approved = votes.iter().any(|vote| vote.decision == Decision::Approved);
        self.is_requester(request) && request.state == RequestState::Pending && (!is_approved || is_stale)
    }

    /// What the user has voted.
    pub(crate) fn own_decision(&self, votes: &[Vote]) -> Option<Decision> {
        votes.iter().find(|vote| Some(vote.user_id) == self.user_id).map(|vote| vote.decision)
    }
}

/// Why somebody may not do something to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is decided already, or too old.
    NotPending(RequestState),
    /// Nobody decides about the own request here.
    OwnRequest,
    /// The policy does not name the caller.
    NotApprover,
    /// One vote is all.
    AlreadyVoted,
    /// Only the requester takes a request back.
    NotRequester,
    /// Somebody has approved already.
    HasApproval,
}

impl Denied {
    /// The reason, for people.
    pub(crate) fn detail(self) -> String {
        match self {
            Self::NotPending(state) => {
                format!("only a pending change request can be decided, and this one is {}", state.as_str())
            }
            Self::OwnRequest => "the policy does not let you decide about your own request".to_owned(),
            Self::NotApprover => "you are not an approver of this change request".to_owned(),
            Self::AlreadyVoted => "you have voted on this change request already".to_owned(),
            Self::NotRequester => "only who made a change request can cancel it".to_owned(),
            Self::HasApproval => "the change request has an approval already".to_owned(),
        }
    }
}

/// How far a request is at a time: one whose time is over counts as expired, whether or not that was noted.
pub(crate) fn state_at(request: &ChangeRequest, now_us: i64) -> RequestState {
    match request.state {
        RequestState::Pending if request.expires_us <= now_us => RequestState::Expired,
        state => state,
    }
}

/// Whether a vote may be cast at all, in the order in which reasons are told.
///
/// # Errors
/// The first reason why not.
pub(crate) fn may_vote(viewer: &Viewer, request: &ChangeRequest, now_us: i64) -> Result<(), Denied> {
    match state_at(request, now_us) {
        RequestState::Pending => {}
        state => return Err(Denied::NotPending(state)),
    }
    if viewer.is_requester(request) && !request.snapshot.allow_self_approve {
        return Err(Denied::OwnRequest);
    }
    if !viewer.is_approver(&request.snapshot) {
        return Err(Denied::NotApprover);
    }
    Ok(())
}

/// Whether the request may be taken back.
///
/// # Errors
/// The first reason why not.
pub(crate) fn may_cancel(
    viewer: &Viewer,
    request: &ChangeRequest,
    votes: &[Vote],
    now_us: i64,
) -> Result<(), Denied> {
    match state_at(request, now_us) {
        RequestState::Pending => {}
        state => return Err(Denied::NotPending(state)),
    }
    if !viewer.is_requester(request) {
        return Err(Denied::NotRequester);
    }
    if !viewer.can_cancel(request, votes) {
        return Err(Denied::HasApproval);
    }
    Ok(())
}

/// How many approving votes there are.
pub(crate) fn num_approvals(votes: &[Vote]) -> i64 {
    let approvals = votes.iter().filter(|vote| vote.decision == Decision::Approved).count();
    i64::try_from(approvals).unwrap_or(i64::MAX)
}

/// Whether there are enough approving votes.
pub(crate) fn has_quorum(snapshot: &PolicySnapshot, votes: &[Vote]) -> bool {
    num_approvals(votes) >= snapshot.quorum.max(1)
}
