//! `POST logs/count`: how many rows.

use axum::Json;
use axum::extract::State;
use engine::query::Rounding;
use serde::Serialize;

use super::request::AggregateRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    count: u64,
}

pub(super) async fn count_logs(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let query = super::query_or_defaults(&call.into_json()?)?;
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&Fields::of(&query, "")?)?;
    let range = date_range.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let count = state.engine().count_logs(project, filter, range).await?;
    Ok(Json(Answer { count }))
}
