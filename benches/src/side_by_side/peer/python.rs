//! Engines that run in a Python process of their own, and are asked in SQL.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Facts, Replied};
use crate::machine::peak_memory_bytes_of;
use crate::side_by_side::answer::Answer;
use crate::side_by_side::questions::Asked;

const PROGRAM: &str = include_str!("peer.py");

/// Which engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::side_by_side) enum Dialect {
    /// ClickHouse, as chdb has it.
    ClickHouse,
    /// DuckDB.
    DuckDb,
}

impl Dialect {
    /// All of them.
    pub(in crate::side_by_side) const ALL: [Self; 2] = [Self::ClickHouse, Self::DuckDb];

    /// Its short name, which is the Python program's argument too.
    pub(in crate::side_by_side) fn name(self) -> &'static str {
        match self {
            Self::ClickHouse => "clickhouse",
            Self::DuckDb => "duckdb",
        }
    }

    fn module(self) -> &'static str {
        match self {
            Self::ClickHouse => "chdb",
            Self::DuckDb => "duckdb",
        }
    }

    /// The statements that make its table of a Parquet file.
    fn load_statements(self) -> &'static str {
        match self {
            Self::ClickHouse => include_str!("clickhouse.sql"),
            Self::DuckDb => include_str!("duckdb.sql"),
        }
    }
}

/// The Python that peers are looked for in when none is named.
pub fn default_python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("timberline-peers/bin/python"))
}

/// A running engine with its rows.
#[derive(Debug)]
pub(in crate::side_by_side) struct PythonPeer {
    dialect: Dialect,
    version: String,
    load: Duration,
    num_bytes: u64,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl PythonPeer {
    /// Whether a Python has the engine.
    pub(in crate::side_by_side) fn is_installed(python: &Path, dialect: Dialect) -> bool {
        let import = format!("import {}", dialect.module());
        let checked =
            Command::new(python).args(["-c", &import]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        checked.is_ok_and(|status| status.success())
    }

    /// Starts the engine and loads the rows of a Parquet file.
    ///
    /// # Errors
    /// When it does not start, or refuses a statement.
    pub(in crate::side_by_side) fn start(
        python: &Path,
        dialect: Dialect,
        folder: &Path,
        rows: &Path,
    ) -> Result<Self> {
        let folder = folder.join(dialect.name());
        fs::create_dir_all(&folder)?;
        let program = folder.join("peer.py");
        fs::write(&program, PROGRAM)?;
        let mut child = Command::new(python)
            .arg(&program)
            .arg(dialect.name())
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", python.display()))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("a peer without pipes");
        };
        let (version, load) = (String::new(), Duration::ZERO);
        let answers = BufReader::new(answers);
        let mut peer = Self { dialect, version, load, num_bytes: 0, child, requests, answers };
        peer.version = peer.read()?["version"].as_str().unwrap_or_default().to_owned();
        let started = Instant::now();
        let rows = rows.to_str().context("a path that is no text")?;
        for statement in dialect.load_statements().replace("{rows}", rows).split(";\n") {
            peer.run(statement).with_context(|| format!("cannot load {}", dialect.name()))?;
        }
        peer.load = started.elapsed();
        peer.num_bytes = folder_bytes(&folder)?;
        Ok(peer)
    }

    /// Asks, and returns the time in the engine with the answer.
    ///
    /// # Errors
    /// What the engine says.
    pub(super) fn ask(&mut self, asked: &Asked<'_>) -> Result<Replied> {
        let sql = asked.sql(self.dialect);
        let (elapsed, answer) = self.run(&sql)?;
        Ok(Replied { elapsed, answer, question: sql })
    }

    /// What the report tells of it.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            name: self.dialect.name(),
            version: self.version.clone(),
            load: self.load,
            num_bytes: Some(self.num_bytes),
            peak_memory_bytes: peak_memory_bytes_of(self.child.id()),
        }
    }

    fn run(&mut self, sql: &str) -> Result<(Duration, Answer)> {
        writeln!(self.requests, "{}", json!({ "sql": sql }))?;
        self.requests.flush()?;
        let answer = self.read()?;
        if let Some(error) = answer["error"].as_str() {
            bail!("{} refuses {sql}: {error}", self.version);
        }
        let millis = answer["ms"].as_f64().context("an answer without a time")?;
        Ok((Duration::from_secs_f64(millis / 1e3), Answer::of_rows(&answer["rows"])?))
    }

    fn read(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("{} has ended", self.dialect.name());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for PythonPeer {
    fn drop(&mut self) {
        // It may have ended already, and nobody is left to be told.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut num_bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = fs::symlink_metadata(entry.path())?;
        num_bytes += match metadata.is_dir() {
            true => folder_bytes(&entry.path())?,
            false if metadata.is_file() => metadata.len(),
            false => 0,
        };
    }
    Ok(num_bytes)
}
