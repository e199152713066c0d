//! `projects/`: the projects of an organization.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::accounts::projects;
use crate::api::input::Input;
use crate::api::page;
use crate::api::project::{MAX_NAME_CHARS, visible, written};
use crate::api::project_call::ProjectCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::Level;
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/projects", get(list).post(create))
}

async fn list(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
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

async fn create(
    State(state): State<AppState>,
    call: ProjectCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
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
