//! The program when it cannot start: one line that says why, and exit code 1, or 2 for a wrong setting.

use std::net::TcpListener;

use super::process::{Running, text_of, timberline};

/// Runs to the end and gives the one line of the error.
fn error_of(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    error_with(1, arguments, environment)
}

/// The same with another exit code.
pub(super) fn error_with(code: i32, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = timberline(arguments).envs(environment.iter().copied()).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed {:?}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

#[test]
fn an_address_in_use_is_told_and_leaves_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = error_of(&["serve", "--data-dir", text_of(&data_dir), "--listen", &address], &[]);
    assert!(error.starts_with(&format!("timberline: cannot listen on {address}: ")), "{error}");
    assert!(!data_dir.exists());
}

#[test]
fn a_path_that_is_no_folder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    for path in [file.clone(), file.join("below")] {
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["init"]] {
            let error = error_of(&[command, &["--data-dir", text_of(&path)]].concat(), &[]);
            let expected = format!("timberline: cannot use {} as the data folder: ", path.display());
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}

#[test]
fn a_folder_in_use_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let error = error_of(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text_of(&data_dir)], &[]);
    assert!(error.contains("in use by another process"), "{error}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn an_unknown_setting_is_named() {
    let error_of = |arguments: &[&str], environment: &[_]| error_with(2, arguments, environment);
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[server]\nlisten = '127.0.0.1:0'\nspeed = 'high'\n").unwrap();
    let error = error_of(&["serve", "--data-dir", text_of(&data_dir), "--config", text_of(&file)], &[]);
    assert_eq!(error, format!("timberline: unknown setting server.speed in {}", file.display()));
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", text_of(&data_dir)];
    let error = error_of(&arguments, &[("TIMBERLINE_SERVER__SPEED", "high")]);
    assert_eq!(error, "timberline: unknown setting TIMBERLINE_SERVER__SPEED in the environment");
    let error = error_of(&["serve", "--config", text_of(&folder.path().join("none.toml"))], &[]);
    assert!(error.starts_with("timberline: cannot read ") && error.contains("none.toml"), "{error}");
    assert!(!data_dir.exists());
}

#[test]
fn init_refuses_a_folder_that_is_one_already() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["init", "--json", "--data-dir", text_of(folder.path())];
    assert!(timberline(&arguments).output().unwrap().status.success(), "an empty folder is fine");
    let error = error_of(&arguments, &[]);
    assert!(error.contains("is already a data folder"), "{error}");
}

#[test]
fn generated_logs_are_the_same_bytes_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["otlp-protobuf", "otlp-json", "ndjson"] {
        let generate = |seed: &str, out: &str| {
            let arguments = [
                "generate", "--rows", "50", "--seed", seed, "--format", format, "--keys", "500", "--out", out,
            ];
            let output = timberline(&arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let file = folder.path().join(format);
        assert!(generate("3", text_of(&file)).is_empty());
        let written = std::fs::read(&file).unwrap();
        assert!(!written.is_empty());
        assert_eq!(generate("3", "-"), written);
        assert_ne!(generate("4", "-"), written);
    }
    let error = error_of(&["generate", "--out", text_of(&folder.path().join("none/file"))], &[]);
    assert!(error.starts_with("timberline: cannot write "), "{error}");
}
