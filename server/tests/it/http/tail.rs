//! Following rows as they come in, event for event.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use super::harness::{TestServer, document, last_day, record};
use super::process::Running;

const PATH: &str = "/api/projects/1/logs/tail";

/// Far beyond what anything here takes: a test that would wait for ever fails.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

/// A client that reads events.
struct Follower {
    body: Body,
    text: String,
}

impl Follower {
    async fn connect(server: &TestServer, query_string: &str, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get(format!("{PATH}?{query_string}"))
            .header("authorization", format!("Bearer {}", server.key()))
            .header("accept-encoding", "gzip");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let app = server::app(server.state.clone());
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers().get("content-encoding"), None);
        Self { body: response.into_body(), text: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let event = parse(block);
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("an event")?;
            self.text += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    }

    async fn row(&mut self) -> Value {
        let event = self.next().await.unwrap();
        assert_eq!((event.name.as_str(), event.id.as_deref()), ("log", event.data["uuid"].as_str()));
        event.data
    }

    /// The first event, which says where the tail begins.
    async fn opened(&mut self) -> String {
        let event = self.next().await.unwrap();
        let id = event.id.unwrap();
        assert_eq!((event.name.as_str(), event.data), ("open", json!({ "checkpoint": id })));
        id
    }
}

fn parse(block: &str) -> Event {
    let mut event = Event::default();
    for line in block.lines() {
        match line.split_once(": ").unwrap() {
            ("event", name) => event.name = name.to_owned(),
            ("id", id) => event.id = Some(id.to_owned()),
            ("data", data) => event.data = serde_json::from_str(data).unwrap(),
            _ => panic!("{line}"),
        }
    }
    event
}

fn encoded(value: &Value) -> String {
    value.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn rows_are_those_of_a_query_in_the_order_they_came_in() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "before")]).await;
    let mut follower = Follower::connect(&server, "", None).await;
    follower.opened().await;
    server.store("api", &[record(5, "ERROR", "one"), record(50, "INFO", "two")]).await;
    server.store("web", &[record(20, "WARN", "three")]).await;
    let mut stored = server.rows(json!({ "dateRange": last_day() })).await;
    for body in ["one", "two", "three"] {
        let mut row = stored.remove(stored.iter().position(|row| row["body"] == body).unwrap());
        row["live_logs_checkpoint"] = Value::Null;
        assert_eq!(follower.row().await, row);
    }
}

#[tokio::test]
async fn filters_choose_rows_as_in_a_query() {
    let server = TestServer::start().await;
    let leaf = json!({ "key": "k", "type": "log_attribute", "operator": "exact", "value": "v" });
    let nested = json!({ "type": "AND", "values": [{ "type": "AND", "values": [leaf] }] });
    let mut followers = Vec::new();
    for (query_string, bodies) in [
        (String::new(), vec!["Timeout", "ok", "timeout", "last"]),
        ("severityLevels=%5B%22error%22%5D".to_owned(), vec!["Timeout", "last"]),
        ("serviceNames=web".to_owned(), vec!["timeout", "last"]),
        ("serviceNames=web&serviceNames=api&searchTerm=TIMEOUT".to_owned(), vec!["Timeout", "timeout"]),
        (format!("filterGroup={}", encoded(&json!([leaf]))), vec!["ok", "last"]),
        (format!("filterGroup={}", encoded(&nested)), vec!["ok", "last"]),
    ] {
        let mut follower = Follower::connect(&server, &query_string, None).await;
        follower.opened().await;
        followers.push((query_string, follower, bodies));
    }
    let with_key = |mut record: Value| {
        record["attributes"] = json!([{ "key": "k", "value": { "stringValue": "v" } }]);
        record
    };
    server.store("api", &[record(60, "ERROR", "Timeout"), with_key(record(50, "INFO", "ok"))]).await;
    server.store("web", &[record(40, "WARN", "timeout"), with_key(record(30, "ERROR", "last"))]).await;
    for (query_string, mut follower, bodies) in followers {
        for body in bodies {
            assert_eq!(follower.row().await["body"], body, "{query_string}");
        }
    }
}

#[tokio::test]
async fn the_id_of_any_event_resumes() {
    let server = TestServer::start().await;
    let mut follower = Follower::connect(&server, "excludeAttributes=true", None).await;
    let opened = follower.opened().await;
    server.store("api", &[record(3, "INFO", "one"), record(2, "INFO", "two")]).await;
    let first = follower.row().await;
    assert_eq!(first["resource_attributes"], json!({}));
    drop(follower);
    server.state.engine().flush().await.unwrap();
    server.store("api", &[record(1, "INFO", "three")]).await;
    let first_id = first["uuid"].as_str().unwrap();
    for (query_string, header, bodies) in [
        (format!("checkpoint={opened}"), None, vec!["one", "two", "three"]),
        (format!("checkpoint={opened}"), Some(first_id), vec!["two", "three"]),
        (format!("checkpoint={first_id}&searchTerm=thr"), None, vec!["three"]),
    ] {
        let mut follower = Follower::connect(&server, &query_string, header).await;
        assert_eq!(follower.opened().await, header.unwrap_or(&query_string[11..47]));
        for body in bodies {
            assert_eq!(follower.row().await["body"], body, "{query_string}");
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_told_what_it_missed() {
    let server = TestServer::start_with(|config| config.tail.buffer_bytes = 4096).await;
    let mut follower = Follower::connect(&server, "", None).await;
    follower.opened().await;
    let records: Vec<Value> = (0..50).map(|index| record(5, "INFO", &format!("row {index}"))).collect();
    server.store("api", &records).await;
    let mut rows = Vec::new();
    let dropped = loop {
        let event = follower.next().await.unwrap();
        if event.name == "dropped" {
            break event;
        }
        rows.push(event.data);
    };
    let count = dropped.data["count"].as_u64().unwrap() as usize;
    assert_eq!((rows.len() + count, dropped.id), (50, None));
    assert_eq!(dropped.data["after"], rows.last().unwrap()["uuid"]);
    let checkpoint = dropped.data["after"].as_str().unwrap();
    let mut resumed = Follower::connect(&server, &format!("checkpoint={checkpoint}"), None).await;
    resumed.opened().await;
    for index in rows.len()..50 {
        assert_eq!(resumed.row().await["body"], format!("row {index}"));
    }
}

#[tokio::test]
async fn places_are_bounded_and_given_back() {
    let server = TestServer::start_with(|config| {
        config.tail.max_subscribers = 3;
        config.tail.max_subscribers_per_project = 2;
    })
    .await;
    let first = Follower::connect(&server, "", None).await;
    let _second = Follower::connect(&server, "", None).await;
    let answer = server.request(Method::GET, PATH, "").await;
    assert_eq!(answer.refusal(), (429, "throttled".into(), Value::Null));
    assert_eq!(answer.header("retry-after"), "1");
    drop(first);
    let mut third = Follower::connect(&server, "", None).await;
    third.opened().await;
    server.store("api", &[record(1, "INFO", "one")]).await;
    assert_eq!(third.row().await["body"], "one");
}

#[tokio::test]
async fn a_full_server_says_when_to_come_back() {
    let server = TestServer::start_with(|config| config.tail.max_subscribers = 1).await;
    let _first = Follower::connect(&server, "", None).await;
    let answer = server.request(Method::GET, PATH, "").await;
    assert_eq!((answer.refusal().0, answer.header("retry-after")), (503, "1"));
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    let server = TestServer::start().await;
    let refusal = async |query_string: &str| {
        server.request(Method::GET, &format!("{PATH}?{query_string}"), "").await.refusal()
    };
    for (query_string, attr) in [
        ("filterGroup=%7B", "filterGroup"),
        ("severityLevels=loud", "severityLevels__0"),
        ("checkpoint=5", "checkpoint"),
    ] {
        assert_eq!(refusal(query_string).await, (400, "parse_error".into(), json!(attr)), "{query_string}");
    }
    let leaf = json!([{ "key": "message", "type": "log", "operator": "regex", "value": "(" }]);
    let answer = refusal(&format!("filterGroup={}", encoded(&leaf))).await;
    assert_eq!((answer.0, answer.1), (400, "invalid_input".into()));

    let writer = server.limited_key(&["activity_log:read"], None, None).await;
    assert_eq!(server.request_as(&writer, Method::GET, PATH, "").await.status, 403);
    let elsewhere = server.request(Method::GET, "/api/projects/99/logs/tail", "").await;
    assert_eq!(elsewhere.status, 404);
    let anonymous = Request::get(PATH).body(Body::empty()).unwrap();
    assert_eq!(server.call(anonymous).await.status, 401);
}

#[tokio::test]
async fn a_stop_ends_tails_at_once_and_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let request = reqwest::Client::new().get(format!("{}{PATH}", server.url)).bearer_auth(key);
    let mut response = request.send().await.unwrap();
    let mut read = String::new();
    let mut read_until = async |text: &str| {
        while !read.contains(text) {
            let chunk = timeout(PATIENCE, response.chunk()).await.expect("an event").unwrap();
            read += std::str::from_utf8(&chunk.expect("an open connection")).unwrap();
        }
    };
    read_until("event: open").await;
    let sent = document("api", &[json!({ "body": { "stringValue": "one" } })]);
    assert_eq!(server.post("/v1/logs", &token, sent).await.0, 200);
    read_until("\"body\":\"one\"").await;
    server.signal("TERM");
    read_until("event: end").await;
    assert_eq!(timeout(PATIENCE, response.chunk()).await.unwrap().unwrap(), None, "the stream is whole");
    assert_eq!(server.wait().code(), Some(0));
}
