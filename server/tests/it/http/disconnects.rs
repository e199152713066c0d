//! What becomes of a question when its asker hangs up.

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::harness::document;
use super::process::{Running, text_of};
use crate::waiting::until;

/// Questions that have to read the rows of a file.
const QUESTIONS: [(&str, &str); 11] = [
    ("query", "{}"),
    ("count", r#"{"searchTerm":"x"}"#),
    ("count-ranges", r#"{"searchTerm":"x"}"#),
    ("sparkline", r#"{"searchTerm":"x"}"#),
    ("services", r#"{"searchTerm":"x"}"#),
    ("facet_values", r#"{"facetAttribute":"k"}"#),
    ("group-by", r#"{"groupBy":"k"}"#),
    ("impact", "{}"),
    ("patterns", "{}"),
    ("attributes", ""),
    ("values", "key=k"),
];

/// Puts a pipe that nobody writes to in the place of the one data file: whoever reads it waits for ever.
fn block_reads_of(data_dir: &Path) {
    let file = data_files(&data_dir.join("logs")).pop().expect("a data file");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
}

fn data_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { data_files(&path) } else { vec![path] });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

/// Sends a question and leaves it unanswered.
fn ask(server: &Running, key: &str, endpoint: &str, question: &str) -> TcpStream {
    let address = server.url.strip_prefix("http://").unwrap();
    let path = format!("/api/projects/1/logs/{endpoint}");
    let (method, path, body) = if question.starts_with('{') {
        let mut query: serde_json::Value = serde_json::from_str(question).unwrap();
        query["dateRange"] = json!({ "date_from": "-30d" });
        ("POST", path, json!({ "query": query }).to_string())
    } else {
        ("GET", format!("{path}?{question}"), String::new())
    };
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len(),
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Waits until questions are being answered, or until none is.
async fn wait_until_asked(server: &Running, expected: bool, question: &str) {
    until(&format!("{question} is under way: {expected}"), async || {
        let numbers = reqwest::get(format!("{}/metrics", server.url)).await.unwrap().text().await.unwrap();
        let tasks = numbers.lines().find_map(|line| line.strip_prefix("timberline_query_tasks "));
        ((tasks.expect("the number") != "0") == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_question_ends_with_the_connection_of_its_asker() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let record = json!({ "severityText": "INFO", "body": { "stringValue": "one" },
        "attributes": [{ "key": "k", "value": { "stringValue": "v" } }] });
    assert_eq!(server.post("/v1/logs", &token, document("api", &[record])).await.0, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    block_reads_of(&data_dir);

    let server = Running::start("serve", &data_dir, &["--config", text_of(&no_deadline(folder.path()))]);
    for (endpoint, question) in QUESTIONS {
        wait_until_asked(&server, false, endpoint).await;
        let asked = ask(&server, &key, endpoint, question);
        wait_until_asked(&server, true, endpoint).await;
        drop(asked);
        wait_until_asked(&server, false, endpoint).await;
    }
    server.signal("KILL");
    server.wait();
}

/// Settings in which no question ends by itself while the test waits for its end.
fn no_deadline(folder: &Path) -> PathBuf {
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, "[query]\ntimeout_secs = 3600\naggregate_timeout_secs = 3600\n").unwrap();
    settings
}
