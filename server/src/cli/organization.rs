//! `timberline organization`: organizations of a data folder, also while it is served.

use clap::{Args, Subcommand};
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::accounts::organizations;
use crate::activity::entry::Actor;
use crate::meta::organization::OrganizationSettings;

#[derive(Debug, Args)]
pub(super) struct OrganizationArgs {
    #[command(subcommand)]
    command: OrganizationCommand,
}

#[derive(Debug, Subcommand)]
enum OrganizationCommand {
    /// Make an organization with a first project; it has no members yet
    Create(CreateArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What people call it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &OrganizationArgs) -> Result<(), CliError> {
    let OrganizationCommand::Create(args) = &args.command;
    let meta = open_meta(&args.folder.load()?).await?;
    let settings = OrganizationSettings::named(args.name.trim());
    let made = organizations::create(&meta, &Actor::system(), None, &settings, SystemClock.now_us()).await;
    meta.close().await;
    let made = made?;
    let json = json!({ "id": made.id, "project_id": made.project_id.0 });
    let line = format!("made organization {} with project {}", made.id, made.project_id.0);
    print(args.json, &json, &[line])
}
