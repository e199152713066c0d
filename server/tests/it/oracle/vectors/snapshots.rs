//! What a question sees while rows are moved from memory to files.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::super::harness::Server;
use super::super::sent::Encoding;
use super::{count, day, group, record, rows};

/// Requests that are sent while the questions are asked.
const NUM_REQUESTS: u64 = 60;

/// Records of one request.
const NUM_RECORDS: u64 = 7;

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_flush_hides_no_row_and_shows_none_twice() {
    let server = Server::start().await;
    let (sent, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_done = || acknowledged.load(Ordering::SeqCst) == NUM_REQUESTS * NUM_RECORDS;
    let write = async {
        for _ in 0..NUM_REQUESTS {
            sent.fetch_add(NUM_RECORDS, Ordering::SeqCst);
            let records = (0..NUM_RECORDS).map(|index| record(&index.to_string())).collect();
            server.store(&[group("a", records)], Encoding::Protobuf).await;
            acknowledged.fetch_add(NUM_RECORDS, Ordering::SeqCst);
        }
    };
    let flush = async {
        while !is_done() {
            server.flush().await;
            tokio::task::yield_now().await;
        }
    };
    let ask = async {
        while !is_done() {
            let at_least = acknowledged.load(Ordering::SeqCst);
            let counted = count(&server, &day(json!({}))).await;
            let listed = rows(&server, &day(json!({"limit": 2000}))).await.len() as u64;
            let at_most = sent.load(Ordering::SeqCst);
            assert!((at_least..=at_most).contains(&counted), "{at_least} <= {counted} <= {at_most}");
            assert!((counted..=at_most).contains(&listed), "{counted} <= {listed} <= {at_most}");
            assert_eq!(listed % NUM_RECORDS, 0, "a request is seen whole or not at all");
        }
    };
    tokio::join!(write, flush, ask);
    assert_eq!(count(&server, &day(json!({}))).await, NUM_REQUESTS * NUM_RECORDS);
}
