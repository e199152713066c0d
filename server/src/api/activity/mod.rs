//! The audit trail: `activity_log`, `advanced_activity_logs` of a project and of an organization, their exports, and
//! the checkpoints of the chain.
//!
//! Reading order: [`access`], who may read what; [`values`] and [`detail_filters`], what a request says; [`request`],
//! what that means; [`list`], [`basic`] and [`available`], the questions; [`entry`] and [`flat`], what an entry looks
//! like; [`ingest`]; [`export`] and [`file`]; [`chain`].

mod access;
mod available;
mod basic;
mod chain;
mod cursor;
mod detail_filters;
mod entry;
pub(crate) mod export;
mod file;
mod flat;
mod ingest;
mod list;
mod request;
mod values;
mod workbook;
mod zip_file;

pub(crate) use chain::written as written_verification;

use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::api::logs::cost::tell_cost;
use crate::state::AppState;

/// The routes below a project.
pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/activity_log", get(basic::list).post(ingest::create))
        .route("/advanced_activity_logs", get(list::of_project))
        .route("/advanced_activity_logs/available_filters", get(available::of_project))
        .route("/advanced_activity_logs/export", post(export::of_project))
        .route_layer(middleware::from_fn(tell_cost))
}

/// The routes below an organization.
pub(super) fn organization_router() -> Router<AppState> {
    Router::new()
        .route("/advanced_activity_logs", get(list::of_organization))
        .route("/advanced_activity_logs/available_filters", get(available::of_organization))
        .route("/advanced_activity_logs/export", post(export::of_organization))
        .route("/activity_log/checkpoints", get(chain::checkpoints).post(chain::sign))
        .route("/activity_log/verify", post(chain::verify))
        .route("/activity_log/retention", get(chain::retention).put(chain::set_retention))
        .route_layer(middleware::from_fn(tell_cost))
}
