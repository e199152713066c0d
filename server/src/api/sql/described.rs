//! What the endpoints of SQL take and answer.

use crate::api::openapi::schema::{
    anything, integer, integer_within, list as list_of, moment, nullable, object, one_of, text, uuid,
    with_required,
};
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

pub(super) fn ask() -> Operation {
    let body = with_required(
        &[
            ("query", text()),
            ("parameters", nullable(list_of(anything()))),
            ("max_rows", nullable(integer_within(1, i64::MAX))),
            ("timeout_secs", nullable(integer_within(1, i64::MAX))),
            ("format", nullable(one_of(&["json", "ndjson", "csv", "arrow", "parquet"]))),
        ],
        &["query"],
    );
    let column = object(&[("name", text()), ("type", text())]);
    let document = object(&[
        ("columns", list_of(column)),
        ("rows", list_of(list_of(anything()))),
        ("row_count", integer()),
        ("error", nullable(object(&[("code", text()), ("detail", text())]))),
    ]);
    op("A read-only SQL statement; the table `activity` needs `activity_log:read` too", &[Scope::LOGS_READ])
        .body(body)
        .answers_as(
            200,
            "the rows, in the form that `format` or `Accept` asks for",
            &[
                ("application/json", document),
                ("application/x-ndjson", text()),
                ("text/csv", text()),
                ("application/vnd.apache.arrow.stream", anything()),
                ("application/vnd.apache.parquet", anything()),
            ],
        )
        .refuses(&[503, 504])
}

pub(super) fn list() -> Operation {
    let statement = object(&[
        ("id", uuid()),
        ("caller", text()),
        ("state", one_of(&["waiting", "running", "done", "failed", "killed", "given_up"])),
        ("query", text()),
        ("started_at", moment()),
        ("elapsed_ms", integer()),
        ("rows", integer()),
        ("error", nullable(text())),
    ]);
    op("SQL statements that run or have ended lately", &[Scope::LOGS_READ])
        .answers(200, object(&[("results", list_of(statement))]))
}

pub(super) fn kill() -> Operation {
    op("End a SQL statement", &[Scope::LOGS_READ]).answers_nothing(204, "it ends")
}
