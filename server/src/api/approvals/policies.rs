//! `approval_policies`: who must approve what.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::duration;
use super::place::{Here, authorize};
use super::policy_body::{PolicyChange, default_content};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::{basic_user, iso_time, page};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::approval::{ApprovalPolicy, Place, PolicyError};
use crate::state::AppState;

/// Most policies of a place.
const MAX_POLICIES: i64 = 500;

/// What of a policy a body stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Given,
    Everything,
}

/// The one place where a refused change of a policy becomes an answer.
impl From<PolicyError> for ApiError {
    fn from(error: PolicyError) -> Self {
        let detail = error.to_string();
        match error {
            PolicyError::Taken => Self::validation("unique", Some("action_key".to_owned()), detail),
            PolicyError::TooMany(_) => Self::validation("max_length", None, detail),
            PolicyError::UnknownRole(_) => {
                Self::validation("does_not_exist", Some("bypass_roles".to_owned()), detail)
            }
            PolicyError::Meta(error) => error.into(),
        }
    }
}

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let here = authorize(&state, &call, Scope::APPROVALS_READ).await?;
    let parameters = call.parameters();
    let enabled = parameters.filled_text("enabled").map(|text| text.eq_ignore_ascii_case("true"));
    let action_key = parameters.filled_text("action_key");
    let window = page::window(&call);
    let (policies, count) = state.meta().approval_policies(&here.place, action_key, enabled, window).await?;
    let results = policies.iter().map(written).collect();
    Ok(Json(page::page(&call.address(), window, count, results)))
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let here = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&here.caller), state.clock().now_us());
    let body = call.into_json()?;
    // That there is one already is told before anything else that is wrong.
    if let Some(key) = body.get("action_key").and_then(Value::as_str)
        && state.meta().has_approval_policy(&here.place, key.trim()).await?
    {
        return Err(taken());
    }
    let input = Input::of(&body)?;
    let change = PolicyChange::parse(&input)?;
    input.required("action_key", change.action_key.as_ref())?;
    input.required("approver_config", change.approver_config.as_ref())?;
    let content = change.over(default_content());
    let added = state.meta().add_approval_policy(&here.place, &content, &actor, MAX_POLICIES, now_us).await;
    let id = added.map_err(|error| match error {
        PolicyError::Taken => taken(),
        other => other.into(),
    })?;
    let made = find(&state, &here.place, &id).await?;
    Ok((StatusCode::CREATED, Json(written(&made))))
}

pub(super) async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let here = authorize(&state, &call, Scope::APPROVALS_READ).await?;
    Ok(Json(written(&find(&state, &here.place, &policy_id(&call)?).await?)))
}

/// What is absent stays as it is.
pub(super) async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, What::Given).await
}

/// What is absent is as in a new policy.
pub(super) async fn replace(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, What::Everything).await
}

async fn update(state: &AppState, call: ApiCall, what: What) -> Result<Json<Value>, ApiError> {
    let here = authorize_change(state, &call).await?;
    let (actor, now_us, id) = (call.actor(&here.caller), state.clock().now_us(), policy_id(&call)?);
    let before = find(state, &here.place, &id).await?;
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let change = PolicyChange::parse(&input)?;
    let content = match what {
        What::Given => change.over(before.content),
        What::Everything => {
            input.required("action_key", change.action_key.as_ref())?;
            input.required("approver_config", change.approver_config.as_ref())?;
            change.over(default_content())
        }
    };
    if !state.meta().change_approval_policy(&here.place, &id, &content, &actor, now_us).await? {
        return Err(not_found());
    }
    Ok(Json(written(&find(state, &here.place, &id).await?)))
}

pub(super) async fn remove(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let here = authorize_change(&state, &call).await?;
    let (actor, now_us, id) = (call.actor(&here.caller), state.clock().now_us(), policy_id(&call)?);
    match state.meta().remove_approval_policy(&here.place, &id, &actor, now_us).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_found()),
    }
}

/// Policies are for those who manage the organization.
async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<Here, ApiError> {
    let here = authorize(state, call, Scope::APPROVALS_WRITE).await?;
    here.member.require_level(Level::ADMIN)?;
    Ok(here)
}

async fn find(state: &AppState, place: &Place, id: &str) -> Result<ApprovalPolicy, ApiError> {
    state.meta().approval_policy(place, id).await?.ok_or_else(not_found)
}

fn policy_id(call: &ApiCall) -> Result<String, ApiError> {
    let id = Uuid::parse_str(call.path_parameter("policy_id")).map_err(|_| not_found())?;
    Ok(id.to_string())
}

fn not_found() -> ApiError {
    ApiError::not_found("approval policy not found")
}

/// A second policy for an action is no mistake of one member.
fn taken() -> ApiError {
    ApiError::validation("unique", None, PolicyError::Taken.to_string())
}

fn written(policy: &ApprovalPolicy) -> Value {
    let content = &policy.content;
    json!({
        "id": policy.id,
        "action_key": content.action_key,
        "conditions": content.conditions,
        "approver_config": content.approver_config,
        "allow_self_approve": content.allow_self_approve,
        "bypass_org_membership_levels": content.bypass_levels,
        "bypass_roles": content.bypass_roles,
        "expires_after": duration::format(content.expires_after_us),
        "enabled": content.enabled,
        "created_by": basic_user::written(policy.created_by.as_ref()),
        "created_at": iso_time::format(policy.created_us),
        "updated_at": iso_time::format(policy.updated_us),
    })
}
