//! Random requests to the endpoints that count by time, by service and by value.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

use super::requests::{count_range, filters, insert, search_term, sparkline_range, with_range};

/// An endpoint and a `query` object.
pub(super) fn ask() -> BoxedStrategy<(&'static str, Json)> {
    let any = prop_oneof![
        2 => count_ranges().prop_map(|query| ("count-ranges", query)),
        2 => services().prop_map(|query| ("services", query)),
        3 => group_by().prop_map(|query| ("group-by", query)),
        2 => with_range(filters(), count_range()).prop_map(|query| ("impact", query)),
    ];
    any.boxed()
}

fn count_ranges() -> impl Strategy<Value = Json> {
    let target = select(vec![None, Some(1), Some(2), Some(10), Some(50), Some(100), Some(999), Some(-1)]);
    (with_range(filters(), sparkline_range()), target).prop_map(|(mut query, target)| {
        insert(&mut query, "targetBuckets", target);
        query
    })
}

fn services() -> impl Strategy<Value = Json> {
    let part =
        select(vec!["svc", "SVC-0", "api", "übung", "%", "_", "-", "e", "nothing"]).prop_map(str::to_owned);
    let search = option::weighted(0.4, prop_oneof![3 => part, 1 => search_term()]);
    (with_range(filters(), sparkline_range()), search).prop_map(|(mut query, search)| {
        insert(&mut query, "serviceNameSearch", search);
        query
    })
}

fn group_by() -> impl Strategy<Value = Json> {
    let order = select(vec![None, Some("log_count"), Some("error_count"), Some("last_seen")]);
    let limit = select(vec![None, Some(1), Some(3), Some(500), Some(9999), Some(0), Some(-7)]);
    let arguments = (dimensions(), order, limit);
    (with_range(filters(), count_range()), arguments).prop_map(|(mut query, (dimensions, order, limit))| {
        query.as_object_mut().expect("an object").extend(dimensions.as_object().expect("an object").clone());
        insert(&mut query, "orderGroupsBy", order);
        insert(&mut query, "limit", limit);
        query
    })
}

/// Members that say what to group by, in both forms.
fn dimensions() -> impl Strategy<Value = Json> {
    let single = dimension().prop_map(|(key, source)| json!({"groupBy": key, "groupBySource": source}));
    let list = vec(dimension(), 0..4).prop_map(|dimensions| {
        let entry = |(key, source): &_| json!({"key": key, "source": source});
        json!({"groupBys": dimensions.iter().map(entry).collect::<Vec<_>>()})
    });
    prop_oneof![single, list]
}

/// A key and a source; a few that must be refused.
fn dimension() -> impl Strategy<Value = (&'static str, Option<&'static str>)> {
    let own =
        select(vec!["status", "user.name", "mixed", "flag", "version", "duration", "sessionId", "absent"]);
    let of_resource = select(vec!["service.name", "host.name", "port", "version", "k8s.labels", "absent"]);
    let column = select(vec!["severity_level", "trace_id", "span_id"]);
    prop_oneof![
        8 => (own, select(vec![Some("log"), Some("log"), None])),
        6 => (of_resource, Just(Some("resource"))),
        6 => (column, Just(Some("column"))),
        1 => (select(vec!["", "body"]), select(vec![Some("column"), Some("nowhere")])),
    ]
}
