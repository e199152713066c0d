//! Commands that talk to a running server, and what they do without one.

use std::path::Path;

use serde_json::{Value, json};

use super::harness::document;
use super::process::{Running, text_of, timberline};
use super::process_refusals::error_with;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = timberline(arguments).envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn record(severity: &str, body: &str, code: i64) -> Value {
    json!({
        "severityText": severity,
        "body": { "stringValue": body },
        "attributes": [{ "key": "code", "value": { "intValue": code } }],
    })
}

/// Lines of two services.
fn write_lines(path: &Path) {
    let lines = [
        document("api", &[record("INFO", "one", 200), record("ERROR", "two\u{1b}[2J", 502)]),
        document("web", &[record("ERROR", "three", 502)]),
    ];
    std::fs::write(path, lines.map(|line| format!("{line}\n")).concat()).unwrap();
}

#[tokio::test]
async fn what_is_imported_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs.ndjson");
    write_lines(&file);
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let environment =
        [("TIMBERLINE_URL", server.url.as_str()), ("TIMBERLINE_TOKEN", &token), ("TIMBERLINE_KEY", &key)];
    let imported: Value =
        serde_json::from_str(&run(&["import", text_of(&file), "--json"], &environment)).unwrap();
    assert_eq!((&imported["num_requests"], &imported["num_rejected"]), (&json!(1), &json!(0)));
    assert_eq!(imported["num_bytes"], json!(std::fs::metadata(&file).unwrap().len()));

    let ask = |more: &[&str]| run(&[&["query", "--since", "all"], more].concat(), &environment);
    assert_eq!(ask(&["--count"]), "3\n");
    assert_eq!(
        ask(&["--count", "--where", "code=502", "--service", "api", "--severity", "error,fatal"]),
        "1\n"
    );
    assert_eq!(
        ask(&["--count", "--search", "THREE", "--output", "json"]),
        "{\"count\":3}\n".replace('3', "1")
    );
    let table = ask(&[]);
    assert_eq!(table.lines().count(), 3);
    assert!(!table.contains('\u{1b}') && table.contains("  web "), "{table}");
    let rows: Vec<Value> = serde_json::from_str(&ask(&["--output", "json", "--order", "earliest"])).unwrap();
    assert_eq!(rows.len(), 3);
    let lines = ask(&["--output", "ndjson", "--limit", "2"]);
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["body"].is_string()));

    let error = error_with(
        1,
        &["query", "--where", "code=502"],
        &[("TIMBERLINE_URL", &server.url), ("TIMBERLINE_KEY", "phx_wrong")],
    );
    assert!(error.contains("401") && !error.contains("phx_wrong"), "{error}");
    let error = error_with(
        1,
        &["import", text_of(&file)],
        &[("TIMBERLINE_URL", &server.url), ("TIMBERLINE_TOKEN", "phc_wrong")],
    );
    assert!(error.contains("401") && error.ends_with("0 bytes of the file were taken before"), "{error}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn pages_are_asked_for_until_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs.pb");
    let generate = ["generate", "--rows", "2500", "--format", "otlp-protobuf", "--out", text_of(&file)];
    run(&generate, &[]);
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let url = server.url.as_str();
    run(&["import", text_of(&file), "--url", url, "--token", &token], &[]);
    let ask = |limit: &str| {
        let arguments =
            ["query", "--url", url, "--key", &key, "--since", "all", "--limit", limit, "--output", "ndjson"];
        let text = run(&arguments, &[]);
        let uuid = |line: &str| serde_json::from_str::<Value>(line).unwrap()["uuid"].to_string();
        let mut uuids: Vec<String> = text.lines().map(uuid).collect();
        uuids.sort_unstable();
        uuids.dedup();
        uuids.len()
    };
    assert_eq!(ask("2100"), 2100);
    assert_eq!(ask("9000"), 2500);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[tokio::test]
async fn a_folder_takes_records_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, file) = (folder.path().join("data"), folder.path().join("logs.ndjson"));
    write_lines(&file);
    let made: Value =
        serde_json::from_str(&run(&["init", "--json", "--data-dir", text_of(&data_dir)], &[])).unwrap();
    let import = ["import", text_of(&file), "--data-dir", text_of(&data_dir), "--project"];
    let text = run(&[&import[..], &["1"]].concat(), &[]);
    assert!(text.starts_with("imported "), "{text}");
    let error = error_with(1, &[&import[..], &["7"]].concat(), &[]);
    assert_eq!(error, "timberline: there is no project 7");
    let server = Running::start("serve", &data_dir, &[]);
    let key = made["personal_api_key"].as_str().unwrap();
    let counted = run(&["query", "--url", &server.url, "--key", key, "--since", "all", "--count"], &[]);
    assert_eq!(counted, "3\n");
    let error = error_with(1, &[&import[..], &["1"]].concat(), &[]);
    assert!(error.contains("in use by another process"), "{error}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn what_cannot_work_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs.zip");
    std::fs::write(&file, b"PK\x03\x04").unwrap();
    let error =
        error_with(1, &["import", text_of(&file), "--token", "phc_a", "--url", "http://127.0.0.1:1"], &[]);
    assert!(error.contains("logs.zip") && error.contains("not an OTLP logs request"), "{error}");
    let error = error_with(1, &["query", "--key", "phx_a", "--url", "http://127.0.0.1:1"], &[]);
    assert!(error.contains("cannot reach the server") && !error.contains("phx_a"), "{error}");
    let arguments = ["import", text_of(&file), "--token", "phc_a", "--data-dir", text_of(folder.path())];
    assert!(error_with(2, &arguments, &[]).contains("--project"));
    assert_eq!(timberline(&["query"]).output().unwrap().status.code(), Some(2), "a key is needed");
}

#[tokio::test]
async fn every_row_is_exported_into_a_file_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs.ndjson");
    write_lines(&file);
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let environment =
        [("TIMBERLINE_URL", server.url.as_str()), ("TIMBERLINE_TOKEN", &token), ("TIMBERLINE_KEY", &key)];
    run(&["import", text_of(&file)], &environment);
    let to = folder.path().join("out.csv");
    let export = |more: &[&str]| run(&[&["export", "--since", "all"], more].concat(), &environment);
    let told: Value =
        serde_json::from_str(&export(&["--to", text_of(&to), "--json", "--columns", "body"])).unwrap();
    let written = std::fs::read_to_string(&to).unwrap();
    assert_eq!(told["num_bytes"], json!(written.len()));
    let mut lines: Vec<&str> = written.lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(lines, ["body", "one", "three", "two\u{1b}[2J"]);
    assert!(!folder.path().join("out.csv.part").exists());
    let lines =
        export(&["--format", "ndjson", "--severity", "error", "--service", "web", "--columns", "body"]);
    assert_eq!(serde_json::from_str::<Value>(&lines).unwrap(), json!({ "body": "three" }));
    let parquet = folder.path().join("out.parquet");
    export(&["--format", "parquet", "--to", text_of(&parquet)]);
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));

    let refused = timberline(&["export", "--columns", "no such", "--to", text_of(&to)]);
    let refused = { refused }.envs(environment.iter().copied()).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(
        std::fs::read_to_string(&to).unwrap(),
        written,
        "a file that is there stays until another is whole"
    );
}
