//! What the endpoints of rules take and answer, for the API's description.

use serde_json::Value;

use super::resource::Kind;
use crate::api::openapi::schema::{
    anything, boolean, integer, moment, nullable, object, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

const READ: [Scope; 1] = [Scope::LOGS_READ];
const WRITE: [Scope; 1] = [Scope::LOGS_WRITE];

fn rule<K: Kind>() -> Value {
    let mut members = vec![
        ("id", uuid()),
        ("name", text()),
        ("enabled", boolean()),
        ("priority", integer()),
        ("version", integer()),
        ("created_by", user_or_null()),
        ("created_at", moment()),
        ("updated_at", moment()),
    ];
    members.extend(K::members().into_iter().map(|(name, _)| (name, anything())));
    object(&members)
}

fn body<K: Kind>(required: &[&str]) -> Value {
    let mut members =
        vec![("name", text_up_to(255)), ("enabled", boolean()), ("priority", nullable(integer()))];
    members.extend(K::members().into_iter().map(|(name, _)| (name, anything())));
    with_required(&members, required)
}

pub(super) fn list<K: Kind>() -> Operation {
    op("Rules of a kind, in their order", &READ).lists(rule::<K>())
}

pub(super) fn create<K: Kind>() -> Operation {
    op("Make a rule", &WRITE).body(body::<K>(&["name"])).creates(rule::<K>()).may_need_approval()
}

pub(super) fn retrieve<K: Kind>() -> Operation {
    op("A rule", &READ).answers(200, rule::<K>())
}

pub(super) fn change<K: Kind>() -> Operation {
    op("Change a rule", &WRITE).body(body::<K>(&[])).answers(200, rule::<K>()).may_need_approval()
}

pub(super) fn replace<K: Kind>() -> Operation {
    op("Change a rule", &WRITE).body(body::<K>(&["name"])).answers(200, rule::<K>()).may_need_approval()
}

pub(super) fn remove() -> Operation {
    op("Delete a rule", &WRITE).answers_nothing(204, "gone").may_need_approval()
}

pub(super) fn reorder<K: Kind>() -> Operation {
    let answer = object(&[
        ("count", integer()),
        ("next", nullable(text())),
        ("previous", nullable(text())),
        ("results", entries(rule::<K>())),
    ]);
    op("Put all rules of a kind into an order", &WRITE)
        .may_need_approval()
        .body(with_required(&[("ordered_ids", entries(text()))], &["ordered_ids"]))
        .answers(200, answer)
}

/// [`crate::api::openapi::schema::list`]; here that word is an endpoint's.
fn entries(entry: Value) -> Value {
    crate::api::openapi::schema::list(entry)
}

pub(super) fn simulate() -> Operation {
    let answer = with_required(
        &[
            ("rows", integer()),
            ("kept", integer()),
            ("dropped", integer()),
            ("dropped_bytes", integer()),
            ("approximate", boolean()),
            ("severities", entries(anything())),
            ("services", entries(anything())),
        ],
        &["rows", "kept", "dropped"],
    );
    op("What a drop rule would do to the rows that are there", &READ)
        .body(with_required(&[("dateRange", anything()), ("query", anything())], &[]))
        .answers(200, answer)
        .refuses(&[503, 504])
}

pub(super) fn suggest_name() -> Operation {
    op("A name for a retention rule", &READ)
        .body(with_required(&[("config", anything()), ("scope_service", anything())], &[]))
        .answers(200, object(&[("name", text())]))
}

pub(super) fn metrics() -> Operation {
    op("What metric rules have measured, for Prometheus", &READ).answers_as(
        200,
        "numbers",
        &[("text/plain", text())],
    )
}
