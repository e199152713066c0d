//! Exports: the rows of pages without their limit, in any number of windows.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use engine::error::ErrorKind;
use engine::query::model::{
    AttributeMaps, FilterLeaf, FilterNode, LogFilter, LogQuery, Namespace, Operand, Operator, Order, Scalar,
};
use engine::query::{ExportStream, LogRow, PARQUET_COLUMNS, QuerySettings, TimeRange};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;

use super::corpus::{Corpus, Row, small_settings};
use super::filters::ALL_TIME;
use crate::waiting::until;

fn query(order: Order, limit: usize) -> LogQuery {
    LogQuery {
        filter: LogFilter::default(),
        range: ALL_TIME,
        order,
        limit,
        after: None,
        ingested_from_us: None,
        attributes: AttributeMaps::Included,
    }
}

fn settings(window_bytes: u64) -> QuerySettings {
    QuerySettings { export_window_bytes: window_bytes, ..small_settings() }
}

async fn all<T: Send + 'static>(mut stream: ExportStream<T>) -> engine::Result<Vec<T>> {
    let mut pieces = Vec::new();
    while let Some(piece) = stream.next().await {
        pieces.push(piece?);
    }
    assert!(stream.next().await.is_none(), "the end stays the end");
    Ok(pieces)
}

async fn export(corpus: &Corpus, query: &LogQuery) -> engine::Result<Vec<LogRow>> {
    let export = corpus.context.export(&corpus.snapshot, query, 0).await?;
    let rows: Vec<LogRow> = all(export.rows()).await?.into_iter().flatten().collect();
    Ok(rows)
}

fn rows(ids: std::ops::Range<u128>) -> Vec<Row> {
    let row = |id: u128| {
        Row::new(id, 1_000 + (id as i64 * 7_919) % 11, &format!("row {id}"))
            .with_attributes(&[("n", &id.to_string())])
    };
    ids.map(row).collect()
}

#[tokio::test]
async fn an_export_is_all_pages_together() {
    for window_bytes in [1, 100_000, u64::MAX] {
        let corpus = Corpus::with_settings(
            &[rows(0..300), rows(300..450)],
            &[rows(450..500), rows(500..600)],
            settings(window_bytes),
        )
        .await;
        for order in [Order::Latest, Order::Earliest] {
            for limit in [7, 600, usize::MAX] {
                let query = query(order, limit);
                let page = LogQuery { limit: limit.min(1_000), ..query.clone() };
                let page = corpus.context.rows(&corpus.snapshot, &page).await.unwrap();
                let exported = export(&corpus, &query).await.unwrap();
                assert_eq!(exported, page.rows, "{order:?} {limit} {window_bytes}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]
    #[test]
    fn any_rows_come_once_and_in_order(
        times in prop::collection::vec((0_i64..60, 0_u8..4), 0..150),
        (start, length) in (0_i64..40, 0_i64..60),
        window_bytes in prop::sample::select(vec![1_u64, 500, 5_000, 50_000]),
        is_latest: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let places: Vec<Vec<Row>> = (0..4).map(|place| {
                let here = times.iter().enumerate().filter(|(_, (_, wanted))| *wanted == place);
                here.map(|(id, (time, _))| Row::new(id as u128, *time, if id % 3 == 0 { "odd" } else { "even" })).collect()
            }).collect();
            let corpus = Corpus::with_settings(&places[..2], &places[2..], settings(window_bytes)).await;
            let order = if is_latest { Order::Latest } else { Order::Earliest };
            let range = TimeRange { start_us: start, end_us: start + length };
            let filter = LogFilter { search_term: "odd".into(), ..LogFilter::default() };
            let found = export(&corpus, &LogQuery { range, filter, ..query(order, usize::MAX) }).await.unwrap();
            let mut expected: Vec<(i64, u128)> = times.iter().enumerate()
                .filter(|(id, (time, _))| id % 3 == 0 && (start..start + length).contains(time))
                .map(|(id, (time, _))| (*time, id as u128)).collect();
            expected.sort_unstable();
            if is_latest {
                expected.reverse();
            }
            let found: Vec<(i64, u128)> = found.iter().map(|row| (row.timestamp_us, row.uuid.as_u128())).collect();
            assert_eq!(found, expected);
        });
    }
}

fn read_parquet(pieces: &[Bytes]) -> RecordBatch {
    let file = Bytes::from(pieces.concat());
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[tokio::test]
async fn a_parquet_export_is_one_file_with_the_rows_in_order() {
    let corpus = Corpus::with_settings(&[rows(0..700)], &[rows(700..900)], settings(100_000)).await;
    let export = corpus.context.export(&corpus.snapshot, &query(Order::Latest, usize::MAX), 0).await.unwrap();
    let every: Vec<String> = PARQUET_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    let file = read_parquet(&all(export.parquet(&every).unwrap()).await.unwrap());
    let names: Vec<String> = file.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, every);
    let times: Vec<i64> = file
        .column_by_name("timestamp")
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>()
        .values()
        .to_vec();
    let page = all(export.rows()).await.unwrap().into_iter().flatten();
    assert_eq!(times, page.map(|row| row.timestamp_us).collect::<Vec<_>>());

    let one = read_parquet(&all(export.parquet(&["body".to_owned()]).unwrap()).await.unwrap());
    assert_eq!((one.num_columns(), one.num_rows()), (1, 900));
    for names in [vec!["body", "bytes_uncompressed"], vec!["body", "body"]] {
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let error = export.parquet(&names).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.message().starts_with("columns[1]: "), "{error}");
    }
}

#[tokio::test]
async fn an_export_without_rows_is_empty_and_a_file_of_it_is_whole() {
    let corpus = Corpus::with_settings(&[], &[], settings(100)).await;
    let export = corpus.context.export(&corpus.snapshot, &query(Order::Latest, usize::MAX), 0).await.unwrap();
    assert!(all(export.rows()).await.unwrap().is_empty());
    let pieces = all(export.parquet(&["body".to_owned()]).unwrap()).await.unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(pieces.concat())).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_refused_before_the_first_row() {
    let corpus = Corpus::with_settings(&[rows(0..10)], &[], settings(100)).await;
    let leaf = FilterLeaf {
        path: "filterGroup[0]".into(),
        key: "k".into(),
        namespace: Namespace::LogAttribute,
        operator: Operator::Regex,
        operand: Operand::One(Scalar::Text("(".into())),
    };
    let filter = LogFilter { properties: vec![FilterNode::Leaf(leaf)], ..LogFilter::default() };
    let query = LogQuery { filter, ..query(Order::Latest, 5) };
    let error = corpus.context.export(&corpus.snapshot, &query, 0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
}

#[tokio::test]
async fn damage_in_the_middle_is_an_error_and_not_an_end() {
    let mut later = rows(300..600);
    later.iter_mut().for_each(|row| row.timestamp_us += 1_000_000);
    let corpus = Corpus::with_settings(&[rows(0..300), later], &[], settings(200_000)).await;
    let path = &corpus.snapshot.files[0].path;
    corpus.store.delete(path).await.unwrap();
    let export = corpus.context.export(&corpus.snapshot, &query(Order::Latest, usize::MAX), 0).await.unwrap();
    let mut stream = export.rows();
    let (mut num_rows, mut error) = (0, None);
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(rows) => num_rows += rows.len(),
            Err(found) => error = Some(found),
        }
    }
    let error = error.expect("the missing file is noticed");
    // A window may reach from one file into the other.
    assert!((1..=300).contains(&num_rows), "{num_rows}");
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(path.as_ref()), "{error}");
}

#[tokio::test]
async fn more_than_fits_in_memory_is_sorted_on_disk() {
    let body = "x".repeat(400);
    let row = |id: u128| Row::new(id, (id as i64 * 7_919) % 10_007, &format!("{id} {body}"));
    let settings = QuerySettings { max_memory_bytes: 32 << 20, batch_size: 1024, ..settings(u64::MAX) };
    let files: Vec<Vec<Row>> =
        (0..4).map(|file| (file * 12_000..(file + 1) * 12_000).map(row).collect()).collect();
    let corpus = Corpus::with_settings(&files, &[], settings).await;
    let export =
        corpus.context.export(&corpus.snapshot, &query(Order::Earliest, usize::MAX), 0).await.unwrap();
    let mut stream = export.rows();
    let (mut num_rows, mut last) = (0, (i64::MIN, 0));
    while let Some(rows) = stream.next().await {
        for row in rows.unwrap() {
            let key = (row.timestamp_us, row.uuid.as_u128());
            assert!(last < key, "{last:?} {key:?}");
            last = key;
            num_rows += 1;
        }
    }
    assert_eq!(num_rows, 48_000);
}

#[tokio::test]
async fn dropping_an_export_ends_its_work() {
    let settings = QuerySettings { deadline: Duration::from_secs(24 * 3600), ..settings(1) };
    let mut corpus = Corpus::with_settings(&[], &[rows(0..500)], settings).await;
    let export = corpus.context.export(&corpus.snapshot, &query(Order::Latest, usize::MAX), 0).await.unwrap();
    let mut stream = export.rows();
    drop(export);
    assert!(stream.next().await.is_some());
    let segment = Arc::downgrade(&corpus.snapshot.segments[0]);
    corpus.snapshot.segments.clear();
    assert!(segment.upgrade().is_some(), "a running export holds its snapshot");
    drop(stream);
    until("the snapshot is let go of", async || segment.upgrade().is_none().then_some(())).await;
}
