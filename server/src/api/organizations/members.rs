//! `members/`: who is in an organization.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::accounts::members;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::api::input::Input;
use crate::api::openapi::schema::{
    boolean, integer, moment, nullable, object, reference, uuid, with_required,
};
use crate::api::openapi::{Routes, get, op};
use crate::api::{basic_user, iso_time, page};
use crate::approvals::action::{MemberWrite, Write};
use crate::auth::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::approval::Place;
use crate::meta::membership::Membership;
use crate::meta::user::BasicUser;
use crate::state::AppState;

/// What a path may say in place of the caller's UUID.
const ME: &str = "@me";

pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::MEMBER_READ]);
    let write = |summary| op(summary, &[Scope::MEMBER_WRITE]);
    let member = || {
        object(&[
            ("id", uuid()),
            ("user", reference("BasicUser")),
            ("level", integer()),
            ("joined_at", moment()),
            ("updated_at", moment()),
            ("is_2fa_enabled", boolean()),
            ("has_social_auth", boolean()),
            ("last_login", nullable(moment())),
        ])
    };
    let body = || with_required(&[("level", json!({ "type": "integer", "enum": [1, 8, 15] }))], &["level"]);
    let one = get(retrieve, read("A member").answers(200, member()))
        .put(
            change,
            write("Give a member another level")
                .body_or_form(body())
                .answers(200, member())
                .may_need_approval(),
        )
        .patch(
            change,
            write("Give a member another level")
                .body_or_form(body())
                .answers(200, member())
                .may_need_approval(),
        )
        .delete(remove, write("Take a member out").answers_nothing(204, "gone"));
    Routes::new()
        .at("/members", get(list, read("Who is in the organization").lists(member())))
        .at("/members/{user_uuid}", one)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    let window = page::window(&call);
    let (members, count) = state.meta().members(&member.organization.id, window.limit, window.offset).await?;
    Ok(Json(page::page(&call.address(), window, count, members.iter().map(written).collect())))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    Ok(Json(written(&target(&state, &call, &member, &caller).await?)))
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    let target = target(&state, &call, &member, &caller).await?;
    let (actor, method) = (call.actor(&caller), call.method().to_string());
    let body = call.into_json()?;
    let level = parse_level(&Input::of(&body)?)?.unwrap_or(target.level);
    let (id, user_uuid) = (&member.organization.id, &target.user.uuid);
    let write = MemberWrite::Change { user_uuid: user_uuid.clone(), level: level.0 };
    let write = (method.as_str(), Write::OrganizationMember(write));
    gated::perform(&state, Place::organization(id), &actor, write).await?;
    let after = state.meta().membership_of_uuid(id, user_uuid).await?;
    Ok(Json(written(&after.ok_or_else(|| ApiError::not_found("member not found"))?)))
}

async fn remove(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    let target = target(&state, &call, &member, &caller).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    members::remove(state.meta(), &actor, (caller.user_id(), member.level), &target, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn target(
    state: &AppState,
    call: &ApiCall,
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
