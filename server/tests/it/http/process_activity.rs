//! The audit trail from the command line: entries of another system come in, a stopped folder is proved and signed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::process::{Running, text_of, timberline};
use super::process_refusals::error_with;

fn run(arguments: &[&str], code: i32) -> String {
    let output = timberline(arguments).output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(code),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Lines of entries, with an empty one among them.
fn write_entries(path: &Path, count: usize) {
    let line = |number: usize| {
        let detail = json!({ "name": format!("thing {number}") });
        let entry = json!({
            "scope": "Thing", "activity": "created", "item_id": number, "detail": detail,
            "created_at": format!("2024-05-06T07:08:{:02}Z", number % 60),
        });
        format!("{entry}\n{}", if number == 3 { "\n" } else { "" })
    };
    std::fs::write(path, (0..count).map(line).collect::<String>()).unwrap();
}

fn stop(server: Running) {
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

fn data_file(folder: &Path) -> PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if path.extension().is_some_and(|extension| extension == "parquet") => return path,
                false => {}
            }
        }
    }
    panic!("no data file");
}

#[tokio::test]
async fn entries_are_imported_proved_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, file) = (folder.path().join("data"), folder.path().join("entries.ndjson"));
    write_entries(&file, 1_203);
    let server = Running::start("serve", &data_dir, &[]);
    let (key, url) = (server.secret("phx_"), server.url.clone());
    let import = ["import", "--activity", text_of(&file), "--project", "1", "--url", &url, "--key", &key];
    let imported: Value = serde_json::from_str(&run(&[&import[..], &["--json"]].concat(), 0)).unwrap();
    assert_eq!(imported, json!({ "num_entries": 1_203 }));
    let error = error_with(1, &["activity", "verify", "--data-dir", text_of(&data_dir)], &[]);
    assert!(error.contains("in use by another process"), "{error}");
    stop(server);

    let on_folder = |command: &str, more: &[&str], code: i32| {
        run(&[&["activity", command, "--data-dir", text_of(&data_dir)], more].concat(), code)
    };
    let proof: Value = serde_json::from_str(&on_folder("verify", &["--json"], 0)).unwrap();
    assert_eq!(proof["is_intact"], true, "{proof}");
    let of_organization = &proof["organizations"][0];
    let num_entries = of_organization["num_entries"].as_i64().unwrap();
    assert!(num_entries >= 1_203, "{proof}");
    let signed = on_folder("checkpoint", &[], 0);
    let checkpoint: Value = serde_json::from_str(&signed).unwrap();
    assert_eq!(checkpoint["sequence"], of_organization["last_sequence"]);
    assert_eq!(checkpoint["hash"], of_organization["hash"]);
    let kept = folder.path().join("kept.ndjson");
    std::fs::write(&kept, &signed).unwrap();
    let lines = on_folder("verify", &["--checkpoint", text_of(&kept)], 0);
    assert!(lines.contains("checkpoints agree"), "{lines}");

    // Somebody who kept a checkpoint sees that the chain has become another one.
    let mut forged = checkpoint.clone();
    forged["hash"] = json!("0".repeat(64));
    std::fs::write(&kept, format!("{forged}\n")).unwrap();
    let proof: Value =
        serde_json::from_str(&on_folder("verify", &["--json", "--checkpoint", text_of(&kept)], 1)).unwrap();
    assert_eq!(proof["is_intact"], false, "{proof}");
    // And everybody sees a changed byte.
    let damaged = data_file(&data_dir.join("activity"));
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[300] ^= 4;
    std::fs::write(&damaged, bytes).unwrap();
    let proof: Value = serde_json::from_str(&on_folder("verify", &["--json"], 1)).unwrap();
    let fault = &proof["organizations"][0]["fault"];
    assert!(
        fault["reason"].as_str().unwrap().contains(damaged.file_name().unwrap().to_str().unwrap()),
        "{proof}"
    );
}

#[tokio::test]
async fn what_cannot_be_imported_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("entries.ndjson");
    let server = Running::start("serve", &folder.path().join("data"), &[]);
    let (key, url) = (server.secret("phx_"), server.url.clone());
    let import = ["import", "--activity", text_of(&file), "--project", "1", "--url", &url, "--key", &key];
    std::fs::write(&file, "{\"scope\": \"Thing\", \"activity\": \"created\"}\n{broken\n").unwrap();
    let error = error_with(1, &import, &[]);
    assert!(error.contains("line 2 is no JSON"), "{error}");
    std::fs::write(&file, "{\"scope\": \"Thing\"}\n").unwrap();
    let error = error_with(1, &import, &[]);
    assert!(error.contains("activity"), "{error}");
    let error = error_with(2, &["import", "--activity", text_of(&file), "--url", &url, "--key", &key], &[]);
    assert!(error.contains("--project"), "{error}");
    let list = "/api/projects/1/advanced_activity_logs/?scopes=Thing";
    let answer = reqwest::Client::new().get(format!("{url}{list}")).bearer_auth(&key).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["results"], json!([]), "nothing of a refused file is stored");
    stop(server);
}
