//! What the explanation of a log takes and answers.

use serde_json::Value;

use crate::api::openapi::schema::{boolean, list, moment, object, one_of, text, uuid, with_required};
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

fn explanation() -> Value {
    let cause = object(&[
        ("hypothesis", text()),
        ("confidence", one_of(&["high", "medium", "low"])),
        ("reasoning", text()),
    ]);
    let action =
        object(&[("action", text()), ("priority", one_of(&["now", "soon", "later"])), ("why", text())]);
    let field = object(&[
        ("field", text()),
        ("value", text()),
        ("significance", text()),
        ("attribute_type", one_of(&["log", "resource"])),
    ]);
    object(&[
        ("headline", text()),
        ("severity_assessment", one_of(&["ok", "warning", "error", "critical"])),
        ("impact_summary", text()),
        ("probable_causes", list(cause)),
        ("immediate_actions", list(action)),
        ("technical_explanation", text()),
        ("key_fields", list(field)),
    ])
}

pub(in crate::api::logs) fn explain() -> Operation {
    let body = with_required(
        &[("uuid", uuid()), ("timestamp", moment()), ("force_refresh", boolean())],
        &["uuid", "timestamp"],
    );
    op("What a model makes of a log", &[Scope::LOGS_WRITE])
        .body(body)
        .answers(200, explanation())
        .refuses(&[503, 504])
}
