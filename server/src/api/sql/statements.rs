//! `sql/queries`: the statements that run, and ending one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::sql::SqlStatementInfo;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ask::Asker;
use crate::api::iso_time;
use crate::api::project_call::ProjectCall;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn list(State(state): State<AppState>, call: ProjectCall) -> Result<Json<Value>, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let statements = state.engine().sql_statements(asker.project.id, &asker.listed());
    let results: Vec<Value> = statements.iter().map(written).collect();
    Ok(Json(json!({ "results": results })))
}

pub(super) async fn kill(State(state): State<AppState>, call: ProjectCall) -> Result<StatusCode, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let id = Uuid::parse_str(call.path_parameter("query_id"));
    let is_ended = id.is_ok_and(|id| state.engine().kill_sql(asker.project.id, &asker.listed(), id));
    if is_ended { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found("no such query runs")) }
}

fn written(statement: &SqlStatementInfo) -> Value {
    json!({
        "id": statement.id,
        "caller": statement.caller,
        "state": statement.state.as_str(),
        "query": statement.text,
        "started_at": iso_time::format(statement.started_us),
        "elapsed_ms": statement.elapsed_us / 1000,
        "rows": statement.rows,
        "error": statement.error,
    })
}
