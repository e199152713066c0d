//! `logs/...`: questions about a project's log rows.
//!
//! Reading order: [`request`] and [`rows_request`] (JSON to the engine's model) with [`date_range`],
//! [`filter_group`], [`identity`], [`cursor`] and [`custom_columns`]; [`list_request`] (the same in a query string);
//! then one file per endpoint.
//! [`views`] is what people save of their questions.

mod active_rules;
mod attributes;
mod count;
mod count_ranges;
mod cursor;
mod custom_columns;
pub(super) mod date_range;
mod facet_values;
pub(super) mod filter_group;
mod group_by;
mod has_logs;
mod identity;
mod impact;
mod list_request;
mod query;
mod request;
mod row;
mod rows_request;
mod services;
mod sparkline;
mod values;
mod views;

use axum::Router;
use axum::routing::{get, post};
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::state::AppState;

/// The endpoints, below the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/logs/query", post(query::query_logs))
        .route("/logs/count", post(count::count_logs))
        .route("/logs/count-ranges", post(count_ranges::count_ranges))
        .route("/logs/services", post(services::services))
        .route("/logs/group-by", post(group_by::group_by))
        .route("/logs/impact", post(impact::impact))
        .route("/logs/sparkline", post(sparkline::sparkline))
        .route("/logs/has_logs", get(has_logs::has_logs))
        .route("/logs/views", get(views::list).post(views::create))
        .route(
            "/logs/views/{short_id}",
            get(views::retrieve).put(views::replace).patch(views::change).delete(views::delete),
        )
        .route("/logs/attributes", get(attributes::attributes))
        .route("/logs/values", get(values::values))
        .route("/logs/facet_values", post(facet_values::facet_values))
}

/// The `query` member of a body, or an empty one: nothing but defaults.
fn query_or_defaults(body: &Value) -> Result<Value, ApiError> {
    Ok(Value::Object(request::query_object(body)?.cloned().unwrap_or_else(Map::new)))
}
