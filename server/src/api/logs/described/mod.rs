//! What the endpoints of logs take and answer, for the API's description.

mod explanation;
mod exports;
mod patterns;
mod views;

pub(super) use explanation::explain;
pub(super) use exports::{export_content, export_create, export_list, export_retrieve, export_stream};
pub(super) use patterns::{patterns, patterns_diff};
pub(super) use views::{view_change, view_create, view_delete, view_list, view_replace, view_retrieve};

use crate::api::openapi::schema::{
    any_of, boolean, integer, integer_within, list, members, moment, nullable, number, object, one_of,
    reference, text, text_up_to, uuid, with_required,
};
use crate::api::openapi::shared::{question, sparkline};
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
    let breakdown = ["debug", "info", "warn", "error"].map(|severity| (severity, integer()));
    let breakdown = object(&breakdown);
    let rule = object(&[("rule_id", uuid()), ("rule_name", text()), ("summary_string", text())]);
    let service = object(&[
        ("service_name", text()),
        ("log_count", integer()),
        ("error_count", integer()),
        ("error_rate", number()),
        ("volume_share_pct", number()),
        ("severity_breakdown", breakdown),
        ("active_rules", list(rule)),
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
    let value = || object(&[("value", text()), ("count", integer())]);
    let of_keys = || list(object(&[("key", text()), ("values", list(value()))]));
    let of_lists = object(&[
        ("facetField", list(value())),
        ("facetResourceAttributes", of_keys()),
        ("facetAttributes", of_keys()),
    ]);
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
        .answers(200, object(&[("results", any_of(&[list(value()), of_lists]))]))
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
