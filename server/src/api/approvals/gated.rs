//! How endpoints have something done that may need approval.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::written;
use crate::activity::entry::Actor;
use crate::approvals::action::{Done, Write};
use crate::approvals::lifecycle::Viewer;
use crate::approvals::{Attempt, Stopped};
use crate::error::ApiError;
use crate::meta::approval::{ApprovalPolicy, ChangeRequest, Place};
use crate::meta::personal_api_key::KeyAttributes;
use crate::state::AppState;

/// Does it, unless it needs approval; what follows from it is done too.
///
/// # Errors
/// As the write itself; 409 when it needs approval, and the request is stored; 400 when several policies are about it.
pub(in crate::api) async fn perform(
    state: &AppState,
    place: Place,
    actor: &Actor,
    (method, write): (&str, Write),
) -> Result<Done, ApiError> {
    let attempt = Attempt { place, actor, method, write };
    match state.approvals().perform(&attempt).await {
        Ok(done) => {
            follow_write(state, &attempt.write).await?;
            Ok(done)
        }
        Err(stopped) => Err(refusal(state, stopped).await?),
    }
}

/// Where a key of a user belongs as far as approvals are concerned: the one organization that has a policy about it.
///
/// # Errors
/// 400 when several have.
pub(in crate::api) async fn place_of_key(
    state: &AppState,
    user_id: i64,
    attributes: &KeyAttributes,
) -> Result<Place, ApiError> {
    match state.approvals().place_of_key(user_id, attributes).await {
        Ok(place) => Ok(place),
        Err(stopped) => Err(refusal(state, stopped).await?),
    }
}

/// Does what follows from a write that a request has done.
///
/// # Errors
/// When the metadata cannot be read; then it is done a second later.
pub(super) async fn follow(state: &AppState, request: &ChangeRequest) -> Result<(), ApiError> {
    match request.intent.get("full_request_data").cloned().map(serde_json::from_value::<Write>) {
        Some(Ok(write)) => follow_write(state, &write).await,
        _ => Ok(()),
    }
}

async fn follow_write(state: &AppState, write: &Write) -> Result<(), ApiError> {
    if write.changes_rules() {
        state.follow_metadata().await?;
    }
    if write.is_export() {
        state.exports().wake();
    }
    Ok(())
}

async fn refusal(state: &AppState, stopped: Stopped) -> Result<ApiError, ApiError> {
    let nobody = Viewer::default();
    match stopped {
        Stopped::Refused(error) => Ok(error),
        Stopped::NeedsApproval { request, approvers, needs_others } => {
            state.delivery().wake();
            let shown = written::request(state, &request, &nobody).await?;
            let message = match needs_others {
                true => "This change needs approval by others: the policy does not let you approve your own.",
                false => "This change needs approval. A change request was made.",
            };
            Ok(conflict(
                "approval_required",
                message,
                json!({
                    "status": "approval_required",
                    "message": message,
                    "resource_type": request.resource_type,
                    "resource_id": request.resource_id,
                    "change_request_id": request.id,
                    "change_request": shown,
                    "required_approvers": approvers,
                }),
            ))
        }
        Stopped::AlreadyRequested(request) => {
            let shown = written::request(state, &request, &nobody).await?;
            let message = "A change request for this waits already.";
            Ok(conflict(
                "change_request_pending",
                message,
                json!({
                    "status": "approval_required",
                    "message": message,
                    "error": message,
                    "resource_type": request.resource_type,
                    "resource_id": request.resource_id,
                    "change_request_id": request.id,
                    "change_request": shown,
                    "existing_change_request": shown,
                    "required_approvers": {},
                }),
            ))
        }
        Stopped::Conflict(policies) => Ok(policy_conflict(&policies)),
    }
}

fn conflict(code: &'static str, detail: &'static str, body: Value) -> ApiError {
    ApiError::with_body(StatusCode::CONFLICT, code, detail, body)
}

fn policy_conflict(policies: &[ApprovalPolicy]) -> ApiError {
    let named = |policy: &ApprovalPolicy| {
        let of = if policy.place.project.is_some() { "the project" } else { "the organization" };
        let key = &policy.content.action_key;
        json!({ "id": policy.id, "name": format!("{key} of {of}"), "action_key": key })
    };
    let error = "More than one approval policy is about this change.";
    let body = json!({
        "error": error,
        "conflicting_policies": policies.iter().map(named).collect::<Vec<_>>(),
        "guidance": "Split the change so that each part is under one policy, or change the policies.",
    });
    ApiError::with_body(StatusCode::BAD_REQUEST, "policy_conflict", error, body)
}
