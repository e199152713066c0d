//! `timberline index rebuild`: sidecars of a stopped folder, made again from its data files.

use clap::{Args, Subcommand};
use engine::operations::rebuild_sidecars;
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, print};

#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(subcommand)]
    command: IndexCommand,
}

#[derive(Debug, Subcommand)]
enum IndexCommand {
    /// Make the sidecars that are missing or damaged
    Rebuild(RebuildArgs),
}

#[derive(Debug, Args)]
struct RebuildArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Make every sidecar, also those that are whole
    #[arg(long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &IndexArgs) -> Result<(), CliError> {
    let IndexCommand::Rebuild(args) = &args.command;
    let config = args.folder.load()?;
    let report = rebuild_sidecars(&config.engine, args.all).await?;
    let failures = report.failures.iter().map(|(path, error)| format!("{path}: {error}"));
    let failures: Vec<String> = failures.collect();
    let summary = format!(
        "{} sidecars made, {} kept, {} data files too small for one; {} bytes in all",
        report.num_built, report.num_kept, report.num_small, report.num_bytes
    );
    let json = json!({
        "built": report.num_built,
        "kept": report.num_kept,
        "small": report.num_small,
        "bytes": report.num_bytes,
        "failures": failures,
    });
    let lines: Vec<String> = [summary].into_iter().chain(failures.iter().cloned()).collect();
    print(args.json, &json, &lines)?;
    match failures.len() {
        0 => Ok(()),
        count => Err(CliError::Findings { count }),
    }
}
