//! `roles/`: named groups of an organization's members.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::accounts::roles;
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{
    boolean, list as list_of, moment, object, reference, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Routes, get, op};
use crate::api::{basic_user, iso_time, page};
use crate::auth::{Caller, Member, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::role::{Role, RoleMembership};
use crate::meta::user::BasicUser;
use crate::state::AppState;

const MAX_NAME_CHARS: usize = 200;

pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::ORGANIZATION_READ]);
    let write = |summary| op(summary, &[Scope::ORGANIZATION_WRITE]);
    let body = |required: &[&str]| with_required(&[("name", text_up_to(MAX_NAME_CHARS))], required);
    let new_member = with_required(&[("user_uuid", uuid())], &["user_uuid"]);
    let all = get(list, read("Roles by name").lists(role()))
        .post(create, write("Make a role").body_or_form(body(&["name"])).creates(role()));
    let one = get(retrieve, read("A role").answers(200, role()))
        .put(change, write("Give a role another name").body_or_form(body(&[])).answers(200, role()))
        .patch(change, write("Give a role another name").body_or_form(body(&[])).answers(200, role()))
        .delete(delete, write("Delete a role").answers_nothing(204, "gone"));
    let in_role = get(list_members, read("Members of a role").lists(role_member()))
        .post(add_member, write("Add a member to a role").body_or_form(new_member).creates(role_member()));
    let one_in_role = get(retrieve_member, read("A member of a role").answers(200, role_member()))
        .delete(remove_member, write("Take a member out of a role").answers_nothing(204, "gone"));
    Routes::new()
        .at("/roles", all)
        .at("/roles/{role_id}", one)
        .at("/roles/{role_id}/role_memberships", in_role)
        .at("/roles/{role_id}/role_memberships/{role_membership_id}", one_in_role)
}

/// The form of a role.
fn role() -> Value {
    object(&[
        ("id", uuid()),
        ("name", text()),
        ("created_at", moment()),
        ("created_by", user_or_null()),
        ("members", list_of(role_member())),
        ("is_default", boolean()),
    ])
}

fn role_member() -> Value {
    object(&[
        ("id", uuid()),
        ("role_id", uuid()),
        ("user", reference("BasicUser")),
        ("joined_at", moment()),
        ("updated_at", moment()),
    ])
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::ORGANIZATION_READ).await?;
    let window = page::window(&call);
    let (roles, count) = state.meta().roles(&member.organization.id, window.limit, window.offset).await?;
    let mut results = Vec::with_capacity(roles.len());
    for role in &roles {
        results.push(written(&state, &member, role).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (member, caller) = authorize_change(&state, &call).await?;
    let actor = call.actor(&caller);
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let name = input.required("name", input.text("name", MAX_NAME_CHARS)?)?;
    let now_us = state.clock().now_us();
    let role = roles::create(state.meta(), &actor, &member.organization.id, &name, now_us).await?;
    Ok((StatusCode::CREATED, Json(written(&state, &member, &role).await?)))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::ORGANIZATION_READ).await?;
    let role = target(&state, &call, &member).await?;
    Ok(Json(written(&state, &member, &role).await?))
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = authorize_change(&state, &call).await?;
    let role = target(&state, &call, &member).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let name = Input::of(&body)?.text("name", MAX_NAME_CHARS)?.unwrap_or_else(|| role.name.clone());
    let role = roles::rename(state.meta(), &actor, &role, &name, now_us).await?;
    Ok(Json(written(&state, &member, &role).await?))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = authorize_change(&state, &call).await?;
    let role = target(&state, &call, &member).await?;
    roles::delete(state.meta(), &call.actor(&caller), &role, state.clock().now_us()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_members(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::ORGANIZATION_READ).await?;
    let role = target(&state, &call, &member).await?;
    let members = state.meta().role_members(&role.id).await?;
    Ok(Json(page::page_of(&call, members, written_member)))
}

async fn add_member(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (member, caller) = authorize_change(&state, &call).await?;
    let role = target(&state, &call, &member).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let uuid = input.required("user_uuid", input.nullable_uuid("user_uuid")?.flatten())?.to_string();
    let added = roles::add_member(state.meta(), &actor, &role, &uuid, now_us).await?;
    Ok((StatusCode::CREATED, Json(written_member(&added))))
}

async fn retrieve_member(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::ORGANIZATION_READ).await?;
    let role = target(&state, &call, &member).await?;
    let members = state.meta().role_members(&role.id).await?;
    let id = call.path_parameter("role_membership_id");
    let found = members.iter().find(|membership| membership.id == id);
    found.map(|membership| Json(written_member(membership))).ok_or_else(|| not_found("role membership"))
}

async fn remove_member(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = authorize_change(&state, &call).await?;
    let role = target(&state, &call, &member).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let id = call.path_parameter("role_membership_id");
    roles::remove_member(state.meta(), &actor, &role, id, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<(Member, Caller), ApiError> {
    let (member, caller) = call.authorize_organization(state, Scope::ORGANIZATION_WRITE).await?;
    member.require_level(Level::ADMIN)?;
    Ok((member, caller))
}

async fn target(state: &AppState, call: &ApiCall, member: &Member) -> Result<Role, ApiError> {
    let id = call.path_parameter("role_id").to_lowercase();
    state.meta().role(&member.organization.id, &id).await?.ok_or_else(|| not_found("role"))
}

fn not_found(what: &str) -> ApiError {
    ApiError::not_found(format!("{what} not found"))
}

async fn written(state: &AppState, member: &Member, role: &Role) -> Result<Value, ApiError> {
    let members = state.meta().role_members(&role.id).await?;
    let created_by = match role.created_by {
        Some(id) => state.meta().user(id).await?,
        None => None,
    };
    Ok(json!({
        "id": role.id,
        "name": role.name,
        "created_at": iso_time::format(role.created_us),
        "created_by": basic_user::written(created_by.as_ref().map(BasicUser::from).as_ref()),
        "members": members.iter().map(written_member).collect::<Vec<_>>(),
        "is_default": member.organization.settings.default_role_id.as_ref() == Some(&role.id),
    }))
}

fn written_member(membership: &RoleMembership) -> Value {
    json!({
        "id": membership.id,
        "role_id": membership.role_id,
        "user": basic_user::written(Some(&BasicUser::from(&membership.user))),
        "joined_at": iso_time::format(membership.joined_us),
        "updated_at": iso_time::format(membership.joined_us),
    })
}
