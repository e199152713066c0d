//! `sql`: statements over a project's logs and audit trail, as they run.
//!
//! Reading order: [`request`], what a body says; [`ask`], who may read what, and the answer; [`system`], tables that
//! the server brings; [`statements`], which statements run.

mod ask;
mod described;
mod request;
mod statements;
mod system;

use crate::api::openapi::{Methods, Routes, get, post};

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let one = Methods::default().delete(statements::kill, described::kill());
    Routes::new()
        .at("/sql", post(ask::ask, described::ask()))
        .at("/sql/queries", get(statements::list, described::list()))
        .at("/sql/queries/{query_id}", one)
}
