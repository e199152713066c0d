//! `logs/...`: questions about a project's log rows.
//!
//! Reading order: [`request`] and [`rows_request`] (JSON to the engine's model) with [`date_range`],
//! [`filter_group`], [`identity`], [`cursor`] and [`custom_columns`]; [`list_request`] (the same in a query string);
//! then one file per endpoint.
//! [`views`] is what people save of their questions.

mod active_rules;
mod attributes;
pub(in crate::api) mod cost;
mod count;
mod count_ranges;
mod cursor;
mod custom_columns;
pub(super) mod date_range;
mod explain;
pub(crate) mod export;
mod facet_values;
pub(super) mod filter_group;
mod group_by;
mod has_logs;
mod identity;
mod impact;
mod list_request;
mod patterns;
mod patterns_diff;
mod query;
mod query_filters;
mod request;
mod row;
mod rows_request;
mod services;
mod sparkline;
mod tail;
mod values;
mod views;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::state::AppState;

pub(crate) use self::tail::TailSubscribers;

/// The endpoints, below the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    questions()
        .route("/logs/explainLogWithAI", post(explain::explain_log))
        .route("/logs/export", post(export::create))
        .route("/logs/export/stream", post(export::stream_logs))
        .merge(exports_router().route("/exports", get(export::list)))
        .route("/logs/views", get(views::list).post(views::create))
        .route(
            "/logs/views/{short_id}",
            get(views::retrieve).put(views::replace).patch(views::change).delete(views::delete),
        )
        .route("/logs/tail", get(tail::tail))
}

/// The endpoints whose answers are whole when they begin, and tell what they cost.
fn questions() -> Router<AppState> {
    Router::new()
        .route("/logs/query", post(query::query_logs))
        .route("/logs/count", post(count::count_logs))
        .route("/logs/count-ranges", post(count_ranges::count_ranges))
        .route("/logs/services", post(services::services))
        .route("/logs/group-by", post(group_by::group_by))
        .route("/logs/impact", post(impact::impact))
        .route("/logs/sparkline", post(sparkline::sparkline))
        .route("/logs/patterns", post(patterns::patterns))
        .route("/logs/patterns_diff", post(patterns_diff::patterns_diff))
        .route("/logs/has_logs", get(has_logs::has_logs))
        .route("/logs/attributes", get(attributes::attributes))
        .route("/logs/values", get(values::values))
        .route("/logs/facet_values", post(facet_values::facet_values))
        .route_layer(from_fn(cost::tell_cost))
}

/// The `query` member of a body, or an empty one: nothing but defaults.
fn query_or_defaults(body: &Value) -> Result<Value, ApiError> {
    Ok(Value::Object(request::query_object(body)?.cloned().unwrap_or_else(Map::new)))
}

/// Exports by their numbers.
fn exports_router() -> Router<AppState> {
    Router::new()
        .route("/exports/{export_id}", get(export::retrieve))
        .route("/exports/{export_id}/content", get(export::content))
}

/// The exports of a whole organization.
pub(in crate::api) fn organization_exports_router() -> Router<AppState> {
    exports_router().route("/exports", get(export::list_of_organization))
}
