//! The binary of the product as a child process.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value as Json;
use tempfile::TempDir;

/// Small sizes, so that flushes, merges, new segments and kills interleave.
const SETTINGS: [(&str, &str); 6] = [
    ("TIMBERLINE_ENGINE__TARGET_FILE_BYTES", "128KiB"),
    ("TIMBERLINE_ENGINE__FLUSH_BYTES", "64KiB"),
    ("TIMBERLINE_ENGINE__FLUSH_INTERVAL_SECS", "1"),
    ("TIMBERLINE_ENGINE__WAL_SEGMENT_BYTES", "128KiB"),
    ("TIMBERLINE_ENGINE__MAX_WAL_BYTES", "64MiB"),
    ("TIMBERLINE_LOG__FILTER", "warn"),
];

/// The binary with an environment of our own: it refuses settings that it does not know.
fn timberline() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timberline"));
    command.env_clear().envs(SETTINGS).stdin(Stdio::null());
    command
}

/// A data folder with credentials.
pub(crate) struct Folder {
    folder: TempDir,
    pub(crate) project_id: i64,
    pub(crate) ingest_token: String,
    pub(crate) personal_api_key: String,
}

impl Folder {
    pub(crate) fn init() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = init(&folder);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let credentials: Json = serde_json::from_slice(&output.stdout).expect("credentials in JSON");
        let text = |field: &str| credentials[field].as_str().expect("a text").to_owned();
        assert!(!text("organization_id").is_empty());
        Self {
            folder,
            project_id: credentials["project_id"].as_i64().expect("a number"),
            ingest_token: text("ingest_token"),
            personal_api_key: text("personal_api_key"),
        }
    }

    pub(super) fn init_again(&self) -> Output {
        init(&self.folder)
    }

    /// Where the server's own log goes.
    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }
}

fn init(folder: &TempDir) -> Output {
    let data_dir = folder.path().join("data");
    timberline().args(["init", "--json", "--data-dir"]).arg(data_dir).output().expect("the binary runs")
}

/// A server that answers.
pub(crate) struct Running {
    child: Child,
    pub(crate) url: String,
    /// Reads what the server prints, so that it never waits for a reader.
    output: JoinHandle<()>,
}

impl Running {
    /// Starts the server on a free port and waits until it listens.
    pub(super) fn start(folder: &Folder) -> Self {
        Self::start_with(folder, &[])
    }

    /// The same with more settings.
    pub(crate) fn start_with(folder: &Folder, settings: &[(&str, &str)]) -> Self {
        let log = File::options().create(true).append(true).open(folder.log_path()).expect("a log file");
        let mut child = timberline()
            .envs(settings.iter().copied())
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.folder.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let Some(url) = url else {
            let status = child.wait().expect("an exit status");
            let log = std::fs::read_to_string(folder.log_path()).unwrap_or_default();
            panic!("the server did not start, {status}: {log}");
        };
        Self { child, url, output: std::thread::spawn(move || lines.for_each(drop)) }
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the process gets no chance to do anything.
    pub(super) fn kill(mut self) {
        self.child.kill().expect("the child is killed");
        self.ended();
    }

    /// SIGTERM: the process finishes what is under way and exits with 0.
    pub(crate) fn terminate(self) {
        let signalled =
            Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).status();
        assert!(signalled.expect("a shell").success());
        let status = self.ended();
        assert_eq!(status.code(), Some(0), "{status}");
    }

    fn ended(mut self) -> ExitStatus {
        let status = self.child.wait().expect("an exit status");
        self.output.join().expect("the reader ends with the process");
        status
    }
}
