//! What was sent and acknowledged, and what must therefore be stored.

use std::collections::{HashMap, HashSet};

use serde_json::{Value as Json, json};

use super::process::{Folder, Running};

/// Rows asked for at a time.
const PAGE: usize = 1000;

/// The ids of the records of one export request, and whether it was answered with 200.
#[derive(Debug)]
pub(super) struct SentRequest {
    pub(super) ids: Vec<String>,
    pub(super) is_acknowledged: bool,
}

/// All requests of all rounds.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    requests: Vec<SentRequest>,
}

/// The body of the record with an id.
pub(super) fn body_of(id: &str) -> String {
    format!("record {id} says: {}", id.repeat(5))
}

impl Ledger {
    pub(super) fn add(&mut self, requests: Vec<SentRequest>) {
        self.requests.extend(requests);
    }

    /// Reads everything back: acknowledged requests are there once, others once or not at all but never in
    /// part, and there is nothing else.
    pub(super) async fn check(&self, server: &Running, folder: &Folder) {
        let stored = stored(server, folder).await;
        let mut num_expected = 0;
        for request in &self.requests {
            let copies: HashSet<usize> =
                request.ids.iter().map(|id| stored.get(id).copied().unwrap_or(0)).collect();
            let is_stored = copies == HashSet::from([1]);
            let is_absent = copies == HashSet::from([0]);
            assert!(
                is_stored || (is_absent && !request.is_acknowledged),
                "records of a request are there {copies:?} times: {request:?}"
            );
            num_expected += if is_stored { request.ids.len() } else { 0 };
        }
        assert_eq!(stored.values().sum::<usize>(), num_expected, "every row was sent");
        assert_eq!(count(server, folder).await, num_expected as u64);
    }
}

/// How often each record is stored, by its id.
async fn stored(server: &Running, folder: &Folder) -> HashMap<String, usize> {
    let mut stored = HashMap::new();
    let mut uuids = HashSet::new();
    let mut query = json!({"dateRange": {"date_from": "2000-01-01"}, "orderBy": "earliest", "limit": PAGE});
    loop {
        let answer = ask(server, folder, "query", &query).await;
        for row in answer["results"].as_array().expect("rows") {
            let id = row["attributes"]["record.id"].as_str().expect("every record has an id");
            assert_eq!(row["body"], body_of(id), "a row that is not as it was sent");
            assert!(uuids.insert(row["uuid"].as_str().expect("a uuid").to_owned()), "a uuid twice: {row}");
            *stored.entry(id.to_owned()).or_default() += 1;
        }
        match &answer["nextCursor"] {
            Json::String(cursor) => query["after"] = json!(cursor),
            _ => return stored,
        }
    }
}

async fn count(server: &Running, folder: &Folder) -> u64 {
    let answer = ask(server, folder, "count", &json!({"dateRange": {"date_from": "2000-01-01"}})).await;
    answer["count"].as_u64().expect("a count")
}

async fn ask(server: &Running, folder: &Folder, endpoint: &str, query: &Json) -> Json {
    let url = format!("{}/api/projects/{}/logs/{endpoint}", server.url, folder.project_id);
    let request = super::writers::client().post(url).bearer_auth(&folder.personal_api_key);
    let response = request.json(&json!({ "query": query })).send().await.expect("the server answers");
    let status = response.status();
    let answer = response.text().await.expect("a whole answer");
    assert_eq!(status.as_u16(), 200, "{query}: {answer}");
    serde_json::from_str(&answer).expect("JSON")
}
