//! The chain of an organization's trail: its checkpoints, its proof, and how long entries are kept.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::retention::MAX_RETENTION_DAYS;
use serde_json::{Value, json};

use super::access::organization_manager;
use crate::activity::checkpoint;
use crate::activity::trail::organization_id;
use crate::activity::verify::{self, Verification, VerifyError};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// The checkpoints that were signed so far, in the order of the chain.
pub(super) async fn checkpoints(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (member, _) = organization_manager(&state, &call, Scope::ACTIVITY_READ).await?;
    let checkpoints = state.meta().checkpoints(&member.organization.id).await?;
    let results: Vec<Value> = checkpoints.iter().map(checkpoint::written).collect();
    Ok(Json(json!({ "count": results.len(), "results": results })))
}

/// Signs where the chain ends now.
pub(super) async fn sign(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (member, _) = organization_manager(&state, &call, Scope::ACTIVITY_READ).await?;
    let organization = organization_id(&member.organization.id)?;
    state.activity().deliver().await?;
    let mut end = state.engine().chain_head(organization).await?;
    if end.sequence == 0 {
        // Nothing is left of it, or nothing was ever done.
        end = state.activity().signer().last_end(organization).await?;
    }
    let signed = state.activity().signer().sign(organization, end, None).await?;
    Ok((StatusCode::CREATED, Json(checkpoint::written(&signed))))
}

/// Proves that the trail is what was stored.
pub(super) async fn verify(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = organization_manager(&state, &call, Scope::ACTIVITY_READ).await?;
    let organization = organization_id(&member.organization.id)?;
    state.activity().deliver().await?;
    let verified = verify::verify(state.engine(), state.meta(), organization, &[]).await;
    Ok(Json(written(&verified.map_err(|error| match error {
        VerifyError::Meta(error) => ApiError::from(error),
        VerifyError::Engine(error) => error.into(),
    })?)))
}

/// A proof as JSON.
pub(crate) fn written(verification: &Verification) -> Value {
    let Verification { organization, num_entries, first_sequence, end, num_checkpoints, fault } =
        verification;
    json!({
        "organization_id": organization.to_string(),
        "is_intact": fault.is_none(),
        "num_entries": num_entries,
        "first_sequence": first_sequence,
        "last_sequence": end.sequence,
        "hash": checkpoint::hex(&end.hash),
        "num_checkpoints": num_checkpoints,
        "fault": fault.as_ref().map(|fault| json!({
            "sequence": fault.sequence,
            "entry_id": fault.entry_id,
            "reason": fault.reason,
        })),
    })
}

pub(super) async fn retention(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = organization_manager(&state, &call, Scope::ACTIVITY_READ).await?;
    let days = state.meta().activity_retention_of(&member.organization.id).await?;
    Ok(Json(json!({ "retention_days": days })))
}

/// Sets for how many days entries are kept; null is for ever. What has expired does not come back.
pub(super) async fn set_retention(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (member, caller) = organization_manager(&state, &call, Scope::ORGANIZATION_WRITE).await?;
    let body = call.json()?;
    let days = Input::of(body)?.nullable_integer("retention_days", 1..=i64::from(MAX_RETENTION_DAYS))?;
    let days = days.ok_or_else(|| {
        ApiError::validation("required", Some("retention_days".to_owned()), "this field is required")
    })?;
    let days = days.and_then(|days| u32::try_from(days).ok());
    let now_us = state.clock().now_us();
    let id = &member.organization.id;
    state.meta().set_activity_retention(id, days, &call.actor(&caller), now_us).await?;
    Ok(Json(json!({ "retention_days": days })))
}
