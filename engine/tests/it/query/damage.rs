//! Missing and damaged files, limits, cancellation: an error says so, never a shorter answer.

use std::sync::Arc;
use std::time::Duration;

use engine::error::{Error, ErrorKind};
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};
use engine::query::{QueryContext, QuerySettings};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::corpus::{Corpus, Row, small_settings};
use super::filters::ALL_TIME;

async fn corpus() -> Corpus {
    let file = |first: u128| -> Vec<Row> {
        (first..first + 60).map(|id| Row::new(id, id as i64, &format!("row {id} {}", id * 7919))).collect()
    };
    Corpus::new(&[file(0), file(100), file(200)], &[]).await
}

async fn search(corpus: &Corpus) -> Result<u64, Error> {
    let filter = LogFilter { search_term: "row 1".into(), ..LogFilter::default() };
    corpus.context.count(&corpus.snapshot, &filter, ALL_TIME).await
}

#[track_caller]
fn assert_names_file(result: Result<u64, Error>, path: &Path) {
    let error = result.expect_err("a file is damaged");
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains(path.as_ref()), "{error}");
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let corpus = corpus().await;
    let path = &corpus.snapshot.files[1].path;
    corpus.store.delete(path).await.unwrap();
    assert_names_file(search(&corpus).await, path);
    let query = LogQuery {
        filter: LogFilter::default(),
        range: ALL_TIME,
        order: Order::Latest,
        limit: 1000,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    };
    let error = corpus.context.rows(&corpus.snapshot, &query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_named() {
    let corpus = corpus().await;
    let path = &corpus.snapshot.files[2].path;
    let bytes = corpus.store.get(path).await.unwrap().bytes().await.unwrap();
    corpus.store.put(path, bytes.slice(..bytes.len() / 2).into()).await.unwrap();
    assert_names_file(search(&corpus).await, path);
}

#[tokio::test]
async fn a_file_with_another_footer_is_named() {
    let corpus = corpus().await;
    let path = &corpus.snapshot.files[0].path;
    let mut bytes = corpus.store.get(path).await.unwrap().bytes().await.unwrap().to_vec();
    let footer = bytes.len() - 4;
    bytes[footer..].copy_from_slice(b"oops");
    corpus.store.put(path, bytes.into()).await.unwrap();
    assert_names_file(search(&corpus).await, path);
}

#[tokio::test]
async fn a_file_with_a_damaged_page_is_named() {
    let corpus = corpus().await;
    let path = &corpus.snapshot.files[1].path;
    let bytes = corpus.store.get(path).await.unwrap().bytes().await.unwrap();
    let body = bytes.windows(4).position(|window| window == b"row ").expect("a body in the file");
    let mut damaged = bytes.to_vec();
    // The page's header is in front of its text.
    damaged[body - 24..body + 24].fill(0xFF);
    corpus.store.put(path, damaged.into()).await.unwrap();
    assert_names_file(search(&corpus).await, path);
}

#[tokio::test]
async fn a_query_that_needs_too_much_memory_says_so() {
    let settings = QuerySettings { max_memory_bytes: 20_000, ..small_settings() };
    let rows: Vec<Row> = (0..500).map(|id| Row::new(id, id as i64, &"x".repeat(1000))).collect();
    let corpus = Corpus::with_settings(&[rows], &[], settings).await;
    let query = LogQuery {
        filter: LogFilter::default(),
        range: ALL_TIME,
        order: Order::Latest,
        limit: 500,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    };
    let error = corpus.context.rows(&corpus.snapshot, &query).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}

#[tokio::test]
async fn a_query_that_takes_too_long_says_so() {
    let rows: Vec<Row> = (0..50).map(|id| Row::new(id, id as i64, "x")).collect();
    let settings = QuerySettings { deadline: Duration::ZERO, ..small_settings() };
    let corpus = Corpus::with_settings(&[rows], &[], settings).await;
    let error = search(&corpus).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DeadlineExceeded, "{error}");
}

#[test]
fn a_context_can_be_dropped_on_an_async_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        drop(QueryContext::new(store, small_settings()).unwrap());
    });
}
