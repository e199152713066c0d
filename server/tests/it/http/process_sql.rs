//! `timberline sql`: of a running server, and straight from a folder.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use super::doors::hostile::HOSTILE;
use super::harness::document;
use super::process::{Running, text_of, timberline};
use super::process_refusals::error_with;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = timberline(arguments).envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn record(body: &str) -> Value {
    json!({ "severityText": "INFO", "body": { "stringValue": body }, "attributes": [
        { "key": "code", "value": { "intValue": 200 } },
    ] })
}

fn write_logs(folder: &Path) -> std::path::PathBuf {
    let file = folder.join("logs.ndjson");
    let records = [record("one"), record("two\u{1b}[2J"), record("three; four")];
    std::fs::write(&file, format!("{}\n", document("api", &records))).unwrap();
    file
}

#[tokio::test]
async fn statements_are_asked_of_a_server_and_of_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (file, data_dir) = (write_logs(folder.path()), folder.path().join("data"));
    let server = Running::start("serve", &data_dir, &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let of_server =
        [("TIMBERLINE_URL", server.url.as_str()), ("TIMBERLINE_TOKEN", &token), ("TIMBERLINE_KEY", &key)];
    run(&["import", text_of(&file)], &of_server);

    let table = run(&["sql", "-c", "SELECT body FROM logs ORDER BY body"], &of_server);
    assert!(table.contains("one") && !table.contains('\u{1b}'), "{table}");
    let csv =
        run(&["sql", "--format", "csv", "-c", "SELECT count(*) AS n FROM logs; SELECT ';' AS s"], &of_server);
    assert_eq!(csv, "n\r\n3\r\ns\r\n;\r\n");
    let script = folder.path().join("script.sql");
    let copied = folder.path().join("out.parquet");
    let text = format!(
        "-- a comment;\nSELECT body FROM logs WHERE body = 'three; four';\n\\copy (SELECT * FROM logs) TO {}\n\\d logs\n",
        copied.display()
    );
    std::fs::write(&script, text).unwrap();
    let answer = run(&["sql", "-f", text_of(&script)], &of_server);
    assert!(
        answer.contains("three; four") && answer.contains("wrote ") && answer.contains("resource_attributes")
    );
    assert!(std::fs::read(&copied).unwrap().ends_with(b"PAR1"));

    // From standard input, and what fails is told.
    let mut piped = timberline(&["sql", "--format", "ndjson"]);
    let mut child = piped.envs(of_server).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"SELECT 1 AS a").unwrap();
    drop(stdin);
    assert_eq!(child.wait_with_output().unwrap().stdout, b"{\"a\":1}\n");
    let error = error_with(1, &["sql", "-c", "SELECT nothing FROM logs"], &of_server);
    assert!(error.contains("400") && error.contains("nothing"), "{error}");
    let error = error_with(1, &["sql", "-c", "DROP TABLE logs"], &of_server);
    assert!(error.contains("SELECT"), "{error}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    let before = files_in(&data_dir);
    let of_folder = |more: &[&str]| {
        run(&[&["sql", "--data-dir", text_of(&data_dir), "--format", "csv"], more].concat(), &[])
    };
    assert_eq!(of_folder(&["-c", "SELECT count(*) AS n FROM logs"]), "n\r\n3\r\n");
    assert_eq!(of_folder(&["--project", "7", "-c", "SELECT count(*) AS n FROM logs"]), "n\r\n0\r\n");
    assert_eq!(of_folder(&["-c", "SELECT attributes['code'] AS c FROM logs LIMIT 1"]), "c\r\n200\r\n");
    assert_eq!(files_in(&data_dir), before, "nothing of the folder has changed");
    let url = format!("file://{}", text_of(&data_dir));
    let of_url =
        run(&["sql", "--storage", &url, "--format", "csv", "-c", "SELECT count(*) AS n FROM logs"], &[]);
    assert_eq!(of_url, "n\r\n3\r\n");
}

#[test]
fn what_cannot_work_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error = error_with(1, &["sql", "--data-dir", text_of(&nowhere), "-c", "SELECT 1"], &[]);
    assert!(error.contains("is no folder"), "{error}");
    assert!(!nowhere.exists());
    let error = error_with(1, &["sql", "--data-dir", text_of(folder.path()), "-c", "SELECT 1"], &[]);
    assert!(error.contains("no manifests"), "{error}");
    let error = error_with(2, &["sql", "-c", "SELECT 1"], &[]);
    assert!(error.contains("--key"), "{error}");
    let error =
        error_with(1, &["sql", "--key", "phx_a", "--url", "http://127.0.0.1:1", "-c", "SELECT 1"], &[]);
    assert!(error.contains("cannot reach the server") && !error.contains("phx_a"), "{error}");
    let error = error_with(1, &["sql", "--key", "phx_a", "-c", "\\nothing"], &[]);
    assert!(error.contains("\\nothing"), "{error}");
}

/// The shell has no server in front of a folder that would refuse for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_shell_refuses_on_a_folder_what_every_door_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let sent = server.post("/v1/logs", &server.secret("phc_"), document("api", &[record("one")])).await;
    assert_eq!(sent.0, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    let before = files_in(&data_dir);
    for sql in HOSTILE {
        let output = timberline(&["sql", "--data-dir", text_of(&data_dir), "-c", sql]).output().unwrap();
        let [said, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(1), "{sql}: {said} {error}");
        assert!(!error.contains("panicked") && !said.contains("root:"), "{sql}: {said} {error}");
    }
    assert_eq!(files_in(&data_dir), before, "nothing of the folder has changed");
    assert!(!Path::new("/tmp/timberline-hostile-door.csv").exists());
}

/// Names and sizes.
fn files_in(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| match path.is_dir() {
            true => files_in(&path),
            false => vec![(path.clone(), path.metadata().unwrap().len())],
        })
        .collect();
    files.sort();
    files
}
