//! `timberline import`: records from a file into a running server, or into a folder that nobody serves.

mod activity;
mod parts;
mod target;

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use self::parts::{Part, Parts};
use self::target::Target;
use super::CliError;
use super::folder::{FolderArgs, print};
use super::remote::{self, DEFAULT_URL};
use crate::secret::Secret;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline import logs.ndjson --token phc_...
  timberline import logs.pb --url https://logs.example.com
  timberline import logs.ndjson --data-dir /var/lib/timberline --project 1
  timberline import --activity entries.ndjson --project 1 --key phx_...

The file is OTLP: one JSON document, one document per line, or one protobuf request. With --activity it has entries of the audit trail of another system, one JSON object per line.
The token of the project is best given as TIMBERLINE_TOKEN. An import that ends early says how much was taken; records that are imported again are there twice.")]
pub(super) struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Form of the file
    #[arg(long, value_enum, default_value_t = Format::Auto)]
    format: Format,
    /// The server's address
    #[arg(long, env = "TIMBERLINE_URL", default_value = DEFAULT_URL)]
    url: String,
    /// The project's token
    #[arg(long, env = "TIMBERLINE_TOKEN", hide_env_values = true, value_parser = remote::secret, required_unless_present_any = ["project", "activity"])]
    token: Option<Secret>,
    /// The file has entries of an audit trail; goes with --project and --key
    #[arg(long)]
    activity: bool,
    /// A personal API key with the scope activity_log:write
    #[arg(long, env = "TIMBERLINE_KEY", hide_env_values = true, value_parser = remote::secret)]
    key: Option<Secret>,
    /// Import into this project: with --activity of the server, else of a folder that nobody serves
    #[arg(long, value_name = "N")]
    project: Option<i64>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Found out from the first bytes
    Auto,
    /// One OTLP protobuf request
    OtlpProtobuf,
    /// One OTLP/JSON document
    OtlpJson,
    /// OTLP/JSON documents, one per line
    Ndjson,
}

/// What became of the records so far.
#[derive(Debug, Default)]
struct Imported {
    num_requests: u64,
    num_bytes: u64,
    num_rejected: u64,
    first_reason: Option<String>,
}

pub(super) async fn run(args: &ImportArgs) -> Result<(), CliError> {
    if args.activity {
        return activity::run(args).await;
    }
    if args.project.is_none() && args.folder.is_named() {
        return Err(CliError::Arguments("--data-dir needs --project: a folder has no token to find it by"));
    }
    let parts = Parts::open(&args.file, args.format)?;
    let target = match args.project {
        Some(project) => Target::folder(&args.folder.load()?, project).await?,
        None => {
            let token = args.token.clone().ok_or(CliError::Arguments("--token or --project is needed"))?;
            Target::server(&args.url, token)?
        }
    };
    let progress = progress_bar(parts.file_bytes());
    let mut imported = Imported::default();
    let sent = send_all(parts, &target, &progress, &mut imported).await;
    progress.finish_and_clear();
    let closed = target.close().await;
    sent.map_err(|error| CliError::Import { taken_bytes: imported.num_bytes, error: Box::new(error) })?;
    closed?;
    report(&imported, args.json)
}

async fn send_all(
    mut parts: Parts,
    target: &Target,
    progress: &ProgressBar,
    imported: &mut Imported,
) -> Result<(), CliError> {
    // Reading and cutting is work of a moment for each part; it waits on the disk only.
    while let Some(Part { body, form, file_bytes }) = parts.next()? {
        let rejected = target.take(body, form).await?;
        imported.num_requests += 1;
        imported.num_bytes += file_bytes;
        imported.num_rejected += rejected.count;
        imported.first_reason = imported.first_reason.take().or(rejected.first_reason);
        progress.inc(file_bytes);
    }
    Ok(())
}

fn report(imported: &Imported, as_json: bool) -> Result<(), CliError> {
    let Imported { num_requests, num_bytes, num_rejected, first_reason } = imported;
    let json = json!({
        "num_bytes": num_bytes,
        "num_requests": num_requests,
        "num_rejected": num_rejected,
        "first_reason": first_reason,
    });
    let line = format!("imported {num_bytes} bytes in {num_requests} requests");
    let reason = first_reason.as_deref().unwrap_or("no reason is given");
    let rejected =
        (*num_rejected > 0).then(|| format!("{num_rejected} records were rejected, the first one: {reason}"));
    print(as_json, &json, &[line].into_iter().chain(rejected).collect::<Vec<_>>())
}

/// On stderr, and only for people.
fn progress_bar(file_bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("importing {bar:40} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left")
            .expect("BUG: the template is a constant");
    ProgressBar::new(file_bytes).with_style(style)
}
