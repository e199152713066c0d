//! Plans: what is pruned before anything is read.

use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;

use super::corpus::{Corpus, Row};

async fn explain(corpus: &Corpus, sql: &str) -> String {
    let explain = format!("EXPLAIN ANALYZE {sql}");
    let stream = corpus.context.sql(&corpus.snapshot, &explain).await.unwrap();
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    batches.iter().map(|batch| batch.column(1).as_string::<i32>().value(0)).collect()
}

/// Files of 100 rows in two row groups each, one per hour, with a service of their own.
async fn corpus() -> Corpus {
    let files: Vec<Vec<Row>> = (0..4_u32)
        .map(|hour| {
            let row = |id: u128| Row {
                service: format!("service-{hour}-{}", id / 50),
                ..Row::new(u128::from(hour) * 1000 + id, i64::from(hour) * 3_600_000_000 + id as i64, "x")
            };
            (0..100).map(row).collect()
        })
        .collect();
    Corpus::new(&files, &[]).await
}

#[tokio::test]
async fn files_outside_of_the_time_range_are_not_opened() {
    let corpus = corpus().await;
    let plan = explain(
        &corpus,
        "SELECT sum(severity_number) FROM logs WHERE timestamp >= '1970-01-01T01:00:00Z' \
         AND timestamp < '1970-01-01T02:00:00Z'",
    )
    .await;
    assert!(plan.contains("/1.parquet"), "{plan}");
    for other in ["/0.parquet", "/2.parquet", "/3.parquet"] {
        assert!(!plan.contains(other), "{plan}");
    }
}

#[tokio::test]
async fn row_groups_without_the_service_are_not_read() {
    let corpus = corpus().await;
    let plan =
        explain(&corpus, "SELECT sum(severity_number) FROM logs WHERE service_name = 'service-2-1'").await;
    assert!(plan.contains("row_groups_pruned_statistics=8 total → 1 matched"), "{plan}");
}

#[tokio::test]
async fn counting_everything_reads_nothing() {
    let corpus = corpus().await;
    let plan = explain(&corpus, "SELECT count(*), min(timestamp) FROM logs").await;
    assert!(!plan.contains("DataSourceExec"), "{plan}");
}

#[tokio::test]
async fn the_newest_rows_are_looked_for_in_the_newest_file_first() {
    let corpus = corpus().await;
    let plan = explain(&corpus, "SELECT uuid FROM logs ORDER BY timestamp DESC, uuid DESC LIMIT 10").await;
    assert!(plan.contains("TopK(fetch=10)"), "{plan}");
    assert!(plan.contains("DynamicFilter"), "{plan}");
    assert!(plan.find("/3.parquet") < plan.find("/1.parquet"), "{plan}");
}

#[tokio::test]
async fn a_narrow_range_reads_some_pages_of_a_row_group() {
    let corpus = corpus().await;
    let plan = explain(
        &corpus,
        "SELECT body FROM logs WHERE timestamp >= '1970-01-01T01:00:00.000060Z' \
         AND timestamp < '1970-01-01T01:00:00.000065Z'",
    )
    .await;
    assert!(plan.contains("page_index_pages_pruned=5 total → 1 matched"), "{plan}");
}
