//! Retention as questions see it: no answer knows of an expired row, and what has not expired costs nothing.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use engine::clock::ManualClock;
use engine::query::model::{LogFilter, Namespace, Operand, Operator, Scalar};
use engine::query::{ExpiredRows, TimeRange};
use engine::retention::{CompiledRetention, RetentionCutoff, RetentionPolicy, RetentionRule};
use futures::TryStreamExt;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tokio::runtime::Runtime;

use super::corpus::{Corpus, Row, batch};
use super::filters::leaf;
use super::oracle::passes;
use super::properties::{
    Layout, SECOND, check_count, check_pages, check_sparkline, config, filter, layout, layout_rows,
    time_range,
};

const DAY: i64 = 86_400 * SECOND;

/// The place of the kind of a row: of the first rule that is for it, or of the rest.
fn kind_of(row: &Row, policy: &RetentionPolicy) -> usize {
    policy.rules.iter().position(|rule| passes(row, &rule.filter)).unwrap_or(policy.rules.len())
}

fn is_kept(row: &Row, policy: &RetentionPolicy, now_us: i64) -> bool {
    let days = policy.rules.get(kind_of(row, policy)).map_or(policy.days, |rule| rule.days);
    days.is_none_or(|days| row.timestamp_us.min(row.ingested_us) >= now_us - i64::from(days) * DAY)
}

/// Two days before now is within the times of the rows, so that rows that are kept for one day have expired, those
/// that are kept for two in part, and those that are kept for three not.
fn now() -> impl Strategy<Value = i64> {
    prop_oneof![-21 * SECOND..0, 0..12_i64].prop_map(|us| 2 * DAY + us)
}

fn days() -> impl Strategy<Value = Option<u32>> {
    select([None, Some(1), Some(2), Some(2), Some(3)].as_slice())
}

/// Policies of rules that a policy may have.
fn policy() -> impl Strategy<Value = RetentionPolicy> {
    let rule =
        (filter(), days()).prop_map(|(filter, days)| RetentionRule { name: "rule".into(), filter, days });
    (days(), vec(rule, 0..4)).prop_map(|(days, mut rules)| {
        let is_valid = |rule: &RetentionRule| {
            let alone = RetentionPolicy { rules: vec![rule.clone()], ..RetentionPolicy::default() };
            CompiledRetention::new(alone).is_ok()
        };
        rules.retain(is_valid);
        RetentionPolicy { days, rules, ..RetentionPolicy::default() }
    })
}

fn cutoff(policy: &RetentionPolicy, now_us: i64) -> Arc<RetentionCutoff> {
    let retention = CompiledRetention::new(policy.clone()).unwrap();
    Arc::new(RetentionCutoff::new(Arc::new(retention), now_us))
}

fn check_rows_themselves(rows: &[Row], policy: &RetentionPolicy, now_us: i64) {
    let keep = cutoff(policy, now_us).keep(&batch(rows)).unwrap();
    let expected: Vec<_> = rows.iter().map(|row| Some(is_kept(row, policy, now_us))).collect();
    assert_eq!(keep.iter().collect::<Vec<_>>(), expected);
}

fn expired<'r>(rows: impl Iterator<Item = &'r Row> + Clone) -> ExpiredRows {
    ExpiredRows {
        rows: rows.clone().count() as u64,
        bytes_uncompressed: rows.clone().map(|row| u64::from(row.bytes)).sum(),
        oldest_us: rows.clone().map(|row| row.timestamp_us).min(),
        newest_us: rows.map(|row| row.timestamp_us).max(),
    }
}

/// The corpus has no policy yet.
async fn check_preview(corpus: &Corpus, rows: &[Row], policy: &RetentionPolicy, now_us: i64) {
    let preview = corpus.context.retention_preview(&corpus.snapshot, policy.clone()).await.unwrap();
    let gone = rows.iter().filter(|row| !is_kept(row, policy, now_us));
    assert_eq!(preview.total, expired(gone.clone()));
    assert_eq!(preview.rules.len(), policy.rules.len());
    for (kind, found) in preview.rules.iter().chain([&preview.rest]).enumerate() {
        assert_eq!(*found, expired(gone.clone().filter(|row| kind_of(row, policy) == kind)), "kind {kind}");
    }
    let kinds = corpus.context.expiry_by_kind(&corpus.snapshot, &cutoff(policy, now_us)).await.unwrap();
    for (kind, found) in kinds.iter().enumerate() {
        let of_kind = rows.iter().filter(|row| kind_of(row, policy) == kind);
        let live = of_kind.filter(|row| is_kept(row, policy, now_us)).count() as u64;
        assert_eq!(found.live_rows, live, "kind {kind}");
    }
}

async fn sql_count(corpus: &Corpus) -> (i64, Option<i64>) {
    let sql = "SELECT count(*), CAST(min(timestamp) AS BIGINT) FROM logs";
    let batches: Vec<RecordBatch> =
        corpus.context.sql(&corpus.snapshot, sql).await.unwrap().try_collect().await.unwrap();
    let column = |index: usize| batches[0].column(index).as_primitive::<Int64Type>().iter().next().unwrap();
    (column(0).unwrap(), column(1))
}

async fn retained(layout: &Layout, now_us: i64) -> Corpus {
    let corpus = Corpus::new(&layout.files, &layout.segments).await;
    Corpus { context: corpus.context.with_clock(Arc::new(ManualClock::new(now_us))), ..corpus }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_answer_knows_of_an_expired_row(
        layout in layout(),
        policy in policy(),
        now_us in now(),
        questions in vec((filter(), time_range(), 20..150_usize, -25 * SECOND..45 * SECOND, 0..60 * SECOND), 1..3),
    ) {
        let rows = layout_rows(&layout);
        check_rows_themselves(&rows, &policy, now_us);
        let kept: Vec<Row> = rows.iter().filter(|row| is_kept(row, &policy, now_us)).cloned().collect();
        Runtime::new().unwrap().block_on(async {
            let mut corpus = retained(&layout, now_us).await;
            check_preview(&corpus, &rows, &policy, now_us).await;
            corpus.snapshot.retention = Some(cutoff(&policy, now_us));
            let earliest_us = kept.iter().map(|row| row.timestamp_us).min();
            assert_eq!(sql_count(&corpus).await, (kept.len() as i64, earliest_us));
            assert_eq!(corpus.context.earliest_timestamp_us(&corpus.snapshot).await.unwrap(), earliest_us);
            assert_eq!(corpus.context.has_rows(&corpus.snapshot).await.unwrap(), !kept.is_empty());
            for (filter, range, limit, from_us, length_us) in &questions {
                check_count(&corpus, &kept, filter, *range).await;
                check_pages(&corpus, &kept, filter, *range, *limit).await;
                check_sparkline(&corpus, &kept, filter, *from_us, from_us + length_us).await;
            }
        });
    }
}

/// Four files, one an hour, each of a hundred rows a microsecond apart.
async fn four_files() -> Corpus {
    let row = |hour: u128, id: u128| {
        let timestamp_us = hour as i64 * HOUR + id as i64;
        let key = if id.is_multiple_of(2) { ("tier", "hot") } else { ("tier", "cold") };
        Row { ingested_us: timestamp_us, ..Row::new(hour * 1000 + id, timestamp_us, "x") }
            .with_attributes(&[key])
    };
    let files: Vec<Vec<Row>> = (0..4).map(|hour| (0..100).map(|id| row(hour, id)).collect()).collect();
    Corpus::new(&files, &[]).await
}

const HOUR: i64 = 3600 * SECOND;

async fn explain(corpus: &Corpus, sql: &str) -> String {
    let explain = format!("EXPLAIN ANALYZE {sql}");
    let stream = corpus.context.sql(&corpus.snapshot, &explain).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    let texts =
        |column: usize| batches.iter().map(move |batch| batch.column(column).as_string::<i32>().value(0));
    // What follows the plan tells of files and not of what is done with them.
    texts(0).zip(texts(1)).filter(|(kind, _)| *kind != "sources").map(|(_, text)| text).collect()
}

const EVERYTHING: TimeRange = TimeRange { start_us: i64::MIN, end_us: i64::MAX };

#[tokio::test]
async fn what_has_not_expired_is_counted_unread() {
    let mut corpus = four_files().await;
    corpus.snapshot.retention = Some(cutoff(&RetentionPolicy::of_days(Some(1)), DAY));
    let plan = explain(&corpus, "SELECT count(*), min(timestamp) FROM logs").await;
    assert!(!plan.contains("DataSourceExec") && !plan.contains("FilterExec"), "{plan}");
}

#[tokio::test]
async fn only_files_with_expired_rows_are_filtered() {
    let mut corpus = four_files().await;
    corpus.snapshot.retention = Some(cutoff(&RetentionPolicy::of_days(Some(1)), DAY + 2 * HOUR + 30));
    let plan = explain(&corpus, "SELECT sum(severity_number) FROM logs").await;
    let filtered = plan.split("FilterExec").nth(1).unwrap_or_default();
    assert!(filtered.contains("/2.parquet") && !filtered.contains("/3.parquet"), "{plan}");
    // Of the files with expired rows only one has others, and ten rows are on a page.
    assert!(filtered.contains("files_ranges_pruned_statistics=3 total → 1 matched"), "{plan}");
    assert!(filtered.contains("page_index_pages_pruned=5 total → 2 matched"), "{plan}");
    assert_eq!(sql_count(&corpus).await, (170, Some(2 * HOUR + 30)));
    let limited = "SELECT count(*) FROM (SELECT body FROM logs LIMIT 165)";
    let batches: Vec<RecordBatch> =
        corpus.context.sql(&corpus.snapshot, limited).await.unwrap().try_collect().await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<Int64Type>().value(0), 165);
}

#[tokio::test]
async fn the_attribute_of_a_rule_is_looked_up_in_the_scan() {
    let mut corpus = four_files().await;
    let hot =
        leaf(Namespace::LogAttribute, "tier", Operator::Exact, Operand::One(Scalar::Text("hot".into())));
    let filter = LogFilter { properties: vec![hot], ..LogFilter::default() };
    let rule = RetentionRule { name: "hot".into(), filter, days: Some(1) };
    let policy = RetentionPolicy { rules: vec![rule], ..RetentionPolicy::default() };
    corpus.snapshot.retention = Some(cutoff(&policy, 2 * DAY));
    let plan = explain(&corpus, "SELECT sum(severity_number) FROM logs").await;
    let scan = plan.split("DataSourceExec").nth(1).unwrap_or_default();
    assert!(scan.contains("attribute(attributes"), "{plan}");
    let count = corpus.context.count(&corpus.snapshot, &LogFilter::default(), EVERYTHING).await.unwrap();
    assert_eq!(count, 200);
}

#[tokio::test]
async fn the_earliest_row_is_known_unread_when_it_has_not_expired() {
    let mut corpus = four_files().await;
    corpus.snapshot.retention = Some(cutoff(&RetentionPolicy::of_days(Some(1)), DAY));
    for file in corpus.snapshot.files.iter() {
        object_store::ObjectStoreExt::delete(corpus.store.as_ref(), &file.path).await.unwrap();
    }
    assert_eq!(corpus.context.earliest_timestamp_us(&corpus.snapshot).await.unwrap(), Some(0));
    assert!(corpus.context.has_rows(&corpus.snapshot).await.unwrap());
    // From here on the first file has to be read to tell, and it is not there.
    corpus.snapshot.retention = Some(cutoff(&RetentionPolicy::of_days(Some(1)), DAY + 5));
    assert!(corpus.context.earliest_timestamp_us(&corpus.snapshot).await.is_err());
    assert!(corpus.context.has_rows(&corpus.snapshot).await.unwrap(), "the other files have rows");
}
