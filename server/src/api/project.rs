//! `GET` and `PATCH /api/projects/:id/`: a project and its settings.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use engine::retention::MAX_RETENTION_DAYS;
use engine::schema::ProjectId;
use serde_json::{Value, json};

use super::fields::Fields;
use super::iso_time;
use super::project_call::ProjectCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::{ProjectChange, ProjectDetails};
use crate::state::AppState;

/// Longest name, characters.
const MAX_NAME_CHARS: usize = 200;

/// The endpoint, at the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/", get(read).patch(change))
}

async fn read(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::PROJECT_READ).await?;
    Ok(Json(written(&details(&state, project).await?)))
}

async fn change(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::PROJECT_WRITE).await?;
    let change = parse_change(&call.into_json()?)?;
    if change != ProjectChange::default() {
        state.meta().change_project(project, &change, state.clock().now_us()).await?;
        state.follow_metadata().await?;
    }
    Ok(Json(written(&details(&state, project).await?)))
}

async fn details(state: &AppState, project: ProjectId) -> Result<ProjectDetails, ApiError> {
    let details = state.meta().project_details(project).await?;
    details.ok_or_else(|| ApiError::not_found("project not found"))
}

/// Reads what is to be changed. Other members are ignored, as they are when they are sent back with a change.
fn parse_change(body: &Value) -> Result<ProjectChange, ApiError> {
    let fields = Fields::of(body, "")?;
    let refuse_null = |key: &str| match body.get(key) {
        Some(Value::Null) => {
            Err(ApiError::validation(Some(key.to_owned()), "null", format!("{key}: this may not be null")))
        }
        _ => Ok(()),
    };
    ["name", "json_parse_logs", "pii_scrub_logs"].into_iter().try_for_each(refuse_null)?;
    let flag = |key: &str| fields.boolean(key).map_err(ApiError::into_validation);
    Ok(ProjectChange {
        name: parse_name(&fields)?,
        retention_days: match body.get("retention_days") {
            None => None,
            Some(_) => Some(parse_days(&fields)?),
        },
        json_parse_logs: flag("json_parse_logs")?,
        pii_scrub_logs: flag("pii_scrub_logs")?,
    })
}

fn parse_name(fields: &Fields<'_>) -> Result<Option<String>, ApiError> {
    let Some(name) = fields.text("name").map_err(ApiError::into_validation)? else { return Ok(None) };
    let refuse = |code, reason: &str| {
        Err(ApiError::validation(Some("name".to_owned()), code, format!("name: {reason}")))
    };
    match name.trim() {
        "" => refuse("blank", "a project needs a name"),
        name if name.chars().count() > MAX_NAME_CHARS => {
            refuse("max_length", &format!("a name has at most {MAX_NAME_CHARS} characters"))
        }
        name => Ok(Some(name.to_owned())),
    }
}

/// Null is for ever.
fn parse_days(fields: &Fields<'_>) -> Result<Option<u32>, ApiError> {
    let Some(days) = fields.integer("retention_days").map_err(ApiError::into_validation)? else {
        return Ok(None);
    };
    let in_bounds = u32::try_from(days).ok().filter(|days| (1..=MAX_RETENTION_DAYS).contains(days));
    let code = if days < 1 { "min_value" } else { "max_value" };
    let refuse = || {
        let detail = format!("retention_days: {days} is not a number of days from 1 to {MAX_RETENTION_DAYS}");
        ApiError::validation(Some("retention_days".to_owned()), code, detail)
    };
    in_bounds.map(Some).ok_or_else(refuse)
}

fn written(project: &ProjectDetails) -> Value {
    json!({
        "id": project.id.0,
        "uuid": project.uuid,
        "organization": project.organization_id,
        "name": project.name,
        "retention_days": project.retention_days,
        "json_parse_logs": project.json_parse_logs,
        "pii_scrub_logs": project.pii_scrub_logs,
        "created_at": iso_time::format(project.created_at_us),
        "updated_at": iso_time::format(project.updated_at_us),
    })
}
