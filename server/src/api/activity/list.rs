//! The advanced lists, of a project and of an organization.

use axum::Json;
use axum::extract::State;
use engine::query::{ActivityCursor, ActivityFilter, ActivityPage, ActivityQuery};
use serde_json::{Value, json};

use super::access::{Reader, organization_reader, project_reader};
use super::cursor::{Place, reversed};
use super::request::{Paging, Part, filter};
use super::values::Values;
use super::{entry, flat};
use crate::api::api_call::ApiCall;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn of_project(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (reader, _, _) = project_reader(&state, &call).await?;
    advanced(&state, &call, &reader).await
}

pub(super) async fn of_organization(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let (reader, _, _) = organization_reader(&state, &call).await?;
    advanced(&state, &call, &reader).await
}

async fn advanced(state: &AppState, call: &ApiCall, reader: &Reader) -> Result<Json<Value>, ApiError> {
    let values = Values::Query(call.address().parameters);
    let paging = Paging::parse(&values)?;
    let filter = filter(&values, reader, state.meta()).await?;
    let is_flat = values.flag("is_csv_export")?.unwrap_or(false);
    answer(state, call, reader, filter, paging, is_flat).await.map(Json)
}

/// The part of the list that is wanted, with links to its neighbours.
///
/// # Errors
/// 404 for a page beyond the end, and what the engine says.
pub(super) async fn answer(
    state: &AppState,
    call: &ApiCall,
    reader: &Reader,
    filter: ActivityFilter,
    paging: Paging,
    is_flat: bool,
) -> Result<Value, ApiError> {
    match paging.part {
        Part::Page(page) => numbered(state, call, reader, filter, paging, page, is_flat).await,
        Part::Cursor(place) => from_place(state, call, reader, filter, paging, place, is_flat).await,
    }
}

async fn numbered(
    state: &AppState,
    call: &ApiCall,
    reader: &Reader,
    filter: ActivityFilter,
    paging: Paging,
    page: usize,
    is_flat: bool,
) -> Result<Value, ApiError> {
    let Paging { page_size, order, .. } = paging;
    let count = state.engine().activity_count(reader.organization, &filter).await?;
    let offset = (page - 1).saturating_mul(page_size);
    if page > 1 && offset as u64 >= count {
        return Err(ApiError::not_found("invalid page"));
    }
    let query = ActivityQuery { filter, order, after: None, offset, limit: page_size };
    let found = state.engine().activity_page(reader.organization, &query).await?;
    let link = |page: usize| call.address().link_with("page", &page.to_string());
    Ok(json!({
        "count": count,
        "next": found.has_more.then(|| link(page + 1)),
        "previous": (page > 1).then(|| link(page - 1)),
        "results": results(state, reader, &found, is_flat).await?,
    }))
}

async fn from_place(
    state: &AppState,
    call: &ApiCall,
    reader: &Reader,
    filter: ActivityFilter,
    paging: Paging,
    place: Option<Place>,
    is_flat: bool,
) -> Result<Value, ApiError> {
    let is_backwards = place.is_some_and(|place| place.is_backwards);
    let order = if is_backwards { reversed(paging.order) } else { paging.order };
    let after = place.map(|place| place.cursor);
    let query = ActivityQuery { filter, order, after, offset: 0, limit: paging.page_size };
    let mut found = state.engine().activity_page(reader.organization, &query).await?;
    if is_backwards {
        found.entries.reverse();
    }
    // Where a walk has come from there is something, whichever way it goes.
    let (has_next, has_previous) = match place {
        None => (found.has_more, false),
        Some(_) if is_backwards => (true, found.has_more),
        Some(_) => (found.has_more, true),
    };
    let link = |is_backwards: bool| {
        let edge = if is_backwards { found.entries.first() } else { found.entries.last() };
        let cursor = edge
            .map(|stored| ActivityCursor { timestamp_us: stored.entry.timestamp_us, id: stored.entry.id });
        let cursor = cursor.or(after)?;
        Some(call.address().link_with("cursor", &Place { cursor, is_backwards }.encode()))
    };
    Ok(json!({
        "next": has_next.then(|| link(false)).flatten(),
        "previous": has_previous.then(|| link(true)).flatten(),
        "results": results(state, reader, &found, is_flat).await?,
    }))
}

async fn results(
    state: &AppState,
    reader: &Reader,
    page: &ActivityPage,
    is_flat: bool,
) -> Result<Vec<Value>, ApiError> {
    let users = entry::users_of(state.meta(), &page.entries).await?;
    let written = if is_flat { flat::written } else { entry::written };
    Ok(page.entries.iter().map(|stored| written(reader.organization, stored, &users)).collect())
}
