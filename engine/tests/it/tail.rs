//! Live tail: every row that passes once, in order of ingestion, whatever happens to the rows meanwhile.

use std::sync::Arc;
use std::time::Duration;

use engine::query::model::LogFilter;
use engine::retention::RetentionPolicy;
use engine::schema::TableId;
use engine::tail::{DroppedRows, LogTail, TailEvent, TailRequest};
use engine::{Engine, ErrorKind};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use crate::durability::{NOW_US, PROJECT, config, ingest, names, open_at};

/// Far beyond what anything here takes: a test that would wait for ever fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn request(after: Option<Uuid>) -> TailRequest {
    TailRequest { filter: LogFilter::default(), after, max_queue_bytes: 1 << 20 }
}

fn containing(text: &str) -> TailRequest {
    let filter = LogFilter { search_term: text.into(), ..LogFilter::default() };
    TailRequest { filter, ..request(None) }
}

async fn open(folder: &TempDir) -> Arc<Engine> {
    open_at(config(folder.path()), NOW_US).await.unwrap()
}

async fn tail(engine: &Engine, request: TailRequest) -> LogTail {
    engine.tail(PROJECT, request).await.unwrap()
}

async fn event(tail: &mut LogTail) -> Option<TailEvent> {
    timeout(PATIENCE, tail.next()).await.expect("an event").unwrap()
}

/// The next rows, as (id, body).
async fn rows(tail: &mut LogTail, count: usize) -> Vec<(Uuid, String)> {
    let mut rows = Vec::new();
    while rows.len() < count {
        match event(tail).await {
            Some(TailEvent::Row(row)) => rows.push((row.uuid, row.body)),
            other => panic!("{other:?} after {} rows", rows.len()),
        }
    }
    assert!(rows.is_sorted(), "{rows:?}");
    rows
}

fn bodies(rows: &[(Uuid, String)]) -> Vec<&str> {
    rows.iter().map(|(_, body)| body.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn new_rows_that_pass_come_in_order() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    ingest(&engine, &names("early-b", 3)).await;
    let (mut all, mut some) = (tail(&engine, request(None)).await, tail(&engine, containing("B-1")).await);
    ingest(&engine, &names("a", 2)).await;
    ingest(&engine, &names("b", 12)).await;
    ingest(&engine, &names("late-b", 2)).await;
    let expected = [names("a", 2), names("b", 12), names("late-b", 2)].concat();
    assert_eq!(bodies(&rows(&mut all, 16).await), expected);
    assert_eq!(bodies(&rows(&mut some, 4).await), ["b-1", "b-10", "b-11", "late-b-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_resumes_without_loss_or_repeat() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    let mut first = tail(&engine, request(None)).await;
    ingest(&engine, &names("a", 5)).await;
    engine.flush().await.unwrap();
    ingest(&engine, &names("b", 5)).await;
    engine.flush().await.unwrap();
    ingest(&engine, &names("c", 5)).await;
    let seen = rows(&mut first, 15).await;
    let check = async |engine: &Engine| {
        let start = first.start();
        for (place, after) in [start].into_iter().chain(seen.iter().map(|(id, _)| *id)).enumerate() {
            let mut resumed = tail(engine, request(Some(after))).await;
            assert_eq!(resumed.start(), after);
            assert_eq!(rows(&mut resumed, 15 - place).await, seen[place..], "after row {place}");
        }
    };
    check(&engine).await;
    engine.compact(true).await.unwrap();
    check(&engine).await;
    engine.shutdown().await.unwrap();
    drop(engine);

    let engine = open(&folder).await;
    check(&engine).await;
    let mut resumed = tail(&engine, request(Some(seen[14].0))).await;
    ingest(&engine, &names("d", 2)).await;
    assert_eq!(bodies(&rows(&mut resumed, 2).await), ["d-0", "d-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_between_a_restart_and_the_next_row_begins_after_the_old_rows() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    ingest(&engine, &names("a", 5)).await;
    engine.shutdown().await.unwrap();
    drop(engine);
    // The clock has not moved: the new rows are of the same instant as the old ones.
    let engine = open(&folder).await;
    let fresh = tail(&engine, request(None)).await;
    ingest(&engine, &names("b", 2)).await;
    engine.flush().await.unwrap();
    let mut resumed = tail(&engine, request(Some(fresh.start()))).await;
    assert_eq!(bodies(&rows(&mut resumed, 2).await), ["b-0", "b-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_leave_memory_meanwhile_are_not_missed() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    let mut tails = Vec::new();
    for _ in 0..4 {
        tails.push(tail(&engine, request(None)).await);
    }
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                for request in 0..15 {
                    ingest(&engine, &names(&format!("{writer}-{request}"), 10)).await;
                    if request % 3 == writer % 3 {
                        engine.flush().await.unwrap();
                    }
                }
            })
        })
        .collect();
    let mut first = None;
    for tail in &mut tails {
        let seen = rows(tail, 600).await;
        let mut distinct: Vec<&str> = bodies(&seen);
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 600);
        assert_eq!(*first.get_or_insert(seen.clone()), seen);
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_is_told_what_it_missed_and_can_have_it() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    let mut slow = tail(&engine, TailRequest { max_queue_bytes: 2048, ..request(None) }).await;
    let all = names("row", 100);
    ingest(&engine, &all).await;
    let mut kept = Vec::new();
    let dropped = loop {
        match event(&mut slow).await {
            Some(TailEvent::Row(row)) => kept.push((row.uuid, row.body)),
            Some(TailEvent::Dropped(dropped)) => break dropped,
            None => panic!("the engine runs"),
        }
    };
    assert!((1..10).contains(&kept.len()), "{} rows", kept.len());
    assert_eq!(bodies(&kept), all[..kept.len()]);
    let DroppedRows { num_rows, after, until } = dropped;
    assert_eq!(num_rows as usize, 100 - kept.len());

    // What comes after is seen again.
    ingest(&engine, &names("next", 2)).await;
    let next = rows(&mut slow, 2).await;
    assert_eq!(bodies(&next), ["next-0", "next-1"]);

    // The pace of a subscriber that resumes is its own: nothing is dropped, however little memory it has.
    let narrow = TailRequest { max_queue_bytes: 600, ..request(Some(after)) };
    let mut resumed = tail(&engine, narrow).await;
    let missed = rows(&mut resumed, num_rows as usize + 2).await;
    assert_eq!(bodies(&missed[..num_rows as usize]), all[kept.len()..]);
    assert_eq!(missed[num_rows as usize - 1].0, until);
    assert_eq!(missed[num_rows as usize..], next);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_have_expired_are_not_shown() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    // The rows of one request are a second apart: of five, the first three are older than a day then.
    let now_us = NOW_US + 86_400_000_000 + 2_500_000;
    engine.shutdown().await.unwrap();
    drop(engine);
    let engine = open_at(config(folder.path()), now_us).await.unwrap();
    engine.set_retention(TableId::logs(PROJECT), RetentionPolicy::of_days(Some(1))).unwrap();
    let mut live = tail(&engine, request(None)).await;
    ingest(&engine, &names("a", 5)).await;
    assert_eq!(bodies(&rows(&mut live, 2).await), ["a-3", "a-4"]);
    engine.flush().await.unwrap();
    let mut resumed = tail(&engine, request(Some(live.start()))).await;
    assert_eq!(bodies(&rows(&mut resumed, 2).await), ["a-3", "a-4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_ends_with_the_engine() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    let mut live = tail(&engine, request(None)).await;
    ingest(&engine, &names("a", 1)).await;
    assert_eq!(bodies(&rows(&mut live, 1).await), ["a-0"]);
    engine.shutdown().await.unwrap();
    assert_eq!(event(&mut live).await, None);
    assert_eq!(event(&mut live).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_followed_is_refused() {
    let folder = TempDir::new().unwrap();
    let engine = open(&folder).await;
    let too_long = containing(&"x".repeat(3000));
    assert_eq!(engine.tail(PROJECT, too_long).await.unwrap_err().kind(), ErrorKind::LimitExceeded);
    let too_much = TailRequest { max_queue_bytes: usize::MAX / 2, ..request(None) };
    assert_eq!(engine.tail(PROJECT, too_much).await.unwrap_err().kind(), ErrorKind::ResourcesExhausted);
}
