//! What the endpoints of exports take and answer.

use serde_json::{Value, json};

use super::asks;
use crate::api::openapi::schema::{
    anything, boolean, integer, list, moment, nullable, object, one_of, reference, text, with_required,
};
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

fn export_body() -> Value {
    with_required(&[("query", reference("LogsFilter")), ("columns", nullable(list(anything())))], &["query"])
}

fn export_members() -> Vec<(&'static str, Value)> {
    vec![
        ("id", integer()),
        ("export_format", text()),
        ("created_at", moment()),
        ("has_content", boolean()),
        ("filename", text()),
    ]
}

fn export() -> Value {
    let mut of_export = export_members();
    let nothing = || json!({ "type": "null" });
    of_export.extend([
        ("dashboard", nothing()),
        ("insight", nothing()),
        ("export_context", anything()),
        ("expires_after", moment()),
        ("exception", nullable(text())),
    ]);
    object(&of_export)
}

pub(in crate::api::logs) fn export_create() -> Operation {
    op("Make a file in the background", &[Scope::LOGS_READ])
        .body(export_body())
        .creates(object(&export_members()))
        .refuses(&[503])
}

pub(in crate::api::logs) fn export_stream() -> Operation {
    let body = with_required(
        &[
            ("query", reference("LogsFilter")),
            ("columns", nullable(list(text()))),
            ("format", nullable(one_of(&["csv", "ndjson", "parquet"]))),
        ],
        &["query"],
    );
    asks("Every row of a query, as it is read").body(body).answers_as(
        200,
        "the rows",
        &[
            ("text/csv", text()),
            ("application/x-ndjson", text()),
            ("application/vnd.apache.parquet", anything()),
        ],
    )
}

const EXPORT_SCOPES: [Scope; 2] = [Scope::EXPORT_READ, Scope::LOGS_READ];

pub(in crate::api::logs) fn export_list() -> Operation {
    op("Exports", &EXPORT_SCOPES).lists(export())
}

pub(in crate::api::logs) fn export_retrieve() -> Operation {
    op("An export", &EXPORT_SCOPES).answers(200, export())
}

pub(in crate::api::logs) fn export_content() -> Operation {
    op("The file of an export", &EXPORT_SCOPES)
        .query("download", text(), "`true`: to be saved")
        .answers_as(
            200,
            "the file",
            &[
                ("text/csv", text()),
                ("application/x-ndjson", text()),
                ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", text()),
            ],
        )
        .refuses(&[400, 409])
}
