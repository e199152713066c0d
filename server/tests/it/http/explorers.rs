//! Many people who page through the same time while records keep coming in and files are written and merged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::harness::{TestServer, document, record};

const NUM_EXPLORERS: usize = 10;
/// Rows that are there before anybody begins.
const NUM_OLD: usize = 300;
const PAGE_ROWS: usize = 37;

async fn send(server: &TestServer, name: &str, numbers: std::ops::Range<usize>) {
    let records: Vec<Value> = numbers
        .map(|number| record(i64::try_from(number % 50).unwrap(), "INFO", &format!("{name} {number}")))
        .collect();
    let answer = server.send(&[], document("api", &records).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
}

/// Pages through the last minute and counts how often each body is seen.
async fn explore(server: &TestServer, order: &str) -> HashMap<String, usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let range = json!({ "date_from": "2025-12-16T10:32:00Z", "date_to": "2025-12-16T10:33:00Z" });
    let mut query = json!({ "dateRange": range, "orderBy": order, "limit": PAGE_ROWS });
    loop {
        let answer = server.ask("query", query.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.json());
        let page = answer.json();
        for row in page["results"].as_array().unwrap() {
            *seen.entry(row["body"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        if page["hasMore"] == json!(false) {
            return seen;
        }
        query["after"] = page["nextCursor"].clone();
    }
}

/// Rows of an instant that is in many files, so that pages begin and end within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nobody_sees_a_row_twice_or_misses_one() {
    let server = TestServer::start().await;
    for part in 0..3 {
        send(&server, "old", part * NUM_OLD / 3..(part + 1) * NUM_OLD / 3).await;
        server.state.engine().flush().await.unwrap();
    }
    let is_over = AtomicBool::new(false);
    let write = async {
        let mut number = 0;
        while !is_over.load(Ordering::SeqCst) {
            send(&server, "new", number..number + 5).await;
            number += 5;
        }
    };
    let move_rows = async {
        while !is_over.load(Ordering::SeqCst) {
            server.state.engine().flush().await.unwrap();
            server.state.engine().compact(true).await.unwrap();
        }
    };
    let ask = async {
        let explorers = (0..NUM_EXPLORERS)
            .map(|number| explore(&server, if number % 2 == 0 { "latest" } else { "earliest" }));
        let seen = futures::future::join_all(explorers).await;
        is_over.store(true, Ordering::SeqCst);
        seen
    };
    let (seen, (), ()) = tokio::join!(ask, write, move_rows);
    for seen in seen {
        for number in 0..NUM_OLD {
            assert_eq!(seen.get(&format!("old {number}")), Some(&1), "row {number} is seen once");
        }
        let twice: Vec<_> = seen.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
