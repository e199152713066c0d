//! The program when it is told to stop while a request is under way.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;

use super::harness::document;
use super::process::Running;

/// A request whose head the server has read and whose body it waits for.
struct HalfSent {
    stream: TcpStream,
    body: String,
}

impl HalfSent {
    fn to(server: &Running) -> Self {
        let body = document("api", &[json!({ "body": { "stringValue": "one" } })]).to_string();
        let address = server.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "POST /v1/logs HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n",
            server.secret("phc_"),
            body.len(),
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The server says this when a handler asks for the body.
        let mut interim = [0; 25];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        Self { stream, body }
    }

    /// Sends the body and reads the whole answer.
    fn finish(mut self) -> String {
        self.stream.write_all(self.body.as_bytes()).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

/// Waits until nothing listens any more: the stop has begun.
fn wait_until_refused(server: &Running) {
    let address = server.url.strip_prefix("http://").unwrap();
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
}

fn start(folder: &Path) -> Running {
    Running::start("serve", &folder.join("data"), &[])
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let key = server.secret("phx_");
    let request = HalfSent::to(&server);
    server.signal("TERM");
    wait_until_refused(&server);
    let answer = request.finish();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(server.wait().code(), Some(0));

    let server = start(folder.path());
    let query = json!({ "query": { "dateRange": { "date_from": "all" } } });
    assert_eq!(server.post("/api/projects/1/logs/count", &key, query).await, (200, json!({ "count": 1 })));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let request = HalfSent::to(&server);
    server.signal("TERM");
    wait_until_refused(&server);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(130));
    drop(request);
}

#[test]
fn a_request_that_never_finishes_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.toml");
    std::fs::write(&settings, "[server]\ndrain_secs = 0\n").unwrap();
    let server =
        Running::start("serve", &folder.path().join("data"), &["--config", settings.to_str().unwrap()]);
    let request = HalfSent::to(&server);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    drop(request);
}
