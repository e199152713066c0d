//! `logs/...`: questions about a project's log rows.
//!
//! Reading order: [`request`] and [`rows_request`] (JSON to the engine's model) with [`date_range`],
//! [`filter_group`], [`identity`], [`cursor`] and [`custom_columns`]; then one file per endpoint.

mod count;
mod cursor;
mod custom_columns;
mod date_range;
pub(super) mod filter_group;
mod has_logs;
mod identity;
mod patterns;
mod patterns_diff;
mod query;
mod request;
mod row;
mod rows_request;
mod sparkline;
mod tail;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::state::AppState;

pub(crate) use self::tail::TailSubscribers;

/// The endpoints, below the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/logs/query", post(query::query_logs))
        .route("/logs/count", post(count::count_logs))
        .route("/logs/sparkline", post(sparkline::sparkline))
        .route("/logs/patterns", post(patterns::patterns))
        .route("/logs/patterns_diff", post(patterns_diff::patterns_diff))
        .route("/logs/has_logs", get(has_logs::has_logs))
        .route("/logs/tail", get(tail::tail))
}

/// The `query` member of a body, or an empty one: nothing but defaults.
fn query_or_defaults(body: &Value) -> Result<Value, ApiError> {
    Ok(Value::Object(request::query_object(body)?.cloned().unwrap_or_else(Map::new)))
}
