//! `logs/views`: saved views, seen and changed by everybody in a project.

mod content;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::schema::ProjectId;
use serde_json::{Value, json};

use crate::activity::entry::Actor;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::api::{basic_user, iso_time, page};
use crate::approvals::action::{ViewWrite, Write};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::MetaError;
use crate::meta::log_view::LogView;
use crate::state::AppState;
use content::Required;

/// Most views of a project.
const MAX_VIEWS: i64 = 10_000;

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let window = page::window(&call);
    let (views, count) = state.meta().log_views(project, window).await?;
    let views = views.iter().map(written).collect::<Result<_, _>>()?;
    Ok(Json(page::page(&call.address(), window, count, views)))
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, actor) = authorize_change(&state, &call).await?;
    let content = content::parse(&call.into_json()?, Required::Name)?.or_default();
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let short_id = meta.create_log_view(project, &content, &actor, MAX_VIEWS, now_us).await?;
    let Some(short_id) = short_id else {
        let detail = format!("a project has at most {MAX_VIEWS} views");
        return Err(ApiError::validation("max_length", None, detail));
    };
    let view = meta.log_view(project, &short_id).await?.ok_or_else(not_found)?;
    Ok((StatusCode::CREATED, Json(written(&view)?)))
}

pub(super) async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let view = state.meta().log_view(project, short_id(&call)).await?.ok_or_else(not_found)?;
    Ok(Json(written(&view)?))
}

/// `PUT`: like `PATCH`, but the name must be there.
pub(super) async fn replace(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Required::Name).await
}

pub(super) async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Required::Nothing).await
}

/// What the body does not name stays as it is.
async fn update(state: &AppState, call: ApiCall, required: Required) -> Result<Json<Value>, ApiError> {
    let (project, actor) = authorize_change(state, &call).await?;
    let meta = state.meta();
    let short_id = short_id(&call).to_owned();
    let view = meta.log_view(project, &short_id).await?.ok_or_else(not_found)?;
    let content = content::parse(&call.into_json()?, required)?.over(&view);
    if !meta.update_log_view(project, &short_id, &content, &actor, state.clock().now_us()).await? {
        return Err(not_found());
    }
    let view = meta.log_view(project, &short_id).await?.ok_or_else(not_found)?;
    Ok(Json(written(&view)?))
}

pub(super) async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (place, _, caller) = call.authorize_place(&state, &[Scope::LOGS_WRITE]).await?;
    let write = Write::LogsView(ViewWrite::Delete { short_id: short_id(&call).to_owned() });
    gated::perform(&state, place, &call.actor(&caller), ("DELETE", write)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who changes the views of which project.
async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<(ProjectId, Actor), ApiError> {
    let (project, caller) = call.authorize_caller(state, &[Scope::LOGS_WRITE]).await?;
    Ok((project, call.actor(&caller)))
}

fn short_id(call: &ApiCall) -> &str {
    call.path_parameter("short_id")
}

fn not_found() -> ApiError {
    ApiError::not_found("view not found")
}

fn written(view: &LogView) -> Result<Value, ApiError> {
    let read = |text: &str| {
        serde_json::from_str::<Value>(text)
            .map_err(|error| MetaError::Corrupt(format!("a view that cannot be read: {error}")))
    };
    Ok(json!({
        "id": view.id,
        "short_id": view.short_id,
        "name": view.name,
        "filters": read(&view.filters)?,
        "columns": view.columns.as_deref().map(read).transpose()?,
        "pinned": view.pinned,
        "created_at": iso_time::format(view.created_us),
        "created_by": basic_user::written(view.created_by.as_ref()),
        "updated_at": iso_time::format(view.updated_us),
    }))
}
