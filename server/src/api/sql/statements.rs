//! `sql/queries`: the statements that run, and ending one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use engine::sql::{SqlState, SqlStatementInfo};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::activity::entry::{Actor, Entry};
use crate::api::api_call::ApiCall;
use crate::api::iso_time;
use crate::error::ApiError;
use crate::sql::Asker;
use crate::state::AppState;

pub(super) async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let statements = state.engine().sql_statements(asker.project.id, &asker.listed());
    let results: Vec<Value> = statements.iter().map(written).collect();
    Ok(Json(json!({ "results": results })))
}

pub(super) async fn kill(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let not_found = || ApiError::not_found("no such query runs");
    let id = Uuid::parse_str(call.path_parameter("query_id")).map_err(|_| not_found())?;
    // Told before it is done: who ends what others wait for is in the trail, whatever becomes of the server.
    let statements = state.engine().sql_statements(asker.project.id, &asker.listed());
    let is_running = |statement: &&SqlStatementInfo| {
        statement.id == id && matches!(statement.state, SqlState::Waiting | SqlState::Running)
    };
    let statement = statements.iter().find(is_running).ok_or_else(not_found)?;
    let entry = (entry_of(&call.actor(&asker.caller), statement), state.clock().now_us());
    let organization_id = &asker.project.organization_id;
    state.meta().push_entries(organization_id, Some(asker.project.id), &[entry]).await?;
    state.engine().kill_sql(asker.project.id, &asker.listed(), id);
    Ok(StatusCode::NO_CONTENT)
}

/// Characters of a statement that its entry has.
const MAX_ENTRY_TEXT: usize = 200;

fn entry_of(actor: &Actor, statement: &SqlStatementInfo) -> Entry {
    let name: String = statement.text.chars().take(MAX_ENTRY_TEXT).collect();
    let entry = Entry::new(actor, "SqlQuery", "killed", statement.id, name, vec![]);
    entry.with_context(Map::from_iter([("caller".to_owned(), json!(statement.caller))]))
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
