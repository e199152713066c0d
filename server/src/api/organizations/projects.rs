//! `projects/`: the projects of an organization.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use crate::accounts::projects;
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{members, text_up_to};
use crate::api::openapi::{Routes, get, op};
use crate::api::page;
use crate::api::project::{MAX_NAME_CHARS, described, visible, written};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::Level;
use crate::state::AppState;

pub(super) fn routes() -> Routes {
    let body = members(&[("name", text_up_to(MAX_NAME_CHARS))]);
    let all = get(list, op("Its projects", &[Scope::PROJECT_READ]).lists(described()))
        .post(create, op("Make a project", &[Scope::PROJECT_WRITE]).body_or_form(body).creates(described()));
    Routes::new().at("/projects", all)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::PROJECT_READ).await?;
    let (id, level) = (&member.organization.id, Some(member.level));
    let projects = visible(&state, id, level, caller.user_id()).await?;
    let window = page::window(&call);
    let count = i64::try_from(projects.len()).unwrap_or(i64::MAX);
    let mut results = Vec::new();
    for project in page::part_of(projects, window) {
        results.push(written(&state, &project).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::PROJECT_WRITE).await?;
    if member.organization.settings.members_can_create_projects != Some(true) {
        member.require_level(Level::ADMIN)?;
    }
    let actor = call.actor(&caller);
    let body = call.into_json()?;
    let name = Input::of(&body)?.text("name", MAX_NAME_CHARS)?;
    let name = name.unwrap_or_else(|| "Default project".to_owned());
    let now_us = state.clock().now_us();
    let project = projects::create(state.meta(), &actor, &member.organization.id, &name, now_us).await?;
    Ok((StatusCode::CREATED, Json(written(&state, &project).await?)))
}
