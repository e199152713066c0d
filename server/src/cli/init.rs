//! `timberline init`: a new data folder and its first credentials, for scripts.

use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::Args;
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::load_for;
use crate::meta::Meta;
use crate::meta::bootstrap::{Credentials, bootstrap};
use crate::state::make_data_dir;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Folder to make; it may exist if nothing was made in it yet
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// TOML file with settings
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the credentials as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &InitArgs) -> Result<(), CliError> {
    let config = load_for(args.config.clone(), args.data_dir.clone())?;
    make_data_dir(config.data_dir())?;
    let meta = Meta::open_at(&config.metadata()).await?;
    let credentials = bootstrap(&meta, SystemClock.now_us()).await?;
    meta.close().await;
    match credentials {
        Some(credentials) => print(&credentials, args.json),
        None => Err(CliError::AlreadyInitialized { path: args.data_dir.clone() }),
    }
}

fn print(credentials: &Credentials, as_json: bool) -> Result<(), CliError> {
    let members = [
        ("organization_id", json!(credentials.organization_id)),
        ("project_id", json!(credentials.project_id.0)),
        ("ingest_token", json!(credentials.ingest_token.reveal())),
        ("personal_api_key", json!(credentials.personal_api_key.reveal())),
    ];
    let mut out = stdout();
    let printed = if as_json {
        let object: serde_json::Map<_, _> =
            members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        writeln!(out, "{}", serde_json::Value::Object(object))
    } else {
        members.iter().try_for_each(|(name, value)| {
            writeln!(out, "{name:<18}{}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        })
    };
    printed.and_then(|()| out.flush()).map_err(CliError::Print)
}
