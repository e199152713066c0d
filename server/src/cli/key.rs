//! `timberline key`: personal API keys of a data folder's users, also while it is served.

use clap::{Args, Subcommand};
use engine::clock::{Clock, SystemClock};
use serde_json::json;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::accounts::AccountError;
use crate::accounts::keys;
use crate::activity::entry::Actor;
use crate::api::iso_time;
use crate::meta::Meta;
use crate::meta::personal_api_key::{KeyAttributes, PersonalApiKey};
use crate::meta::user::User;
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key for a user and print it, this once
    Create(CreateArgs),
    /// List the keys of a user, without their text
    List(ListArgs),
    /// Take a key of a user away: it opens nothing from now on
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The owner: number, UUID or e-mail address
    #[arg(long)]
    user: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// The key's id, as `key list` shows it
    #[arg(value_name = "KEY_ID")]
    id: String,
    /// The owner: number, UUID or e-mail address
    #[arg(long)]
    user: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The owner: number, UUID or e-mail address
    #[arg(long)]
    user: String,
    /// What the key may do: `*`, or `object:read` and `object:write` joined by commas
    #[arg(long, value_delimiter = ',', required = true)]
    scopes: Vec<String>,
    /// The only projects that it may be used on, joined by commas
    #[arg(long, value_delimiter = ',')]
    projects: Vec<i64>,
    /// The only organizations that it may be used on, joined by commas
    #[arg(long, value_delimiter = ',')]
    organizations: Vec<String>,
    /// What its owner calls it
    #[arg(long, default_value = "Command line")]
    label: String,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &KeyArgs) -> Result<(), CliError> {
    match &args.command {
        KeyCommand::Create(args) => run_create(args).await,
        KeyCommand::List(args) => run_list(args).await,
        KeyCommand::Revoke(args) => run_revoke(args).await,
    }
}

async fn run_list(args: &ListArgs) -> Result<(), CliError> {
    let meta = open_meta(&args.folder.load()?).await?;
    let listed = async {
        let user = find_user(&meta, &args.user).await?.ok_or(AccountError::NotFound("user"))?;
        Ok::<_, CliError>(meta.personal_api_keys_of_user(user.id).await?)
    };
    let listed = listed.await;
    meta.close().await;
    let keys = listed?;
    let time = |us: Option<i64>| us.map(iso_time::format);
    let written = |key: &PersonalApiKey| {
        json!({
            "id": key.id,
            "label": key.attributes.label,
            "mask_value": key.mask_value,
            "scopes": key.attributes.scopes,
            "projects": key.attributes.scoped_projects,
            "organizations": key.attributes.scoped_organizations,
            "last_used_at": time(key.last_used_us),
            "expires_at": time(key.attributes.expires_us),
        })
    };
    let line = |key: &PersonalApiKey| {
        let used = time(key.last_used_us).unwrap_or_else(|| "never".to_owned());
        let (label, scopes) = (&key.attributes.label, key.attributes.scopes.join(","));
        format!("{}  {}  {label}  {scopes}  last used: {used}", key.id, key.mask_value)
    };
    let json = json!({ "keys": keys.iter().map(written).collect::<Vec<_>>() });
    print(args.json, &json, &keys.iter().map(line).collect::<Vec<_>>())
}

async fn run_revoke(args: &RevokeArgs) -> Result<(), CliError> {
    let meta = open_meta(&args.folder.load()?).await?;
    let revoked = async {
        let user = find_user(&meta, &args.user).await?.ok_or(AccountError::NotFound("user"))?;
        let now_us = SystemClock.now_us();
        keys::delete(&meta, &Actor::system(), user.id, &args.id.to_lowercase(), now_us).await?;
        Ok::<_, CliError>(())
    };
    let revoked = revoked.await;
    meta.close().await;
    revoked?;
    print(args.json, &json!({ "id": args.id }), &[format!("revoked key {}", args.id)])
}

async fn run_create(args: &CreateArgs) -> Result<(), CliError> {
    let meta = open_meta(&args.folder.load()?).await?;
    let made = create(&meta, args).await;
    meta.close().await;
    let (key, secret) = made?;
    let json = json!({ "id": key.id, "key": secret.reveal() });
    print(args.json, &json, &[format!("made key {}, shown this once: {}", key.id, secret.reveal())])
}

async fn create(meta: &Meta, args: &CreateArgs) -> Result<(PersonalApiKey, Secret), CliError> {
    let user = find_user(meta, &args.user).await?.ok_or(AccountError::NotFound("user"))?;
    let attributes = KeyAttributes {
        label: args.label.clone(),
        scopes: args.scopes.clone(),
        scoped_projects: (!args.projects.is_empty()).then(|| args.projects.clone()),
        scoped_organizations: (!args.organizations.is_empty()).then(|| args.organizations.clone()),
        expires_us: None,
    };
    Ok(keys::create(meta, &Actor::system(), user.id, &attributes, SystemClock.now_us()).await?)
}

/// A number is a user's number; text with an `@` is an address, any other a UUID.
pub(super) async fn find_user(meta: &Meta, text: &str) -> Result<Option<User>, CliError> {
    Ok(match text.parse() {
        Ok(number) => meta.user(number).await?,
        Err(_) if text.contains('@') => meta.user_by_email(text).await?,
        Err(_) => meta.user_by_uuid(&text.to_lowercase()).await?,
    })
}
