//! The commands that work on a stopped folder, as programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

use super::harness::document;
use super::process::{Running, text_of, timberline};

fn run(arguments: &[&str]) -> Output {
    timberline(arguments).output().unwrap()
}

/// Runs a command that prints JSON.
fn json_of(arguments: &[&str], code: i32) -> Value {
    let output = run(&[arguments, &["--json"]].concat());
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A stopped folder with some records, and the key that reads them.
async fn filled(data_dir: &Path) -> String {
    let server = Running::start("serve", data_dir, &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let records: Vec<Value> =
        (0..30).map(|number| json!({ "body": { "stringValue": format!("record {number}") } })).collect();
    assert_eq!(server.post("/v1/logs", &token, document("api", &records)).await, (200, json!({})));
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    key
}

async fn count(data_dir: &Path, key: &str) -> Value {
    let server = Running::start("serve", data_dir, &[]);
    let (status, answer) = server.post("/api/projects/@current/logs/count", key, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    answer["count"].clone()
}

#[tokio::test]
async fn a_backup_comes_back_with_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let [data_dir, backup, restored] = ["data", "backup", "restored"].map(|name| folder.path().join(name));
    let key = filled(&data_dir).await;
    let from = ["--data-dir", text_of(&data_dir)];
    let written = json_of(&[&["backup", text_of(&backup)], &from[..]].concat(), 0);
    assert_eq!((&written["num_rows"], &written["num_files"]), (&json!(30), &json!(1)), "{written}");
    assert!(backup.join("backup.json").is_file() && backup.join("meta.db").is_file());
    let brought_back = json_of(&["restore", text_of(&backup), text_of(&restored)], 0);
    assert_eq!(brought_back["num_rows"], 30);
    assert_eq!(count(&restored, &key).await, 30);
    let report = json_of(&["doctor", "--deep", "--data-dir", text_of(&restored)], 0);
    assert_eq!((&report["is_clean"], &report["num_rows"]), (&json!(true), &json!(30)), "{report}");

    let again = run(&["restore", text_of(&backup), text_of(&restored)]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
    let nowhere = folder.path().join("nowhere");
    let none = run(&["backup", text_of(&folder.path().join("b2")), "--data-dir", text_of(&nowhere)]);
    assert_eq!(none.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&none.stderr).contains("is no data folder"));
    assert!(!nowhere.exists());
}

#[tokio::test]
async fn what_is_missing_is_named_and_given_up_only_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let key = filled(&data_dir).await;
    let from = ["--data-dir", text_of(&data_dir)];
    let sound = run(&[&["doctor"], &from[..]].concat());
    assert_eq!(sound.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&sound.stdout).contains("nothing is wrong"));

    let lost = files_below(&data_dir.join("logs")).pop().unwrap();
    fs::remove_file(&lost).unwrap();
    let name = lost.file_name().unwrap().to_str().unwrap();
    let report = json_of(&[&["doctor"], &from[..]].concat(), 1);
    assert_eq!(report["findings"][0]["kind"], "file_missing");
    assert!(report["findings"][0]["object"].as_str().unwrap().ends_with(name), "{report}");
    let text = run(&[&["doctor"], &from[..]].concat());
    assert!(String::from_utf8_lossy(&text.stdout).contains(name));
    assert!(String::from_utf8_lossy(&text.stderr).contains("1 thing is to look at"));

    let id = name.strip_suffix(".parquet").unwrap();
    json_of(&[&["doctor", "--repair", "--drop", id], &from[..]].concat(), 0);
    json_of(&[&["doctor"], &from[..]].concat(), 0);
    assert_eq!(count(&data_dir, &key).await, 0);
}

#[tokio::test]
async fn a_lost_catalog_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let key = filled(&data_dir).await;
    fs::remove_file(data_dir.join("catalog.db")).unwrap();
    let refused = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text_of(&data_dir)]);
    assert_eq!(refused.status.code(), Some(1));
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("catalog.db is missing") && error.contains("catalog rebuild"), "{error}");
    for source in ["manifests", "footers"] {
        let arguments = ["catalog", "rebuild", "--from", source, "--data-dir", text_of(&data_dir)];
        let report = json_of(&arguments, 0);
        assert_eq!((&report["source"], &report["num_rows"]), (&json!(source), &json!(30)), "{report}");
        assert_eq!(count(&data_dir, &key).await, 30);
    }
}

#[tokio::test]
async fn a_folder_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let server = Running::start("serve", &data_dir, &[]);
    let from = ["--data-dir", text_of(&data_dir)];
    for command in [&["doctor"][..], &["catalog", "rebuild"], &["backup", text_of(&backup)]] {
        let refused = run(&[command, &from[..]].concat());
        assert_eq!(refused.status.code(), Some(1), "{command:?}");
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(error.contains("in use by another process"), "{command:?}: {error}");
    }
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}
