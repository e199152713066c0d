//! What the endpoints of logs take and answer, for the API's description.

use serde_json::Value;

use crate::api::openapi::schema::{
    anything, boolean, integer, integer_within, list, members, moment, nullable, number, object, one_of,
    reference, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::{question, sparkline, user_or_null};
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

/// A question, whose answer takes the engine's memory and time.
fn asks(summary: &'static str) -> Operation {
    op(summary, &[Scope::LOGS_READ]).refuses(&[400, 503, 504])
}

pub(super) fn query() -> Operation {
    let row = reference("LogRow");
    let more = [
        ("orderBy", nullable(text())),
        ("limit", nullable(integer_within(1, 2_000))),
        ("after", nullable(text())),
        ("excludeAttributes", nullable(boolean())),
        ("customColumns", nullable(list(text()))),
        ("liveLogsCheckpoint", nullable(text())),
    ];
    asks("Rows, newest or oldest first, page by page").body(question(&more)).answers(
        200,
        object(&[
            ("results", list(row)),
            ("hasMore", boolean()),
            ("nextCursor", nullable(text())),
            ("columns", nullable(list(text()))),
            ("maxExportableLogs", integer()),
            ("query", members(&[("kind", text())])),
        ]),
    )
}

pub(super) fn count() -> Operation {
    asks("The number of rows").body(question(&[])).answers(200, object(&[("count", integer())]))
}

pub(super) fn count_ranges() -> Operation {
    let range = object(&[("date_from", moment()), ("date_to", moment()), ("count", integer())]);
    asks("Numbers of rows per time bucket")
        .body(question(&[("targetBuckets", nullable(integer()))]))
        .answers(200, object(&[("ranges", list(range)), ("interval", text())]))
}

pub(super) fn services() -> Operation {
    let service = object(&[
        ("service_name", text()),
        ("log_count", integer()),
        ("error_count", integer()),
        ("error_rate", number()),
        ("volume_share_pct", number()),
        ("severity_breakdown", anything()),
        ("active_rules", list(anything())),
    ]);
    let point = object(&[("time", moment()), ("service_name", text()), ("count", integer())]);
    let summary = object(&[("top_services_count", integer()), ("top_services_volume_share_pct", number())]);
    asks("How much each service logs").body(question(&[("serviceNameSearch", nullable(text()))])).answers(
        200,
        object(&[
            ("services", list(service)),
            ("sparkline", list(point)),
            ("total_services", integer()),
            ("summary", summary),
        ]),
    )
}

pub(super) fn group_by() -> Operation {
    let key = with_required(&[("key", text()), ("source", one_of(&["log", "resource", "column"]))], &["key"]);
    let more = [
        ("groupBy", nullable(text())),
        ("groupBySource", nullable(one_of(&["log", "resource", "column"]))),
        ("groupBys", nullable(list(key))),
        ("orderGroupsBy", nullable(one_of(&["log_count", "error_count", "last_seen"]))),
        ("limit", nullable(integer())),
    ];
    let group = object(&[
        ("value", text()),
        ("values", list(text())),
        ("log_count", integer()),
        ("error_count", integer()),
        ("last_seen", moment()),
    ]);
    asks("Numbers of rows by the values of attributes or columns").body(question(&more)).answers(
        200,
        object(&[
            ("groups", list(group)),
            ("total_groups", integer()),
            ("total_logs", integer()),
            ("truncated", boolean()),
        ]),
    )
}

pub(super) fn impact() -> Operation {
    let top = || list(object(&[("value", text()), ("count", integer())]));
    asks("How many sessions and users the rows are about").body(question(&[])).answers(
        200,
        object(&[
            ("total", integer()),
            ("logsWithSessionId", integer()),
            ("sessions", integer()),
            ("topSessions", top()),
            ("logsWithDistinctId", integer()),
            ("users", integer()),
            ("topUsers", top()),
        ]),
    )
}

pub(super) fn sparkline_op() -> Operation {
    let more = [("sparklineBreakdownBy", nullable(text())), ("sparklineRankBy", nullable(text()))];
    asks("Numbers of rows over time").body(question(&more)).answers(200, sparkline())
}

fn pattern() -> Value {
    members(&[("pattern", text()), ("count", integer()), ("examples", list(anything()))])
}

pub(super) fn patterns() -> Operation {
    asks("What bodies have in common").body(question(&[("limit", nullable(integer()))])).answers(
        200,
        with_required(
            &[("patterns", list(pattern())), ("scanned_count", integer()), ("total_count", integer())],
            &["patterns", "scanned_count", "total_count"],
        ),
    )
}

pub(super) fn patterns_diff() -> Operation {
    let body = with_required(
        &[("query", reference("LogsFilter")), ("baselineDateRange", nullable(reference("DateRange")))],
        &["query"],
    );
    let entry = with_required(
        &[
            ("classification", one_of(&["new", "gone", "rate_shift", "unchanged"])),
            ("rate_ratio", nullable(number())),
            ("pattern", pattern()),
        ],
        &["classification", "pattern"],
    );
    asks("How what bodies have in common has changed")
        .body(body)
        .answers(200, with_required(&[("entries", list(entry))], &["entries"]))
}

pub(super) fn has_logs() -> Operation {
    asks("Whether there is any row").answers(200, object(&[("hasLogs", boolean())]))
}

/// What says in a query string which rows are meant.
fn in_query(operation: Operation) -> Operation {
    let mut operation = operation;
    for name in ["dateRange", "date_from", "date_to", "serviceNames", "severityLevels", "filterGroup"] {
        operation = operation.query(name, text(), "as in a body, lists and objects as JSON");
    }
    for name in ["searchTerm", "resourceFingerprint", "sessionId", "personId"] {
        operation = operation.query(name, text(), "as in a body");
    }
    operation
        .query("attribute_type", text(), "`log` or `resource`; anything else is `log`")
        .query("limit", text(), "100 by default, at most 10,000")
        .query("offset", text(), "0 by default")
}

pub(super) fn attributes() -> Operation {
    let found = with_required(
        &[("name", text()), ("propertyFilterType", text()), ("matchedOn", text()), ("matchedValue", text())],
        &["name", "propertyFilterType", "matchedOn"],
    );
    in_query(asks("Which attribute keys the rows have"))
        .query("search", text(), "the key contains it")
        .query("search_values", text(), "`true`: also keys with values that contain it")
        .query("keys", text(), "only these, joined by commas; at most 100")
        .answers(200, object(&[("results", list(found)), ("count", integer())]))
}

pub(super) fn values() -> Operation {
    let found = object(&[("id", text()), ("name", text()), ("count", integer())]);
    in_query(asks("Which values an attribute has"))
        .required_query("key", text_up_to(4_000), "the attribute")
        .query("value", text(), "the value contains it")
        .answers(200, object(&[("results", list(found)), ("refreshing", boolean())]))
}

pub(super) fn facet_values() -> Operation {
    let keys = || nullable(list(text()));
    let more = [
        ("facetField", nullable(one_of(&["severity_text", "service_name"]))),
        ("facetResourceAttribute", nullable(text())),
        ("facetAttribute", nullable(text())),
        ("facetResourceAttributes", keys()),
        ("facetAttributes", keys()),
        ("facetSearch", nullable(text())),
    ];
    asks("Values of columns and attributes, as if nothing was asked of them")
        .body(question(&more))
        .answers(200, object(&[("results", anything())]))
}

pub(super) fn explain() -> Operation {
    let body = with_required(
        &[("uuid", uuid()), ("timestamp", moment()), ("force_refresh", boolean())],
        &["uuid", "timestamp"],
    );
    let answer = with_required(
        &[("headline", text()), ("severity_assessment", text()), ("probable_causes", list(anything()))],
        &["headline", "severity_assessment"],
    );
    op("What a model makes of a log", &[Scope::LOGS_WRITE])
        .body(body)
        .answers(200, answer)
        .refuses(&[503, 504])
}

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
    of_export.extend([("expires_after", moment()), ("exception", nullable(text()))]);
    object(&of_export)
}

pub(super) fn export_create() -> Operation {
    op("Make a file in the background", &[Scope::LOGS_READ])
        .body(export_body())
        .creates(object(&export_members()))
        .refuses(&[503])
}

pub(super) fn export_stream() -> Operation {
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

pub(super) fn export_list() -> Operation {
    op("Exports", &EXPORT_SCOPES).lists(export())
}

pub(super) fn export_retrieve() -> Operation {
    op("An export", &EXPORT_SCOPES).answers(200, export())
}

pub(super) fn export_content() -> Operation {
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

pub(super) fn tail() -> Operation {
    let mut operation = asks("Rows as they come in, as Server-Sent Events");
    for name in [
        "severityLevels",
        "serviceNames",
        "filterGroup",
        "searchTerm",
        "resourceFingerprint",
        "sessionId",
        "personId",
        "excludeAttributes",
        "checkpoint",
    ] {
        operation = operation.query(name, text(), "as API.md says");
    }
    operation.answers_as(200, "events", &[("text/event-stream", text())])
}

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

pub(super) fn view_list() -> Operation {
    op("Saved views", &[Scope::LOGS_READ]).lists(view())
}

pub(super) fn view_create() -> Operation {
    op("Save a view", &[Scope::LOGS_WRITE])
        .body_or_form(with_required(&view_members(), &["name"]))
        .creates(view())
        .refuses(&[503])
}

pub(super) fn view_retrieve() -> Operation {
    op("A saved view", &[Scope::LOGS_READ]).answers(200, view())
}

pub(super) fn view_replace() -> Operation {
    op("Change a saved view", &[Scope::LOGS_WRITE])
        .body_or_form(with_required(&view_members(), &["name"]))
        .answers(200, view())
}

pub(super) fn view_change() -> Operation {
    op("Change a saved view", &[Scope::LOGS_WRITE])
        .body_or_form(members(&view_members()))
        .answers(200, view())
}

pub(super) fn view_delete() -> Operation {
    op("Delete a saved view", &[Scope::LOGS_WRITE]).answers_nothing(204, "gone")
}
