//! What one query may cost besides memory: time, by what it asks for, and bytes of data files.

use std::time::Duration;

use engine::error::{ErrorKind, Result};
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};
use engine::query::{QueryOrigin, QuerySettings, from_datafusion, with_cost};
use futures::TryStreamExt;

use super::corpus::{Corpus, Row, small_settings};
use super::filters::ALL_TIME;

async fn corpus(settings: QuerySettings) -> Corpus {
    let rows = (0..500).map(|id| Row::new(id, id as i64, &format!("row {id} {}", id * 7919)));
    Corpus::with_settings(&[rows.collect()], &[], settings).await
}

async fn rows(corpus: &Corpus) -> Result<usize> {
    let query = LogQuery {
        filter: LogFilter::default(),
        range: ALL_TIME,
        order: Order::Latest,
        limit: 1000,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    };
    Ok(corpus.context.rows(&corpus.snapshot, &query).await?.rows.len())
}

async fn search(corpus: &Corpus) -> Result<u64> {
    let filter = LogFilter { search_term: "row".into(), ..LogFilter::default() };
    corpus.context.count(&corpus.snapshot, &filter, ALL_TIME).await
}

async fn sql(corpus: &Corpus) -> Result<usize> {
    let stream = corpus.context.sql(&corpus.snapshot, "SELECT body FROM logs").await?;
    let batches: Vec<_> =
        stream.try_collect().await.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
    Ok(batches.iter().map(|batch: &arrow::array::RecordBatch| batch.num_rows()).sum())
}

#[tokio::test]
async fn numbers_have_a_deadline_of_their_own_when_it_is_shorter() {
    let hours = Duration::from_secs(24 * 3600);
    let short = QuerySettings { deadline: hours, aggregate_deadline: Duration::ZERO, ..small_settings() };
    let corpus_of_short = corpus(short).await;
    let error = search(&corpus_of_short).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
    assert_eq!(rows(&corpus_of_short).await.unwrap(), 500);
    assert_eq!(sql(&corpus_of_short).await.unwrap(), 500);

    let long = QuerySettings { deadline: Duration::ZERO, aggregate_deadline: hours, ..small_settings() };
    let error = search(&corpus(long).await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
}

#[tokio::test]
async fn what_would_read_too_much_is_refused_and_not_cut_short() {
    let settings = |max| QuerySettings { max_read_bytes: Some(max), ..small_settings() };
    let enough = corpus(settings(1 << 20)).await;
    for _again in 0..3 {
        let (found, cost) = with_cost(search(&enough)).await;
        assert_eq!(found.unwrap(), 500, "each query has all of it");
        assert!(cost.bytes > 10, "{cost}");
    }
    let little = corpus(settings(10)).await;
    for error in [
        search(&little).await.unwrap_err(),
        rows(&little).await.unwrap_err(),
        sql(&little).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::LimitExceeded, "{error}");
        assert!(error.message().contains("narrow its time range"), "{error}");
    }
    let all = little.context.count(&little.snapshot, &LogFilter::default(), ALL_TIME).await;
    assert_eq!(all.unwrap(), 500, "the catalog knows it");
}
