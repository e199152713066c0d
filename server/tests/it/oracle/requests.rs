//! Random requests to the reading endpoints, aimed at the data of [`strategies`](super::strategies).

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value as Json, json};

use super::facet_requests;
use super::grouped_requests;
use super::leaves::{attribute_leaf, leaf};
use super::strategies::{SERVICES, date_form, format_time, fragment, instant};

/// A question to an endpoint.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// One page of rows.
    Query(Json),
    /// All pages, one after the other.
    Pages(Json),
    Count(Json),
    Sparkline(Json),
    /// An endpoint that counts by time, by service or by value.
    Grouped(&'static str, Json),
    /// Attribute keys; a query string, written as an object.
    Attributes(Json),
    /// Values of an attribute; a query string, written as an object.
    Values(Json),
    FacetValues(Json),
}

pub(super) fn ask() -> BoxedStrategy<Ask> {
    let any = prop_oneof![
        4 => query(select(vec![None, Some(1), Some(3), Some(50), Some(5000)])).prop_map(Ask::Query),
        1 => query((5..40_i64).prop_map(Some)).prop_map(Ask::Pages),
        3 => with_range(filters(), count_range()).prop_map(Ask::Count),
        3 => sparkline().prop_map(Ask::Sparkline),
        6 => grouped_requests::ask().prop_map(|(endpoint, query)| Ask::Grouped(endpoint, query)),
        2 => facet_requests::attributes().prop_map(Ask::Attributes),
        2 => facet_requests::values().prop_map(Ask::Values),
        3 => facet_requests::facet_values().prop_map(Ask::FacetValues),
    ];
    any.boxed()
}

fn query(limit: impl Strategy<Value = Option<i64>>) -> impl Strategy<Value = Json> {
    let order = select(vec![None, Some("latest"), Some("earliest"), Some("sideways")]);
    let options = (order, limit, option::of(any::<bool>()));
    (with_range(filters(), rows_range()), options).prop_map(|(mut query, (order, limit, excludes))| {
        insert(&mut query, "orderBy", order);
        insert(&mut query, "limit", limit);
        insert(&mut query, "excludeAttributes", excludes);
        query
    })
}

fn sparkline() -> impl Strategy<Value = Json> {
    let breakdown = select(vec![None, Some("severity"), Some("service"), Some("service")]);
    let rank = select(vec![None, Some("count"), Some("bytes")]);
    (with_range(filters(), sparkline_range()), breakdown, rank).prop_map(|(mut query, breakdown, rank)| {
        insert(&mut query, "sparklineBreakdownBy", breakdown);
        insert(&mut query, "sparklineRankBy", rank);
        query
    })
}

pub(super) fn insert(query: &mut Json, field: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        query[field] = value.into();
    }
}

pub(super) fn with_range(
    filters: impl Strategy<Value = Json> + 'static,
    range: impl Strategy<Value = Option<Json>> + 'static,
) -> BoxedStrategy<Json> {
    let with_range = (filters, range).prop_map(|(mut query, range)| {
        insert(&mut query, "dateRange", range);
        query
    });
    with_range.boxed()
}

/// The filters of a request; most requests have one or two, so that answers are seldom empty.
pub(super) fn filters() -> impl Strategy<Value = Json> {
    let levels = vec!["trace", "debug", "info", "warn", "error", "fatal"];
    (
        option::weighted(0.15, subsequence(levels, 0..=5).prop_map(Json::from)),
        option::weighted(0.15, subsequence(SERVICES.to_vec(), 0..=12).prop_map(Json::from)),
        option::weighted(0.15, search_term().prop_map(Json::from)),
        option::weighted(0.6, filter_group()),
        option::weighted(0.05, select(vec!["s1", "7", "", "nobody's"]).prop_map(Json::from)),
    )
        .prop_map(|(levels, services, search_term, filter_group, session_id)| {
            let mut query = json!({});
            insert(&mut query, "severityLevels", levels);
            insert(&mut query, "serviceNames", services);
            insert(&mut query, "searchTerm", search_term);
            insert(&mut query, "filterGroup", filter_group);
            insert(&mut query, "sessionId", session_id);
            query
        })
}

pub(super) fn search_term() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => fragment(),
        2 => fragment().prop_map(|text| text.to_uppercase()),
        2 => fragment().prop_map(|text| text.to_lowercase()),
        2 => select(vec!["%", "_", "\\", "k", "s", "i", "σ", "ss", " ", "level", ".*", "\"", "o"])
            .prop_map(str::to_owned),
    ]
}

/// Every shape a `filterGroup` may have.
fn filter_group() -> BoxedStrategy<Json> {
    let connective = || select(vec!["AND", "OR"]);
    let group = |values: BoxedStrategy<Vec<Json>>| {
        (connective(), values).prop_map(|(connective, values)| json!({"type": connective, "values": values}))
    };
    let leaves = || vec(leaf(), 0..3).boxed();
    let nested = group(vec(attribute_leaf(), 1..4).boxed());
    let inner_with_nested = (vec(leaf(), 0..2), vec(nested, 1..2)).prop_map(|(mut leaves, nested)| {
        leaves.extend(nested);
        leaves
    });
    let canonical = |inner: BoxedStrategy<Json>| {
        group(prop_oneof![3 => vec(inner.clone(), 1), 1 => vec(inner, 2)].boxed())
    };
    let any = prop_oneof![
        1 => select(vec![json!(null), json!([]), json!({"type": "AND", "values": []})]),
        6 => leaf().prop_map(|leaf| json!([leaf])),
        3 => vec(leaf(), 2..4).prop_map(Json::from),
        1 => group(vec(leaf(), 1..3).boxed()),
        2 => canonical(group(leaves()).boxed()),
        3 => canonical(group(inner_with_nested.boxed()).boxed()),
    ];
    any.boxed()
}

/// Ranges of the query endpoint, also those that end before they begin.
fn rows_range() -> BoxedStrategy<Option<Json>> {
    let bound = || prop_oneof![3 => absolute_bound(), 1 => relative_bound()];
    let any = prop_oneof![
        1 => Just(json!({})),
        9 => wide_range(),
        3 => (bound(), option::of(bound())).prop_map(|(from, to)| range_of(Some(from), to)),
        1 => bound().prop_map(|to| range_of(None, Some(to))),
        3 => absolute_range(),
    ];
    any.prop_map(Some).boxed()
}

pub(super) fn count_range() -> impl Strategy<Value = Option<Json>> {
    prop_oneof![1 => Just(None), 6 => rows_range()]
}

/// Ranges that begin before they end, and whose number of buckets does not hang on the second of the test.
pub(super) fn sparkline_range() -> impl Strategy<Value = Option<Json>> {
    let relative = select(vec![("-1d", "-5M"), ("-3d", "-1h"), ("-2w", "-1dEnd"), ("-1m", "-1dStart")])
        .prop_map(|(from, to)| json!({"date_from": from, "date_to": to}));
    let from_relative = select(vec!["-1h", "-3h", "-1d", "-1dStart", "-8d", "-2m", "-2y", "all"])
        .prop_map(|from| json!({"date_from": from}));
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(json!({}))),
        2 => relative.prop_map(Some),
        5 => from_relative.prop_map(Some),
        4 => absolute_range().prop_map(Some),
    ]
}

/// Ranges that hold nearly all of the data.
fn wide_range() -> impl Strategy<Value = Json> {
    select(vec![
        json!({"date_from": "all"}),
        json!({"date_from": "2000-01-01", "date_to": null}),
        json!({"date_from": "1999-1-1", "date_to": "2999-12-31T23:59"}),
        json!({"date_from": "-30y", "explicitDate": true}),
        json!({"date_from": "-9y"}),
    ])
}

/// Two instants of the data in their order, which may be the same.
fn absolute_range() -> impl Strategy<Value = Json> {
    (instant(), instant(), date_form(), date_form()).prop_map(|(one, other, from_form, to_form)| {
        let from = format_time(one.min(other), from_form);
        let to = format_time(one.max(other), to_form);
        json!({"date_from": from, "date_to": to})
    })
}

fn absolute_bound() -> impl Strategy<Value = String> {
    (instant(), date_form()).prop_map(|(micros, form)| format_time(micros, form))
}

fn relative_bound() -> impl Strategy<Value = String> {
    let bounds = [
        "-1h",
        "1h",
        "-30M",
        "-2d",
        "-3w",
        "-1m",
        "-1q",
        "-1y",
        "-1dStart",
        "-1dEnd",
        "-2hStart",
        "-1mStart",
        "-1yStart",
        "yesterday",
        "-90s",
        "-3H",
    ];
    select(bounds.to_vec()).prop_map(str::to_owned)
}

fn range_of(from: Option<String>, to: Option<String>) -> Json {
    let bounds = [("date_from", from), ("date_to", to)];
    let bounds = bounds.into_iter().filter_map(|(field, bound)| Some((field.to_owned(), Json::from(bound?))));
    Json::Object(bounds.collect::<Map<_, _>>())
}
