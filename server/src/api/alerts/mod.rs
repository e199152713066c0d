//! `logs/alerts/...`: alerts on a project's logs.
//!
//! What an alert decides is in [`crate::alerts`]; `filters` reads which rows it counts.

mod filters;
mod simulate;

use super::openapi::Routes;

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    simulate::routes()
}
