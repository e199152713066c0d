//! `logs/alerts/...`: alerts on a project's logs.
//!
//! What an alert decides is in [`crate::alerts`]; `filters` reads which rows it counts, `body` what else is said of it,
//! `written` is how it is answered. `resource` is its life, `destinations` where its notifications go, `simulate` what
//! it would have done, and `page` where links of notifications lead.

mod body;
mod described;
mod destinations;
mod filters;
mod page;
mod resource;
mod simulate;
mod written;

use super::openapi::{Routes, get, post};

pub(crate) use body::{Absent, AlertChange};
pub(crate) use filters::of_stored;

/// The endpoints, below the prefix of a project.
pub(super) fn routes() -> Routes {
    let all = get(resource::list, described::list_alerts()).post(resource::create, described::create());
    let one = get(resource::retrieve, described::retrieve())
        .patch(resource::change, described::change())
        .put(resource::replace, described::replace())
        .delete(resource::remove, described::remove());
    let destinations = get(destinations::list, described::list_destinations())
        .post(destinations::create, described::create_destination());
    let action = described::action;
    simulate::routes()
        .at("/logs/alerts", all)
        .at("/logs/alerts/{alert_id}", one)
        .at("/logs/alerts/{alert_id}/events", get(resource::events, described::events()))
        .at("/logs/alerts/{alert_id}/reset", post(resource::reset, action("Bring a broken alert back")))
        .at("/logs/alerts/{alert_id}/enable", post(resource::enable, action("Switch an alert on")))
        .at("/logs/alerts/{alert_id}/disable", post(resource::disable, action("Switch an alert off")))
        .at("/logs/alerts/{alert_id}/snooze", post(resource::snooze, described::snooze()))
        .at(
            "/logs/alerts/{alert_id}/unsnooze",
            post(resource::unsnooze, action("End the snooze of an alert")),
        )
        .at("/logs/alerts/{alert_id}/destinations", destinations)
        .at(
            "/logs/alerts/{alert_id}/destinations/delete",
            post(destinations::delete, described::delete_destinations()),
        )
        .at(
            "/logs/alerts/{alert_id}/destinations/test",
            post(destinations::test, described::test_destinations()),
        )
}

/// Where links of notifications lead.
pub(super) fn page_routes() -> Routes {
    Routes::new()
        .at("/project/{project_id}/logs", get(page::page, described::page()))
        .at("/project/{project_id}/logs/alerts/{alert_id}", get(page::page, described::page()))
        .at("/project/{project_id}/approvals/{request_id}", get(page::page, described::page()))
        .at("/project/{project_id}/activity", get(page::page, described::page()))
        .at("/organization/{organization_id}/approvals/{request_id}", get(page::page, described::page()))
}
