//! `timberline user`: users of a data folder, also while it is served.

use clap::{Args, Subcommand, ValueEnum};
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::accounts::users::{self, NewMember};
use crate::activity::entry::Actor;
use crate::meta::Level;

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user to an organization; somebody with the same e-mail address stays the same user
    Create(CreateArgs),
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// UUID of the organization
    #[arg(long, value_name = "UUID")]
    organization: String,
    /// E-mail address, unique in the installation
    #[arg(long)]
    email: String,
    /// How to address the user
    #[arg(long, default_value = "")]
    first_name: String,
    /// The rest of the name
    #[arg(long, default_value = "")]
    last_name: String,
    /// What the user may do in the organization
    #[arg(long, default_value = "member")]
    level: LevelName,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelName {
    Member,
    Admin,
    Owner,
}

pub(super) async fn run(args: &UserArgs) -> Result<(), CliError> {
    let UserCommand::Create(args) = &args.command;
    let meta = open_meta(&args.folder.load()?).await?;
    let level = match args.level {
        LevelName::Member => Level::MEMBER,
        LevelName::Admin => Level::ADMIN,
        LevelName::Owner => Level::OWNER,
    };
    let new = NewMember {
        organization_id: &args.organization.to_lowercase(),
        email: &args.email,
        first_name: &args.first_name,
        last_name: &args.last_name,
        level,
        password_hash: None,
    };
    let made = users::create(&meta, &Actor::system(), &new, SystemClock.now_us()).await;
    meta.close().await;
    let user = made?;
    let json = json!({ "id": user.id, "uuid": user.uuid, "email": user.email, "level": level.0 });
    print(args.json, &json, &[format!("made user {} ({}) as {}", user.id, user.email, level.name())])
}
