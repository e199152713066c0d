//! What the commands that work on a stopped folder share: which folder, and how they report.

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::{CliError, SettingArgs};
use crate::config::ServerConfig;

/// Which folder, with the settings of the server that uses it.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder; no server may be using it [default: ./timberline-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl FolderArgs {
    /// Reads the settings as `serve` does.
    pub(super) fn load(&self) -> Result<ServerConfig, CliError> {
        let (config, data_dir) = (self.config.clone(), self.data_dir.clone());
        SettingArgs { config, data_dir, listen: None, grpc_listen: None }.load()
    }
}

/// Settings from a file and the environment, for a folder that is named otherwise.
pub(super) fn load_for(config: Option<PathBuf>, data_dir: PathBuf) -> Result<ServerConfig, CliError> {
    let mut loaded = SettingArgs { config, data_dir: None, listen: None, grpc_listen: None }.load()?;
    loaded.engine.data_dir = data_dir;
    Ok(loaded)
}

/// Prints lines for people, or one JSON object for machines.
pub(super) fn print(as_json: bool, json: &Value, lines: &[String]) -> Result<(), CliError> {
    let mut out = stdout();
    let printed = if as_json {
        writeln!(out, "{json}")
    } else {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))
    };
    printed.and_then(|()| out.flush()).map_err(CliError::Print)
}
