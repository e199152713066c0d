//! Retention from ingest to the disk: in memory, in files, after removal, after a restart, under a clock that jumps.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use engine::clock::{Clock, ManualClock};
use engine::ingest::{DecodedLogs, RecordLimits, decode_otlp_json};
use engine::query::model::{
    AttributeMaps, Breakdown, FilterLeaf, FilterNode, LogFilter, LogQuery, Namespace, Operand, Operator,
    Order, RankBy, Scalar,
};
use engine::query::{LowerBound, ResolvedRange, SparklineRequest, TimeRange};
use engine::retention::{RetentionPolicy, RetentionRule};
use engine::schema::{ProjectId, TableId};
use engine::{Engine, EngineConfig, ErrorKind};
use futures::TryStreamExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::objects::{data_files, settled_files};

const START_US: i64 = 1_765_881_156_184_820;
const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
const PROJECT: ProjectId = ProjectId(1);
const ALL_TIME: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

/// An engine whose clock a test sets.
struct Store {
    folder: TempDir,
    clock: Arc<ManualClock>,
    engine: Arc<Engine>,
}

impl Store {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new(START_US));
        let engine = open(folder.path(), &clock).await;
        Self { folder, clock, engine }
    }

    /// Ends the engine as a crash would, and opens the folder again.
    async fn restart(self) -> Self {
        let Self { folder, clock, engine } = self;
        drop(engine);
        let engine = open(folder.path(), &clock).await;
        Self { folder, clock, engine }
    }

    fn set_days(&self, days: u32) {
        self.engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::of_days(Some(days))).unwrap();
    }

    async fn count(&self) -> u64 {
        self.engine.count_logs(PROJECT, LogFilter::default(), ALL_TIME).await.unwrap()
    }

    async fn ingest(&self, rows: &[Stored]) {
        self.clock.set(rows[0].ingested_us);
        self.engine.ingest(TableId::logs(PROJECT), decoded(rows)).await.unwrap();
    }

    /// Lets the removal catch up with the clock.
    async fn expire(&self, steps: i64) {
        for _ in 0..steps {
            self.engine.expire().await.unwrap();
        }
    }

    fn live_files(&self) -> usize {
        self.engine.snapshot(PROJECT).files.len()
    }
}

async fn open(data_dir: &Path, clock: &Arc<ManualClock>) -> Arc<Engine> {
    let config = EngineConfig {
        wal_segment_bytes: 64 << 10,
        max_wal_bytes: 16 << 20,
        compaction: false,
        ..EngineConfig::new(data_dir)
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    Engine::open(config, clock).await.unwrap()
}

/// A row as the tests know it.
#[derive(Clone, Debug)]
struct Stored {
    name: String,
    timestamp_us: i64,
    ingested_us: i64,
    service: &'static str,
    tier: Option<&'static str>,
}

fn decoded(rows: &[Stored]) -> DecodedLogs {
    let resource_logs = rows.iter().map(|row| {
        let tier = row.tier.map(|tier| json!({"key": "tier", "value": {"stringValue": tier}}));
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": row.service}}]},
            "scopeLogs": [{"logRecords": [{
                "timeUnixNano": (row.timestamp_us as u64 * 1000).to_string(),
                "body": {"stringValue": row.name},
                "attributes": tier.into_iter().collect::<Vec<_>>(),
            }]}],
        })
    });
    let request = json!({"resourceLogs": resource_logs.collect::<Vec<_>>()});
    decode_otlp_json(request.to_string().as_bytes(), rows[0].ingested_us, &RecordLimits::default()).unwrap()
}

/// `count` rows that came in when they happened, `age` before the start.
fn rows(name: &str, count: usize, age: i64) -> Vec<Stored> {
    let row = |index: usize| Stored {
        name: format!("{name}-{index}"),
        timestamp_us: START_US - age + index as i64,
        ingested_us: START_US - age + count as i64,
        service: "web",
        tier: None,
    };
    (0..count).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_files_are_dropped_unread_and_do_not_come_back() {
    let store = Store::new().await;
    store.ingest(&rows("old", 10, 3 * DAY)).await;
    store.engine.flush().await.unwrap();
    store.ingest(&rows("new", 5, 0)).await;
    store.engine.flush().await.unwrap();
    assert_eq!((store.count().await, data_files(store.folder.path()).len()), (15, 2));
    store.set_days(2);
    assert_eq!((store.count().await, store.live_files()), (5, 1), "hidden at once");
    store.engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::default()).unwrap();
    assert_eq!(store.count().await, 15, "and seen again while the file is there");

    store.set_days(2);
    let old = store.engine.snapshot(PROJECT);
    assert_eq!(old.files.len(), 1);
    for bucket in fs::read_dir(store.folder.path().join("logs/project=1")).unwrap() {
        for object in fs::read_dir(bucket.unwrap().path()).unwrap() {
            let path = object.unwrap().path();
            if !path.ends_with(old.files[0].path.filename().unwrap()) {
                fs::write(path, b"no Parquet").unwrap();
            }
        }
    }
    store.expire(1).await;
    store.engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::default()).unwrap();
    assert_eq!((store.count().await, store.live_files()), (5, 1), "gone, though nothing could be read of it");
    let store = store.restart().await;
    assert_eq!((store.count().await, store.live_files()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_in_memory_are_hidden_and_a_restart_brings_none_back() {
    let store = Store::new().await;
    store.ingest(&rows("old", 10, 3 * DAY)).await;
    store.ingest(&rows("new", 5, 0)).await;
    store.set_days(2);
    assert_eq!(store.count().await, 5);
    let store = store.restart().await;
    assert_eq!(store.count().await, 15, "a new engine was told nothing yet");
    store.set_days(2);
    assert_eq!(store.count().await, 5);
    store.engine.flush().await.unwrap();
    assert_eq!(store.count().await, 5);
    store.expire(48).await;
    assert_eq!((store.count().await, store.live_files()), (5, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_hides_and_does_not_delete() {
    let store = Store::new().await;
    store.ingest(&rows("row", 10, 0)).await;
    store.engine.flush().await.unwrap();
    store.set_days(30);
    store.clock.set(START_US + 3650 * DAY);
    assert_eq!(store.count().await, 0);
    store.expire(100).await;
    // Also across a restart, and with rows that came in meanwhile.
    let mut late = rows("late", 3, -3650 * DAY);
    late.iter_mut().for_each(|row| row.timestamp_us = START_US);
    store.ingest(&late).await;
    store.engine.flush().await.unwrap();
    let store = store.restart().await;
    store.set_days(30);
    assert_eq!(store.count().await, 0);
    store.expire(100).await;
    store.clock.set(START_US + DAY);
    assert_eq!(store.count().await, 13);
    assert_eq!(store.live_files(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_not_valid_changes_nothing() {
    let store = Store::new().await;
    store.ingest(&rows("old", 10, 3 * DAY)).await;
    store.ingest(&rows("new", 5, 0)).await;
    store.set_days(2);
    for days in [0, 36_501] {
        let set = store.engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::of_days(Some(days)));
        assert_eq!(set.unwrap_err().kind(), ErrorKind::InvalidRequest);
    }
    assert_eq!(store.count().await, 5);
    store.engine.set_retention(TableId::logs(ProjectId(2)), RetentionPolicy::of_days(Some(1))).unwrap();
    assert_eq!(store.count().await, 5, "another project's policy is its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_rule_leave_their_files() {
    let store = Store::new().await;
    let mut mixed = rows("row", 20, 0);
    mixed.iter_mut().skip(17).for_each(|row| row.service = "db");
    store.ingest(&mixed).await;
    store.engine.flush().await.unwrap();
    let in_files = || -> u64 { store.engine.snapshot(PROJECT).files.iter().map(|file| file.num_rows).sum() };
    let policy = Policy { days: None, rules: vec![(For::Service("db"), Some(1))] };
    store.engine.set_retention(TableId::logs(PROJECT), policy.of_engine()).unwrap();
    store.engine.compact(false).await.unwrap();
    assert_eq!((store.count().await, in_files()), (20, 20), "nothing has expired");
    store.clock.set(START_US + 3 * DAY);
    store.engine.compact(false).await.unwrap();
    assert_eq!((store.count().await, in_files()), (17, 20), "hidden at once, and removed by a slower clock");
    store.expire(72).await;
    store.engine.compact(false).await.unwrap();
    assert_eq!((store.count().await, in_files()), (17, 17));
    assert_eq!(settled_files(&store.engine, store.folder.path(), 1).await, 1);
    store.engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::default()).unwrap();
    assert_eq!(store.count().await, 17);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_leaves_expired_rows_out() {
    let store = Store::new().await;
    for age in [3 * DAY, 2 * DAY, 50 * HOUR, 0] {
        let mut batch = rows(&format!("{age}"), 10, age);
        batch.iter_mut().for_each(|row| row.ingested_us = START_US);
        store.ingest(&batch).await;
        store.engine.flush().await.unwrap();
    }
    let policy = Policy { days: Some(2), rules: vec![(For::Service("none"), None)] };
    store.engine.set_retention(TableId::logs(PROJECT), policy.of_engine()).unwrap();
    assert_eq!(store.live_files(), 4, "the rule keeps the files from being dropped unread");
    store.engine.compact(true).await.unwrap();
    let files = store.engine.snapshot(PROJECT).files;
    assert_eq!(files.iter().map(|file| file.num_rows).collect::<Vec<_>>(), [20]);
    assert_eq!(store.count().await, 20);
}

/// Rows of a batch: hours before they came in, which may be in the future, service, tier.
fn batch() -> impl Strategy<Value = Vec<(i64, &'static str, Option<&'static str>)>> {
    let service = select(["web", "db", ""].as_slice());
    let tier = select([None, Some("hot"), Some("cold")].as_slice());
    vec((-60..150_i64, service, tier), 1..12)
}

fn leaf(namespace: Namespace, key: &str, operator: Operator, value: &str) -> FilterNode {
    FilterNode::Leaf(FilterLeaf {
        path: key.to_owned(),
        key: key.to_owned(),
        namespace,
        operator,
        operand: Operand::One(Scalar::Text(value.to_owned())),
    })
}

/// What a rule is for, in the words of the tests.
#[derive(Clone, Copy, Debug)]
enum For {
    Service(&'static str),
    Tier(&'static str),
    OtherTier(&'static str),
}

impl For {
    fn filter(self) -> LogFilter {
        let properties = match self {
            Self::Service(service) => {
                return LogFilter { service_names: vec![service.to_owned()], ..LogFilter::default() };
            }
            Self::Tier(tier) => vec![leaf(Namespace::LogAttribute, "tier", Operator::Exact, tier)],
            Self::OtherTier(tier) => vec![leaf(Namespace::LogAttribute, "tier", Operator::IsNot, tier)],
        };
        LogFilter { properties, ..LogFilter::default() }
    }

    fn is_for(self, row: &Stored) -> bool {
        match self {
            Self::Service(service) => row.service == service,
            Self::Tier(tier) => row.tier == Some(tier),
            Self::OtherTier(tier) => row.tier != Some(tier),
        }
    }
}

#[derive(Clone, Debug)]
struct Policy {
    days: Option<u32>,
    rules: Vec<(For, Option<u32>)>,
}

impl Policy {
    fn of_engine(&self) -> RetentionPolicy {
        let rule = |&(what, days): &(For, _)| RetentionRule {
            name: format!("{what:?}"),
            filter: what.filter(),
            days,
        };
        RetentionPolicy {
            days: self.days,
            rules: self.rules.iter().map(rule).collect(),
            ..RetentionPolicy::default()
        }
    }

    fn keeps(&self, row: &Stored, now_us: i64) -> bool {
        let days = self.rules.iter().find(|(what, _)| what.is_for(row)).map_or(self.days, |(_, days)| *days);
        days.is_none_or(|days| row.timestamp_us.min(row.ingested_us) >= now_us - i64::from(days) * DAY)
    }
}

fn policy() -> impl Strategy<Value = Policy> {
    let days = || select([None, Some(1), Some(2), Some(3), Some(5)].as_slice());
    let what =
        select([For::Service("db"), For::Service(""), For::Tier("hot"), For::OtherTier("cold")].as_slice());
    (days(), vec((what, days()), 0..3)).prop_map(|(days, rules)| Policy { days, rules })
}

/// All that an engine answers about the kept rows.
async fn check(store: &Store, kept: &[&Stored]) {
    let engine = &store.engine;
    let mut expected: Vec<&str> = kept.iter().map(|row| row.name.as_str()).collect();
    expected.sort_unstable();
    assert_eq!(store.count().await, kept.len() as u64);
    assert_eq!(engine.has_logs(PROJECT).await.unwrap(), !kept.is_empty());
    let earliest_us = kept.iter().map(|row| row.timestamp_us).min();
    assert_eq!(engine.earliest_timestamp_us(PROJECT).await.unwrap(), earliest_us);

    let of_db = LogFilter { service_names: vec!["db".into()], ..LogFilter::default() };
    let num_of_db = kept.iter().filter(|row| row.service == "db").count() as u64;
    assert_eq!(engine.count_logs(PROJECT, of_db, ALL_TIME).await.unwrap(), num_of_db);

    let query = LogQuery {
        filter: LogFilter::default(),
        range: ALL_TIME,
        order: Order::Latest,
        limit: 1000,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    };
    let page = engine.query_logs(PROJECT, query).await.unwrap();
    let mut found: Vec<&str> = page.rows.iter().map(|row| row.body.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, expected);

    let range = ResolvedRange {
        from: LowerBound::Earliest,
        to_us: START_US + 100 * DAY,
        interval_to_us: START_US + 100 * DAY,
    };
    let request = SparklineRequest {
        filter: LogFilter::default(),
        range,
        breakdown: Breakdown::Service,
        rank_by: RankBy::Count,
    };
    let entries = engine.sparkline(PROJECT, request).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.count).sum::<u64>(), kept.len() as u64);

    let batches: Vec<RecordBatch> =
        engine.sql(PROJECT, "SELECT body FROM logs").await.unwrap().try_collect().await.unwrap();
    let mut bodies = Vec::new();
    for batch in &batches {
        let column = batch.column(0).as_string_view();
        bodies.extend(column.iter().map(|body| body.unwrap().to_owned()));
    }
    bodies.sort_unstable();
    assert_eq!(bodies, expected);
}

async fn check_preview(store: &Store, all: &[Stored], policy: &Policy, now_us: i64) {
    let preview = store.engine.retention_preview(TableId::logs(PROJECT), policy.of_engine()).await.unwrap();
    let gone: Vec<_> = all.iter().filter(|row| !policy.keeps(row, now_us)).collect();
    assert_eq!(preview.total.rows, gone.len() as u64);
    assert_eq!(preview.total.oldest_us, gone.iter().map(|row| row.timestamp_us).min());
    assert_eq!(preview.total.newest_us, gone.iter().map(|row| row.timestamp_us).max());
}

/// When, which service, which tier.
type Record = (i64, &'static str, Option<&'static str>);

/// Brings the batches in, hours apart, and flushes after some of them.
async fn fill(store: &Store, batches: Vec<(i64, Vec<Record>, bool)>) -> Vec<Stored> {
    let (mut now_us, mut all) = (START_US, Vec::new());
    for (number, (gap, batch, is_flushed)) in batches.into_iter().enumerate() {
        now_us += gap * HOUR;
        let rows: Vec<Stored> = batch
            .into_iter()
            .enumerate()
            .map(|(index, (age, service, tier))| Stored {
                name: format!("{number}-{index}"),
                timestamp_us: now_us - age * HOUR,
                ingested_us: now_us,
                service,
                tier,
            })
            .collect();
        store.ingest(&rows).await;
        all.extend(rows);
        if is_flushed {
            store.engine.flush().await.unwrap();
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_about_the_rows_that_have_not_expired(
        batches in vec((0..40_i64, batch(), any::<bool>()), 1..6),
        (before, policy) in (policy(), policy()),
        later in 0..160_i64,
        is_merged in any::<bool>(),
    ) {
        Runtime::new().unwrap().block_on(async {
            let store = Store::new().await;
            let all = fill(&store, batches).await;
            let now_us = all.last().unwrap().ingested_us + later * HOUR;
            store.clock.set(now_us);
            check_preview(&store, &all, &policy, now_us).await;
            let table = TableId::logs(PROJECT);
            store.engine.set_retention(table, before.of_engine()).unwrap();
            check(&store, &all.iter().filter(|row| before.keeps(row, now_us)).collect::<Vec<_>>()).await;

            store.engine.set_retention(table, policy.of_engine()).unwrap();
            let kept: Vec<&Stored> = all.iter().filter(|row| policy.keeps(row, now_us)).collect();
            check(&store, &kept).await;
            store.engine.flush().await.unwrap();
            check(&store, &kept).await;
            let in_files = store.live_files();
            store.expire(400).await;
            check(&store, &kept).await;
            assert_eq!(store.live_files(), in_files, "what was removed was hidden before");

            if is_merged {
                store.engine.compact(true).await.unwrap();
                check(&store, &kept).await;
            }
            let in_files = store.live_files();
            let store = store.restart().await;
            // What is left are files that hold something to keep: their bounds say so.
            store.engine.set_retention(table, RetentionPolicy::default()).unwrap();
            assert_eq!(store.live_files(), in_files);
            store.engine.set_retention(table, policy.of_engine()).unwrap();
            check(&store, &kept).await;
        });
    }
}
