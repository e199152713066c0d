//! What a query reads of a file that it has not seen before, and in how many rounds: behind a network each costs the
//! time of a request, whatever its size.

#![allow(clippy::single_range_in_vec_init, reason = "one range is meant")]

use std::ops::Range;
use std::sync::Arc;

use engine::query::model::LogFilter;
use engine::query::{QueryContext, QuerySettings};
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::corpus::{Corpus, Row, small_settings};
use super::filters::ALL_TIME;
use crate::counting_store::CountingStore;

/// One file of three row groups of 50 rows, each of another service.
async fn corpus() -> Corpus {
    let row = |id: u128| Row {
        service: format!("service-{}", id / 50),
        ..Row::new(id, id as i64, &format!("body {id}")).with_attributes(&[("key", "value")])
    };
    Corpus::new(&[(0..150).map(row).collect()], &[]).await
}

fn cold(corpus: &Corpus) -> (Arc<CountingStore>, QueryContext) {
    let store = Arc::new(CountingStore::new(Arc::clone(&corpus.store)));
    let settings = QuerySettings { num_threads: 1, slice_cache_bytes: 0, ..small_settings() };
    let context = QueryContext::new(Arc::clone(&store) as Arc<dyn ObjectStore>, settings).unwrap();
    (store, context)
}

fn filter() -> LogFilter {
    LogFilter {
        search_term: "body 6".into(),
        service_names: vec!["service-1".into()],
        ..LogFilter::default()
    }
}

/// Where the bytes of a row group lie.
async fn row_group(corpus: &Corpus, index: usize) -> Range<u64> {
    let bytes = corpus.store.get(&corpus.snapshot.files[0].path).await.unwrap().bytes().await.unwrap();
    let reader = SerializedFileReader::new(bytes).unwrap();
    let columns = reader.metadata().row_group(index).columns().iter().map(|column| column.byte_range());
    let (starts, ends): (Vec<u64>, Vec<u64>) = columns.map(|(start, length)| (start, start + length)).unzip();
    starts.into_iter().min().unwrap()..ends.into_iter().max().unwrap()
}

#[tokio::test]
async fn a_cold_file_takes_two_rounds_of_reads() {
    let corpus = corpus().await;
    let (store, context) = cold(&corpus);
    assert_eq!(context.count(&corpus.snapshot, &filter(), ALL_TIME).await.unwrap(), 10);
    let file = &corpus.snapshot.files[0];
    let rounds = store.rounds();
    assert_eq!(rounds.len(), 2, "{rounds:?}");
    assert_eq!(rounds[0], [file.size_bytes - file.metadata_bytes..file.size_bytes], "the tail, once");
    let wanted = row_group(&corpus, 1).await;
    assert!(
        rounds[1].iter().all(|range| wanted.start <= range.start && range.end <= wanted.end),
        "{rounds:?} outside of the row group at {wanted:?}"
    );
}

#[tokio::test]
async fn a_file_that_was_seen_before_takes_one_round() {
    let corpus = corpus().await;
    let (store, context) = cold(&corpus);
    for expected in [2, 1] {
        context.count(&corpus.snapshot, &filter(), ALL_TIME).await.unwrap();
        let rounds = store.rounds();
        assert_eq!(rounds.len(), expected, "{rounds:?}");
    }
}
