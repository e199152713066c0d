//! `GET logs/values`: which values an attribute has.

use axum::Json;
use axum::extract::State;
use engine::query::{Facet, Rounding, ValueCount, ValuesRequest};
use serde::Serialize;

use super::list_request::ListRequest;
use crate::api::project_call::ProjectCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    results: Vec<Value>,
    refreshing: bool,
}

#[derive(Debug, Serialize)]
struct Value {
    id: String,
    name: String,
    count: u64,
}

impl From<ValueCount> for Value {
    fn from(ValueCount { value, count }: ValueCount) -> Self {
        Self { id: value.clone(), name: value, count }
    }
}

pub(super) async fn values(
    State(state): State<AppState>,
    call: ProjectCall,
) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let parameters = call.parameters();
    let key = parameters.filled_text("key").ok_or_else(|| ApiError::bad_request("key is required").bare())?;
    let ListRequest { filter, date_range, source, list } = ListRequest::parse(parameters)?;
    let range = date_range.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let facet = Facet::Attribute { source, key: key.to_owned() };
    let search = parameters.text("value").unwrap_or_default().to_owned();
    let request = ValuesRequest { filter, range, facet, search, list };
    let values = state.engine().values(project, request).await;
    let values = values.map_err(|error| ApiError::from(error).simple_if_bad_request())?;
    Ok(Json(Answer { results: values.into_iter().map(Value::from).collect(), refreshing: false }))
}
