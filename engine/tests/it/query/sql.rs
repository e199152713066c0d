//! SQL over the table `logs`.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use engine::error::{Error, ErrorKind};
use engine::query::{QueryOrigin, QuerySettings, from_datafusion};
use futures::TryStreamExt;

use super::corpus::{Corpus, Row, small_settings};
use crate::waiting::until;

async fn corpus() -> Corpus {
    let mut rows = [
        Row::new(1, 1_000_000, "a").with_attributes(&[("http.route", "/cart"), ("n", "1")]),
        Row::new(2, 2_000_000, "b").with_resource(&[("host.name", "h1")]),
        Row::new(3, 3_000_000, "c").with_attributes(&[("http.route", "/")]),
    ];
    rows[2].severity = "error";
    rows[2].trace_id = [0xAB; 16];
    Corpus::new(&[rows[..2].to_vec()], &[rows[2..].to_vec()]).await
}

pub(super) async fn run(corpus: &Corpus, sql: &str) -> Result<String, Error> {
    let stream = corpus.context.sql(&corpus.snapshot, sql).await?;
    let batches: Vec<RecordBatch> =
        stream.try_collect().await.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

#[track_caller]
pub(super) fn cells(table: &str) -> Vec<Vec<&str>> {
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[tokio::test]
async fn attributes_are_read_by_key_as_text_or_null() {
    let corpus = corpus().await;
    let sql = "SELECT body, attributes['http.route'] AS route, resource_attributes['host.name'] AS host \
               FROM logs ORDER BY timestamp";
    assert_eq!(
        cells(&run(&corpus, sql).await.unwrap()),
        [["a", "/cart", ""], ["b", "", "h1"], ["c", "/", ""]]
    );
    let sql = "SELECT body FROM logs WHERE attributes['http.route'] IS NULL";
    assert_eq!(cells(&run(&corpus, sql).await.unwrap()), [["b"]]);
    let sql = "SELECT attributes['http.route'] AS route, count(*) FROM logs \
               WHERE attributes['http.route'] LIKE '/%' GROUP BY route ORDER BY route";
    assert_eq!(cells(&run(&corpus, sql).await.unwrap()), [["/", "1"], ["/cart", "1"]]);
}

#[tokio::test]
async fn columns_are_queried_by_their_names() {
    let corpus = corpus().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM logs", "3"),
        ("SELECT count(*) FROM logs WHERE severity_text = 'error'", "1"),
        ("SELECT count(*) FROM logs WHERE timestamp >= '1970-01-01T00:00:02Z'", "2"),
        ("SELECT max(timestamp) FROM logs", "1970-01-01T00:00:03Z"),
        (
            "SELECT encode(trace_id, 'hex') FROM logs WHERE severity_text IN ('error')",
            "abababababababababababababababab",
        ),
        ("WITH a AS (SELECT * FROM logs) SELECT count(*) FROM a JOIN logs USING (uuid)", "3"),
        ("SELECT count(*) FROM generate_series(1, 5)", "5"),
    ] {
        assert_eq!(cells(&run(&corpus, sql).await.unwrap()), [[expected]], "{sql}");
    }
    assert!(run(&corpus, "EXPLAIN SELECT * FROM logs").await.unwrap().contains("DataSourceExec"));
}

#[tokio::test]
async fn faults_of_the_statement_are_invalid_requests() {
    let corpus = corpus().await;
    for (sql, message) in [
        ("SELECT nothing FROM logs", "nothing"),
        ("SELECT nofunction(1)", "nofunction"),
        ("SELECT * FROM other", "other"),
        ("SELECT * FROM information_schema.tables", "information_schema"),
        ("SELECT * FROM '/etc/passwd'", "passwd"),
        ("SELECT * FROM 'x.parquet'", "x.parquet"),
        ("SELECT body + 1 FROM logs", ""),
        ("SELECT 1 / (length(body) - 1) FROM logs", ""),
        ("SELECT CAST(body AS INT) FROM logs", ""),
        ("SELECT * FROM logs WHERE", "parsed"),
        ("DROP TABLE logs", "SELECT"),
    ] {
        let error = run(&corpus, sql).await.expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{sql}: {error}");
        assert!(error.message().contains(message), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_statement_without_end_meets_the_deadline() {
    let settings = QuerySettings { deadline: Duration::from_millis(300), ..small_settings() };
    let corpus = Corpus::with_settings(&[], &[], settings).await;
    let sql = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    let error = run(&corpus, sql).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
}

#[tokio::test]
async fn damage_in_the_middle_of_an_answer_is_an_error_of_the_stream() {
    use object_store::ObjectStoreExt;
    let corpus = corpus().await;
    let path = &corpus.snapshot.files[0].path;
    corpus.store.delete(path).await.unwrap();
    let error = run(&corpus, "SELECT body FROM logs").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(path.as_ref()), "{error}");
}

/// Files that others wrote have no checksums: their damage is found by decoders, which panic on some of it.
#[tokio::test]
async fn damage_that_a_decoder_fails_on_is_named_too() {
    use object_store::ObjectStoreExt;
    let rows = (0..60).map(|id| Row::new(id, id as i64, &format!("row {id} {}", id * 7919))).collect();
    let corpus = Corpus::new(&[rows], &[]).await;
    let path = &corpus.snapshot.files[0].path;
    let whole = corpus.store.get(path).await.unwrap().bytes().await.unwrap();
    let mut num_failed = 0;
    for at in (4..whole.len() / 2).step_by(97) {
        let mut damaged = whole.to_vec();
        damaged[at..at + 8].fill(0xFF);
        corpus.store.put(path, damaged.into()).await.unwrap();
        if let Err(error) = run(&corpus, "SELECT * FROM logs").await {
            num_failed += 1;
            assert_eq!(error.kind(), ErrorKind::CorruptData, "at {at}: {error}");
            assert!(error.message().contains(path.as_ref()), "at {at}: {error}");
        }
    }
    assert!(num_failed > 10, "{num_failed}");
}

#[tokio::test]
async fn dropping_an_answer_ends_its_work() {
    let settings = QuerySettings { deadline: Duration::from_secs(24 * 3600), ..small_settings() };
    let mut corpus = Corpus::with_settings(&[], &[vec![Row::new(1, 1, "x")]], settings).await;
    let sql = "SELECT count(*) FROM logs, generate_series(1, 1000000000000)";
    let answer = corpus.context.sql(&corpus.snapshot, sql).await.unwrap();
    let segment = Arc::downgrade(&corpus.snapshot.segments[0]);
    corpus.snapshot.segments.clear();
    assert!(segment.upgrade().is_some(), "a running query holds its snapshot");
    drop(answer);
    until("the snapshot is let go of", async || segment.upgrade().is_none().then_some(())).await;
}
