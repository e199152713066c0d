//! `timberline export`: every row of a query, from a running server into a file.

use std::fs::File;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Response;
use serde_json::json;

use super::CliError;
use super::folder::print;
use super::query::{FilterArgs, Order, ServerArgs};
use super::remote;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline export --since -7d --severity error --to errors.csv
  timberline export --since all --format parquet --to everything.parquet
  timberline export --service checkout --columns timestamp,body,attributes.http.route --format ndjson | gzip > c.gz

The key is best given as TIMBERLINE_KEY; it needs the scope logs:read.
The file has its name once it is whole; until then it ends in .part.")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    filter: FilterArgs,
    /// Form of the file
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Columns, joined by commas: members of a row, attributes.KEY, resource_attributes.KEY
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// Which rows come first
    #[arg(long, value_enum, default_value_t = Order::Latest)]
    order: Order,
    /// The file; standard output without it
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Print one JSON object about the file
    #[arg(long, requires = "to")]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Comma-separated values, with a line of names
    Csv,
    /// One JSON object per line
    Ndjson,
    /// Parquet, with the columns as they are stored
    Parquet,
}

impl Format {
    /// As the API calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

pub(super) async fn run(args: &ExportArgs) -> Result<(), CliError> {
    let mut query = args.filter.question();
    query["orderBy"] = json!(args.order.name());
    let mut body = json!({ "query": query, "format": args.format.name() });
    if !args.columns.is_empty() {
        body["columns"] = json!(args.columns);
    }
    let request = args.server.request(&remote::client()?, "export/stream").json(&body);
    let response = remote::stream(request).await?;
    match &args.to {
        None => copy(response, &mut stdout(), CliError::Print).await.map(drop),
        Some(path) => {
            let num_bytes = write_file(response, path).await?;
            let file = path.display().to_string();
            let about = json!({ "file": file, "format": args.format.name(), "num_bytes": num_bytes });
            print(args.json, &about, &[format!("wrote {num_bytes} bytes to {file}")])
        }
    }
}

/// Writes a file that has its name once it is whole and on the disk.
async fn write_file(response: Response, path: &Path) -> Result<u64, CliError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = |error| CliError::Write { path: part.display().to_string(), error };
    let mut file = File::create(&part).map_err(failed)?;
    let copied = copy(response, &mut file, failed).await;
    let finished = copied.and_then(|num_bytes| file.sync_all().map(|()| num_bytes).map_err(failed));
    match finished {
        Ok(num_bytes) => {
            std::fs::rename(&part, path)
                .map_err(|error| CliError::Write { path: path.display().to_string(), error })?;
            Ok(num_bytes)
        }
        Err(error) => {
            // What is not whole is of no use; why it is not is what counts.
            drop(std::fs::remove_file(&part));
            Err(error)
        }
    }
}

/// Copies an answer piece by piece, and tells people how far it is.
async fn copy(
    mut response: Response,
    out: &mut impl Write,
    failed: impl Fn(std::io::Error) -> CliError,
) -> Result<u64, CliError> {
    let style = ProgressStyle::with_template("{spinner} {bytes} in {elapsed}, {bytes_per_sec}");
    let progress =
        ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut num_bytes = 0;
    while let Some(piece) = remote::next_piece(&mut response).await? {
        out.write_all(&piece).map_err(&failed)?;
        num_bytes += piece.len() as u64;
        progress.set_position(num_bytes);
    }
    out.flush().map_err(&failed)?;
    progress.finish_and_clear();
    Ok(num_bytes)
}
