//! `approval_policies` and `change_requests`, of a project and of an organization.
//!
//! What they decide is in [`crate::approvals`]. [`policies`] and [`requests`] are the endpoints, [`place`] where a call
//! is about, [`written`] what a request looks like; [`gated`] is how other endpoints have something done that may need
//! approval; [`duration`] how times are spelt.

mod described;
mod duration;
pub(super) mod gated;
mod place;
mod policies;
mod policy_body;
mod requests;
mod written;

use super::openapi::{Routes, get, post};

/// The endpoints below a project.
pub(super) fn project_routes() -> Routes {
    routes()
}

/// The endpoints below an organization.
pub(super) fn organization_routes() -> Routes {
    routes()
}

fn routes() -> Routes {
    let policies =
        get(policies::list, described::list_policies()).post(policies::create, described::create_policy());
    let policy = get(policies::retrieve, described::retrieve_policy())
        .put(policies::replace, described::replace_policy())
        .patch(policies::change, described::change_policy())
        .delete(policies::remove, described::remove_policy());
    Routes::new()
        .at("/approval_policies", policies)
        .at("/approval_policies/{policy_id}", policy)
        .at("/change_requests", get(requests::list, described::list_requests()))
        .at("/change_requests/{request_id}", get(requests::retrieve, described::retrieve_request()))
        .at("/change_requests/{request_id}/approve", post(requests::approve, described::approve()))
        .at("/change_requests/{request_id}/reject", post(requests::reject, described::reject()))
        .at("/change_requests/{request_id}/cancel", post(requests::cancel, described::cancel()))
}
