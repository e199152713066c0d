//! `timberline project`: projects of a data folder, also while it is served.

use clap::{Args, Subcommand};
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::accounts::projects;
use crate::activity::entry::Actor;
use crate::meta::Meta;

#[derive(Debug, Args)]
pub(super) struct ProjectArgs {
    #[command(subcommand)]
    command: ProjectCommand,
}

#[derive(Debug, Subcommand)]
enum ProjectCommand {
    /// Make a project and print the token that sends to it
    Create(CreateArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// What people call it
    #[arg(long)]
    name: String,
    /// UUID of the organization that owns it
    #[arg(long, value_name = "UUID")]
    organization: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &ProjectArgs) -> Result<(), CliError> {
    let ProjectCommand::Create(args) = &args.command;
    let meta = open_meta(&args.folder.load()?).await?;
    let made = create(&meta, args).await;
    meta.close().await;
    let (id, token) = made?;
    let json = json!({ "id": id, "ingest_token": token });
    let line = format!("made project {id}; its token is {}", token.as_deref().unwrap_or("not there"));
    print(args.json, &json, &[line])
}

async fn create(meta: &Meta, args: &CreateArgs) -> Result<(i64, Option<String>), CliError> {
    let now_us = SystemClock.now_us();
    let organization = args.organization.to_lowercase();
    let project = projects::create(meta, &Actor::system(), &organization, args.name.trim(), now_us).await?;
    Ok((project.id.0, meta.token_of_project(project.id).await?))
}
