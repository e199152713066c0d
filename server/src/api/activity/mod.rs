//! The audit trail: `activity_log`, `advanced_activity_logs` of a project and of an organization, their exports, and
//! the checkpoints of the chain.
//!
//! Reading order: [`access`], who may read what; [`values`] and [`detail_filters`], what a request says; [`request`],
//! what that means; [`list`], [`basic`] and [`available`], the questions; [`entry`] and [`flat`], what an entry looks
//! like; [`ingest`]; [`export`] and [`file`]; [`chain`]; [`subscriptions`].

mod access;
mod available;
mod basic;
mod chain;
mod cursor;
mod described;
mod detail_filters;
mod entry;
pub(crate) mod export;
mod file;
mod flat;
mod ingest;
mod list;
mod request;
mod subscriptions;
mod values;
mod workbook;
mod zip_file;

pub(crate) use access::Reader;
pub(crate) use chain::written as written_verification;
pub(crate) use entry::written_entry;

use axum::middleware::from_fn;

use crate::api::logs::cost::tell_cost;
use crate::api::openapi::{Routes, get, post};

/// The endpoints below a project.
pub(super) fn routes() -> Routes {
    Routes::new()
        .at("/activity_log", get(basic::list, described::basic()).post(ingest::create, described::create()))
        .at("/advanced_activity_logs", get(list::of_project, described::advanced()))
        .at("/advanced_activity_logs/available_filters", get(available::of_project, described::available()))
        .at("/advanced_activity_logs/export", post(export::of_project, described::export()))
        .around(|router| router.route_layer(from_fn(tell_cost)))
        .merge(subscriptions::routes())
}

/// The endpoints below an organization.
pub(super) fn organization_routes() -> Routes {
    let checkpoints = get(chain::checkpoints, described::checkpoints()).post(chain::sign, described::sign());
    let retention =
        get(chain::retention, described::retention()).put(chain::set_retention, described::set_retention());
    Routes::new()
        .at("/advanced_activity_logs", get(list::of_organization, described::advanced()))
        .at(
            "/advanced_activity_logs/available_filters",
            get(available::of_organization, described::available()),
        )
        .at("/advanced_activity_logs/export", post(export::of_organization, described::export()))
        .at("/activity_log/checkpoints", checkpoints)
        .at("/activity_log/verify", post(chain::verify, described::verify()))
        .at("/activity_log/retention", retention)
        .around(|router| router.route_layer(from_fn(tell_cost)))
}
