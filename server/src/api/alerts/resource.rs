//! `logs/alerts`: alerts of a project, made, changed and taken away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::query::filter::{FilterContext, translate};
use engine::query::model::LogFilter;
use engine::schema::ProjectId;
use serde_json::Value;
use uuid::Uuid;

use super::body::{self, Absent, AlertChange};
use super::{filters, written};
use crate::activity::entry::Actor;
use crate::alerts::MINUTE_US;
use crate::alerts::control::{EventKind, SnoozeEdit};
use crate::alerts::settings::MAX_NUMBER;
use crate::api::api_call::ApiCall;
use crate::api::approvals::gated;
use crate::api::input::Input;
use crate::api::page;
use crate::approvals::action::{AlertWrite, Write};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::alert::{Alert, AlertError};
use crate::meta::approval::Place;
use crate::state::AppState;

/// The one place where a refused change of an alert becomes an answer.
impl From<AlertError> for ApiError {
    fn from(error: AlertError) -> Self {
        let detail = error.to_string();
        match error {
            AlertError::NotFound => not_found(),
            AlertError::TooMany(_) => Self::validation("max_length", None, detail),
            AlertError::Invalid { attr, .. } => {
                Self::validation("invalid_input", Some(attr.to_owned()), detail)
            }
            AlertError::NotBroken(_) => Self::validation("invalid_input", Some("state".to_owned()), detail),
            AlertError::Meta(error) => error.into(),
        }
    }
}

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let created_by = match call.parameter("created_by").filter(|text| !text.is_empty()) {
        Some(text) => Some(Uuid::parse_str(text).map_err(|_| {
            let detail = "created_by: expected the UUID of a user";
            ApiError::validation("invalid_input", Some("created_by".to_owned()), detail)
        })?),
        None => None,
    };
    let created_by = created_by.map(|uuid| uuid.to_string());
    let window = page::window(&call);
    let (alerts, count) = state.meta().alerts(project, created_by.as_deref(), window).await?;
    let alerts = written::alerts(&state, &alerts).await?;
    Ok(Json(page::page(&call.address(), window, count, alerts)))
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (place, project, actor) = authorize_write(&state, &call).await?;
    let now_us = state.clock().now_us();
    let alert = body::parse(&call.into_json()?, now_us)?;
    check_meaning(alert.filter.as_ref(), now_us)?;
    let write = ("POST", Write::LogsAlert(AlertWrite::Create { alert }));
    let id = gated::perform(&state, place, &actor, write).await?.resource_id;
    Ok((StatusCode::CREATED, Json(written::alert(&state, project, &id).await?)))
}

pub(super) async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    Ok(Json(written::alert(&state, project, &alert_id(&call)?).await?))
}

pub(super) async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Absent::Kept).await
}

/// `PUT`: like `PATCH`, but what is absent and has a default becomes that.
pub(super) async fn replace(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    update(&state, call, Absent::Reset).await
}

async fn update(state: &AppState, call: ApiCall, absent: Absent) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_write(state, &call).await?;
    let id = find(state, project, &call).await?.id;
    let (now_us, method) = (state.clock().now_us(), call.method().to_string());
    let change = body::parse(&call.into_json()?, now_us)?;
    check_meaning(change.filter.as_ref(), now_us)?;
    let write = AlertWrite::Change { alert_id: id.clone(), change, absent, wakes: false };
    apply(state, (place, project), &actor, (&method, &id), write).await
}

/// Changes an alert and answers what it is then.
async fn apply(
    state: &AppState,
    (place, project): (Place, ProjectId),
    actor: &Actor,
    (method, id): (&str, &str),
    write: AlertWrite,
) -> Result<Json<Value>, ApiError> {
    gated::perform(state, place, actor, (method, Write::LogsAlert(write))).await?;
    Ok(Json(written::alert(state, project, id).await?))
}

pub(super) async fn remove(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (place, _, actor) = authorize_write(&state, &call).await?;
    let write = AlertWrite::Delete { alert_id: alert_id(&call)? };
    gated::perform(&state, place, &actor, ("DELETE", Write::LogsAlert(write))).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn reset(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, actor) = authorize_change(&state, &call).await?;
    let id = alert_id(&call)?;
    state.meta().reset_alert(project, &id, &actor, state.clock().now_us()).await?;
    Ok(Json(written::alert(&state, project, &id).await?))
}

pub(super) async fn enable(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    switch(&state, &call, true).await
}

pub(super) async fn disable(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    switch(&state, &call, false).await
}

async fn switch(state: &AppState, call: &ApiCall, enabled: bool) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_write(state, call).await?;
    let id = alert_id(call)?;
    let change = AlertChange::switched(enabled);
    let write = AlertWrite::Change { alert_id: id.clone(), change, absent: Absent::Kept, wakes: false };
    apply(state, (place, project), &actor, ("POST", &id), write).await
}

/// `{"snooze_until": a time}` or `{"minutes": so many}`.
pub(super) async fn snooze(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_write(&state, &call).await?;
    let id = find(&state, project, &call).await?.id;
    let now_us = state.clock().now_us();
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let minutes = body::number(&input, "minutes", 1..=MAX_NUMBER)?;
    let snooze = match (body::parse_snooze(&input, "snooze_until", now_us)?, minutes) {
        (SnoozeEdit::Until(until_us), None) => SnoozeEdit::Until(until_us),
        (SnoozeEdit::Kept, Some(minutes)) => SnoozeEdit::Until(now_us + i64::from(minutes) * MINUTE_US),
        (SnoozeEdit::Kept, None) => {
            return Err(input.refuse("required", "snooze_until", "this or minutes is required"));
        }
        (SnoozeEdit::Cleared, _) => {
            return Err(input.refuse("null", "snooze_until", "this field may not be null"));
        }
        (SnoozeEdit::Until(_), Some(_)) => {
            return Err(input.refuse("invalid_input", "minutes", "snooze_until is there already"));
        }
    };
    let change = AlertChange::snoozed(snooze);
    let write = AlertWrite::Change { alert_id: id.clone(), change, absent: Absent::Kept, wakes: false };
    apply(&state, (place, project), &actor, ("POST", &id), write).await
}

pub(super) async fn unsnooze(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (place, project, actor) = authorize_write(&state, &call).await?;
    let id = alert_id(&call)?;
    let change = AlertChange::snoozed(SnoozeEdit::Cleared);
    let write = AlertWrite::Change { alert_id: id.clone(), change, absent: Absent::Kept, wakes: true };
    apply(&state, (place, project), &actor, ("POST", &id), write).await
}

pub(super) async fn events(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let alert = find(&state, project, &call).await?;
    let kind = match call.parameter("kind") {
        None => None,
        Some(word) => Some(EventKind::parse(word).ok_or_else(|| {
            let words = EventKind::ALL.map(EventKind::as_str).join(", ");
            let detail = format!("kind: {word:?} is not one of {words}");
            ApiError::validation("invalid_choice", Some("kind".to_owned()), detail)
        })?),
    };
    let window = page::window(&call);
    let (events, count) = state.meta().alert_events(&alert.id, kind, window).await?;
    let events = events.iter().map(written::event).collect();
    Ok(Json(page::page(&call.address(), window, count, events)))
}

/// Refuses conditions that make no sense.
fn check_meaning(filter: Option<&LogFilter>, now_us: i64) -> Result<(), ApiError> {
    let Some(filter) = filter else { return Ok(()) };
    let translated = translate(filter, &FilterContext { now_us });
    translated.map(drop).map_err(|error| filters::invalid(error.message()))
}

/// The same for a write that may need approval, with where it belongs.
async fn authorize_write(state: &AppState, call: &ApiCall) -> Result<(Place, ProjectId, Actor), ApiError> {
    let (place, project, caller) = call.authorize_place(state, &[Scope::LOGS_WRITE]).await?;
    Ok((place, project, call.actor(&caller)))
}

/// Who changes the alerts of which project.
pub(super) async fn authorize_change(
    state: &AppState,
    call: &ApiCall,
) -> Result<(ProjectId, Actor), ApiError> {
    let (project, caller) = call.authorize_caller(state, &[Scope::LOGS_WRITE]).await?;
    Ok((project, call.actor(&caller)))
}

/// The alert that the path names.
///
/// # Errors
/// 404 when the project has none.
pub(super) async fn find(state: &AppState, project: ProjectId, call: &ApiCall) -> Result<Alert, ApiError> {
    state.meta().alert(project, &alert_id(call)?).await?.ok_or_else(not_found)
}

/// The id in the path, as it is stored.
///
/// # Errors
/// 404 when it is none.
fn alert_id(call: &ApiCall) -> Result<String, ApiError> {
    let id = Uuid::parse_str(call.path_parameter("alert_id")).map_err(|_| not_found())?;
    Ok(id.to_string())
}

fn not_found() -> ApiError {
    ApiError::not_found("alert not found")
}
