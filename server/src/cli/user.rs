//! `timberline user`: users of a data folder, also while it is served.

use std::io::{Read, stdin};

use clap::{Args, Subcommand, ValueEnum};
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use super::key::find_user;
use crate::accounts::AccountError;
use crate::accounts::users::{self, NewMember, UserChange, hash_chosen_password};
use crate::activity::entry::Actor;
use crate::meta::user::User;
use crate::meta::{Level, Meta};
use crate::password;
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(super) struct UserArgs {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a user to an organization; somebody with the same e-mail address stays the same user
    Create(CreateArgs),
    /// Set the password that a user logs in with, from standard input, and end the user's sessions
    SetPassword(SetPasswordArgs),
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
    /// Read the password of a new user from standard input, to its end or the first line's
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SetPasswordArgs {
    /// Who: number, UUID or e-mail address
    #[arg(long)]
    user: String,
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
    match &args.command {
        UserCommand::Create(args) => create(args).await,
        UserCommand::SetPassword(args) => set_password(args).await,
    }
}

async fn create(args: &CreateArgs) -> Result<(), CliError> {
    let meta = open_meta(&args.folder.load()?).await?;
    let level = match args.level {
        LevelName::Member => Level::MEMBER,
        LevelName::Admin => Level::ADMIN,
        LevelName::Owner => Level::OWNER,
    };
    let password_hash = match args.password_stdin {
        true => Some(hash_chosen_password(&read_password()?).await?),
        false => None,
    };
    let new = NewMember {
        organization_id: &args.organization.to_lowercase(),
        email: &args.email,
        first_name: &args.first_name,
        last_name: &args.last_name,
        level,
        password_hash: password_hash.as_deref(),
    };
    let made = users::create(&meta, &Actor::system(), &new, SystemClock.now_us()).await;
    meta.close().await;
    let user = made?;
    let json = json!({ "id": user.id, "uuid": user.uuid, "email": user.email, "level": level.0 });
    print(args.json, &json, &[format!("made user {} ({}) as {}", user.id, user.email, level.name())])
}

async fn set_password(args: &SetPasswordArgs) -> Result<(), CliError> {
    let meta = open_meta(&args.folder.load()?).await?;
    let set = set_password_of(&meta, &args.user).await;
    meta.close().await;
    let user = set?;
    let json = json!({ "id": user.id, "uuid": user.uuid, "email": user.email });
    print(args.json, &json, &[format!("set the password of user {} ({})", user.id, user.email)])
}

async fn set_password_of(meta: &Meta, user: &str) -> Result<User, CliError> {
    let user = find_user(meta, user).await?.ok_or(AccountError::NotFound("user"))?;
    let hash = hash_chosen_password(&read_password()?).await?;
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    Ok(users::update(meta, &Actor::system(), user.id, change, None, SystemClock.now_us()).await?)
}

/// The first line of standard input: never an argument, which every process of the machine could read.
fn read_password() -> Result<Secret, CliError> {
    let most = u64::try_from(password::MAX_BYTES).unwrap_or(u64::MAX) + 2;
    let mut text = String::new();
    stdin().take(most).read_to_string(&mut text).map_err(CliError::ReadPassword)?;
    let line = text.split('\n').next().unwrap_or_default();
    Ok(Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}
