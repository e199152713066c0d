//! `timberline restore`: a new data folder from a backup.

use std::path::PathBuf;

use clap::Args;
use engine::clock::SystemClock;
use engine::operations::restore;
use serde_json::json;

use super::CliError;
use super::folder::{load_for, print};

#[derive(Debug, Args)]
pub(super) struct RestoreArgs {
    /// The backup's folder
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// The new data folder; empty, or not there yet
    #[arg(value_name = "DATA_DIR")]
    data_dir: PathBuf,
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RestoreArgs) -> Result<(), CliError> {
    let config = load_for(args.config.clone(), args.data_dir.clone())?;
    let summary = restore(&args.backup, &config.engine, &SystemClock).await?;
    let data_dir = args.data_dir.display().to_string();
    let json = json!({
        "data_dir": data_dir,
        "num_files": summary.num_files,
        "num_rows": summary.num_rows,
        "num_bytes": summary.num_bytes,
        "finished_us": summary.finished_us,
        "epoch": summary.epoch,
    });
    let (files, rows) = (summary.num_files, summary.num_rows);
    print(args.json, &json, &[format!("restored {files} data files with {rows} rows to {data_dir}")])
}
