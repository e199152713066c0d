//! The basic list, `activity_log`: few filters, and no parameter is ever wrong.

use axum::Json;
use axum::extract::State;
use engine::query::ActivityFilter;
use serde_json::Value;
use uuid::Uuid;

use super::access::{Reader, project_reader};
use super::list::answer;
use super::request::Paging;
use super::values::Values;
use crate::api::api_call::ApiCall;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (reader, _, _) = project_reader(&state, &call).await?;
    let values = Values::Query(call.address().parameters);
    let paging = Paging::parse_leniently(&values)?;
    match filter(&state, &values, &reader).await? {
        Some(filter) => answer(&state, &call, &reader, filter, paging, false).await.map(Json),
        None => {
            let nothing = ActivityFilter { users: Some(Vec::new()), ..reader.everything() };
            answer(&state, &call, &reader, nothing, paging, false).await.map(Json)
        }
    }
}

/// What is asked for; none when nothing can be both of `scope` and one of `scopes`.
async fn filter(
    state: &AppState,
    values: &Values<'_>,
    reader: &Reader,
) -> Result<Option<ActivityFilter>, ApiError> {
    let mut filter = reader.everything();
    if let Some(scopes) = values.text("scopes")? {
        filter.scopes =
            scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    }
    if let Some(scope) = values.text("scope")? {
        if !filter.scopes.is_empty() && !filter.scopes.contains(&scope) {
            return Ok(None);
        }
        filter.scopes = vec![scope];
    }
    filter.item_ids = values.text("item_id")?.into_iter().collect();
    if let Some(user) = values.text("user")? {
        filter.users = Some(match (user.parse(), Uuid::parse_str(&user)) {
            (Ok(id), _) => vec![id],
            (_, Ok(uuid)) => state.meta().user_ids_of(&[uuid.to_string()]).await?,
            _ => Vec::new(),
        });
    }
    Ok(Some(filter))
}
