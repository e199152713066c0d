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
mod described;
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
pub(super) mod request;
mod row;
mod rows_request;
mod services;
mod sparkline;
mod tail;
mod values;
mod views;

use axum::middleware::from_fn;
use serde_json::{Map, Value};

use crate::api::openapi::{Routes, get, post};
use crate::error::ApiError;

pub(crate) use self::tail::TailSubscribers;

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let view = get(views::retrieve, described::view_retrieve())
        .put(views::replace, described::view_replace())
        .patch(views::change, described::view_change())
        .delete(views::delete, described::view_delete());
    questions()
        .at("/logs/explainLogWithAI", post(explain::explain_log, described::explain()))
        .at("/logs/export", post(export::create, described::export_create()))
        .at("/logs/export/stream", post(export::stream_logs, described::export_stream()))
        .at("/exports", get(export::list, described::export_list()))
        .merge(exports_by_number())
        .at(
            "/logs/views",
            get(views::list, described::view_list()).post(views::create, described::view_create()),
        )
        .at("/logs/views/{short_id}", view)
        .at("/logs/tail", get(tail::tail, described::tail()))
}

/// The endpoints whose answers are whole when they begin, and tell what they cost.
fn questions() -> Routes {
    Routes::new()
        .at("/logs/query", post(query::query_logs, described::query()))
        .at("/logs/count", post(count::count_logs, described::count()))
        .at("/logs/count-ranges", post(count_ranges::count_ranges, described::count_ranges()))
        .at("/logs/services", post(services::services, described::services()))
        .at("/logs/group-by", post(group_by::group_by, described::group_by()))
        .at("/logs/impact", post(impact::impact, described::impact()))
        .at("/logs/sparkline", post(sparkline::sparkline, described::sparkline_op()))
        .at("/logs/patterns", post(patterns::patterns, described::patterns()))
        .at("/logs/patterns_diff", post(patterns_diff::patterns_diff, described::patterns_diff()))
        .at("/logs/has_logs", get(has_logs::has_logs, described::has_logs()))
        .at("/logs/attributes", get(attributes::attributes, described::attributes()))
        .at("/logs/values", get(values::values, described::values()))
        .at("/logs/facet_values", post(facet_values::facet_values, described::facet_values()))
        .around(|router| router.route_layer(from_fn(cost::tell_cost)))
}

/// The `query` member of a body, or an empty one: nothing but defaults.
fn query_or_defaults(body: &Value) -> Result<Value, ApiError> {
    Ok(Value::Object(request::query_object(body)?.cloned().unwrap_or_else(Map::new)))
}

/// Exports by their numbers.
fn exports_by_number() -> Routes {
    Routes::new()
        .at("/exports/{export_id}", get(export::retrieve, described::export_retrieve()))
        .at("/exports/{export_id}/content", get(export::content, described::export_content()))
}

/// The exports of a whole organization.
pub(in crate::api) fn organization_exports() -> Routes {
    exports_by_number().at("/exports", get(export::list_of_organization, described::export_list()))
}
