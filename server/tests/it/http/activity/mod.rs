//! The audit trail through the API.

mod chain;
mod exports;
mod filters;
mod pages;
mod several;
mod use_cases;
mod visibility;
mod writing;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{Answer, TestServer};

pub(super) const LIST: &str = "/api/projects/1/advanced_activity_logs/";
pub(super) const INGEST: &str = "/api/projects/1/activity_log/";

/// An address with a query string.
pub(super) fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let encoded = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    format!("{path}?{}", pairs.join("&"))
}

pub(super) async fn get(server: &TestServer, path: &str, parameters: &[(&str, &str)]) -> Answer {
    server.request(Method::GET, &address(path, parameters), "").await
}

/// The entries that a list answers, with the scope that only tests write.
pub(super) async fn things(server: &TestServer, parameters: &[(&str, &str)]) -> Vec<Value> {
    let mut all = vec![("scopes", "Thing"), ("page_size", "1000")];
    all.extend_from_slice(parameters);
    let answer = get(server, LIST, &all).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["results"].as_array().unwrap().clone()
}

/// Ids of resources of entries, in order.
pub(super) fn items(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["item_id"].as_str().unwrap()).collect()
}

/// Writes entries, oldest first, a second apart unless they say when.
pub(super) async fn write(server: &TestServer, entries: &[Value]) {
    let entries: Vec<Value> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let mut whole = json!({
                "scope": "Thing",
                "activity": "updated",
                "item_id": index.to_string(),
                "created_at": format!("2025-12-16T10:00:{:02}Z", index % 60),
            });
            whole.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
            whole
        })
        .collect();
    let answer = server.request(Method::POST, INGEST, Value::from(entries).to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
}
