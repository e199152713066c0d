//! `/api/projects/:id/`: a project, its settings and its tokens.

mod access_controls;
mod change;
mod integrations;
mod tokens;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::project_call::ProjectCall;
use super::{iso_time, page};
use crate::accounts::projects;
use crate::auth::access::hidden_projects;
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::access_control::AccessControl;
use crate::meta::project::Project;
use crate::state::AppState;
use change::ProjectChange;

/// Longest name, characters.
pub(super) const MAX_NAME_CHARS: usize = 200;

/// The endpoints at the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(read).put(change).patch(change).delete(delete))
        .merge(tokens::router())
        .merge(access_controls::router())
        .merge(integrations::router())
}

/// The endpoint of all projects.
pub(super) fn list_router() -> Router<AppState> {
    Router::new().route("/api/projects", get(list))
}

/// Every project that the caller may use.
async fn list(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::PROJECT_READ).await?;
    let mut all = Vec::new();
    for organization in state.meta().organizations_of_user(caller.user_id()).await? {
        if caller.may_reach(&organization.id) && organization.is_active && !organization.is_pending_deletion {
            let level = state.meta().membership_level(&organization.id, caller.user_id()).await?;
            all.extend(visible(&state, &organization.id, level, caller.user_id()).await?);
        }
    }
    all.retain(|project| caller.may_reach_project(project.id));
    let window = page::window(&call);
    let count = i64::try_from(all.len()).unwrap_or(i64::MAX);
    let mut results = Vec::new();
    for project in page::part_of(all, window) {
        results.push(written(&state, &project).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

async fn read(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let (project, _, _) = call.authorize_project(&state, Scope::PROJECT_READ).await?;
    Ok(Json(written(&state, &project).await?))
}

async fn change(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let change = ProjectChange::parse(&call.into_json()?)?;
    let apply = |settings: &mut _| change.apply(settings);
    let after = projects::update(state.meta(), &actor, project.id, apply, now_us).await?;
    state.follow_metadata().await?;
    Ok(Json(written(&state, &after).await?))
}

/// The project is gone at once, its data soon after.
async fn delete(State(state): State<AppState>, call: ProjectCall) -> Result<StatusCode, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    projects::delete(state.meta(), &actor, project.id, now_us).await?;
    state.follow_metadata().await?;
    state.deletions().wake();
    Ok(StatusCode::NO_CONTENT)
}

/// What a project is decides over everybody's records: its settings and tokens are for administrators, of the
/// organization or of the project.
async fn authorize_change(state: &AppState, call: &ProjectCall) -> Result<(Project, Caller), ApiError> {
    let (project, _, caller) = call.authorize_project(state, Scope::PROJECT_WRITE).await?;
    Ok((project, caller))
}

/// The projects of an organization that a member may see.
pub(super) async fn visible(
    state: &AppState,
    organization_id: &str,
    level: Option<Level>,
    user_id: i64,
) -> Result<Vec<Project>, ApiError> {
    let mut projects = state.meta().projects_of_organization(organization_id).await?;
    let hidden = hidden_projects(state.meta(), organization_id, level, user_id).await?;
    projects.retain(|project| !hidden.contains(&project.id));
    Ok(projects)
}

/// The project's members.
pub(super) async fn written(state: &AppState, project: &Project) -> Result<Value, ApiError> {
    let settings = &project.settings;
    let mut object = settings.fields();
    let rules = state.meta().access_controls(project.id).await?;
    let more = json!({
        "id": project.id.0,
        "uuid": project.uuid,
        "organization": project.organization_id,
        "organization_id": project.organization_id,
        "project_id": project.id.0,
        "api_token": state.meta().token_of_project(project.id).await?,
        "access_control": rules.iter().any(AccessControl::is_hiding),
        "created_at": iso_time::format(project.created_us),
        "updated_at": iso_time::format(project.updated_us),
    });
    object.extend(more.as_object().cloned().unwrap_or_default());
    Ok(Value::Object(object))
}
