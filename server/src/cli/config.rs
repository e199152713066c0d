//! `timberline config check`: whether settings are right, and what the server would run with.

use clap::{Args, Subcommand};
use serde_json::json;

use super::folder::print;
use super::{CliError, SettingArgs};
use crate::config::{DEFAULT_DATA_DIR, EffectiveSetting, ServerConfig};

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check file, environment and flags as `serve` reads them, and print every setting with where it comes from
    #[command(after_help = "Examples:
  timberline config check
  timberline config check --config /etc/timberline.toml
  TIMBERLINE_MEMORY__TOTAL_BYTES=8GiB timberline config check --json

Secrets are hidden. The exit code is 2 when a setting is unknown or out of its bounds.")]
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ConfigArgs) -> Result<(), CliError> {
    let ConfigCommand::Check(args) = &args.command;
    let listed = ServerConfig::effective(ServerConfig::new(DEFAULT_DATA_DIR), &args.settings.sources()?)?;
    let object = |EffectiveSetting { name, value, source }: &EffectiveSetting| json!({ "name": name, "value": value, "source": source });
    let json = json!({ "settings": listed.iter().map(object).collect::<Vec<_>>() });
    print(args.json, &json, &lines(&listed))
}

/// One line for each setting, in columns.
fn lines(listed: &[EffectiveSetting]) -> Vec<String> {
    let widest = |text: fn(&EffectiveSetting) -> &str| {
        listed.iter().map(|setting| text(setting).chars().count()).max().unwrap_or_default()
    };
    let (names, values) = (widest(|setting| &setting.name), widest(|setting| &setting.value));
    let line = |EffectiveSetting { name, value, source }: &EffectiveSetting| {
        format!("{name:<names$}  {value:<values$}  {source}")
    };
    listed.iter().map(line).collect()
}
