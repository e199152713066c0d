//! `timberline sql`: SQL by hand and from scripts, of a running server or straight from a store.
//!
//! Reading order: [`SqlArgs`], what is asked for; [`door`], where it is asked; [`script`], statements of a text;
//! [`session`], what is done with each; [`command`], those that begin with a backslash; [`rows`] and [`table`], answers
//! for people; [`editor`] and [`completion`], lines that are typed.

mod command;
mod completion;
mod door;
mod editor;
mod rows;
mod script;
mod session;
mod table;

use std::io::{IsTerminal, Read, stdin};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use engine::sql::SqlFormat;

use self::door::{Door, DoorArgs};
use self::session::Session;
use super::CliError;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline sql
  timberline sql -c \"SELECT service_name, count(*) FROM logs GROUP BY 1 ORDER BY 2 DESC\"
  timberline sql -f queries/explore/02_how_traffic_moves_by_hour.sql --format csv > hours.csv
  timberline sql --data-dir ./timberline-data --project 1 -c 'SELECT count(*) FROM logs'
  timberline sql --storage s3://bucket/prefix --project 1

Of a server, the key is best given as TIMBERLINE_KEY; it needs the scope logs:read, and activity_log:read for the table
activity. With --data-dir or --storage no server is needed: the rows of the data files are read, through the manifests
beside them, and nothing is written; rows in the write-ahead log of a server are not among them.
In the shell, \\? lists the commands.")]
pub(super) struct SqlArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// Statements to run, instead of reading lines; may be repeated
    #[arg(short, long, value_name = "SQL")]
    command: Vec<String>,
    /// File of statements to run; - is standard input; may be repeated
    #[arg(short, long, value_name = "FILE")]
    file: Vec<PathBuf>,
    /// Form of answers
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
    /// Tell how long each statement took
    #[arg(long)]
    timing: bool,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// A table for people
    Table,
    /// One JSON document
    Json,
    /// One JSON object per line
    Ndjson,
    /// Comma-separated values
    Csv,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}

impl Form {
    /// As the engine knows it. A table is made of a document.
    fn format(self) -> SqlFormat {
        match self {
            Self::Table | Self::Json => SqlFormat::Json,
            Self::Ndjson => SqlFormat::Ndjson,
            Self::Csv => SqlFormat::Csv,
            Self::Arrow => SqlFormat::Arrow,
            Self::Parquet => SqlFormat::Parquet,
        }
    }

    /// As the API calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Table | Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// A form by its word.
    fn parse(word: &str) -> Option<Self> {
        <Self as ValueEnum>::from_str(word, true).ok()
    }
}

pub(super) async fn run(args: &SqlArgs) -> Result<(), CliError> {
    let door = Door::open(&args.door).await?;
    let mut session = Session::new(door, args.format, args.timing);
    let mut has_script = false;
    for text in &args.command {
        has_script = true;
        session.run_script(text).await?;
    }
    for path in &args.file {
        has_script = true;
        session.run_script(&read(path)?).await?;
    }
    if has_script {
        return Ok(());
    }
    if !stdin().is_terminal() {
        return session.run_script(&read_stdin()?).await;
    }
    editor::converse(session).await
}

fn read(path: &std::path::Path) -> Result<String, CliError> {
    if path == std::path::Path::new("-") {
        return read_stdin();
    }
    std::fs::read_to_string(path).map_err(|error| CliError::Read { path: path.to_owned(), error })
}

fn read_stdin() -> Result<String, CliError> {
    let mut text = String::new();
    let read = stdin().read_to_string(&mut text);
    read.map(|_| text).map_err(|error| CliError::Read { path: PathBuf::from("standard input"), error })
}
