//! Memory stays bounded however much comes in and however hard it is asked about.
//!
//! The real binary gets a small budget, several times as many bytes of records as that, and questions that want to
//! hold everything at once. What it may take beyond its budget is stated here and held.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, StatusCode, header};
use serde_json::{Value as Json, json};

use crate::crash::process::{Folder, Running};
use crate::oracle::sent::{Encoding, Group, Record, Value, encode};

const MIB: u64 = 1024 * 1024;

/// What the server may share out.
const BUDGET_BYTES: u64 = 128 * MIB;

/// What the process may take beside its budget: threads, the runtime, connections, what the allocator keeps.
const PROCESS_BYTES: u64 = 256 * MIB;

/// Bytes of records sent in a plain run; `TIMBERLINE_MEMORY_TEST_MIB` replaces it.
const SENT_MIB: u64 = 150;

const RECORDS_PER_REQUEST: usize = 1500;
const NUM_BODIES: usize = 16;

const SETTINGS: [(&str, &str); 7] = [
    ("TIMBERLINE_MEMORY__TOTAL_BYTES", "128MiB"),
    ("TIMBERLINE_INGEST__MAX_ENCODED_BYTES", "4MiB"),
    ("TIMBERLINE_INGEST__MAX_DECOMPRESSED_BYTES", "4MiB"),
    ("TIMBERLINE_ENGINE__FLUSH_BYTES", "8MiB"),
    ("TIMBERLINE_ENGINE__WAL_SEGMENT_BYTES", "8MiB"),
    ("TIMBERLINE_ENGINE__TARGET_FILE_BYTES", "16MiB"),
    ("TIMBERLINE_LOG__FILTER", "error"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resident_memory_stays_under_the_budget_and_a_constant() {
    let folder = Folder::init();
    let server = Running::start_with(&folder, &SETTINGS);
    let bodies: Vec<Vec<u8>> = (0..NUM_BODIES).map(request).collect();
    let num_requests = sent_bytes().div_ceil(bodies[0].len() as u64);
    let is_done = Arc::new(AtomicBool::new(false));
    let peak_bytes = Arc::new(AtomicU64::new(0));
    let watcher = tokio::spawn(watch_memory(server.id(), Arc::clone(&is_done), Arc::clone(&peak_bytes)));
    let askers: Vec<_> = hostile_questions(&folder, &server)
        .into_iter()
        .map(|(url, question)| {
            tokio::spawn(ask(url, question, folder.personal_api_key.clone(), Arc::clone(&is_done)))
        })
        .collect();

    let mut num_refused = 0;
    for number in 0..num_requests {
        num_refused += send(&folder, &server, &bodies[number as usize % NUM_BODIES]).await;
    }
    is_done.store(true, Ordering::Relaxed);
    watcher.await.unwrap();
    let mut num_answers = 0;
    for asker in askers {
        num_answers += asker.await.unwrap();
    }
    assert!(num_answers > 0, "no question was answered");
    let count = count(&folder, &server).await;
    assert_eq!(count, num_requests * RECORDS_PER_REQUEST as u64, "after {num_refused} refusals");
    let peak_bytes = peak_bytes.load(Ordering::Relaxed);
    let ceiling = BUDGET_BYTES + PROCESS_BYTES;
    println!("peak {} MiB of {} MiB, {num_answers} answers", peak_bytes / MIB, ceiling / MIB);
    assert!(peak_bytes > 0, "memory was never looked at");
    assert!(peak_bytes < ceiling, "{} MiB, the ceiling is {} MiB", peak_bytes / MIB, ceiling / MIB);
    server.terminate();
}

fn sent_bytes() -> u64 {
    let text = std::env::var("TIMBERLINE_MEMORY_TEST_MIB");
    MIB * text.map_or(SENT_MIB, |text| text.parse().expect("a whole number"))
}

/// A request of records that share little.
fn request(number: usize) -> Vec<u8> {
    let record = |index: usize| {
        let unique = (number * RECORDS_PER_REQUEST + index) as u64;
        let noise = unique.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Record {
            time_nanos: 1_765_886_400_000_000_000 - unique * 1_000_003_000,
            severity_number: 9,
            body: Some(Value::Text(format!("request {noise:016x} {:0>300}", noise.rotate_left(17)))),
            attributes: vec![
                ("request.id".to_owned(), Value::Text(format!("{noise:032x}"))),
                (format!("key.{}", unique % 500), Value::Text("value".repeat(20))),
            ],
            ..Record::default()
        }
    };
    let resource = vec![("service.name".to_owned(), Value::Text(format!("service-{}", number % 5)))];
    let group = Group { resource, scope: None, records: (0..RECORDS_PER_REQUEST).map(record).collect() };
    encode(&[group], Encoding::Protobuf)
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Sends until it is taken; returns how often it was refused.
async fn send(folder: &Folder, server: &Running, body: &[u8]) -> u64 {
    let url = format!("{}/v1/logs", server.url);
    for num_refused in 0.. {
        let request = client().post(&url).bearer_auth(&folder.ingest_token).body(body.to_vec());
        let response =
            request.header(header::CONTENT_TYPE, Encoding::Protobuf.content_type()).send().await.unwrap();
        match response.status() {
            StatusCode::OK => return num_refused,
            StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(Duration::from_millis(50)).await,
            other => panic!("{other}: {}", response.text().await.unwrap()),
        }
    }
    unreachable!("the loop has no end")
}

/// Questions that would hold every row if they could.
fn hostile_questions(folder: &Folder, server: &Running) -> Vec<(String, Json)> {
    let range = json!({"date_from": "2000-01-01"});
    let url = |question: &str| format!("{}/api/projects/{}/logs/{question}/", server.url, folder.project_id);
    vec![
        (url("query"), json!({"query": {"dateRange": range, "orderBy": "earliest", "limit": 1000}})),
        (
            url("facet_values"),
            json!({"query": {"dateRange": range, "facetAttributes": ["request.id", "key.7"]}}),
        ),
        (
            url("query"),
            json!({"query": {"dateRange": range, "orderBy": "latest", "limit": 1000, "searchTerm": "0"}}),
        ),
        (url("count"), json!({"query": {"dateRange": range, "searchTerm": "request"}})),
        (url("sparkline"), json!({"query": {"dateRange": range, "sparklineBreakdownBy": "service"}})),
    ]
}

/// Asks again and again; returns how often there was an answer. A question may be refused for want of memory.
async fn ask(url: String, question: Json, key: String, is_done: Arc<AtomicBool>) -> u64 {
    let client = client();
    let mut num_answers = 0;
    while !is_done.load(Ordering::Relaxed) {
        let response = client.post(&url).bearer_auth(&key).json(&question).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success() || status.is_server_error(), "{url}: {status}: {text}");
        num_answers += u64::from(status.is_success());
    }
    num_answers
}

/// Notes the largest amount of memory that is the process's own; its program text is not.
async fn watch_memory(process: u32, is_done: Arc<AtomicBool>, peak_bytes: Arc<AtomicU64>) {
    while !is_done.load(Ordering::Relaxed) {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        peak_bytes.fetch_max(kib * 1024, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn count(folder: &Folder, server: &Running) -> u64 {
    let url = format!("{}/api/projects/{}/logs/count/", server.url, folder.project_id);
    let question = json!({"query": {"dateRange": {"date_from": "2000-01-01"}}});
    let response =
        client().post(url).bearer_auth(&folder.personal_api_key).json(&question).send().await.unwrap();
    let answer: Json = response.json().await.unwrap();
    answer["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}
