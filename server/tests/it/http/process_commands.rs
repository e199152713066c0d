//! Commands that need no folder: settings are checked, shells are served.

use serde_json::Value;

use super::process::{text_of, timberline};
use super::process_refusals::error_with;

fn printed(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = timberline(arguments).envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn right_settings_are_listed_with_their_sources() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[query]\ntimeout_secs = 7\n").unwrap();
    let arguments = ["config", "check", "--json", "--config", text_of(&file), "--listen", "127.0.0.1:9"];
    let text = printed(&arguments, &[("TIMBERLINE_AI__API_KEY", "hush")]);
    assert!(!text.contains("hush"));
    let listed: Value = serde_json::from_str(&text).unwrap();
    let of = |name: &str| {
        let listed = listed["settings"].as_array().unwrap();
        let setting = listed.iter().find(|setting| setting["name"] == name).unwrap();
        (setting["value"].as_str().unwrap().to_owned(), setting["source"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("query.timeout_secs"), ("7".to_owned(), file.display().to_string()));
    assert_eq!(of("server.listen"), ("127.0.0.1:9".to_owned(), "command line".to_owned()));
    assert_eq!(of("ai.api_key").1, "environment");
    assert_eq!(of("log.format"), ("text".to_owned(), "default".to_owned()));
    let lines = printed(&["config", "check"], &[]);
    let words: Vec<Vec<&str>> = lines.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(words.contains(&vec!["log.format", "text", "default"]), "{lines}");
    assert!(!folder.path().join("timberline-data").exists(), "nothing is made");
}

#[test]
fn wrong_settings_and_arguments_end_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let error = error_with(2, &["config", "check"], &[("TIMBERLINE_LOG__FORMAT", "xml")]);
    assert!(error.starts_with("timberline: setting log.format (environment): "), "{error}");
    let missing = folder.path().join("none.toml");
    let error = error_with(2, &["config", "check", "--config", text_of(&missing)], &[]);
    assert!(error.starts_with("timberline: cannot read "), "{error}");
    assert_eq!(timberline(&["config", "chekc"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn shells_get_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell], &[]);
        assert!(script.contains("completions") && script.contains("data-dir"), "{shell}");
    }
    assert!(printed(&["--help"], &[]).contains("Exit codes:"));
}

#[test]
fn retention_is_told_to_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = text_of(folder.path());
    printed(&["init", "--data-dir", data_dir], &[]);
    let ask = |more: &[&str]| {
        let arguments =
            [&["retention"], more, &["--data-dir", data_dir, "--project", "1", "--json"]].concat();
        serde_json::from_str::<Value>(&printed(&arguments, &[])).unwrap()
    };
    assert_eq!(ask(&["show"]), serde_json::json!({ "project_id": 1, "retention_days": null }));
    assert_eq!(ask(&["set", "--days", "30"])["retention_days"], 30);
    let preview = ask(&["preview", "--days", "7"]);
    assert_eq!((&preview["num_rows"], &preview["oldest"]), (&serde_json::json!(0), &Value::Null));
}
