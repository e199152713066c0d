//! Forms that several endpoints have in common, which the document names.

use serde_json::{Value, json};

use super::schema::{
    anything, boolean, integer, list, map, members, moment, nullable, number, object, one_of, reference,
    text, uuid, with_required,
};
use crate::meta::approval::RequestState;

/// Every form with a name.
pub(super) fn schemas() -> Value {
    json!({
        "Error": error(),
        "SimpleError": object(&[("error", text())]),
        "BasicUser": basic_user(),
        "FilterGroup": filter_group(),
        "Condition": condition(),
        "DateRange": date_range(),
        "LogsFilter": members(&logs_filter()),
        "LogRow": log_row(),
        "ChangeRequest": described_change_request(),
        "ApprovalRequired": approval_required(),
    })
}

/// The envelope; a few causes have the other forms.
fn error() -> Value {
    let envelope = object(&[
        (
            "type",
            one_of(&[
                "validation_error",
                "invalid_request",
                "authentication_error",
                "throttled_error",
                "server_error",
            ]),
        ),
        ("code", text()),
        ("detail", text()),
        ("attr", nullable(text())),
    ]);
    let of_member = map(list(text()));
    json!({ "anyOf": [envelope, reference("SimpleError"), of_member, text()] })
}

fn basic_user() -> Value {
    object(&[
        ("id", integer()),
        ("uuid", uuid()),
        ("distinct_id", nullable(text())),
        ("first_name", text()),
        ("last_name", text()),
        ("email", text()),
        ("is_email_verified", nullable(boolean())),
        ("hedgehog_config", nullable(anything())),
        ("role_at_organization", nullable(text())),
    ])
}

/// A user, or null when it is not known who it was.
pub(in crate::api) fn user_or_null() -> Value {
    nullable(reference("BasicUser"))
}

/// A write that waits for approval, or did.
pub(in crate::api) fn change_request() -> Value {
    reference("ChangeRequest")
}

fn described_change_request() -> Value {
    let decision = || one_of(&["approved", "rejected"]);
    let vote = object(&[
        ("id", uuid()),
        ("created_by", user_or_null()),
        ("decision", decision()),
        ("reason", text()),
        ("created_at", moment()),
    ]);
    object(&[
        ("id", uuid()),
        ("action_key", text()),
        ("action_version", integer()),
        ("resource_type", text()),
        ("resource_id", nullable(text())),
        ("intent", map(anything())),
        ("intent_display", map(anything())),
        ("policy_snapshot", map(anything())),
        ("validation_status", one_of(&["valid", "stale", "invalid"])),
        ("validation_errors", nullable(map(anything()))),
        ("validated_at", nullable(moment())),
        ("state", one_of(&RequestState::ALL.map(RequestState::as_str))),
        ("created_by", user_or_null()),
        ("applied_by", user_or_null()),
        ("created_at", moment()),
        ("updated_at", moment()),
        ("expires_at", moment()),
        ("applied_at", nullable(moment())),
        ("apply_error", text()),
        ("result_data", nullable(map(anything()))),
        ("approvals", list(vote)),
        ("can_approve", boolean()),
        ("can_cancel", boolean()),
        ("is_requester", boolean()),
        ("user_decision", nullable(decision())),
    ])
}

/// What a write answers that needs approval.
fn approval_required() -> Value {
    let both = [
        ("code", one_of(&["approval_required", "change_request_pending"])),
        ("status", one_of(&["approval_required"])),
        ("message", text()),
        ("detail", text()),
        ("resource_type", text()),
        ("resource_id", nullable(text())),
        ("change_request_id", uuid()),
        ("change_request", change_request()),
        ("required_approvers", map(anything())),
    ];
    let required: Vec<&str> = both.iter().map(|(name, _)| *name).collect();
    let mut all = both.to_vec();
    all.extend([("error", text()), ("existing_change_request", change_request())]);
    with_required(&all, &required)
}

fn condition() -> Value {
    with_required(
        &[
            ("key", text()),
            ("type", one_of(&["log", "log_entry", "log_attribute", "log_resource_attribute"])),
            ("operator", text()),
            ("value", anything()),
        ],
        &["key", "type"],
    )
}

fn filter_group() -> Value {
    let group = object(&[("type", one_of(&["AND", "OR"])), ("values", list(anything()))]);
    json!({ "anyOf": [list(reference("Condition")), group] })
}

fn date_range() -> Value {
    members(&[
        ("date_from", nullable(text())),
        ("date_to", nullable(text())),
        ("explicitDate", nullable(boolean())),
    ])
}

/// The members of `query` that every question about logs has.
pub(in crate::api) fn logs_filter() -> Vec<(&'static str, Value)> {
    let severity = one_of(&["trace", "debug", "info", "warn", "error", "fatal"]);
    vec![
        ("dateRange", nullable(reference("DateRange"))),
        ("severityLevels", nullable(list(severity))),
        ("serviceNames", nullable(list(text()))),
        ("searchTerm", nullable(text())),
        ("filterGroup", nullable(reference("FilterGroup"))),
        ("resourceFingerprint", nullable(text())),
        ("sessionId", nullable(text())),
        ("personId", nullable(text())),
    ]
}

fn log_row() -> Value {
    object(&[
        ("uuid", uuid()),
        ("timestamp", moment()),
        ("observed_timestamp", moment()),
        ("body", text()),
        ("severity_text", text()),
        ("severity_number", integer()),
        ("level", text()),
        ("trace_id", text()),
        ("span_id", text()),
        ("attributes", map(text())),
        ("resource_attributes", map(text())),
        ("resource_fingerprint", text()),
        ("instrumentation_scope", text()),
        ("event_name", text()),
    ])
}

/// A body with what is asked about logs; further members are those of the endpoint.
pub(in crate::api) fn question(further: &[(&'static str, Value)]) -> Value {
    let mut of_query = logs_filter();
    of_query.extend(further.iter().cloned());
    with_required(&[("query", members(&of_query))], &["query"])
}

/// Numbers of rows by time and series.
pub(in crate::api) fn sparkline() -> Value {
    list(with_required(
        &[("time", moment()), ("count", integer()), ("bytes_uncompressed", number())],
        &["time", "count"],
    ))
}
