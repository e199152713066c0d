//! Votes, and taking a request back.
//!
//! Whether somebody may is looked at twice: before, to say why not, and in the transaction, where only one of two that
//! meet finds the request open.

use serde_json::{Map, Value};
use sqlx::AnyConnection;

use super::lifecycle::{self, Denied, Viewer};
use super::{Approvals, failed, gone, notice};
use crate::activity::entry::Actor;
use crate::error::ApiError;
use crate::meta::MetaError;
use crate::meta::approval::{self, ChangeRequest, Decision, Outcome, Place, RequestState, Vote};

/// Why a request was not decided.
#[derive(Debug)]
pub(crate) enum Undecided {
    /// The caller may not: what was known before says so.
    Denied(Denied),
    /// Somebody else was faster, or the caller has voted.
    Lost(Denied),
    /// Something else.
    Failed(ApiError),
}

impl From<ApiError> for Undecided {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<MetaError> for Undecided {
    fn from(error: MetaError) -> Self {
        Self::Failed(error.into())
    }
}

/// Somebody who decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decider<'a> {
    /// As policies know them.
    pub(crate) viewer: &'a Viewer,
    /// As the audit trail names them.
    pub(crate) actor: &'a Actor,
}

impl Approvals {
    /// The request of a place, and its votes.
    pub(crate) async fn find(&self, place: &Place, id: &str) -> Result<(ChangeRequest, Vec<Vote>), ApiError> {
        let request = gone(self.meta().change_request(place, id).await?)?;
        let mut votes = self.meta().change_request_votes(std::slice::from_ref(&request)).await?;
        let votes = votes.remove(&request.id).unwrap_or_default();
        Ok((request, votes))
    }

    /// Casts an approving vote; with the last one that is needed the write is done. The request as it is then.
    ///
    /// # Errors
    /// [`Undecided`]. When the database fails after the vote, the request stays approved and is applied later.
    pub(crate) async fn approve(
        &self,
        (place, id): (&Place, &str),
        by: Decider<'_>,
        reason: &str,
    ) -> Result<ChangeRequest, Undecided> {
        self.require_vote((place, id), by).await?;
        let after = self.vote(id, by, (Decision::Approved, reason)).await?;
        if after.state == RequestState::Approved {
            return Ok(self.apply(&after.id).await?);
        }
        Ok(after)
    }

    /// Casts a rejecting vote, which ends the request.
    ///
    /// # Errors
    /// [`Undecided`].
    pub(crate) async fn reject(
        &self,
        (place, id): (&Place, &str),
        by: Decider<'_>,
        reason: &str,
    ) -> Result<ChangeRequest, Undecided> {
        self.require_vote((place, id), by).await?;
        self.vote(id, by, (Decision::Rejected, reason)).await
    }

    /// Takes a request back.
    ///
    /// # Errors
    /// [`Undecided`].
    pub(crate) async fn cancel(
        &self,
        (place, id): (&Place, &str),
        by: Decider<'_>,
        reason: &str,
    ) -> Result<ChangeRequest, Undecided> {
        let (request, votes) = self.find(place, id).await?;
        let now_us = self.now_us();
        lifecycle::may_cancel(by.viewer, &request, &votes, now_us).map_err(Undecided::Denied)?;
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        let votes = approval::votes_of_request(connection, id).await?;
        lifecycle::may_cancel(by.viewer, &request, &votes, now_us).map_err(Undecided::Lost)?;
        if by.viewer.own_decision(&votes).is_some() {
            return Err(Undecided::Lost(Denied::AlreadyVoted));
        }
        let vote = (Decision::Rejected, reason);
        approval::insert_vote(connection, &request, request.created_by, vote, now_us).await?;
        approval::set_outcome(connection, &request, &Outcome::Rejected, now_us).await?;
        let to = Some(RequestState::Rejected);
        let because = because(reason);
        notice::tell_more(connection, &request, by.actor, "canceled", to, because, now_us).await?;
        let after = gone(approval::get(connection, id).await?)?;
        transaction.commit().await.map_err(failed)?;
        Ok(after)
    }

    /// Refuses who may not vote, by what is known without a lock.
    ///
    /// # Errors
    /// 404, or why not.
    pub(crate) async fn require_vote(
        &self,
        (place, id): (&Place, &str),
        by: Decider<'_>,
    ) -> Result<(), Undecided> {
        let (request, _) = self.find(place, id).await?;
        lifecycle::may_vote(by.viewer, &request, self.now_us()).map_err(Undecided::Denied)
    }

    /// Casts a vote in one transaction; enough of them make the request approved.
    pub(super) async fn vote(
        &self,
        id: &str,
        by: Decider<'_>,
        vote: (Decision, &str),
    ) -> Result<ChangeRequest, Undecided> {
        let now_us = self.now_us();
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        lifecycle::may_vote(by.viewer, &request, now_us).map_err(Undecided::Lost)?;
        let votes = approval::votes_of_request(connection, id).await?;
        if by.viewer.own_decision(&votes).is_some() {
            return Err(Undecided::Lost(Denied::AlreadyVoted));
        }
        let user_id = by.viewer.user_id.unwrap_or_default();
        approval::insert_vote(connection, &request, user_id, vote, now_us).await?;
        match vote.0 {
            Decision::Approved => self.note_approval(connection, &request, by.actor, vote.1, now_us).await?,
            Decision::Rejected => {
                approval::set_outcome(connection, &request, &Outcome::Rejected, now_us).await?;
                let to = Some(RequestState::Rejected);
                notice::tell_more(connection, &request, by.actor, "rejected", to, because(vote.1), now_us)
                    .await?;
                let words = ("was rejected", vote.1.to_owned());
                self.mail_requester(connection, &request, words, now_us).await?;
            }
        }
        let after = gone(approval::get(connection, id).await?)?;
        transaction.commit().await.map_err(failed)?;
        Ok(after)
    }

    /// What follows from an approving vote that is stored.
    async fn note_approval(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        actor: &Actor,
        reason: &str,
        now_us: i64,
    ) -> Result<(), MetaError> {
        let votes = approval::votes_of_request(connection, &request.id).await?;
        let is_enough = lifecycle::has_quorum(&request.snapshot, &votes);
        if is_enough {
            approval::set_outcome(connection, request, &Outcome::Approved, now_us).await?;
        }
        let to = is_enough.then_some(RequestState::Approved);
        notice::tell_more(connection, request, actor, "approved", to, because(reason), now_us).await?;
        let count = format!("{}/{} approvals", lifecycle::num_approvals(&votes), request.snapshot.quorum);
        self.mail_requester(connection, request, ("was approved", count), now_us).await
    }
}

fn because(reason: &str) -> Map<String, Value> {
    match reason {
        "" => Map::new(),
        reason => Map::from_iter([("reason".to_owned(), Value::from(reason))]),
    }
}
