//! What the endpoints of approvals take and answer, for the API's description.

use serde_json::{Value, json};

use super::policy_body::MAX_KEY_CHARS;
use super::requests::MAX_REASON_CHARS;
use crate::api::openapi::schema::{
    any_of, anything, boolean, integer, list, map, members, moment, nullable, object, one_of, text,
    text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::{change_request, user_or_null};
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;
use crate::meta::approval::RequestState;

const READ: [Scope; 1] = [Scope::APPROVALS_READ];
const WRITE: [Scope; 1] = [Scope::APPROVALS_WRITE];

fn policy() -> Value {
    object(&[
        ("id", uuid()),
        ("action_key", text()),
        ("conditions", map(anything())),
        ("approver_config", map(anything())),
        ("allow_self_approve", boolean()),
        ("bypass_org_membership_levels", list(integer())),
        ("bypass_roles", list(uuid())),
        ("expires_after", text()),
        ("enabled", boolean()),
        ("created_by", user_or_null()),
        ("created_at", moment()),
        ("updated_at", moment()),
    ])
}

fn body(required: &[&str]) -> Value {
    let condition = members(&[
        ("type", one_of(&["any_change", "before_after", "change_amount"])),
        ("field", text()),
        ("operator", one_of(&[">", "<", ">=", "<=", "==", "!="])),
        ("value", anything()),
    ]);
    let approvers = with_required(
        &[
            ("quorum", json!({ "type": "integer", "minimum": 1 })),
            ("users", list(integer())),
            ("roles", list(uuid())),
        ],
        &["quorum"],
    );
    let content = [
        ("action_key", text_up_to(MAX_KEY_CHARS)),
        ("conditions", condition),
        ("approver_config", approvers),
        ("allow_self_approve", boolean()),
        ("bypass_org_membership_levels", list(any_of(&[integer(), text()]))),
        ("bypass_roles", list(uuid())),
        ("expires_after", any_of(&[text(), integer()])),
        ("enabled", boolean()),
    ];
    with_required(&content, required)
}

pub(super) fn list_policies() -> Operation {
    op("Approval policies, newest first", &READ)
        .query("action_key", text(), "only that for this action")
        .query("enabled", text(), "`true` for those that count, anything else for the others")
        .lists(policy())
}

pub(super) fn create_policy() -> Operation {
    op("Have an action need approval", &WRITE)
        .body(body(&["action_key", "approver_config"]))
        .creates(policy())
}

pub(super) fn retrieve_policy() -> Operation {
    op("An approval policy", &READ).answers(200, policy())
}

pub(super) fn replace_policy() -> Operation {
    op("Replace an approval policy", &WRITE)
        .body(body(&["action_key", "approver_config"]))
        .answers(200, policy())
}

pub(super) fn change_policy() -> Operation {
    op("Change an approval policy", &WRITE).body(body(&[])).answers(200, policy())
}

pub(super) fn remove_policy() -> Operation {
    op("Delete an approval policy; its requests go on", &WRITE).answers_nothing(204, "gone")
}

pub(super) fn list_requests() -> Operation {
    let words = RequestState::ALL.map(RequestState::as_str).join(", ");
    let states = format!("only requests in these states, separated by commas: {words}");
    op("Change requests, newest first", &READ)
        .query("state", text(), &states)
        .query("action_key", text(), "only requests for this action")
        .query("requester", text(), "only requests of the user with this number")
        .query("resource_type", text(), "only requests about this kind of thing")
        .query("resource_id", text(), "only requests about this thing")
        .lists(change_request())
        .refuses(&[400])
}

pub(super) fn retrieve_request() -> Operation {
    op("A change request", &READ).answers(200, change_request())
}

fn decision(summary: &'static str, statuses: &[&str], more: &[(&'static str, Value)]) -> Operation {
    let mut answer =
        vec![("status", one_of(statuses)), ("message", text()), ("change_request", change_request())];
    let required: Vec<&str> = answer.iter().map(|(name, _)| *name).collect();
    answer.extend(more.iter().cloned());
    let reason = nullable(json!({ "type": "string", "maxLength": MAX_REASON_CHARS }));
    op(summary, &WRITE).body(members(&[("reason", reason)])).answers(200, with_required(&answer, &required))
}

pub(super) fn approve() -> Operation {
    let result = object(&[("resource_id", text()), ("resource_version", nullable(text()))]);
    let statuses = ["approved", "applied", "failed"];
    decision("Vote for a change; the last vote that is needed applies it", &statuses, &[("result", result)])
}

pub(super) fn reject() -> Operation {
    decision("Vote against a change, which ends it", &["rejected"], &[])
}

pub(super) fn cancel() -> Operation {
    decision("Take the own request back", &["canceled"], &[])
}
