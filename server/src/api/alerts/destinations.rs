//! `logs/alerts/{id}/destinations`: where notifications of an alert go.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::resource::{authorize_change, find};
use super::written;
use crate::alerts::notice::{About, Told, notification, public_url};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::{destinations, iso_time, page};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::alert::{self, Alert, AlertError};
use crate::meta::destination::{self, Destination, DestinationError, EventKind, NewGroup, Owner};
use crate::meta::notification as waiting;
use crate::state::AppState;

const IDS: &str = "hog_function_ids";
/// Most ids of one request.
const MAX_IDS: usize = 400;
/// Most notifications that may wait for a destination that is to be tested.
const MAX_WAITING: i64 = 100;

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let alert = find(&state, project, &call).await?;
    let found = state.meta().destinations(owner(&alert)?).await?;
    Ok(Json(page::page_of(&call, found, shown)))
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, actor) = authorize_change(&state, &call).await?;
    let id = find(&state, project, &call).await?.id;
    let body = call.into_json()?;
    let target = destinations::parse(&state, project, &Input::of(&body)?).await?;
    let mut transaction = state.meta().begin_write().await?;
    let connection = &mut *transaction;
    // It may have gone meanwhile.
    let alert = alert::get(connection, project, &id).await?.ok_or(AlertError::NotFound)?;
    let new = NewGroup {
        owner: owner(&alert)?,
        project_id: project,
        name: &alert.settings.name,
        kinds: &EventKind::OF_ALERTS,
        target: &target,
    };
    let now_us = state.clock().now_us();
    let ids = destination::create_group(connection, state.secret_key(), &new, &actor, now_us).await?;
    transaction.commit().await.map_err(ApiError::internal)?;
    Ok((StatusCode::CREATED, Json(json!({ IDS: ids }))))
}

pub(super) async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (project, actor) = authorize_change(&state, &call).await?;
    let owner = owner(&find(&state, project, &call).await?)?;
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let ids = input.required(IDS, parse_ids(&input)?)?;
    let mut transaction = state.meta().begin_write().await?;
    destination::delete(&mut transaction, owner, project, &ids, &actor, state.clock().now_us()).await?;
    transaction.commit().await.map_err(ApiError::internal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `{}` tests one destination of each group, `{"hog_function_ids": [...]}` those.
pub(super) async fn test(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, _) = authorize_change(&state, &call).await?;
    let alert = find(&state, project, &call).await?;
    let owner = owner(&alert)?;
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let ids = parse_ids(&input)?;
    let now_us = state.clock().now_us();
    let mut transaction = state.meta().begin_write().await?;
    let connection = &mut *transaction;
    let tested = chosen(destination::list(connection, owner).await?, ids.as_deref())?;
    if tested.is_empty() {
        return Err(ApiError::validation("invalid_input", None, "the alert has no destinations"));
    }
    let public_url = public_url(state.config());
    let about = About { alert: &alert, service: None, public_url: &public_url };
    let told = notification(&about, Told::Test, (now_us, now_us));
    let content = serde_json::to_string(&told).map_err(ApiError::internal)?;
    for destination in &tested {
        let id = destination.id.to_string();
        if waiting::has_waiting(connection, &id, MAX_WAITING).await? {
            let reason = format!("{MAX_WAITING} notifications wait for {id} already");
            return Err(input.refuse("invalid_input", IDS, reason));
        }
        waiting::insert(connection, &id, project, (told.id, content.as_str()), now_us).await?;
    }
    transaction.commit().await.map_err(ApiError::internal)?;
    state.delivery().wake();
    let ids: Vec<Uuid> = tested.iter().map(|destination| destination.id).collect();
    Ok((StatusCode::ACCEPTED, Json(json!({ "notification_id": told.id, IDS: ids }))))
}

/// Those with these ids, or without any the first of each group.
fn chosen(mut all: Vec<Destination>, ids: Option<&[Uuid]>) -> Result<Vec<Destination>, ApiError> {
    let Some(ids) = ids else {
        let mut groups = Vec::new();
        all.retain(|destination| {
            let is_first = !groups.contains(&destination.group_id);
            groups.push(destination.group_id);
            is_first
        });
        return Ok(all);
    };
    if let Some(unknown) = ids.iter().find(|id| all.iter().all(|destination| destination.id != **id)) {
        return Err(DestinationError::NotOwned(*unknown).into());
    }
    all.retain(|destination| ids.contains(&destination.id));
    Ok(all)
}

fn parse_ids(input: &Input<'_>) -> Result<Option<Vec<Uuid>>, ApiError> {
    let Some(list) = input.list(IDS, MAX_IDS)? else { return Ok(None) };
    if list.is_empty() {
        return Err(input.refuse("min_length", IDS, "at least one id is needed"));
    }
    let id = |(index, value): (usize, &Value)| {
        let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        id.ok_or_else(|| input.refuse("invalid_input", IDS, format!("entry {index} is no UUID")))
    };
    list.iter().enumerate().map(id).collect::<Result<_, _>>().map(Some)
}

fn owner(alert: &Alert) -> Result<Owner, ApiError> {
    written::owner(alert).ok_or_else(|| ApiError::not_found("alert not found"))
}

fn shown(destination: &Destination) -> Value {
    let moment = |us: Option<i64>| us.map(iso_time::format);
    let health = &destination.health;
    json!({
        "id": destination.id,
        "group_id": destination.group_id,
        "type": destination.kind,
        "event": destination.event.word(),
        "label": destination.label,
        "created_at": iso_time::format(destination.created_us),
        "last_success_at": moment(health.last_success_us),
        "last_failure_at": moment(health.last_failure_us),
        "last_failure": health.last_failure,
        "consecutive_failures": health.consecutive_failures,
    })
}
