//! `GET logs/has_logs`: whether a project has any log yet.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::api::api_call::ApiCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    has_logs: bool,
}

pub(super) async fn has_logs(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    Ok(Json(Answer { has_logs: state.engine().has_logs(project).await? }))
}
