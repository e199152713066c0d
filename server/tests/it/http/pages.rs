//! Paging: each row once, in order, whatever the size of a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::harness::{TestServer, last_day, record};

/// 25 records, of which several share a time.
async fn stored() -> TestServer {
    let server = TestServer::start().await;
    let records: Vec<Value> =
        (0..25).map(|index| record(60 + index / 4, "INFO", &index.to_string())).collect();
    for records in records.chunks(7) {
        server.store("api", records).await;
    }
    server
}

fn ids(rows: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(&row["timestamp"]), text(&row["uuid"]))).collect()
}

#[tokio::test]
async fn pages_are_the_whole_answer_cut_in_pieces() {
    let server = stored().await;
    for order in ["latest", "earliest"] {
        let whole = ids(&server.rows(json!({ "dateRange": last_day(), "orderBy": order })).await);
        let mut expected = whole.clone();
        expected.sort();
        if order == "latest" {
            expected.reverse();
        }
        assert_eq!(whole, expected);
        for limit in [1, 4, 24, 25, 26] {
            assert_eq!(paged(&server, order, limit).await, whole, "{order} {limit}");
        }
    }
}

async fn paged(server: &TestServer, order: &str, limit: usize) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = json!({ "dateRange": last_day(), "orderBy": order, "limit": limit, "after": after });
        let answer = server.ask("query", query).await.json();
        let page = ids(answer["results"].as_array().unwrap());
        assert!(page.len() <= limit);
        found.extend(page);
        after = answer["nextCursor"].clone();
        assert_eq!(answer["hasMore"].as_bool().unwrap(), after.is_string());
        if after.is_null() {
            return found;
        }
        assert!(found.len() < 100, "paging does not end");
    }
}

#[tokio::test]
async fn exactly_as_many_rows_as_the_limit_are_all_there_is() {
    let server = stored().await;
    for (limit, rows, has_more) in [(25, 25, false), (24, 24, true), (5000, 25, false)] {
        let answer = server.ask("query", json!({ "dateRange": last_day(), "limit": limit })).await.json();
        assert_eq!(answer["results"].as_array().unwrap().len(), rows);
        assert_eq!(answer["hasMore"], json!(has_more));
    }
}

#[tokio::test]
async fn a_cursor_names_the_last_row() {
    let server = stored().await;
    let answer = server.ask("query", json!({ "dateRange": last_day(), "limit": 3 })).await.json();
    let cursor = STANDARD.decode(answer["nextCursor"].as_str().unwrap()).unwrap();
    let cursor: Value = serde_json::from_slice(&cursor).unwrap();
    let last = &answer["results"][2];
    assert_eq!(cursor, json!({ "timestamp": last["timestamp"], "uuid": last["uuid"] }));
}
