//! Entries of the audit trail of another system, from a file into a running server.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use reqwest::Client;
use serde_json::{Value, json};

use super::ImportArgs;
use crate::cli::folder::print;
use crate::cli::{CliError, remote};
use crate::secret::Secret;

/// Entries of one request.
const MAX_BATCH_ENTRIES: usize = 500;
/// Bytes of one request, about.
const MAX_BATCH_BYTES: usize = 1 << 20;

/// Where entries go.
struct Target<'a> {
    client: Client,
    address: String,
    key: &'a Secret,
}

/// Sends the lines of the file, each one entry, in requests of which each is taken whole or not at all.
pub(super) async fn run(args: &ImportArgs) -> Result<(), CliError> {
    let project = args.project.ok_or(CliError::Arguments("--activity needs --project"))?;
    let key = args.key.as_ref().ok_or(CliError::Arguments("--activity needs --key"))?;
    if args.folder.is_named() {
        return Err(CliError::Arguments(
            "entries are imported into a running server: --data-dir is for logs",
        ));
    }
    let address = remote::address(&args.url, &format!("/api/projects/{project}/activity_log/"));
    let target = Target { client: remote::client()?, address, key };
    let (mut num_entries, mut taken_bytes) = (0_usize, 0_u64);
    let sent = send_all(&args.file, &target, &mut num_entries, &mut taken_bytes).await;
    sent.map_err(|error| CliError::Import { taken_bytes, error: Box::new(error) })?;
    print(args.json, &json!({ "num_entries": num_entries }), &[format!("imported {num_entries} entries")])
}

async fn send_all(
    path: &Path,
    target: &Target<'_>,
    num_entries: &mut usize,
    taken_bytes: &mut u64,
) -> Result<(), CliError> {
    let unreadable = |error| CliError::Read { path: path.to_owned(), error };
    let mut lines = BufReader::new(File::open(path).map_err(unreadable)?);
    let (mut batch, mut batch_bytes, mut line_number) = (Vec::new(), 0, 0_usize);
    loop {
        let mut line = String::new();
        let read = lines.read_line(&mut line).map_err(unreadable)?;
        let is_full = batch.len() >= MAX_BATCH_ENTRIES || batch_bytes + read > MAX_BATCH_BYTES;
        if !batch.is_empty() && (read == 0 || is_full) {
            *num_entries += batch.len();
            target.send(std::mem::take(&mut batch)).await?;
            *taken_bytes += batch_bytes as u64;
            batch_bytes = 0;
        }
        if read == 0 {
            return Ok(());
        }
        line_number += 1;
        batch_bytes += read;
        if !line.trim().is_empty() {
            batch.push(serde_json::from_str::<Value>(&line).map_err(|error| {
                unreadable(std::io::Error::other(format!("line {line_number} is no JSON: {error}")))
            })?);
        }
    }
}

impl Target<'_> {
    async fn send(&self, entries: Vec<Value>) -> Result<(), CliError> {
        let request = self.client.post(&self.address).bearer_auth(self.key.reveal()).json(&entries);
        remote::ask(request).await.map(drop)
    }
}
