//! `change_requests`: what waits for approval, and deciding about it.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use uuid::Uuid;

use super::gated::follow;
use super::place::{Here, authorize};
use super::written;
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::page;
use crate::approvals::lifecycle::{Viewer, num_approvals};
use crate::approvals::{Decider, Undecided};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::approval::{RequestFilter, RequestState};
use crate::state::AppState;

/// Longest reason, characters.
pub(super) const MAX_REASON_CHARS: usize = 4_000;

/// The one place where a decision that was not taken becomes an answer: what was known before is a 403, what only the
/// lock has shown is a 400.
impl From<Undecided> for ApiError {
    fn from(undecided: Undecided) -> Self {
        match undecided {
            Undecided::Denied(denied) => Self::permission_denied(denied.detail()),
            Undecided::Lost(denied) => Self::bad_request(denied.detail()),
            Undecided::Failed(error) if error.status().is_server_error() => error.simple(),
            Undecided::Failed(error) => error,
        }
    }
}

/// A call that decides about a request.
struct Deciding {
    here: Here,
    viewer: Viewer,
    id: String,
    reason: String,
}

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let here = authorize(&state, &call, Scope::APPROVALS_READ).await?;
    let filter = filter(&call)?;
    let window = page::window(&call);
    let (requests, count) = state.meta().change_requests(&here.place, &filter, window).await?;
    let results = written::requests(&state, &requests, &here.viewer(&state).await?).await?;
    Ok(Json(page::page(&call.address(), window, count, results)))
}

pub(super) async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let here = authorize(&state, &call, Scope::APPROVALS_READ).await?;
    let (request, _) = state.approvals().find(&here.place, &request_id(&call)?).await?;
    Ok(Json(written::request(&state, &request, &here.viewer(&state).await?).await?))
}

pub(super) async fn approve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let deciding = decide(&state, &call).await?;
    let (actor, viewer) = (call.actor(&deciding.here.caller), &deciding.viewer);
    let by = Decider { viewer, actor: &actor };
    let place = &deciding.here.place;
    let approved = state.approvals().approve((place, &deciding.id), by, &deciding.reason).await;
    state.delivery().wake();
    let request = approved?;
    if request.state == RequestState::Applied {
        follow(&state, &request).await?;
    }
    let written = written::request(&state, &request, viewer).await?;
    let (status, message) = match request.state {
        RequestState::Applied => ("applied", "The change was approved and applied.".to_owned()),
        RequestState::Failed => {
            ("failed", format!("The change was approved and could not be applied: {}", request.apply_error))
        }
        _ => {
            let (_, votes) = state.approvals().find(place, &deciding.id).await?;
            let quorum = request.snapshot.quorum;
            ("approved", format!("Your approval was noted: {}/{quorum} approvals.", num_approvals(&votes)))
        }
    };
    let mut answer = json!({ "status": status, "message": message, "change_request": written });
    if let Some(result) = &request.result_data {
        answer["result"] = json!(result);
    }
    Ok(Json(answer))
}

pub(super) async fn reject(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let deciding = decide(&state, &call).await?;
    let (actor, viewer) = (call.actor(&deciding.here.caller), &deciding.viewer);
    let (by, of) = (Decider { viewer, actor: &actor }, (&deciding.here.place, deciding.id.as_str()));
    if deciding.reason.is_empty() {
        // Who may not reject is told that first.
        state.approvals().require_vote(of, by).await?;
        return Err(ApiError::bad_request("reason: a rejection needs a reason"));
    }
    let request = state.approvals().reject(of, by, &deciding.reason).await?;
    state.delivery().wake();
    let written = written::request(&state, &request, viewer).await?;
    let message = "The change request was rejected.";
    Ok(Json(json!({ "status": "rejected", "message": message, "change_request": written })))
}

pub(super) async fn cancel(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let deciding = decide(&state, &call).await?;
    let (actor, viewer) = (call.actor(&deciding.here.caller), &deciding.viewer);
    let (by, of) = (Decider { viewer, actor: &actor }, (&deciding.here.place, deciding.id.as_str()));
    let request = state.approvals().cancel(of, by, &deciding.reason).await?;
    let written = written::request(&state, &request, viewer).await?;
    let message = "The change request was canceled.";
    Ok(Json(json!({ "status": "canceled", "message": message, "change_request": written })))
}

async fn decide(state: &AppState, call: &ApiCall) -> Result<Deciding, ApiError> {
    let here = authorize(state, call, Scope::APPROVALS_WRITE).await?;
    let id = request_id(call)?;
    let viewer = here.viewer(state).await?;
    // What there is not is told before what is wrong with the body.
    state.approvals().find(&here.place, &id).await?;
    let reason = reason(call)?;
    Ok(Deciding { here, viewer, id, reason })
}

/// Why; a body that is not there says nothing.
fn reason(call: &ApiCall) -> Result<String, ApiError> {
    if !call.has_body() {
        return Ok(String::new());
    }
    let input = Input::of(call.json()?)?;
    Ok(input.nullable_text("reason", MAX_REASON_CHARS)?.flatten().unwrap_or_default())
}

fn filter(call: &ApiCall) -> Result<RequestFilter, ApiError> {
    let parameters = call.parameters();
    let words: Vec<&str> = parameters
        .all("state")
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .collect();
    let requester = match parameters.filled_text("requester") {
        None => None,
        Some(text) => Some(text.trim().parse::<i64>().map_err(|_| {
            let detail = "requester: expected the number of a user";
            ApiError::validation("invalid_input", Some("requester".to_owned()), detail)
        })?),
    };
    let text = |name: &str| parameters.filled_text(name).map(str::to_owned);
    Ok(RequestFilter {
        states: (!words.is_empty()).then(|| words.into_iter().filter_map(RequestState::parse).collect()),
        action_key: text("action_key").or_else(|| text("action_type")),
        // No user has a number below 1.
        requester: requester.map(|id| id.max(0)),
        resource_type: text("resource_type"),
        resource_id: text("resource_id"),
    })
}

fn request_id(call: &ApiCall) -> Result<String, ApiError> {
    let not_found = |_| ApiError::not_found("change request not found");
    Ok(Uuid::parse_str(call.path_parameter("request_id")).map_err(not_found)?.to_string())
}
