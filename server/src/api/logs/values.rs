//! `GET logs/values`: which values an attribute has.

use axum::Json;
use axum::extract::State;
use engine::query::{Facet, Rounding, ValueCount, ValuesRequest};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::list_request::ListRequest;
use crate::api::api_call::ApiCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

#[derive(Debug, serde::Serialize)]
pub(super) struct Answer {
    results: Vec<Value>,
    refreshing: bool,
}

/// A value, which clients expect under two names.
#[derive(Debug)]
struct Value(ValueCount);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(ValueCount { value, count }) = self;
        let mut object = serializer.serialize_struct("Value", 3)?;
        object.serialize_field("id", value)?;
        object.serialize_field("name", value)?;
        object.serialize_field("count", count)?;
        object.end()
    }
}

pub(super) async fn values(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
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
    Ok(Json(Answer { results: values.into_iter().map(Value).collect(), refreshing: false }))
}
