//! What the endpoints of alerts take and answer, for the API's description.

use serde_json::Value;

use super::body::MAX_NAME_CHARS;
use crate::alerts::condition::NoData;
use crate::alerts::control::EventKind;
use crate::alerts::machine::AlertState;
use crate::alerts::settings::{MAX_NUMBER, MAX_PERIODS};
use crate::api::destinations;
use crate::api::openapi::schema::{
    anything, boolean, integer, integer_within, list, members, moment, nullable, object, one_of, reference,
    text, uuid, with_optional, with_required,
};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Operation, op};
use crate::auth::Scope;

const READ: [Scope; 1] = [Scope::LOGS_READ];
const WRITE: [Scope; 1] = [Scope::LOGS_WRITE];

/// Which rows an alert counts.
pub(super) fn filters() -> Value {
    members(&[
        ("severityLevels", nullable(list(text()))),
        ("serviceNames", nullable(list(text()))),
        ("filterGroup", nullable(reference("FilterGroup"))),
    ])
}

fn state() -> Value {
    one_of(&AlertState::ALL.map(AlertState::as_str))
}

fn operator() -> Value {
    one_of(&["above", "below"])
}

/// What a window without rows means.
pub(super) fn no_data() -> Value {
    one_of(&NoData::ALL.map(NoData::as_str))
}

/// What has a state of its own.
pub(super) fn group_by() -> Value {
    nullable(one_of(&["service_name"]))
}

/// What people may set.
fn body() -> Value {
    let max = i64::from(MAX_NUMBER);
    let periods = || integer_within(1, i64::from(MAX_PERIODS));
    members(&[
        ("name", serde_json::json!({ "type": "string", "maxLength": MAX_NAME_CHARS })),
        ("enabled", boolean()),
        ("filters", filters()),
        ("threshold_count", integer_within(1, max)),
        ("threshold_operator", operator()),
        ("window_minutes", integer_within(5, 60)),
        ("evaluation_periods", periods()),
        ("datapoints_to_alarm", periods()),
        ("cooldown_minutes", integer_within(0, max)),
        ("no_data", no_data()),
        ("group_by", group_by()),
        ("snooze_until", nullable(moment())),
    ])
}

fn alert() -> Value {
    let interval =
        object(&[("start", moment()), ("end", moment()), ("state", state()), ("enabled", boolean())]);
    let alert = object(&[
        ("id", uuid()),
        ("name", text()),
        ("enabled", boolean()),
        ("filters", anything()),
        ("threshold_count", integer()),
        ("threshold_operator", operator()),
        ("window_minutes", integer()),
        ("check_interval_minutes", integer()),
        ("state", state()),
        ("evaluation_periods", integer()),
        ("datapoints_to_alarm", integer()),
        ("cooldown_minutes", integer()),
        ("snooze_until", nullable(moment())),
        ("next_check_at", nullable(moment())),
        ("last_notified_at", nullable(moment())),
        ("last_checked_at", nullable(moment())),
        ("consecutive_failures", integer()),
        ("last_error_message", nullable(text())),
        ("state_timeline", list(interval)),
        ("destination_types", list(text())),
        ("first_enabled_at", nullable(moment())),
        ("created_at", moment()),
        ("created_by", user_or_null()),
        ("updated_at", moment()),
    ]);
    with_optional(
        alert,
        &[
            ("no_data", one_of(&["fire", "keep"])),
            ("group_by", one_of(&["service_name"])),
            ("firing_services", list(text())),
        ],
    )
}

pub(super) fn list_alerts() -> Operation {
    op("Alerts, newest first", &READ)
        .query("created_by", text(), "the UUID of a user who made them")
        .lists(alert())
        .refuses(&[400])
}

pub(super) fn create() -> Operation {
    op("Make an alert", &WRITE).body(body()).creates(alert()).may_need_approval()
}

pub(super) fn retrieve() -> Operation {
    op("An alert", &READ).answers(200, alert())
}

pub(super) fn change() -> Operation {
    op("Change an alert", &WRITE).body(body()).answers(200, alert()).may_need_approval()
}

pub(super) fn replace() -> Operation {
    op("Set every setting of an alert", &WRITE).body(body()).answers(200, alert()).may_need_approval()
}

pub(super) fn remove() -> Operation {
    op("Delete an alert with its history and destinations", &WRITE)
        .answers_nothing(204, "gone")
        .may_need_approval()
}

pub(super) fn action(summary: &'static str) -> Operation {
    op(summary, &WRITE).answers(200, alert()).refuses(&[400]).may_need_approval()
}

pub(super) fn snooze() -> Operation {
    op("Have an alert not checked until a time", &WRITE)
        .body(members(&[("snooze_until", moment()), ("minutes", integer_within(1, i64::from(MAX_NUMBER)))]))
        .answers(200, alert())
        .may_need_approval()
}

pub(super) fn events() -> Operation {
    let kind = || one_of(&EventKind::ALL.map(EventKind::as_str));
    let event = object(&[
        ("id", uuid()),
        ("created_at", moment()),
        ("kind", kind()),
        ("state_before", state()),
        ("state_after", state()),
        ("threshold_breached", boolean()),
        ("result_count", nullable(integer())),
        ("error_message", nullable(text())),
        ("query_duration_ms", nullable(integer())),
    ]);
    let event = with_optional(event, &[("service_name", text())]);
    op("What happened to an alert, newest first", &READ)
        .query("kind", kind(), "only events of this kind")
        .lists(event)
        .refuses(&[400])
}

pub(super) fn list_destinations() -> Operation {
    let destination = object(&[
        ("id", uuid()),
        ("group_id", uuid()),
        ("type", text()),
        ("event", one_of(&["firing", "resolved", "broken", "errored"])),
        ("label", text()),
        ("created_at", moment()),
        ("last_success_at", nullable(moment())),
        ("last_failure_at", nullable(moment())),
        ("last_failure", nullable(text())),
        ("consecutive_failures", integer()),
    ]);
    op("Where notifications of an alert go", &READ).lists(destination)
}

pub(super) fn create_destination() -> Operation {
    op("Have notifications of an alert sent somewhere", &WRITE)
        .body(destinations::described())
        .creates(object(&[("hog_function_ids", list(uuid()))]))
}

pub(super) fn delete_destinations() -> Operation {
    op("Have notifications of an alert not sent there any more", &WRITE)
        .body(with_required(&[("hog_function_ids", list(uuid()))], &["hog_function_ids"]))
        .answers_nothing(204, "gone")
}

pub(super) fn test_destinations() -> Operation {
    op("Send a test notification", &WRITE)
        .body(members(&[("hog_function_ids", list(uuid()))]))
        .answers(202, object(&[("notification_id", uuid()), ("hog_function_ids", list(uuid()))]))
}

pub(super) fn page() -> Operation {
    Operation::for_everyone("Where links of notifications lead").answers_as(
        200,
        "a page that says how to ask",
        &[("text/html", text())],
    )
}
