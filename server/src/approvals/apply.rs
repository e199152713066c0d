//! Doing what was approved: once, as whoever asked for it, together with the request's new state.

use serde_json::{Map, Value, json};
use sqlx::{AnyConnection, Executor};

use super::action::{self, By, Resource, Write};
use super::{Approvals, failed, gone, notice};
use crate::activity::entry::Actor;
use crate::error::ApiError;
use crate::meta::MetaError;
use crate::meta::approval::{self, ChangeRequest, Outcome, RequestState, Validation};
use crate::meta::membership;

/// Why an approved write is not done.
#[derive(Debug)]
pub(super) enum Unapplied {
    /// The thing is not what it was when the change was requested.
    Stale(String),
    /// The write is not allowed as things are.
    Invalid(ApiError),
    /// The database fails: it is tried again later.
    Broken(ApiError),
}

impl From<ApiError> for Unapplied {
    fn from(error: ApiError) -> Self {
        if error.status().is_server_error() { Self::Broken(error) } else { Self::Invalid(error) }
    }
}

impl From<MetaError> for Unapplied {
    fn from(error: MetaError) -> Self {
        Self::Broken(error.into())
    }
}

impl Unapplied {
    /// What the request says of itself from then on; none when nothing is known.
    pub(super) fn validation(&self) -> Option<Validation> {
        match self {
            Self::Stale(reason) => Some(Validation::Stale(reason.clone())),
            Self::Invalid(error) => {
                let member = error.attr().unwrap_or("non_field_errors").to_owned();
                Some(Validation::Invalid(Map::from_iter([(member, Value::from(error.detail()))])))
            }
            Self::Broken(_) => None,
        }
    }
}

impl Approvals {
    /// Does the write of a request that is approved, and notes what came of it; a request in any other state is left as
    /// it is. One transaction. The request as it is then.
    ///
    /// # Errors
    /// When the database fails; then nothing was done.
    pub(crate) async fn apply(&self, id: &str) -> Result<ChangeRequest, ApiError> {
        let now_us = self.now_us();
        let mut transaction = self.meta().begin_write().await?;
        let connection = &mut *transaction;
        let request = gone(approval::get(connection, id).await?)?;
        if request.state != RequestState::Approved {
            return Ok(request);
        }
        connection.execute("SAVEPOINT applied").await.map_err(failed)?;
        let requester = Actor::user(request.created_by, None, None);
        let outcome = match self.replay(connection, &request, &requester, now_us).await {
            Ok(result_data) => Outcome::Applied { result_data },
            Err(Unapplied::Broken(error)) => return Err(error),
            Err(unapplied) => {
                connection.execute("ROLLBACK TO SAVEPOINT applied").await.map_err(failed)?;
                if let Some(validation) = unapplied.validation() {
                    approval::set_validation(connection, id, &validation, now_us).await?;
                }
                let apply_error = match unapplied {
                    Unapplied::Stale(reason) => reason,
                    Unapplied::Invalid(error) | Unapplied::Broken(error) => error.detail().to_owned(),
                };
                Outcome::Failed { apply_error }
            }
        };
        self.conclude(connection, &request, &requester, &outcome, now_us).await?;
        let after = gone(approval::get(connection, id).await?)?;
        transaction.commit().await.map_err(failed)?;
        Ok(after)
    }

    /// Notes and tells what came of it.
    async fn conclude(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        requester: &Actor,
        outcome: &Outcome,
        now_us: i64,
    ) -> Result<(), MetaError> {
        approval::set_outcome(connection, request, outcome, now_us).await?;
        let to = Some(outcome.state());
        match outcome {
            Outcome::Applied { result_data } => {
                let more = result_data.clone();
                notice::tell_more(connection, request, requester, "applied", to, more, now_us).await?;
                self.mail_requester(connection, request, ("was applied", String::new()), now_us).await
            }
            Outcome::Failed { apply_error } => {
                let more = Map::from_iter([("apply_error".to_owned(), Value::from(apply_error.as_str()))]);
                notice::tell_more(connection, request, &Actor::system(), "failed", to, more, now_us).await
            }
            Outcome::Approved | Outcome::Rejected | Outcome::Expired => Ok(()),
        }
    }

    /// Does the stored write, if the thing is still what it was. What is as it should be already is left alone.
    pub(super) async fn replay(
        &self,
        connection: &mut AnyConnection,
        request: &ChangeRequest,
        requester: &Actor,
        now_us: i64,
    ) -> Result<Map<String, Value>, Unapplied> {
        let write = stored_write(request)?;
        let place = &request.place;
        let member = membership::of_user(connection, &place.organization_id, request.created_by).await?;
        if !member.is_some_and(|member| member.user.is_active) {
            let detail = "who asked for the change is no active member of the organization any more";
            return Err(Unapplied::Invalid(ApiError::permission_denied(detail)));
        }
        if let Some(id) = &request.resource_id {
            let current = write.load(connection, place, id).await?;
            if is_satisfied(request, current.as_ref()) {
                return Ok(result(id, current.as_ref()));
            }
            require_unchanged(request, current.as_ref()).map_err(Unapplied::Stale)?;
        }
        let by = By {
            place,
            actor: requester,
            user_id: request.created_by,
            limits: self.0.limits,
            is_replay: true,
        };
        let done = write.carry_out(connection, &by, now_us).await?;
        let after = write.load(connection, place, &done.resource_id).await?;
        Ok(result(&done.resource_id, after.as_ref()))
    }
}

/// What a request wants done.
///
/// # Errors
/// [`Unapplied::Invalid`] when this version does not know it.
pub(super) fn stored_write(request: &ChangeRequest) -> Result<Write, Unapplied> {
    let unknown = |detail: String| Unapplied::Invalid(ApiError::validation("invalid_input", None, detail));
    let action = action::by_key(&request.action_key)
        .ok_or_else(|| unknown(format!("there is no action {:?}", request.action_key)))?;
    if action.version != request.action_version {
        return Err(unknown(format!("version {} of the action is not known", request.action_version)));
    }
    let stored = request.intent.get("full_request_data").cloned().unwrap_or_default();
    serde_json::from_value(stored).map_err(|error| unknown(format!("the change cannot be read: {error}")))
}

/// Whether everything is as the request wants it.
fn is_satisfied(request: &ChangeRequest, current: Option<&Resource>) -> bool {
    let changes = request.intent.get("gated_changes").and_then(Value::as_object);
    match (changes, current) {
        // A deletion changes no field to another value.
        (None, None) => true,
        (Some(changes), None) => changes.is_empty(),
        (Some(changes), Some(current)) => {
            !changes.is_empty()
                && changes
                    .iter()
                    .all(|(field, value)| current.fields.get(field).unwrap_or(&Value::Null) == value)
        }
        (None, Some(_)) => false,
    }
}

/// Whether a thing is still what it was when its change was requested.
///
/// # Errors
/// Why not, for people.
pub(super) fn require_unchanged(request: &ChangeRequest, current: Option<&Resource>) -> Result<(), String> {
    let Some(current) = current else {
        return Err(format!("the {} has been removed since", request.resource_type));
    };
    let expected = request.intent.get("preconditions").and_then(|conditions| conditions["version"].as_str());
    if expected == Some(current.version().as_str()) {
        return Ok(());
    }
    Err(format!("the {} has been changed since", request.resource_type))
}

fn result(id: &str, after: Option<&Resource>) -> Map<String, Value> {
    let result = json!({ "resource_id": id, "resource_version": after.map(Resource::version) });
    result.as_object().cloned().unwrap_or_default()
}
