//! Overviews of entries against plain collections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringDictionaryBuilder, StringViewArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::datatypes::Int32Type;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::{file_id, open};
use crate::index::overview::ClassValues;
use crate::index::{Absence, BuiltSidecar, Overview, SidecarBuilder, SidecarLimits};
use crate::schema::{Dataset, UTC, activity, columns};

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    project: Option<i64>,
    user: Option<i64>,
    was_impersonated: Option<bool>,
    scope: &'static str,
    activity: &'static str,
    client: Option<&'static str>,
    detail: Option<String>,
}

fn batch(entries: &[Entry]) -> RecordBatch {
    let words = |of: fn(&Entry) -> Option<&'static str>| -> ArrayRef {
        let mut words = StringDictionaryBuilder::<Int32Type>::new();
        entries.iter().for_each(|entry| words.append_option(of(entry)));
        Arc::new(words.finish())
    };
    let numbers = |of: fn(&Entry) -> Option<i64>| -> ArrayRef {
        Arc::new(Int64Array::from_iter(entries.iter().map(of)))
    };
    let times = TimestampMicrosecondArray::from_iter_values(0..entries.len() as i64).with_timezone(UTC);
    let flags = BooleanArray::from_iter(entries.iter().map(|entry| entry.was_impersonated));
    let details = StringViewArray::from_iter(entries.iter().map(|entry| entry.detail.as_deref()));
    let items = StringViewArray::from_iter(entries.iter().map(|_| Some("item")));
    let columns: [(&str, ArrayRef); 10] = [
        (columns::TIMESTAMP, Arc::new(times)),
        (columns::BYTES_UNCOMPRESSED, Arc::new(UInt32Array::from_value(1, entries.len()))),
        (activity::PROJECT_ID, numbers(|entry| entry.project)),
        (activity::USER_ID, numbers(|entry| entry.user)),
        (activity::WAS_IMPERSONATED, Arc::new(flags)),
        (activity::SCOPE, words(|entry| Some(entry.scope))),
        (activity::ACTIVITY, words(|entry| Some(entry.activity))),
        (activity::CLIENT, words(|entry| entry.client)),
        (activity::ITEM_ID, Arc::new(items)),
        (activity::DETAIL, Arc::new(details)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).unwrap()
}

fn build(entries: &[Entry], limits: &SidecarLimits) -> BuiltSidecar {
    let mut builder = SidecarBuilder::of(Dataset::Activity, limits);
    entries.chunks(7).for_each(|part| builder.add(&batch(part)).unwrap());
    builder.finish(file_id(), entries.len() as u64).unwrap()
}

fn overview_of(entries: &[Entry]) -> Overview {
    open(&build(entries, &SidecarLimits::of(Dataset::Activity))).overview().present().unwrap().clone()
}

fn entry() -> impl Strategy<Value = Entry> {
    let who = (
        prop::option::of(-1_i64..3),
        prop::option::of(-2_i64..5),
        prop::option::of(any::<bool>()),
        prop::option::of(select(&["web", "", "cli"][..])),
    );
    let detail = select(vec![
        None,
        Some(json!({ "name": "x", "changes": [{ "field": 1 }] })),
        Some(json!({ "name": null })),
        Some(json!([1])),
        Some(json!({})),
    ]);
    (who, select(&["Role", "User", "k\u{e4}se"][..]), select(&["created", "updated"][..]), detail).prop_map(
        |((project, user, was_impersonated, client), scope, activity, detail)| Entry {
            project,
            user,
            was_impersonated,
            scope,
            activity,
            client,
            detail: detail.map(|detail| detail.to_string()),
        },
    )
}

fn sorted<T: Ord + Copy>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<_>>().into_iter().collect()
}

proptest! {
    #[test]
    fn values_are_those_of_the_entries_that_are_seen(
        entries in prop::collection::vec(entry(), 1..60),
        project in prop::option::of(-1_i64..3),
        hidden in select(&["Role", "User", "Nothing"][..]),
    ) {
        let overview = overview_of(&entries);
        let seen: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                let is_hidden = entry.scope == hidden && entry.was_impersonated == Some(true);
                (project.is_none() || entry.project == project) && !is_hidden
            })
            .collect();
        let expected = ClassValues {
            users: sorted(seen.iter().filter_map(|entry| entry.user)),
            scopes: sorted(seen.iter().map(|entry| entry.scope)),
            activities: sorted(seen.iter().map(|entry| entry.activity)),
            clients: sorted(seen.iter().filter_map(|entry| entry.client)),
        };
        let found = overview.values_of(|class| {
            let is_hidden = class.scope == hidden && class.was_impersonated == Some(true);
            (project.is_none() || class.project == project) && !is_hidden
        });
        prop_assert_eq!(found, expected);
        prop_assert_eq!(Overview::decode(&overview.encode(), entries.len() as u64), Ok(overview));
    }

    #[test]
    fn any_bytes_are_an_overview_or_refused(bytes in prop::collection::vec(0_u8..6, 0..80)) {
        if let Ok(overview) = Overview::decode(&bytes, 5) {
            prop_assert_eq!(Overview::decode(&overview.encode(), 5), Ok(overview.clone()));
            let _ = overview.values_of(|_| true);
        }
    }
}

#[test]
fn fields_of_details_are_told_by_scope() {
    let entry = |scope, detail: &str| Entry { scope, detail: Some(detail.to_owned()), ..Entry::default() };
    let overview = overview_of(&[
        entry("Role", r#"{"name": "x", "changes": [{"after": 1}]}"#),
        entry("Role", r#"{"name": null}"#),
        entry("User", "{}"),
        entry("Log", "no JSON"),
    ]);
    let told: BTreeMap<&str, Vec<String>> = overview
        .fields()
        .iter()
        .map(|(scope, paths)| {
            let path = |(path, types): (&String, &BTreeSet<_>)| format!("{path} {types:?}");
            (scope.as_str(), paths.iter().map(path).collect())
        })
        .collect();
    let of_role = ["changes {Array}", "changes[].after {Number}", "name {Null, String}"];
    assert_eq!(told["Role"], of_role);
    assert_eq!(told.keys().collect::<Vec<_>>(), [&"Role", &"User"]);
    assert!(told["User"].is_empty());
}

#[test]
fn an_overview_beyond_its_budget_is_none_and_the_rest_stays() {
    let entries: Vec<Entry> = (0..100).map(|user| Entry { user: Some(user), ..Entry::default() }).collect();
    for limits in [
        SidecarLimits { max_kinds: 50, ..SidecarLimits::of(Dataset::Activity) },
        SidecarLimits { max_overview_bytes: 0, ..SidecarLimits::of(Dataset::Activity) },
    ] {
        let entries: Vec<Entry> =
            entries.iter().map(|entry| Entry { scope: "Role", ..entry.clone() }).collect();
        let sidecar = open(&build(&entries, &limits));
        assert_eq!(sidecar.overview().absence(), Some(&Absence::OverBudget));
        assert!(sidecar.ids().present().is_some() && sidecar.words().present().is_some());
        assert_eq!(sidecar.rollup().absence(), Some(&Absence::NotMade));
    }
}

#[test]
fn many_values_in_details_leave_the_filters_of_columns() {
    use crate::index::ids::{DETAIL_VALUES, IdSource, text_in_detail};
    // Half a million different values and more are too many for one stretch.
    let entries: Vec<Entry> = (0..600)
        .map(|row| {
            let values: Vec<i64> = (row * 2000..(row + 1) * 2000).collect();
            Entry { scope: "Role", detail: Some(json!({ "values": values }).to_string()), ..Entry::default() }
        })
        .collect();
    let sidecar = open(&build(&entries, &SidecarLimits::of(Dataset::Activity)));
    let ids = sidecar.ids().present().unwrap();
    assert_eq!(ids.stretches_with(IdSource::Column(DETAIL_VALUES), &[&text_in_detail("x")]), None);
    assert_eq!(ids.stretches_with(IdSource::Column(activity::SCOPE), &[b"Role"]), Some(vec![0]));
    assert_eq!(ids.stretches_with(IdSource::Column(activity::SCOPE), &[b"Nothing"]), Some(vec![]));
    assert_eq!(ids.stretches_with(IdSource::Attribute("request.id"), &[b"x"]), None);
}
