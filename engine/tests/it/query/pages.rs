//! Pages of rows: order, limits, cursors.

use engine::query::TimeRange;
use engine::query::model::{AttributeMaps, LogFilter, LogQuery, Order};

use super::corpus::{Corpus, Row};
use super::filters::ALL_TIME;

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

/// 23 rows, many of the same time, in two overlapping files and two segments.
async fn corpus() -> Corpus {
    let rows = |ids: std::ops::Range<u128>| -> Vec<Row> {
        ids.map(|id| Row::new(id, 1_000 + (id as i64 * 7) % 5, &format!("row {id}"))).collect()
    };
    Corpus::new(&[rows(0..9), rows(9..15)], &[rows(15..16), rows(16..23)]).await
}

fn ordered(order: Order) -> Vec<u128> {
    let mut keys: Vec<(i64, u128)> = (0..23).map(|id: u128| (1_000 + (id as i64 * 7) % 5, id)).collect();
    keys.sort_unstable();
    if order == Order::Latest {
        keys.reverse();
    }
    keys.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() {
    let corpus = corpus().await;
    for order in [Order::Latest, Order::Earliest] {
        for limit in [1, 4, 22, 23, 24] {
            let mut query = query(order, limit);
            let mut seen = Vec::new();
            loop {
                let page = corpus.context.rows(&corpus.snapshot, &query).await.unwrap();
                assert!(page.rows.len() <= limit);
                assert_eq!(page.has_more, page.next_cursor.is_some());
                assert!(page.has_more || seen.len() + page.rows.len() == 23);
                seen.extend(page.rows.iter().map(|row| row.uuid.as_u128()));
                match page.next_cursor {
                    Some(cursor) => query.after = Some(cursor),
                    None => break,
                }
            }
            assert_eq!(seen, ordered(order), "{order:?} by {limit}");
        }
    }
}

#[tokio::test]
async fn exactly_as_many_rows_as_the_limit_means_no_more() {
    let corpus = corpus().await;
    let page = corpus.context.rows(&corpus.snapshot, &query(Order::Latest, 23)).await.unwrap();
    assert_eq!((page.rows.len(), page.has_more, page.next_cursor), (23, false, None));
    let page = corpus.context.rows(&corpus.snapshot, &query(Order::Latest, 22)).await.unwrap();
    assert_eq!((page.rows.len(), page.has_more), (22, true));
}

#[tokio::test]
async fn a_range_ends_before_its_end() {
    let corpus = corpus().await;
    let count = async |start_us, end_us| {
        let range = TimeRange { start_us, end_us };
        let rows =
            corpus.context.rows(&corpus.snapshot, &LogQuery { range, ..query(Order::Latest, 50) }).await;
        let count = corpus.context.count(&corpus.snapshot, &LogFilter::default(), range).await.unwrap();
        assert_eq!(rows.unwrap().rows.len() as u64, count);
        count
    };
    assert_eq!(count(1_000, 1_001).await, 5);
    assert_eq!(count(1_000, 1_002).await, 9);
    assert_eq!(count(1_004, 1_004).await, 0);
    assert_eq!(count(1_004, 1_000).await, 0);
    assert_eq!(count(i64::MIN, 1_000).await, 0);
}

#[tokio::test]
async fn every_field_comes_back_as_it_was_stored() {
    let mut row = Row::new(0x0190_0000_0000_7000_8000_0000_0000_0001, -5, "b\u{f6}dy")
        .with_attributes(&[("z", "1"), ("a.b", "")])
        .with_resource(&[("service.name", "web")]);
    row.observed_us = 7;
    row.trace_id = *b"0123456789abcdef";
    row.span_id = *b"01234567";
    row.severity = "warn";
    row.severity_number = 13;
    row.fingerprint = u64::MAX;
    row.scope = "lib@1".into();
    row.event_name = "login".into();
    for (files, segments) in [(vec![vec![row.clone()]], vec![]), (vec![], vec![vec![row.clone()]])] {
        let corpus = Corpus::new(&files, &segments).await;
        let page = corpus.context.rows(&corpus.snapshot, &query(Order::Latest, 5)).await.unwrap();
        let [stored] = &page.rows[..] else { panic!("one row") };
        assert_eq!(stored.uuid.as_u128(), row.uuid);
        assert_eq!((stored.timestamp_us, stored.observed_timestamp_us), (-5, 7));
        assert_eq!((stored.trace_id, stored.span_id), (row.trace_id, row.span_id));
        assert_eq!((stored.severity_text.as_str(), stored.severity_number), ("warn", 13));
        assert_eq!((&stored.body, &stored.attributes), (&row.body, &row.attributes));
        assert_eq!((&stored.resource_attributes, stored.resource_fingerprint), (&row.resource, u64::MAX));
        assert_eq!((stored.instrumentation_scope.as_str(), stored.event_name.as_str()), ("lib@1", "login"));
        let without = LogQuery { attributes: AttributeMaps::Excluded, ..query(Order::Latest, 5) };
        let page = corpus.context.rows(&corpus.snapshot, &without).await.unwrap();
        assert!(page.rows[0].attributes.is_empty() && page.rows[0].resource_attributes.is_empty());
        assert_eq!(page.rows[0].body, row.body);
    }
}

#[tokio::test]
async fn live_queries_see_rows_from_their_ingest_time_on() {
    let mut rows: Vec<Row> = (0..4).map(|id| Row::new(id, 10 - id as i64, "x")).collect();
    rows.iter_mut().for_each(|row| row.ingested_us = 100 + row.uuid as i64);
    let corpus = Corpus::new(&[rows[..2].to_vec()], &[rows[2..].to_vec()]).await;
    let live = LogQuery { ingested_from_us: Some(101), ..query(Order::Earliest, 5) };
    let page = corpus.context.rows(&corpus.snapshot, &live).await.unwrap();
    assert_eq!(page.rows.iter().map(|row| row.uuid.as_u128()).collect::<Vec<_>>(), [3, 2, 1]);
}

#[tokio::test]
async fn an_empty_snapshot_has_no_rows() {
    let corpus = Corpus::new(&[], &[]).await;
    let page = corpus.context.rows(&corpus.snapshot, &query(Order::Latest, 5)).await.unwrap();
    assert!(page.rows.is_empty() && !page.has_more);
    assert_eq!(corpus.context.count(&corpus.snapshot, &LogFilter::default(), ALL_TIME).await.unwrap(), 0);
}
