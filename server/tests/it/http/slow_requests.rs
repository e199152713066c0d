//! Slow requests in the server's log: one line that says which, and nothing of what was asked.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::harness::{TestServer, last_day};

/// What is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Asks one question of a server and gives the whole log, and the fields of the lines about slow requests.
async fn ask(slow_query: Option<Duration>) -> (String, Vec<Value>) {
    let server = TestServer::start_with(|config| config.log.slow_query = slow_query).await;
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().json().with_max_level(tracing::Level::WARN).with_writer(log.clone());
    let logging = tracing::subscriber::set_default(subscriber.finish());
    let query = json!({ "query": { "searchTerm": "hush", "dateRange": last_day() } });
    let request = Request::post("/api/projects/1/logs/query?personal_api_key=phx_unused")
        .header("authorization", format!("Bearer {}", server.key()))
        .header("x-request-id", "mine-1");
    let answer = server.call(request.body(Body::from(query.to_string())).unwrap()).await;
    assert_eq!(answer.status, 200);
    drop(logging);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("hush") && !text.contains("phx_"), "{text}");
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["fields"].clone());
    let slow = lines.filter(|fields| fields["message"] == "slow request").collect();
    (text, slow)
}

#[tokio::test]
async fn a_slow_request_is_one_line_with_its_id() {
    let (text, slow) = ask(Some(Duration::ZERO)).await;
    assert_eq!(slow.len(), 1, "{text}");
    let fields = &slow[0];
    assert_eq!(fields["endpoint"], "/api/projects/{project_id}/logs/query");
    assert_eq!((&fields["project"], &fields["request_id"]), (&json!("1"), &json!("mine-1")));
    assert_eq!(fields["status"], 200);
    assert!(fields["elapsed_ms"].is_u64(), "{fields}");
}

#[tokio::test]
async fn a_quick_request_and_a_switched_off_log_are_silent() {
    assert!(ask(Some(Duration::from_secs(86_400))).await.1.is_empty());
    assert!(ask(None).await.1.is_empty());
}
