//! What the endpoints of saved views take and answer.

use serde_json::Value;

use crate::api::openapi::schema::{
    anything, boolean, list, members, moment, nullable, object, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

fn view() -> Value {
    object(&[
        ("id", uuid()),
        ("short_id", text()),
        ("name", text()),
        ("filters", anything()),
        ("columns", nullable(list(anything()))),
        ("pinned", boolean()),
        ("created_at", moment()),
        ("created_by", user_or_null()),
        ("updated_at", moment()),
    ])
}

fn view_members() -> Vec<(&'static str, Value)> {
    vec![
        ("name", text_up_to(400)),
        ("filters", members(&[])),
        ("columns", nullable(list(anything()))),
        ("pinned", boolean()),
    ]
}

pub(in crate::api::logs) fn view_list() -> Operation {
    op("Saved views", &[Scope::LOGS_READ]).lists(view())
}

pub(in crate::api::logs) fn view_create() -> Operation {
    op("Save a view", &[Scope::LOGS_WRITE])
        .body_or_form(with_required(&view_members(), &["name"]))
        .creates(view())
        .refuses(&[503])
}

pub(in crate::api::logs) fn view_retrieve() -> Operation {
    op("A saved view", &[Scope::LOGS_READ]).answers(200, view())
}

pub(in crate::api::logs) fn view_replace() -> Operation {
    op("Change a saved view", &[Scope::LOGS_WRITE])
        .body_or_form(with_required(&view_members(), &["name"]))
        .answers(200, view())
}

pub(in crate::api::logs) fn view_change() -> Operation {
    op("Change a saved view", &[Scope::LOGS_WRITE])
        .body_or_form(members(&view_members()))
        .answers(200, view())
}

pub(in crate::api::logs) fn view_delete() -> Operation {
    op("Delete a saved view", &[Scope::LOGS_WRITE]).answers_nothing(204, "gone").may_need_approval()
}
