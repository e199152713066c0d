//! What sidecars leave out is in no answer: the same questions with them and without.

use std::path::Path;
use std::sync::Arc;

use engine::activity::{ActivityEntry, spaced_json};
use engine::clock::{Clock, ManualClock};
use engine::query::{
    ActivityExpression, ActivityFilter, ActivityOrder, ActivityQuery, ActivityTenant, DetailPath, DetailTest,
    DetailValue, HiddenEntries, with_cost,
};
use engine::schema::ProjectId;
use engine::{Engine, EngineConfig};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{NOW_US, ORGANIZATION, append, config, entry};

/// Words of scopes, clients, items, and of texts in details.
const WORDS: [&str; 14] = [
    "Role",
    "role",
    "FeatureFlag",
    "enabled",
    "Upstream timeout",
    "user@shop.example",
    "signup-7k5t",
    "k\u{e4}se",
    "\u{212A}elvin mi\u{17F}s",
    "say \"so\"",
    "new\nline",
    "42",
    "true",
    "",
];
const NAMES: [&str; 7] = ["name", "changes", "field", "after", "K", "we\"ird", "0"];

fn detail() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => select(&WORDS[..]).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => select(vec![json!(42), json!(42.0), json!(-0.0), json!(0), json!(7.25), Value::Null]),
    ];
    let inner = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(select(&NAMES[..]), inner, 0..3).prop_map(object),
        ]
    });
    btree_map(select(&NAMES[..]), inner, 0..4).prop_map(object)
}

fn object(members: std::collections::BTreeMap<&str, Value>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

/// Details as this program writes them, as others may, and what is no JSON.
fn detail_text() -> impl Strategy<Value = String> {
    (detail(), 0..5).prop_map(|(detail, form)| match form {
        0 => detail.to_string(),
        1 => serde_json::to_string_pretty(&detail).unwrap(),
        2 => detail.to_string().replace('a', "\\u0061").replace('R', "\\u0052"),
        3 => format!("{detail} no JSON"),
        _ => spaced_json(&detail).unwrap(),
    })
}

fn stored_entry() -> impl Strategy<Value = ActivityEntry> {
    let words = (select(&WORDS[..5]), select(&WORDS[..4]), option::of(select(&WORDS[..])));
    let owner = (option::of(1_i64..4), option::of(-2_i64..4), option::of(any::<bool>()));
    (words, owner, option::of(select(&WORDS[..])), option::of(detail_text())).prop_map(
        |(words, owner, item, detail)| ActivityEntry {
            project: owner.0.map(ProjectId),
            user_id: owner.1,
            was_impersonated: owner.2,
            scope: words.0.into(),
            activity: words.1.into(),
            client: words.2.map(str::to_owned),
            item_id: item.map(str::to_owned),
            detail,
            ..entry(0)
        },
    )
}

fn test() -> impl Strategy<Value = (DetailPath, DetailTest)> {
    const PATHS: [&str; 11] = [
        "name",
        "changes",
        "changes[].field",
        "changes.0.after",
        "changes[]",
        "K",
        "K.name",
        "name[].field",
        "we\"ird",
        "0",
        "after.0",
    ];
    let value = prop_oneof![
        4 => select(&WORDS[..]).prop_map(|text| DetailValue::Text(text.into())),
        1 => select(vec![json!(42), json!(0), json!(7.25)]).prop_map(|number| match number {
            Value::Number(number) => DetailValue::Number(number),
            _ => DetailValue::Bool(false),
        }),
        1 => any::<bool>().prop_map(DetailValue::Bool),
    ];
    let needle = prop_oneof![
        2 => select(&WORDS[..]).prop_map(str::to_owned),
        1 => select(&["ROLE", "nab", "timeout\"", "\"field\": \"", "\n", "line", "ewline", "missa", "SS", "e mis", "[\"Role\"]"][..])
            .prop_map(str::to_owned),
    ];
    let test =
        prop_oneof![vec(value, 0..3).prop_map(DetailTest::IsAny), needle.prop_map(DetailTest::Contains),];
    (select(&PATHS[..]), test).prop_map(|(path, test)| (DetailPath::parse(path).unwrap(), test))
}

fn filter() -> impl Strategy<Value = ActivityFilter> {
    let words = || {
        let one_or_two = vec(select(&WORDS[..]).prop_map(str::to_owned), 1..3);
        option::weighted(0.2, one_or_two).prop_map(Option::unwrap_or_default)
    };
    let tenant = prop_oneof![
        2 => Just(ActivityTenant::Organization),
        1 => (1_i64..5, any::<bool>()).prop_map(|(project, with_organization)| ActivityTenant::Project {
            project: ProjectId(project),
            with_organization
        }),
    ];
    let who = (
        option::weighted(0.2, vec(-3_i64..5, 0..3)),
        option::weighted(0.2, vec((1_i64..5).prop_map(ProjectId), 0..3)),
    );
    const EXPRESSIONS: [&str; 6] = [
        "scope = 'Role' AND user_id = 3",
        "item_id IN ('42', 'enabled') OR client = 'role'",
        "NOT (scope = 'Role')",
        "project_id = 2 AND detail LIKE '%enabled%'",
        "scope = 'role' AND NOT (activity = 'Role')",
        "user_id = -2",
    ];
    let details = (
        option::weighted(
            0.3,
            select(&["ROLE", "\": \"", "shop", "mis\"", "zanzibar", "k\u{c4}se", "line\"", "u0061"][..]),
        ),
        prop_oneof![1 => Just(Vec::new()), 2 => vec(test(), 1..3)],
        option::weighted(0.2, select(&EXPRESSIONS[..])),
    );
    (tenant, who, words(), words(), words(), words(), details).prop_map(
        |(tenant, who, scopes, activities, clients, item_ids, details)| ActivityFilter {
            users: who.0,
            projects: who.1,
            scopes,
            activities,
            clients,
            item_ids,
            search: details.0.map(str::to_owned),
            details: details.1,
            expression: details.2.map(|text| ActivityExpression::parse(text).unwrap()),
            ..ActivityFilter::all(tenant)
        },
    )
}

/// An engine whose data files have sidecars, or none.
async fn engine(folder: &Path, has_sidecars: bool) -> Arc<Engine> {
    let min_sidecar_rows = if has_sidecars { 1 } else { u64::MAX };
    let config = EngineConfig { min_sidecar_rows, ..config(folder) };
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_US));
    Engine::open(config, clock).await.unwrap()
}

/// Few entries a file, so that most questions have files that are left out.
async fn fill(engine: &Arc<Engine>, entries: &[ActivityEntry]) {
    for part in entries.chunks(3) {
        append(engine, ORGANIZATION, part.to_vec()).await;
        engine.flush().await.unwrap();
    }
}

async fn check(with: &Engine, without: &Engine, filter: &ActivityFilter) {
    for order in [ActivityOrder::Latest, ActivityOrder::Earliest] {
        for limit in [1, 1000] {
            let query = ActivityQuery { filter: filter.clone(), order, after: None, offset: 0, limit };
            let page = with.activity_page(ORGANIZATION, &query).await.unwrap();
            assert_eq!(page, without.activity_page(ORGANIZATION, &query).await.unwrap(), "{filter:?}");
        }
    }
    let count = with.activity_count(ORGANIZATION, filter).await.unwrap();
    assert_eq!(count, without.activity_count(ORGANIZATION, filter).await.unwrap(), "{filter:?}");
    let hidden = [HiddenEntries {
        scope: "Role".into(),
        activities: vec!["role".into(), "enabled".into()],
        only_impersonated: count.is_multiple_of(2),
    }];
    let overview = with.activity_overview(ORGANIZATION, filter.tenant, &hidden).await.unwrap();
    assert_eq!(overview, without.activity_overview(ORGANIZATION, filter.tenant, &hidden).await.unwrap());
}

#[test]
fn answers_are_the_same_with_sidecars_and_without() {
    let runtime = Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 10, ..Config::default() });
    let cases = (vec(stored_entry(), 1..16), vec(filter(), 1..12));
    let result = runner.run(&cases, |(mut entries, filters)| {
        for (index, entry) in entries.iter_mut().enumerate() {
            entry.id = Uuid::from_u128(index as u128 + 1);
            entry.timestamp_us = NOW_US - (index as i64 % 7) * 1_000_000;
        }
        runtime.block_on(async {
            let folders = [TempDir::new().unwrap(), TempDir::new().unwrap()];
            let with = engine(folders[0].path(), true).await;
            let without = engine(folders[1].path(), false).await;
            fill(&with, &entries).await;
            fill(&without, &entries).await;
            for filter in &filters {
                check(&with, &without, filter).await;
            }
            with.compact(true).await.unwrap();
            for filter in &filters {
                check(&with, &without, filter).await;
            }
        });
        Ok(())
    });
    result.unwrap();
}

/// Files are looked at no more than they need be.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_entry_has_is_answered_without_entries() {
    let folder = TempDir::new().unwrap();
    let engine = engine(folder.path(), true).await;
    let entries: Vec<ActivityEntry> = (1..=30).map(entry).collect();
    fill(&engine, &entries).await;
    assert!(engine.activity_snapshot(ORGANIZATION).files.iter().all(|file| file.sidecar_bytes > 0));
    let all = || ActivityFilter::all(ActivityTenant::Organization);
    let path = |path: &str| DetailPath::parse(path).unwrap();
    let is = |text: &str| DetailTest::IsAny(vec![DetailValue::Text(text.into())]);
    let contains = |text: &str| DetailTest::Contains(text.into());
    for (filter, num_rows) in [
        (ActivityFilter { scopes: vec!["Nothing".into()], ..all() }, 0),
        (ActivityFilter { item_ids: vec!["7".into()], ..all() }, 3),
        (ActivityFilter { users: Some(vec![99]), ..all() }, 0),
        (ActivityFilter { search: Some("zanzibar".into()), ..all() }, 0),
        (ActivityFilter { details: vec![(path("name"), is("zanzibar"))], ..all() }, 0),
        (ActivityFilter { details: vec![(path("name"), is("7k"))], ..all() }, 0),
        (ActivityFilter { details: vec![(path("name"), contains("zanzibar"))], ..all() }, 0),
        (ActivityFilter { details: vec![(path("absent"), contains("x"))], ..all() }, 0),
        (
            ActivityFilter {
                expression: Some(ActivityExpression::parse("scope = 'Nothing'").unwrap()),
                ..all()
            },
            0,
        ),
    ] {
        let query = ActivityQuery {
            filter: filter.clone(),
            order: ActivityOrder::Latest,
            after: None,
            offset: 0,
            limit: 9,
        };
        let (page, cost) = with_cost(engine.activity_page(ORGANIZATION, &query)).await;
        page.unwrap();
        // A filter of ids may let a file or two seem to have one.
        assert!(cost.rows <= num_rows + 6, "{} rows for {filter:?}", cost.rows);
    }
}
