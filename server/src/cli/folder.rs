//! What the commands that work on a folder share: which folder, and how they report.

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::{CliError, SettingArgs};
use crate::config::ServerConfig;
use crate::meta::{Meta, MetaLocation};

/// Which folder, with the settings of the server that uses it.
#[derive(Debug, Args)]
pub(super) struct FolderArgs {
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder [default: ./timberline-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
}

impl FolderArgs {
    /// Whether a folder is named.
    pub(super) fn is_named(&self) -> bool {
        self.data_dir.is_some()
    }

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

/// Opens the metadata of a folder that is one: a mistyped path must not make a new one. Works beside a server.
pub(super) async fn open_meta(config: &ServerConfig) -> Result<Meta, CliError> {
    match config.metadata() {
        MetaLocation::File(path) if !path.is_file() => {
            Err(CliError::NoDataFolder { path: config.data_dir().to_owned() })
        }
        location => Ok(Meta::open_at(&location).await?),
    }
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
