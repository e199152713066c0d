//! `timberline activity`: the proof of a stopped folder's audit trails, and their signed checkpoints.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use engine::schema::OrganizationId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::CliError;
use super::folder::{FolderArgs, open_meta, print};
use crate::activity::checkpoint;
use crate::activity::verify::{Verification, VerifyError, verify};
use crate::api::activity::written_verification;
use crate::meta::MetaError;
use crate::meta::activity::StoredCheckpoint;
use crate::state::AppState;

#[derive(Debug, Args)]
pub(super) struct ActivityArgs {
    #[command(subcommand)]
    command: ActivityCommand,
}

#[derive(Debug, Subcommand)]
enum ActivityCommand {
    /// Prove that no entry was changed or removed before its retention, and name the first one that was
    Verify(VerifyArgs),
    /// Sign where the trails end now, and print the checkpoints, one JSON object per line
    Checkpoint(CheckpointArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  timberline activity verify
  timberline activity verify --checkpoint kept-elsewhere.ndjson

A checkpoint that was kept elsewhere also finds a trail that was made anew from its beginning, or cut at its end.")]
struct VerifyArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Only this organization
    #[arg(long, value_name = "UUID")]
    organization: Option<Uuid>,
    /// File of checkpoints that were exported, one JSON object per line; may be repeated
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckpointArgs {
    #[command(flatten)]
    folder: FolderArgs,
    /// Only this organization
    #[arg(long, value_name = "UUID")]
    organization: Option<Uuid>,
}

pub(super) async fn run(args: &ActivityArgs) -> Result<(), CliError> {
    match &args.command {
        ActivityCommand::Verify(args) => run_verify(args).await,
        ActivityCommand::Checkpoint(args) => run_checkpoint(args).await,
    }
}

async fn run_verify(args: &VerifyArgs) -> Result<(), CliError> {
    let mut exported = Vec::new();
    for path in &args.checkpoint {
        exported.extend(read_checkpoints(path)?);
    }
    let state = open(&args.folder).await?;
    let verified = verify_all(&state, args.organization, &exported).await;
    let closed = state.close().await;
    let verified = verified?;
    closed?;
    let num_faults = verified.iter().filter(|verification| verification.fault.is_some()).count();
    let organizations: Vec<Value> = verified.iter().map(written_verification).collect();
    let json = json!({ "is_intact": num_faults == 0, "organizations": organizations });
    print(args.json, &json, &verified.iter().map(line).collect::<Vec<_>>())?;
    if num_faults > 0 { Err(CliError::Findings { count: num_faults }) } else { Ok(()) }
}

async fn verify_all(
    state: &AppState,
    only: Option<Uuid>,
    exported: &[StoredCheckpoint],
) -> Result<Vec<Verification>, CliError> {
    state.activity().deliver().await.map_err(|error| CliError::Refused(error.into()))?;
    let mut verified = Vec::new();
    for organization in organizations(state, only).await? {
        let one = verify(state.engine(), state.meta(), organization, exported).await;
        verified.push(one.map_err(|error| match error {
            VerifyError::Meta(error) => CliError::from(error),
            VerifyError::Engine(error) => error.into(),
        })?);
    }
    Ok(verified)
}

async fn run_checkpoint(args: &CheckpointArgs) -> Result<(), CliError> {
    let state = open(&args.folder).await?;
    let signed = sign_all(&state, args.organization).await;
    let closed = state.close().await;
    let lines: Vec<String> = signed?.iter().map(|signed| checkpoint::written(signed).to_string()).collect();
    closed?;
    print(false, &Value::Null, &lines)
}

async fn sign_all(state: &AppState, only: Option<Uuid>) -> Result<Vec<StoredCheckpoint>, CliError> {
    let refused = |error: crate::activity::trail::TrailError| CliError::Refused(error.into());
    state.activity().deliver().await.map_err(refused)?;
    let mut signed = Vec::new();
    for organization in organizations(state, only).await? {
        let end = state.engine().chain_head(organization).await?;
        if end.sequence > 0 {
            signed.push(state.activity().signer().sign(organization, end, None).await.map_err(refused)?);
        }
    }
    Ok(signed)
}

/// Opens a folder that is one already.
async fn open(folder: &FolderArgs) -> Result<AppState, CliError> {
    let config = folder.load()?;
    open_meta(&config).await?.close().await;
    Ok(AppState::open(&config).await?.0)
}

async fn organizations(state: &AppState, only: Option<Uuid>) -> Result<Vec<OrganizationId>, CliError> {
    if let Some(id) = only {
        return Ok(vec![OrganizationId(id)]);
    }
    let ids = state.meta().organization_ids().await?;
    let ids = ids.iter().map(|id| crate::activity::trail::organization_id(id));
    Ok(ids.collect::<Result<Vec<_>, MetaError>>()?)
}

fn read_checkpoints(path: &Path) -> Result<Vec<StoredCheckpoint>, CliError> {
    let unreadable = |error| CliError::Read { path: path.to_owned(), error };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let checkpoints = lines.map(|line| {
        let parsed = serde_json::from_str::<Value>(line).ok().as_ref().and_then(checkpoint::parse);
        parsed.ok_or_else(|| unreadable(std::io::Error::other("a line of it is no checkpoint of version 1")))
    });
    checkpoints.collect()
}

fn line(verification: &Verification) -> String {
    let Verification { organization, num_entries, end, num_checkpoints, fault, .. } = verification;
    match fault {
        None => format!(
            "{organization}: {num_entries} entries up to number {} are what was stored; {num_checkpoints} checkpoints agree",
            end.sequence
        ),
        Some(fault) => {
            let id = fault.entry_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            format!("{organization}: entry {}{id}: {}", fault.sequence, fault.reason)
        }
    }
}
