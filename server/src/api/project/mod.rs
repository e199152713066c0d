//! `/api/projects/:id/`: a project, its settings and its tokens.

mod access_controls;
mod change;
mod integrations;
mod tokens;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::approvals::gated;
use super::openapi::schema::{
    boolean, integer, integer_within, members, moment, nullable, object, text, text_up_to, uuid,
};
use super::openapi::{Routes, get, op};
use super::{iso_time, page};
use crate::accounts::projects;
use crate::approvals::action::{ProjectWrite, Write};
use crate::auth::access::hidden_projects;
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::access_control::AccessControl;
use crate::meta::approval::Place;
use crate::meta::project::Project;
use crate::state::AppState;
pub(crate) use change::ProjectChange;

/// Longest name, characters.
pub(super) const MAX_NAME_CHARS: usize = 200;

/// The endpoints at the prefix of a project.
pub(super) fn routes() -> Routes {
    let write = |summary| op(summary, &[Scope::PROJECT_WRITE]);
    let one = get(read, op("A project and its settings", &[Scope::PROJECT_READ]).answers(200, described()))
        .put(
            change,
            write("Change settings")
                .body_or_form(described_change())
                .answers(200, described())
                .may_need_approval(),
        )
        .patch(
            change,
            write("Change settings")
                .body_or_form(described_change())
                .answers(200, described())
                .may_need_approval(),
        )
        .delete(delete, write("Delete the project with its data").answers_nothing(204, "gone"));
    Routes::new()
        .at("/", one)
        .merge(tokens::routes())
        .merge(access_controls::routes())
        .merge(integrations::routes())
}

/// The endpoint of all projects.
pub(super) fn list_routes() -> Routes {
    let list_op = op("Every project that the caller may use", &[Scope::PROJECT_READ]).lists(described());
    Routes::new().at("/api/projects", get(list, list_op))
}

/// The form of a project.
pub(super) fn described() -> Value {
    object(&[
        ("id", integer()),
        ("uuid", uuid()),
        ("organization", uuid()),
        ("organization_id", uuid()),
        ("project_id", integer()),
        ("name", text()),
        ("api_token", nullable(text())),
        ("timezone", text()),
        ("receive_org_level_activity_logs", boolean()),
        ("retention_days", nullable(integer())),
        ("json_parse_logs", boolean()),
        ("pii_scrub_logs", boolean()),
        ("access_control", boolean()),
        ("created_at", moment()),
        ("updated_at", moment()),
    ])
}

fn described_change() -> Value {
    members(&[
        ("name", text_up_to(MAX_NAME_CHARS)),
        ("timezone", text_up_to(64)),
        ("receive_org_level_activity_logs", boolean()),
        ("retention_days", nullable(integer_within(1, 36_500))),
        ("json_parse_logs", boolean()),
        ("pii_scrub_logs", boolean()),
    ])
}

/// Every project that the caller may use.
async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
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

async fn read(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, _, _) = call.authorize_project(&state, Scope::PROJECT_READ).await?;
    Ok(Json(written(&state, &project).await?))
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, method) = (call.actor(&caller), call.method().to_string());
    let change = ProjectChange::parse(&call.into_json()?)?;
    let write = Write::Project(ProjectWrite::Change { project_id: project.id.0, change });
    let place = Place::project(&project.organization_id, project.id);
    gated::perform(&state, place, &actor, (&method, write)).await?;
    let after = state.meta().project(project.id).await?;
    let after = after.ok_or_else(|| ApiError::not_found("project not found"))?;
    Ok(Json(written(&state, &after).await?))
}

/// The project is gone at once, its data soon after.
async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    projects::delete(state.meta(), &actor, project.id, now_us).await?;
    state.follow_metadata().await?;
    state.deletions().wake();
    Ok(StatusCode::NO_CONTENT)
}

/// What a project is decides over everybody's records: its settings and tokens are for administrators, of the
/// organization or of the project.
async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<(Project, Caller), ApiError> {
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
