//! `sql`: statements over a project's logs and audit trail, as they run.
//!
//! Reading order: [`request`], what a body says; [`ask`], the answer; [`statements`], which statements run.

mod ask;
mod described;
mod request;
mod statements;

use crate::api::openapi::{Methods, Routes, get, post};

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let one = Methods::default().delete(statements::kill, described::kill());
    Routes::new()
        .at("/sql", post(ask::ask, described::ask()))
        .at("/sql/queries", get(statements::list, described::list()))
        .at("/sql/queries/{query_id}", one)
}
