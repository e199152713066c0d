//! What is done with each statement.

use std::fs::File;
use std::io::{Write, stdout};
use std::path::Path;
use std::time::Instant;

use futures::StreamExt;

use super::super::CliError;
use super::command::{self, Next};
use super::door::{Door, Pieces};
use super::rows::{Lines, Part};
use super::script::{is_blank, split};
use super::table::table;
use super::{Form, command::Command};

/// Rows of one table; more are further tables.
const TABLE_ROWS: usize = 1_000;

/// Where statements are asked, and how answers are shown.
pub(super) struct Session {
    pub(super) door: Door,
    pub(super) form: Form,
    pub(super) is_timed: bool,
}

impl Session {
    pub(super) fn new(door: Door, form: Form, is_timed: bool) -> Self {
        Self { door, form, is_timed }
    }

    /// Runs every statement of a text; the last one needs no semicolon. The first that fails ends it.
    pub(super) async fn run_script(&mut self, text: &str) -> Result<(), CliError> {
        let (statements, rest) = split(text);
        let rest = (!is_blank(rest)).then(|| rest.trim().to_owned());
        for statement in statements.into_iter().chain(rest) {
            if self.run(&statement).await? == Next::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Runs a statement or a command.
    pub(super) async fn run(&mut self, text: &str) -> Result<Next, CliError> {
        if let Some(line) = text.strip_prefix('\\') {
            let command = Command::parse(line).map_err(CliError::Shell)?;
            return command::run(self, command).await;
        }
        self.show(text, self.form).await.map(|()| Next::Go)
    }

    /// Asks and prints the answer.
    pub(super) async fn show(&self, text: &str, form: Form) -> Result<(), CliError> {
        let started = Instant::now();
        let pieces = self.door.ask(text, form).await?;
        let num_rows = match form {
            Form::Table => Some(print_table(pieces).await?),
            _ => {
                copy(pieces, &mut stdout(), CliError::Print).await?;
                None
            }
        };
        if self.is_timed {
            let rows = num_rows.map(|num_rows| format!("{num_rows} rows in ")).unwrap_or_default();
            eprintln!("{rows}{} ms", started.elapsed().as_millis());
        }
        Ok(())
    }

    /// Asks and writes the answer to a file, which has its name once it is whole.
    pub(super) async fn copy_to(&self, text: &str, path: &Path, form: Form) -> Result<u64, CliError> {
        let pieces = self.door.ask(text, form).await?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let failed = |error| CliError::Write { path: path.display().to_string(), error };
        let mut file = File::create(&part).map_err(failed)?;
        let copied = copy(pieces, &mut file, failed).await;
        let whole = copied.and_then(|num_bytes| file.sync_all().map(|()| num_bytes).map_err(failed));
        match whole {
            Ok(num_bytes) => std::fs::rename(&part, path).map(|()| num_bytes).map_err(failed),
            Err(error) => {
                // What is not whole is of no use; why it is not is what counts.
                drop(std::fs::remove_file(&part));
                Err(error)
            }
        }
    }
}

/// Copies an answer piece by piece.
async fn copy(
    mut pieces: Pieces,
    out: &mut impl Write,
    failed: impl Fn(std::io::Error) -> CliError,
) -> Result<u64, CliError> {
    let mut num_bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        out.write_all(&piece).map_err(&failed)?;
        num_bytes += piece.len() as u64;
    }
    out.flush().map_err(&failed)?;
    Ok(num_bytes)
}

/// Prints rows as they come in, as tables of [`TABLE_ROWS`], and tells how many there were.
async fn print_table(mut pieces: Pieces) -> Result<u64, CliError> {
    let mut lines = Lines::default();
    let (mut columns, mut rows, mut num_rows) = (Vec::new(), Vec::new(), 0_u64);
    let mut ended = None;
    while let Some(piece) = pieces.next().await {
        let parts = match piece {
            Ok(piece) => lines.take(&piece)?,
            // What the document said at its end tells more than that it was cut off.
            Err(_) if ended.is_some() => break,
            Err(error) => return Err(error),
        };
        for part in parts {
            match part {
                Part::Columns(named) => columns = named,
                Part::Row(row) => {
                    num_rows += 1;
                    rows.push(row);
                    if rows.len() == TABLE_ROWS {
                        print(&table(&columns, &std::mem::take(&mut rows), width()))?;
                    }
                }
                Part::End(error) => ended = Some(error),
            }
        }
    }
    if !rows.is_empty() || num_rows == 0 {
        print(&table(&columns, &rows, width()))?;
    }
    match ended {
        Some(None) => Ok(num_rows),
        Some(Some(detail)) => Err(CliError::Remote(format!("the answer is not whole: {detail}"))),
        None => Err(CliError::Remote("the answer was cut off".to_owned())),
    }
}

/// As a shell tells it.
fn width() -> Option<u16> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width >= 20)
}

fn print(text: &str) -> Result<(), CliError> {
    let mut out = stdout();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(CliError::Print)
}
