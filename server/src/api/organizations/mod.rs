//! `/api/organizations/`: organizations, and what belongs to one.

mod change;
mod invites;
mod members;
mod object;
mod projects;
mod roles;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use crate::accounts::organizations;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::api::openapi::{Routes, get, op};
use crate::api::page;
use crate::approvals::action::{OrganizationWrite, Write};
use crate::auth::{Member, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::approval::Place;
use crate::state::AppState;
pub(crate) use change::OrganizationChange;
use change::Required;

/// The endpoints.
pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::ORGANIZATION_READ]);
    let write = |summary| op(summary, &[Scope::ORGANIZATION_WRITE]);
    let body = change::described;
    let one = get(retrieve, read("An organization").answers(200, object::described()))
        .put(
            replace,
            write("Change settings")
                .body_or_form(body(&["name"]))
                .answers(200, object::described())
                .may_need_approval(),
        )
        .patch(
            change,
            write("Change settings")
                .body_or_form(body(&[]))
                .answers(200, object::described())
                .may_need_approval(),
        )
        .delete(delete, write("Delete the organization with its projects").answers_nothing(204, "begun"));
    let all = get(list, read("The caller's organizations").lists(object::described())).post(
        create,
        write("Make an organization with a first project")
            .body_or_form(body(&["name"]))
            .creates(object::described()),
    );
    let below = Routes::new()
        .at("/", one)
        .merge(members::routes())
        .merge(roles::routes())
        .merge(invites::routes())
        .merge(projects::routes())
        .merge(crate::api::approvals::organization_routes())
        .merge(crate::api::activity::organization_routes())
        .merge(crate::api::logs::organization_exports());
    Routes::new().at("/api/organizations", all).nest("/api/organizations/{organization_id}", below)
}

/// The caller's organizations. Somebody who is in none is told so by a 404, as clients of the reference expect.
async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::ORGANIZATION_READ).await?;
    caller.require_no_projects()?;
    let mut organizations = state.meta().organizations_of_user(caller.user_id()).await?;
    if organizations.is_empty() {
        return Err(ApiError::not_found("you belong to no organization"));
    }
    organizations.retain(|organization| caller.may_reach(&organization.id));
    let window = page::window(&call);
    let count = i64::try_from(organizations.len()).unwrap_or(i64::MAX);
    let mut results = Vec::new();
    for organization in page::part_of(organizations, window) {
        let level = state.meta().membership_level(&organization.id, caller.user_id()).await?;
        results.push(object::written(&state, &organization, level, caller.user_id()).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let caller = call.authorize_user(&state, Scope::ORGANIZATION_WRITE).await?;
    caller.require_no_projects()?;
    caller.require_no_organizations()?;
    let actor = call.actor(&caller);
    let settings = OrganizationChange::parse(&call.into_json()?, Required::Name)?.over_defaults();
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let made = organizations::create(meta, &actor, Some(caller.user_id()), &settings, now_us).await?;
    let organization = meta.organization(&made.id).await?.ok_or_else(not_found)?;
    let written = object::written(&state, &organization, Some(Level::OWNER), caller.user_id()).await?;
    Ok((StatusCode::CREATED, Json(written)))
}

/// Also of an organization that is not active, so that its members can read why.
async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::ORGANIZATION_READ).await?;
    let id = call.path_parameter("organization_id");
    let Member { organization, level } = caller.require_organization_at_all(state.meta(), id).await?;
    Ok(Json(object::written(&state, &organization, Some(level), caller.user_id()).await?))
}

async fn replace(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Required::Name).await
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Required::Nothing).await
}

async fn update(state: &AppState, call: ApiCall, required: Required) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(state, Scope::ORGANIZATION_WRITE).await?;
    member.require_level(Level::ADMIN)?;
    let (actor, method) = (call.actor(&caller), call.method().to_string());
    let change = OrganizationChange::parse(&call.into_json()?, required)?;
    let id = &member.organization.id;
    let write = OrganizationWrite::Change { organization_id: id.clone(), change };
    let write = (method.as_str(), Write::Organization(write));
    gated::perform(state, Place::organization(id), &actor, write).await?;
    let after = state.meta().organization(id).await?.ok_or_else(not_found)?;
    Ok(Json(object::written(state, &after, Some(member.level), caller.user_id()).await?))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::ORGANIZATION_WRITE).await?;
    member.require_level(Level::OWNER)?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    organizations::delete(state.meta(), &actor, &member.organization.id, now_us).await?;
    state.deletions().wake();
    Ok(StatusCode::NO_CONTENT)
}

fn not_found() -> ApiError {
    ApiError::not_found("organization not found")
}
