//! A change request as it is answered.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::api::{basic_user, iso_time};
use crate::approvals::lifecycle::Viewer;
use crate::error::ApiError;
use crate::meta::approval::{ChangeRequest, Decision, Vote};
use crate::meta::user::BasicUser;
use crate::state::AppState;

/// Some requests as somebody sees them.
pub(super) async fn requests(
    state: &AppState,
    requests: &[ChangeRequest],
    viewer: &Viewer,
) -> Result<Vec<Value>, ApiError> {
    let votes = state.meta().change_request_votes(requests).await?;
    let mut ids: Vec<i64> = requests
        .iter()
        .flat_map(|request| [Some(request.created_by), request.applied_by])
        .flatten()
        .collect();
    ids.extend(votes.values().flatten().map(|vote| vote.user_id));
    ids.sort_unstable();
    ids.dedup();
    let users = state.meta().users_by_id(&ids).await?;
    let none = Vec::new();
    let written =
        |request: &ChangeRequest| written(request, votes.get(&request.id).unwrap_or(&none), viewer, &users);
    Ok(requests.iter().map(written).collect())
}

/// One request as somebody sees it.
pub(super) async fn request(
    state: &AppState,
    request: &ChangeRequest,
    viewer: &Viewer,
) -> Result<Value, ApiError> {
    let mut written = requests(state, std::slice::from_ref(request), viewer).await?;
    Ok(written.pop().unwrap_or_default())
}

fn written(
    request: &ChangeRequest,
    votes: &[Vote],
    viewer: &Viewer,
    users: &HashMap<i64, BasicUser>,
) -> Value {
    let user = |id: i64| basic_user::written(users.get(&id));
    let vote = |vote: &Vote| {
        json!({
            "id": vote.id,
            "created_by": user(vote.user_id),
            "decision": vote.decision.as_str(),
            "reason": vote.reason,
            "created_at": iso_time::format(vote.created_us),
        })
    };
    json!({
        "id": request.id,
        "action_key": request.action_key,
        "action_version": request.action_version,
        "resource_type": request.resource_type,
        "resource_id": request.resource_id,
        "intent": request.intent,
        "intent_display": request.intent_display,
        "policy_snapshot": request.snapshot,
        "validation_status": request.validation.as_str(),
        "validation_errors": request.validation.errors(),
        "validated_at": request.validated_us.map(iso_time::format),
        "state": request.state.as_str(),
        "created_by": user(request.created_by),
        "applied_by": request.applied_by.map(user),
        "created_at": iso_time::format(request.created_us),
        "updated_at": iso_time::format(request.updated_us),
        "expires_at": iso_time::format(request.expires_us),
        "applied_at": request.applied_us.map(iso_time::format),
        "apply_error": request.apply_error,
        "result_data": request.result_data,
        "approvals": votes.iter().map(vote).collect::<Vec<_>>(),
        "can_approve": viewer.can_approve(request),
        "can_cancel": viewer.can_cancel(request, votes),
        "is_requester": viewer.is_requester(request),
        "user_decision": viewer.own_decision(votes).map(Decision::as_str),
    })
}
