//! The program on a real socket.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::harness::document;

/// The program, without the settings of whoever runs the tests.
pub(super) fn timberline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timberline"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(super) fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A program that listens.
pub(super) struct Running {
    child: Child,
    /// What it printed before it listened.
    pub(super) greeting: Vec<String>,
    pub(super) url: String,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub(super) fn start(command: &str, data_dir: &Path, more: &[&str]) -> Self {
        let arguments =
            [&[command, "--listen", "127.0.0.1:0", "--data-dir", text_of(data_dir)], more].concat();
        let mut child = timberline(&arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut greeting = Vec::new();
        let url = loop {
            let line = lines.next().expect("the server listens").unwrap();
            match line.strip_prefix("listening on ") {
                Some(url) => break url.to_owned(),
                None => greeting.push(line),
            }
        };
        Self { child, greeting, url, lines }
    }

    /// The first word of the greeting that begins with a prefix, within quotes or not.
    pub(super) fn secret(&self, prefix: &str) -> String {
        let mut words = self.greeting.iter().flat_map(|line| line.split([' ', '\'']));
        words.find(|word| word.starts_with(prefix)).expect("a secret in the greeting").to_owned()
    }

    pub(super) async fn post(&self, path: &str, secret: &str, body: Value) -> (u16, Value) {
        let request =
            reqwest::Client::new().post(format!("{}{path}", self.url)).bearer_auth(secret).json(&body);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &process]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end; what was still printed is read, so that nothing blocks on a full pipe.
    pub(super) fn wait(mut self) -> ExitStatus {
        self.lines.by_ref().for_each(drop);
        self.child.wait().unwrap()
    }
}

fn now_record(body: &str) -> Value {
    json!({ "severityText": "INFO", "body": { "stringValue": body } })
}

fn everything() -> Value {
    json!({ "query": { "dateRange": { "date_from": "all" }, "orderBy": "earliest" } })
}

#[tokio::test]
async fn a_stopped_server_keeps_what_it_has_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let sent = document("api", &[now_record("one"), now_record("two")]);
    assert_eq!(server.post("/v1/logs", &token, sent).await, (200, json!({})));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    let server = Running::start("serve", &data_dir, &[]);
    assert!(
        server.greeting.iter().all(|line| !line.contains("phx_")),
        "keys are shown once: {:?}",
        server.greeting
    );
    let (status, answer) = server.post("/api/projects/@current/logs/query", &key, everything()).await;
    assert_eq!(status, 200, "{answer}");
    let bodies: Vec<&Value> = answer["results"].as_array().unwrap().iter().map(|row| &row["body"]).collect();
    assert_eq!(bodies, [&json!("one"), &json!("two")]);
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn the_greetings_commands_can_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let commands: Vec<String> = server
        .greeting
        .iter()
        .map(|line| line.trim())
        .filter(|line| line.starts_with("curl "))
        .map(str::to_owned)
        .collect();
    assert_eq!(commands.len(), 2, "{:?}", server.greeting);
    for command in &commands {
        // What curl would do, read from its arguments: the machine may have no curl.
        let parts: Vec<&str> = command.split('\'').collect();
        let url = parts[0].split_whitespace().nth(2).unwrap();
        let path = url.strip_prefix(&server.url).unwrap();
        let secret = parts[1].strip_prefix("Authorization: Bearer ").unwrap();
        let (status, answer) = server.post(path, secret, serde_json::from_str(parts[5]).unwrap()).await;
        assert_eq!(status, 200, "{command}: {answer}");
        if path.ends_with("query") {
            assert_eq!(answer["results"][0]["body"], "hello, Timberline");
        }
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn a_folder_made_by_init_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let made = timberline(&["init", "--json", "--data-dir", text_of(&data_dir)]).output().unwrap();
    assert!(made.status.success());
    let credentials: Value = serde_json::from_slice(&made.stdout).unwrap();
    let mut names: Vec<&String> = credentials.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["ingest_token", "organization_id", "personal_api_key", "project_id"]);

    let server = Running::start("serve", &data_dir, &[]);
    let token = credentials["ingest_token"].as_str().unwrap();
    assert_eq!(server.post("/i/v1/logs", token, document("api", &[now_record("one")])).await.0, 200);
    let path = format!("/api/projects/{}/logs/count", credentials["project_id"]);
    let key = credentials["personal_api_key"].as_str().unwrap();
    assert_eq!(server.post(&path, key, json!({})).await, (200, json!({ "count": 1 })));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn the_demo_shows_true_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("demo");
    let server = Running::start("demo", &data_dir, &["--rows", "3000"]);
    let key = server.secret("phx_");
    let (status, answer) = server.post("/api/projects/1/logs/count", &key, everything()).await;
    assert_eq!(status, 200);
    assert!(answer["count"].as_u64().unwrap() >= 3000, "{answer}");
    let questions = server.greeting.iter().filter(|line| line.ends_with('?')).count();
    assert_eq!(questions, 3, "{:?}", server.greeting);
    let counted =
        server.greeting.iter().find_map(|line| line.trim().strip_prefix("{\"count\":")?.strip_suffix('}'));
    assert!(counted.unwrap().parse::<u64>().unwrap() > 0, "{:?}", server.greeting);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    let again = Running::start("demo", &data_dir, &["--rows", "3000"]);
    let new_key = again.secret("phx_");
    let (_, answer) = again.post("/api/projects/1/logs/count", &new_key, everything()).await;
    assert!(answer["count"].as_u64().unwrap() < 6000, "a folder is loaded once: {answer}");
    again.signal("TERM");
    assert_eq!(again.wait().code(), Some(0));
}
