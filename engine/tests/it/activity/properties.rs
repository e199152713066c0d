//! Any entries and any question: the answer is that of a naive evaluator, wherever the entries are.

use std::sync::Arc;

use engine::Engine;
use engine::activity::{ActivityEntry, StoredEntry};
use engine::clock::ManualClock;
use engine::query::{
    ActivityCursor, ActivityFilter, ActivityOrder, ActivityQuery, ActivityTenant, ActivityValues, DetailPath,
    DetailTest, DetailValue, HiddenEntries,
};
use engine::schema::ProjectId;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::naive::passes;
use super::{DAY_US, NOW_US, ORGANIZATION, OTHER, append, check_chain, entry, open};

const SCOPES: [&str; 4] = ["Role", "Organization", "User", "Log"];
const ACTIVITIES: [&str; 3] = ["created", "updated", "logged_in"];
const CLIENTS: [&str; 3] = ["web", "cli", ""];
const ADDRESSES: [&str; 4] = ["10.0.0.1", "10.0.0.12", "2001:DB8::1", "192.168.7.7"];
const DETAILS: [&str; 6] = [
    r#"{"name": "Check", "changes": [{"field": "enabled", "before": true, "after": false}], "n": 42}"#,
    r#"{"name": "other check", "changes": [{"field": "name", "after": "é"}, {"field": "n", "after": 42.0}]}"#,
    r#"{"name": null, "context": {"level": "administrator", "tags": ["a", "b"]}}"#,
    r#"{"name": "100%_", "changes": [], "n": "42"}"#,
    "[1, 2]",
    "no JSON",
];

const PATHS: [&str; 9] = [
    "name",
    "changes[].field",
    "changes[].after",
    "changes.0.field",
    "n",
    "context.level",
    "context.tags[]",
    "changes",
    "absent",
];

fn entries() -> impl Strategy<Value = Vec<ActivityEntry>> {
    let words = (select(&SCOPES[..]), select(&ACTIVITIES[..]), option::of(select(&CLIENTS[..])));
    let owner =
        (option::of(1_i64..4), option::of(1_i64..4), option::of(any::<bool>()), option::of(any::<bool>()));
    let rest = (
        option::of(select(&ADDRESSES[..])),
        option::of(select(&["1", "2"][..])),
        option::of(select(&DETAILS[..])),
    );
    let one = (0_i64..40, words, owner, rest).prop_map(|(time, words, owner, rest)| ActivityEntry {
        // Few times, so that many are equal; far apart, so that they are in several files.
        timestamp_us: NOW_US - time * DAY_US / 4,
        project: owner.0.map(ProjectId),
        user_id: owner.1,
        was_impersonated: owner.2,
        is_system: owner.3,
        scope: words.0.into(),
        activity: words.1.into(),
        client: words.2.map(str::to_owned),
        ip_address: rest.0.map(str::to_owned),
        item_id: rest.1.map(str::to_owned),
        detail: rest.2.map(str::to_owned),
        ..entry(0)
    });
    vec(one, 1..60).prop_map(|mut entries| {
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.id = Uuid::from_u128((index as u128 * 7919) % 1009);
        }
        entries
    })
}

fn words(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let some =
        subsequence(of.to_vec(), 0..=2).prop_map(|words| words.into_iter().map(str::to_owned).collect());
    prop_oneof![3 => Just(Vec::new()), 1 => some]
}

fn detail_test() -> impl Strategy<Value = (DetailPath, DetailTest)> {
    let value = prop_oneof![
        select(&["Check", "enabled", "name", "42", "a"][..]).prop_map(|text| DetailValue::Text(text.into())),
        Just(DetailValue::Number(42.into())),
        any::<bool>().prop_map(DetailValue::Bool),
    ];
    let test = prop_oneof![
        vec(value, 0..3).prop_map(DetailTest::IsAny),
        select(&["check", "É", "%", "_", "4", "true", "\"field\": \"name\"", ""][..])
            .prop_map(|text| DetailTest::Contains(text.into())),
    ];
    (select(&PATHS[..]), test).prop_map(|(path, test)| (DetailPath::parse(path).unwrap(), test))
}

fn filter() -> impl Strategy<Value = ActivityFilter> {
    let tenant = prop_oneof![
        Just(ActivityTenant::Organization),
        (1_i64..4, any::<bool>()).prop_map(|(project, with_organization)| ActivityTenant::Project {
            project: ProjectId(project),
            with_organization
        }),
    ];
    let hidden =
        (select(&SCOPES[..]), words(&ACTIVITIES), any::<bool>()).prop_map(|(scope, activities, only)| {
            HiddenEntries { scope: scope.into(), activities, only_impersonated: only }
        });
    let day = |day: i64| NOW_US - day * DAY_US / 4;
    let times =
        (option::weighted(0.3, (0_i64..40).prop_map(day)), option::weighted(0.3, (0_i64..40).prop_map(day)));
    let who = (
        option::weighted(0.2, vec(1_i64..5, 0..3)),
        option::weighted(0.2, vec((1_i64..5).prop_map(ProjectId), 0..3)),
    );
    let flags = (option::weighted(0.3, any::<bool>()), option::weighted(0.3, any::<bool>()));
    let texts = (
        words(&SCOPES),
        words(&ACTIVITIES),
        words(&CLIENTS),
        words(&["1", "2", "9"]),
        words(&["10.0.0.1", "10.0.0.*", "*8::1", "*", "1*.7"]),
    );
    let details = (
        option::weighted(0.3, select(&["check", "CHANGES", "\": 42", "é", "json", "\": [{\""][..])),
        prop_oneof![2 => Just(Vec::new()), 1 => vec(detail_test(), 1..3)],
    );
    (tenant, vec(hidden, 0..2), times, who, flags, texts, details).prop_map(
        |(tenant, hidden, times, who, flags, texts, details)| ActivityFilter {
            tenant,
            hidden,
            since_us: times.0,
            until_us: times.1,
            users: who.0,
            projects: who.1,
            was_impersonated: flags.0,
            is_system: flags.1,
            scopes: texts.0,
            activities: texts.1,
            clients: texts.2,
            item_ids: texts.3,
            ip_addresses: texts.4,
            search: details.0.map(str::to_owned),
            details: details.1,
            expression: None,
        },
    )
}

/// The answers of the engine to one filter are those of the naive evaluator over `stored`.
async fn check(engine: &Engine, stored: &[StoredEntry], filter: &ActivityFilter, limit: usize) {
    let mut expected: Vec<&StoredEntry> = stored.iter().filter(|stored| passes(filter, stored)).collect();
    let counted = engine.activity_count(ORGANIZATION, filter).await.unwrap();
    assert_eq!(counted, expected.len() as u64, "{filter:?}");
    let mut values = ActivityValues::default();
    for StoredEntry { entry, .. } in &expected {
        values.users.extend(entry.user_id);
        values.scopes.insert(entry.scope.clone());
        values.activities.insert(entry.activity.clone());
        values.clients.extend(entry.client.clone().filter(|client| !client.is_empty()));
    }
    assert_eq!(engine.activity_values(ORGANIZATION, filter).await.unwrap(), values, "{filter:?}");
    check_overview(engine, filter).await;
    for order in [ActivityOrder::Latest, ActivityOrder::Earliest] {
        expected.sort_by_key(|stored| (stored.entry.timestamp_us, stored.entry.id));
        if order == ActivityOrder::Latest {
            expected.reverse();
        }
        let mut after = None;
        let mut walked = Vec::new();
        for offset in (0..).step_by(limit) {
            let query = ActivityQuery { filter: filter.clone(), order, after, offset: 0, limit };
            let page = engine.activity_page(ORGANIZATION, &query).await.unwrap();
            let numbered = ActivityQuery { after: None, offset, ..query };
            assert_eq!(engine.activity_page(ORGANIZATION, &numbered).await.unwrap(), page);
            after = page
                .entries
                .last()
                .map(|last| ActivityCursor { timestamp_us: last.entry.timestamp_us, id: last.entry.id });
            walked.extend(page.entries);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(walked.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
}

/// What is put together of data files is what all entries have.
async fn check_overview(engine: &Engine, filter: &ActivityFilter) {
    let (tenant, hidden) = (filter.tenant, filter.hidden.clone());
    for _ in 0..2 {
        let (values, fields) = engine.activity_overview(ORGANIZATION, tenant, &hidden).await.unwrap();
        let seen = ActivityFilter { hidden: hidden.clone(), ..ActivityFilter::all(tenant) };
        assert_eq!(values, engine.activity_values(ORGANIZATION, &seen).await.unwrap());
        let all = ActivityFilter::all(ActivityTenant::Organization);
        assert_eq!(fields, engine.detail_fields(ORGANIZATION, &all).await.unwrap());
    }
}

#[test]
fn answers_are_those_of_a_naive_evaluator() {
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 12, ..Config::default() });
    let cases = (entries(), vec(filter(), 1..6), 1_usize..30, any::<bool>());
    let result = runner.run(&cases, |(entries, filters, limit, is_flushed)| {
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let engine = open(folder.path(), &Arc::new(ManualClock::new(NOW_US))).await;
            let (early, late) = entries.split_at(entries.len() / 2);
            for (number, part) in [early, late].into_iter().enumerate() {
                if !part.is_empty() {
                    append(&engine, ORGANIZATION, part.to_vec()).await;
                }
                append(&engine, OTHER, vec![entry(1000 + number as u128)]).await;
                if is_flushed {
                    engine.flush().await.unwrap();
                }
            }
            let stored = engine.chain_part(ORGANIZATION, 0..i64::MAX).await.unwrap();
            let sent: Vec<_> = stored.iter().map(|stored| stored.entry.clone()).collect();
            assert_eq!(sent, entries);
            for filter in &filters {
                check(&engine, &stored, filter, limit).await;
            }
            engine.compact(true).await.unwrap();
            assert_eq!(check_chain(&engine, ORGANIZATION, Default::default()).await, entries.len());
            for filter in &filters {
                check(&engine, &stored, filter, limit).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}
