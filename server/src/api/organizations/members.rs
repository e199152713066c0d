//! `members/`: who is in an organization.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::accounts::members;
use crate::api::input::Input;
use crate::api::project_call::ProjectCall;
use crate::api::{basic_user, iso_time, page};
use crate::auth::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::membership::Membership;
use crate::meta::user::BasicUser;
use crate::state::AppState;

/// What a path may say in place of the caller's UUID.
const ME: &str = "@me";

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/members", get(list))
        .route("/members/{user_uuid}", patch(change).put(change).delete(remove).get(retrieve))
}

async fn list(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    let window = page::window(&call);
    let (members, count) = state.meta().members(&member.organization.id, window.limit, window.offset).await?;
    Ok(Json(page::page(&call.address(), window, count, members.iter().map(written).collect())))
}

async fn retrieve(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    Ok(Json(written(&target(&state, &call, &member, &caller).await?)))
}

async fn change(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    let target = target(&state, &call, &member, &caller).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let level = parse_level(&Input::of(&body)?)?.unwrap_or(target.level);
    let caller = (caller.user_id(), member.level);
    let after = members::set_level(state.meta(), &actor, caller, &target, level, now_us).await?;
    Ok(Json(written(&after)))
}

async fn remove(State(state): State<AppState>, call: ProjectCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    let target = target(&state, &call, &member, &caller).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    members::remove(state.meta(), &actor, (caller.user_id(), member.level), &target, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn target(
    state: &AppState,
    call: &ProjectCall,
    member: &Member,
    caller: &Caller,
) -> Result<Membership, ApiError> {
    let uuid = match call.path_parameter("user_uuid") {
        ME => &caller.user().uuid,
        uuid => uuid,
    };
    let membership = state.meta().membership_of_uuid(&member.organization.id, &uuid.to_lowercase()).await?;
    membership.ok_or_else(|| ApiError::not_found("member not found"))
}

/// Reads a level; absent is none.
pub(super) fn parse_level(input: &Input<'_>) -> Result<Option<Level>, ApiError> {
    let Some(number) = input.integer("level", i64::MIN..=i64::MAX)? else { return Ok(None) };
    match Level::from_number(number) {
        Some(level) => Ok(Some(level)),
        None => Err(input.refuse("invalid_choice", "level", format!("{number} is not one of 1, 8, 15"))),
    }
}

fn written(membership: &Membership) -> Value {
    json!({
        "id": membership.id,
        "user": basic_user::written(Some(&BasicUser::from(&membership.user))),
        "level": membership.level.0,
        "joined_at": iso_time::format(membership.joined_us),
        "updated_at": iso_time::format(membership.updated_us),
        "is_2fa_enabled": false,
        "has_social_auth": false,
        "last_login": membership.user.last_login_us.map(iso_time::format),
    })
}
