//! `timberline backup`: a consistent copy of a stopped folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use engine::Engine;
use engine::clock::{Clock, SystemClock};
use engine::operations::{BackupMode, BackupSummary, is_data_folder};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, print};
use crate::meta::{self, Meta};

#[derive(Debug, Args)]
pub(super) struct BackupArgs {
    /// Where to; empty, or not there yet
    #[arg(value_name = "DEST")]
    dest: PathBuf,
    #[command(flatten)]
    folder: FolderArgs,
    /// Copy data files also where hard links would do
    #[arg(long)]
    copy: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &BackupArgs) -> Result<(), CliError> {
    let config = args.folder.load()?;
    if !is_data_folder(config.data_dir()) {
        return Err(CliError::NoDataFolder { path: config.data_dir().to_owned() });
    }
    refuse_inside(&args.dest, config.data_dir())?;
    let mode = if args.copy { BackupMode::Copy } else { BackupMode::Link };
    // The engine first: it locks the folder.
    let engine = Engine::open(config.engine.clone(), Arc::new(SystemClock)).await?;
    let meta = Meta::open_at(&config.metadata()).await?;
    let has_metadata = meta.is_file();
    let written = write(&engine, &meta, args.dest.clone(), mode).await;
    meta.close().await;
    let stopped = engine.shutdown().await;
    let summary = written?;
    stopped?;
    let BackupSummary { num_files, num_rows, num_bytes, num_linked } = summary;
    let dest = args.dest.display().to_string();
    let json = json!({
        "backup": dest,
        "num_files": num_files,
        "num_rows": num_rows,
        "num_bytes": num_bytes,
        "num_linked": num_linked,
        "has_metadata": has_metadata,
    });
    let line = format!("backed up {num_files} data files with {num_rows} rows, {num_bytes} bytes, to {dest}");
    let linked = (num_linked > 0).then(|| {
        format!("{num_linked} files are hard links and share their bytes with the data folder; --copy makes copies")
    });
    let elsewhere = (!has_metadata)
        .then(|| "the metadata are in PostgreSQL and not in this backup: pg_dump copies them".to_owned());
    print(args.json, &json, &[line].into_iter().chain(linked).chain(elsewhere).collect::<Vec<_>>())
}

/// A backup in the folder itself would be among its objects, and go with it.
fn refuse_inside(dest: &Path, data_dir: &Path) -> Result<(), CliError> {
    match (std::path::absolute(dest), std::path::absolute(data_dir)) {
        (Ok(dest), Ok(data_dir)) if dest.starts_with(&data_dir) => Err(CliError::BackupInside { path: dest }),
        _ => Ok(()),
    }
}

/// Writes a backup of rows, and of the metadata if they are a file. They come last, so that they know every project
/// that has rows.
pub(crate) async fn write(
    engine: &Engine,
    meta: &Meta,
    dest: PathBuf,
    mode: BackupMode,
) -> Result<BackupSummary, CliError> {
    let mut backup = engine.backup(&dest, mode).await?;
    if meta.is_file() {
        meta.copy_to(&backup.folder().join(meta::FILE_NAME)).await?;
        backup.add_file(meta::FILE_NAME).await?;
    }
    Ok(backup.finish(SystemClock.now_us()).await?)
}
