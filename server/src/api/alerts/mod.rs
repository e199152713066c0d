//! `logs/alerts/...`: alerts on a project's logs.
//!
//! What an alert decides is in [`crate::alerts`]; `filters` reads which rows it counts.

mod filters;
mod simulate;

use axum::Router;
use axum::routing::post;

use crate::state::AppState;

/// The endpoints, below the prefix of a project.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/logs/alerts/simulate", post(simulate::simulate))
}
