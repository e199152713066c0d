//! `GET` and `PATCH /api/projects/:id/`: a project and its settings.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use engine::retention::MAX_RETENTION_DAYS;
use serde_json::{Value, json};

use super::input::Input;
use super::iso_time;
use super::project_call::ProjectCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::project::{Project, ProjectSettings};
use crate::state::AppState;

/// Longest name, characters.
const MAX_NAME_CHARS: usize = 200;

/// The endpoint, at the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/", get(read).patch(change))
}

async fn read(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let id = call.authorize(&state, Scope::PROJECT_READ).await?;
    let project = state.meta().project(id).await?.ok_or_else(not_found)?;
    Ok(Json(written(&project)))
}

async fn change(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let id = call.authorize(&state, Scope::PROJECT_WRITE).await?;
    let change = parse_change(&call.into_json()?)?;
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let project = if change == Change::default() {
        meta.project(id).await?
    } else {
        let changed = meta.change_project(id, |settings| change.apply(settings), now_us).await?;
        state.follow_metadata().await?;
        changed
    };
    Ok(Json(written(&project.ok_or_else(not_found)?)))
}

fn not_found() -> ApiError {
    ApiError::not_found("project not found")
}

/// What is to be changed; none is left as it is.
#[derive(Debug, Default, PartialEq)]
struct Change {
    name: Option<String>,
    /// The inner none is for ever.
    retention_days: Option<Option<u32>>,
    json_parse_logs: Option<bool>,
    pii_scrub_logs: Option<bool>,
}

impl Change {
    fn apply(self, settings: &mut ProjectSettings) {
        settings.name = self.name.unwrap_or_else(|| std::mem::take(&mut settings.name));
        settings.retention_days = self.retention_days.unwrap_or(settings.retention_days);
        settings.json_parse_logs = self.json_parse_logs.unwrap_or(settings.json_parse_logs);
        settings.pii_scrub_logs = self.pii_scrub_logs.unwrap_or(settings.pii_scrub_logs);
    }
}

/// Other members are ignored, as they are when they are sent back with a change.
fn parse_change(body: &Value) -> Result<Change, ApiError> {
    let input = Input::of(body)?;
    let days = input.nullable_integer("retention_days", 1..=i64::from(MAX_RETENTION_DAYS))?;
    Ok(Change {
        name: input.text("name", MAX_NAME_CHARS)?,
        retention_days: days.map(|days| days.and_then(|days| u32::try_from(days).ok())),
        json_parse_logs: input.boolean("json_parse_logs")?,
        pii_scrub_logs: input.boolean("pii_scrub_logs")?,
    })
}

fn written(project: &Project) -> Value {
    let settings = &project.settings;
    json!({
        "id": project.id.0,
        "uuid": project.uuid,
        "organization": project.organization_id,
        "name": settings.name,
        "retention_days": settings.retention_days,
        "json_parse_logs": settings.json_parse_logs,
        "pii_scrub_logs": settings.pii_scrub_logs,
        "created_at": iso_time::format(project.created_us),
        "updated_at": iso_time::format(project.updated_us),
    })
}
