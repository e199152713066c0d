//! What the endpoints of the audit trail take and answer.

use serde_json::Value;

use crate::api::openapi::schema::{
    anything, boolean, integer, integer_within, list, map, members, moment, nullable, object, one_of, text,
    uuid, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

fn reads(summary: &'static str) -> Operation {
    op(summary, &[Scope::ACTIVITY_READ]).refuses(&[400, 503, 504])
}

fn entry() -> Value {
    with_required(
        &[
            ("id", uuid()),
            ("user", user_or_null()),
            ("unread", boolean()),
            ("team_id", nullable(integer())),
            ("organization_id", uuid()),
            ("was_impersonated", boolean()),
            ("is_system", boolean()),
            ("client", nullable(text())),
            ("ip_address", nullable(text())),
            ("activity", text()),
            ("item_id", nullable(text())),
            ("scope", text()),
            ("detail", anything()),
            ("created_at", moment()),
        ],
        &["id", "activity", "scope", "created_at"],
    )
}

fn pages(operation: Operation) -> Operation {
    let answer = with_required(
        &[
            ("count", integer()),
            ("next", nullable(text())),
            ("previous", nullable(text())),
            ("results", list(entry())),
        ],
        &["next", "previous", "results"],
    );
    operation
        .query("page", text(), "the number of a page, from 1; without it `cursor` says which part is meant")
        .query("cursor", text(), "that of a link to the next or the previous part")
        .query("page_size", text(), "entries of a part, 100 by default, at most 1,000")
        .query("ordering", text(), "`-created_at` or `created_at`")
        .answers(200, answer)
}

fn filters(mut operation: Operation) -> Operation {
    for (name, description) in [
        ("start_date", "the first moment"),
        ("end_date", "the last moment"),
        ("users", "UUIDs of users, with commas between them, as a JSON list or as repeated parameters"),
        ("scopes", "kinds of things that were changed"),
        ("activities", "what was done"),
        ("clients", "names of clients"),
        ("ip_addresses", "addresses, `*` for any digits"),
        ("item_ids", "ids of things"),
        ("team_ids", "numbers of projects"),
        ("was_impersonated", "whether somebody acted as the user"),
        ("is_system", "whether the product acted by itself"),
        ("search_text", "a text that an entry contains"),
        ("detail_filters", "conditions on members of `detail`, as JSON"),
        ("hogql_filter", "a condition of SQL over the columns of an entry"),
    ] {
        operation = operation.query(name, text(), description);
    }
    operation
}

pub(super) fn basic() -> Operation {
    let operation = reads("Entries of the audit trail, by few filters");
    let named =
        [("user", "a user"), ("scope", "a kind of things"), ("scopes", "kinds"), ("item_id", "a thing")];
    pages(named.into_iter().fold(operation, |operation, (name, says)| operation.query(name, text(), says)))
}

pub(super) fn advanced() -> Operation {
    pages(filters(reads("Entries of the audit trail, by every filter")))
}

pub(super) fn available() -> Operation {
    let value = || list(members(&[("value", text()), ("label", text())]));
    let static_filters =
        object(&[("users", value()), ("scopes", value()), ("activities", value()), ("clients", value())]);
    let field = object(&[("name", text()), ("types", list(text()))]);
    let of_scope = object(&[("fields", list(field))]);
    let answer = object(&[("static_filters", static_filters), ("detail_fields", map(of_scope))]);
    reads("What there is to filter entries by").answers(200, answer)
}

pub(super) fn export() -> Operation {
    let body = members(&[
        ("format", nullable(one_of(&["csv", "xlsx", "ndjson"]))),
        ("filters", nullable(map(anything()))),
    ]);
    let answer = object(&[("id", integer()), ("export_format", text())]);
    reads("Export entries into a file").body(body).answers(202, answer).may_need_approval()
}

pub(super) fn create() -> Operation {
    let answer = members(&[("id", uuid()), ("count", integer()), ("ids", list(uuid()))]);
    op("Add entries of an outside system", &[Scope::ACTIVITY_WRITE])
        .body(anything())
        .creates(answer)
        .refuses(&[503])
}

fn checkpoint() -> Value {
    object(&[
        ("version", integer()),
        ("organization_id", uuid()),
        ("sequence", integer()),
        ("hash", text()),
        ("created_at", moment()),
        ("kept_from", nullable(moment())),
        ("public_key", text()),
        ("signature", text()),
    ])
}

pub(super) fn checkpoints() -> Operation {
    reads("Signed checkpoints of the trail")
        .answers(200, object(&[("count", integer()), ("results", list(checkpoint()))]))
}

pub(super) fn sign() -> Operation {
    reads("Sign where the trail ends now").creates(checkpoint())
}

pub(super) fn verify() -> Operation {
    let fault = object(&[("sequence", integer()), ("entry_id", nullable(uuid())), ("reason", text())]);
    let answer = with_required(
        &[
            ("organization_id", uuid()),
            ("is_intact", boolean()),
            ("num_entries", integer()),
            ("first_sequence", nullable(integer())),
            ("last_sequence", integer()),
            ("hash", text()),
            ("num_checkpoints", integer()),
            ("fault", nullable(fault)),
        ],
        &["organization_id", "is_intact", "num_entries", "fault"],
    );
    reads("Prove that nothing of the trail was changed or removed").answers(200, answer)
}

fn kept() -> Value {
    object(&[("retention_days", nullable(integer()))])
}

pub(super) fn retention() -> Operation {
    reads("How long entries are kept").answers(200, kept())
}

pub(super) fn set_retention() -> Operation {
    let days = nullable(integer_within(1, 36_500));
    op("Set how long entries are kept", &[Scope::ORGANIZATION_WRITE])
        .body_or_form(members(&[("retention_days", days)]))
        .answers(200, kept())
        .refuses(&[503])
}
