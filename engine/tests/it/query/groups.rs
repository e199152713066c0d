//! Rows by value within bounded memory: every number exact or an error, never some of the groups as if they were all.

use std::num::NonZeroUsize;

use engine::error::{Error, ErrorKind};
use engine::query::model::LogFilter;
use engine::query::{Dimension, GroupOrder, Groups, GroupsRequest, LowerBound, QuerySettings, ResolvedRange};
use engine::query::{ImpactRequest, ServicesRequest};

use super::corpus::{Corpus, Row, small_settings};

const NUM_ROWS: u128 = 20_000;
const NUM_GROUPS: u64 = 15_000;

fn range() -> ResolvedRange {
    let end_us = i64::try_from(NUM_ROWS).unwrap();
    ResolvedRange { from: LowerBound::At(0), to_us: end_us, interval_to_us: end_us }
}

/// Some values twice, in a service of their own, in files and in memory.
async fn corpus(max_memory_bytes: usize) -> Corpus {
    let row = |id: u128| {
        let value = format!("{:040}", id % u128::from(NUM_GROUPS));
        let service = format!("service {value}");
        Row { service, ..Row::new(id, i64::try_from(id).unwrap(), "x") }.with_attributes(&[("key", &value)])
    };
    let rows = |range: std::ops::Range<u128>| range.map(row).collect::<Vec<Row>>();
    let settings = QuerySettings { max_memory_bytes, batch_size: 1024, num_threads: 2, ..small_settings() };
    let (files, segments) = ([rows(0..4_000), rows(4_000..8_000)], [rows(8_000..NUM_ROWS)]);
    Corpus::with_settings(&files, &segments, settings).await
}

async fn groups(corpus: &Corpus, limit: usize) -> Result<Groups, Error> {
    let request = GroupsRequest {
        filter: LogFilter::default(),
        range: range(),
        dimensions: vec![Dimension::Attribute("key".into())],
        order: GroupOrder::LogCount,
        limit: NonZeroUsize::new(limit).unwrap(),
    };
    corpus.context.groups(&corpus.snapshot, &request).await
}

#[tokio::test]
async fn totals_are_of_all_groups_when_few_are_wanted() {
    let found = groups(&corpus(1 << 30).await, 3).await.unwrap();
    assert_eq!((found.total_groups, found.total_logs), (NUM_GROUPS, NUM_ROWS as u64));
    let first = |index: usize| (format!("{index:040}"), 2, 15_000 + index as i64);
    let shown =
        found.groups.iter().map(|group| (group.values[0].clone(), group.log_count, group.last_seen_us));
    assert_eq!(shown.collect::<Vec<_>>(), [first(0), first(1), first(2)]);
}

#[tokio::test]
async fn groups_that_do_not_fit_are_an_error_or_the_answer_is_whole() {
    let mut kinds = Vec::new();
    for max_memory_bytes in [50_000, 500_000, 2_000_000, 8_000_000, 64_000_000] {
        let corpus = corpus(max_memory_bytes).await;
        for limit in [1, NUM_GROUPS as usize] {
            match groups(&corpus, limit).await {
                Ok(found) => {
                    assert_eq!((found.total_groups, found.total_logs), (NUM_GROUPS, NUM_ROWS as u64));
                    assert_eq!(found.groups.len(), limit);
                    kinds.push(None);
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
                    kinds.push(Some(error.kind()));
                }
            }
        }
    }
    assert!(kinds[0].is_some() && kinds[9].is_none(), "too little fails, enough does not: {kinds:?}");
}

#[tokio::test]
async fn services_and_identities_need_their_memory_too() {
    let corpus = corpus(50_000).await;
    let limit = NonZeroUsize::new(10_000).unwrap();
    let request = ServicesRequest { filter: LogFilter::default(), range: range(), limit, max_sparklines: 25 };
    let error = corpus.context.services(&corpus.snapshot, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
    let identity = || Dimension::FirstAttribute(vec!["nowhere".into(), "key".into()]);
    let request = ImpactRequest {
        filter: LogFilter::default(),
        range: range(),
        session: identity(),
        user: identity(),
        limit,
    };
    let error = corpus.context.impact(&corpus.snapshot, &request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourcesExhausted, "{error}");
}
