//! Random leaves of a `filterGroup`: every operator over every namespace, with values that often hit.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::requests::search_term;
use super::sent::hex;
use super::strategies::{NUMBERS, PORTS, SPAN_IDS, TRACE_IDS, VERSIONS, date_text, fragment};

/// Namespace and key of a leaf.
type Place = (&'static str, &'static str);

/// Any leaf; a few of them must be refused.
pub(super) fn leaf() -> BoxedStrategy<Json> {
    let any = prop_oneof![
        6 => attribute_leaf(),
        4 => text_leaf(text_column()),
        3 => resource_leaf(),
        3 => level_leaf(),
        2 => id_leaf(),
        1 => severity_number_leaf(),
        1 => refused_leaf(),
        1 => ignored_leaf(),
    ];
    any.boxed()
}

/// A leaf on the record's own attributes, never one that is dropped.
pub(super) fn attribute_leaf() -> BoxedStrategy<Json> {
    let place = |key: &'static str| Just(("log_attribute", key));
    let text_keys = select(vec!["user.name", "mixed", "", "status", "flag", "absent"]);
    let any = prop_oneof![
        4 => text_leaf(text_keys.prop_map(|key| ("log_attribute", key))),
        4 => number_leaf(),
        2 => between_leaf(),
        1 => date_leaf(place("when")),
        1 => version_leaf(place("version")),
        2 => set_leaf("log_attribute", vec!["status", "user.name", "mixed", "", "absent"]),
        1 => select(vec!["exact", "is_not"]).prop_map(|operator| leaf_of(("log_attribute", "flag"), operator, json!(true))),
    ];
    any.boxed()
}

fn resource_leaf() -> BoxedStrategy<Json> {
    let place = |key: &'static str| Just(("log_resource_attribute", key));
    let text_keys = select(vec!["host.name", "k8s.labels", "service.name", "absent"]);
    let order =
        (select(vec!["gt", "gte", "lt", "lte", "min", "max", "exact", "is_not"]), select(PORTS.to_vec()))
            .prop_map(|(operator, port)| leaf_of(("log_resource_attribute", "port"), operator, json!(port)));
    let any = prop_oneof![
        4 => text_leaf(text_keys.prop_map(|key| ("log_resource_attribute", key))),
        2 => order,
        1 => date_leaf(place("started")),
        1 => version_leaf(place("version")),
        2 => set_leaf("log_resource_attribute", vec!["host.name", "port", "service.name", "absent"]),
        1 => Just(leaf_of(("log_resource_attribute", "port"), "exact", json!(9090))),
    ];
    any.boxed()
}

fn text_column() -> impl Strategy<Value = Place> {
    let columns = [
        "message",
        "message",
        "body",
        "service_name",
        "severity_text",
        "event_name",
        "instrumentation_scope",
    ];
    select(columns.to_vec()).prop_map(|column| ("log", column))
}

/// A leaf that looks for text.
fn text_leaf(place: impl Strategy<Value = Place> + 'static) -> impl Strategy<Value = Json> {
    let comparing =
        select(vec!["exact", "is_not", "starts_with", "not_starts_with", "ends_with", "not_ends_with"]);
    let ordering = select(vec!["gt", "gte", "lt", "lte"]);
    let containing = select(vec!["icontains", "not_icontains"]);
    let listing = select(vec!["in", "not_in", "icontains_multi", "not_icontains_multi"]);
    let place = place.boxed();
    prop_oneof![
        4 => leaf_with(place.clone(), comparing, one_or_many(stored_text())),
        1 => leaf_with(place.clone(), ordering, one_or_many(select(vec!["Z", "api", "m", "σ"]).prop_map(Json::from))),
        4 => leaf_with(place.clone(), containing, one_or_many(non_empty(search_term()))),
        2 => leaf_with(place.clone(), listing, vec(stored_text(), 1..4).prop_map(Json::from)),
        3 => leaf_with(place, select(vec!["regex", "not_regex"]), one_or_many(pattern())),
    ]
}

/// A text that is stored somewhere.
fn stored_text() -> impl Strategy<Value = Json> {
    prop_oneof![
        4 => non_empty(fragment()),
        2 => select(vec!["api", "API", "web", "svc-07", "7", "error", "info", "node-1", "Node-1"]).prop_map(Json::from),
        1 => select(vec!["login", "http@1.0", "io.example", "2.0.1", "500", "ok", "true"]).prop_map(Json::from),
    ]
}

fn non_empty(text: impl Strategy<Value = String>) -> impl Strategy<Value = Json> {
    text.prop_filter("not empty", |text| !text.is_empty()).prop_map(Json::from)
}

fn pattern() -> impl Strategy<Value = Json> {
    let patterns = [
        "^err",
        "(?i)error",
        "[0-9]{3}",
        "k.lvin",
        "(?i)kelvin",
        "^$",
        "off$",
        "a.b",
        "\\\\",
        "^5",
        "svc-0[1-4]",
        "node-(1|2)",
        "日",
        "level.:",
        "(?i)ΟΔΟΣ",
    ];
    select(patterns.to_vec()).prop_map(Json::from)
}

/// A leaf on attributes that are mostly numbers.
fn number_leaf() -> impl Strategy<Value = Json> {
    let place =
        select(vec![("log_attribute", "status"), ("log_attribute", "duration"), ("log_attribute", "mixed")]);
    let operators = select(vec!["exact", "is_not", "gt", "gte", "lt", "lte", "min", "max"]);
    let number = prop_oneof![
        4 => select(NUMBERS.to_vec()).prop_map(Json::from),
        2 => select(vec![json!(500), json!(404), json!(0.5), json!(-7), json!(9)]),
        1 => select(vec!["ok", "500 ms"]).prop_map(Json::from),
    ];
    let listing = select(vec!["in", "not_in"]);
    prop_oneof![
        3 => leaf_with(place.clone().boxed(), operators, one_or_many(number.clone())),
        1 => leaf_with(place.boxed(), listing, vec(number, 1..4).prop_map(Json::from)),
    ]
}

fn between_leaf() -> impl Strategy<Value = Json> {
    let bounds =
        select(vec![json!([0, 500]), json!(["404", "404.0"]), json!(["-12.25", "0.5"]), json!([400, "1e3"])]);
    let place = select(vec![("log_attribute", "status"), ("log_attribute", "duration")]);
    leaf_with(place.boxed(), select(vec!["between", "not_between"]), bounds)
}

fn date_leaf(place: impl Strategy<Value = Place> + 'static) -> impl Strategy<Value = Json> {
    let operators = select(vec!["is_date_exact", "is_date_before", "is_date_after"]);
    let asked = prop_oneof![
        4 => date_text().prop_filter("a date", |text| text != "no date"),
        1 => select(vec!["-1h", "-30M", "-4d", "-1y"]).prop_map(str::to_owned),
    ];
    leaf_with(place.boxed(), operators, asked.prop_map(Json::from))
}

fn version_leaf(place: impl Strategy<Value = Place> + 'static) -> impl Strategy<Value = Json> {
    let comparing =
        select(vec!["semver_eq", "semver_neq", "semver_gt", "semver_gte", "semver_lt", "semver_lte"]);
    let ranging = select(vec!["semver_tilde", "semver_caret"]);
    let full = select(vec!["1.2.3", "0.2.3", "0.0.4", "1.2.0"]).prop_map(Json::from);
    let wildcard = select(vec!["1.2.*", "1.*", "0.0.*"]).prop_map(Json::from);
    let place = place.boxed();
    prop_oneof![
        3 => leaf_with(place.clone(), comparing, select(VERSIONS.to_vec()).prop_map(Json::from)),
        2 => leaf_with(place.clone(), ranging, full),
        1 => leaf_with(place, Just("semver_wildcard"), wildcard),
    ]
}

/// A leaf that asks whether a key is there, with the value that clients send or without.
fn set_leaf(namespace: &'static str, keys: Vec<&'static str>) -> impl Strategy<Value = Json> {
    (select(keys), select(vec!["is_set", "is_not_set"]), option::of(Just(()))).prop_map(
        move |(key, operator, with_value)| match with_value {
            Some(()) => leaf_of((namespace, key), operator, json!(operator)),
            None => json!({"type": namespace, "key": key, "operator": operator}),
        },
    )
}

/// A severity knows `is_not`; every other operator means the same as `exact`.
fn level_leaf() -> impl Strategy<Value = Json> {
    let operators = select(vec!["exact", "is_not", "icontains"]);
    let level = select(vec!["info", "error", "fatal", "unknown", "ERROR", "trace"]).prop_map(Json::from);
    leaf_with(Just(("log", "severity_level")).boxed(), operators, one_or_many(level))
}

/// Ids in hexadecimal of either case and in base64.
fn id_leaf() -> impl Strategy<Value = Json> {
    let forms: [fn(&[u8]) -> String; 3] = [hex, |id| hex(id).to_uppercase(), |id| STANDARD.encode(id)];
    let written = move |ids: Vec<&'static [u8]>| {
        (select(ids), select(forms.to_vec())).prop_map(|(id, form)| Json::from(form(id)))
    };
    let traces = written(vec![TRACE_IDS[0], TRACE_IDS[1], &[0; 16], &[7; 16]]);
    let spans = written(vec![SPAN_IDS[0], SPAN_IDS[1], &[0; 8]]);
    let operators = || select(vec!["exact", "is_not"]);
    prop_oneof![
        leaf_with(Just(("log", "trace_id")).boxed(), operators(), one_or_many(traces)),
        leaf_with(Just(("log", "span_id")).boxed(), operators(), one_or_many(spans)),
    ]
}

fn severity_number_leaf() -> impl Strategy<Value = Json> {
    let operators = select(vec!["exact", "is_not", "gt", "gte", "lt", "lte"]);
    leaf_with(
        Just(("log", "severity_number")).boxed(),
        operators,
        select(vec![json!(9), json!(10), json!("17")]),
    )
}

/// Leaves that say nothing: no value to compare with, or an empty list.
fn ignored_leaf() -> impl Strategy<Value = Json> {
    select(vec![
        leaf_of(("log_attribute", "status"), "exact", json!("")),
        leaf_of(("log_attribute", "status"), "is_not", json!(null)),
        leaf_of(("log_attribute", "user.name"), "regex", json!([])),
        json!({"type": "log_attribute", "key": "status", "operator": "gt"}),
        leaf_of(("log_resource_attribute", "port"), "exact", json!([])),
        leaf_of(("log", "severity_level"), "exact", json!("")),
        leaf_of(("log", "service_name"), "is_not", json!([])),
        leaf_of(("log", "message"), "exact", json!([])),
    ])
}

fn refused_leaf() -> impl Strategy<Value = Json> {
    select(vec![
        leaf_of(("log", "message"), "regex", json!("(")),
        leaf_of(("log", "no_such_column"), "exact", json!("x")),
        leaf_of(("log_attribute", "status"), "between", json!([2, 1])),
        leaf_of(("log_attribute", "status"), "between", json!(["a", "b"])),
        leaf_of(("log_attribute", "status"), "in", json!("500")),
    ])
}

fn one_or_many(value: impl Strategy<Value = Json> + 'static) -> BoxedStrategy<Json> {
    let value = value.boxed();
    prop_oneof![2 => value.clone(), 1 => vec(value, 1..4).prop_map(Json::from)].boxed()
}

fn leaf_with(
    place: BoxedStrategy<Place>,
    operators: impl Strategy<Value = &'static str> + 'static,
    values: impl Strategy<Value = Json> + 'static,
) -> BoxedStrategy<Json> {
    (place, operators, values).prop_map(|(place, operator, value)| leaf_of(place, operator, value)).boxed()
}

fn leaf_of((namespace, key): Place, operator: &str, value: Json) -> Json {
    json!({"type": namespace, "key": key, "operator": operator, "value": value})
}
