//! Where statements are asked: a running server, or a store without one.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use bytes::Bytes;
use clap::Args;
use engine::operations::ReadOnlyStore;
use engine::query::QuerySettings;
use engine::schema::{OrganizationId, ProjectId};
use engine::sql::SqlQuery;
use futures::{Stream, StreamExt, stream};
use reqwest::Client;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::CliError;
use super::super::folder::load_for;
use super::super::remote::{self, DEFAULT_URL};
use super::Form;
use crate::secret::Secret;

/// Which server with what opens it, or which store.
#[derive(Debug, Args)]
pub(super) struct DoorArgs {
    /// The server's address
    #[arg(long, env = "TIMBERLINE_URL", default_value = DEFAULT_URL)]
    url: String,
    /// A personal API key
    #[arg(long, env = "TIMBERLINE_KEY", hide_env_values = true, value_parser = remote::secret)]
    key: Option<Secret>,
    /// The project: its number, or of a server the key owner's current one
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// The organization whose audit trail is the table activity, of a store that has several
    #[arg(long, value_name = "ID")]
    organization: Option<Uuid>,
    /// A data folder to read without a server
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A bucket or folder to read without a server: s3://, gs://, az:// or file://
    #[arg(long, value_name = "URL")]
    storage: Option<String>,
    /// TOML file with settings, for a store
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// The bytes of an answer.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, CliError>> + Send>>;

/// Where statements are asked.
pub(super) enum Door {
    Server { client: Client, address: String, key: Secret },
    Store { store: Box<ReadOnlyStore>, project: ProjectId, trail: Option<OrganizationId> },
}

impl Door {
    pub(super) async fn open(args: &DoorArgs) -> Result<Self, CliError> {
        if args.data_dir.is_some() || args.storage.is_some() {
            return Self::open_store(args).await;
        }
        let Some(key) = args.key.clone() else {
            return Err(CliError::Arguments(
                "a key is needed: --key or TIMBERLINE_KEY; or a store: --data-dir or --storage",
            ));
        };
        let project = args.project.as_deref().unwrap_or("@current");
        let address = remote::address(&args.url, &format!("/api/projects/{project}/sql"));
        Ok(Self::Server { client: remote::client()?, address, key })
    }

    async fn open_store(args: &DoorArgs) -> Result<Self, CliError> {
        let data_dir = args.data_dir.clone().unwrap_or_else(|| PathBuf::from("."));
        let mut config = load_for(args.config.clone(), data_dir)?;
        if let Some(url) = &args.storage {
            config.engine.storage.url = Some(url.clone());
            config.read_store_options(&environment());
        }
        let settings = QuerySettings {
            max_memory_bytes: config.engine.query_memory_bytes,
            // Nobody else waits.
            deadline: std::time::Duration::from_secs(24 * 3_600),
            ..QuerySettings::default()
        };
        let path: &Path = config.data_dir();
        let store = ReadOnlyStore::open(&config.engine.storage, path, settings).await?;
        let project = match &args.project {
            Some(id) => ProjectId(
                id.parse().map_err(|_| CliError::Arguments("--project: a number is needed of a store"))?,
            ),
            None => match store.projects().as_slice() {
                [] => ProjectId(1),
                [project] => *project,
                _ => return Err(CliError::Arguments("--project: the store has several projects")),
            },
        };
        let trail = match (args.organization, store.organizations().as_slice()) {
            (Some(id), _) => Some(OrganizationId(id)),
            (None, [only]) => Some(*only),
            (None, []) => None,
            (None, _several) => {
                eprintln!(
                    "without the table activity: the store has several organizations, see --organization"
                );
                None
            }
        };
        eprintln!("reading project {project} of snapshot {}", store.snapshot());
        Ok(Self::Store { store: Box::new(store), project, trail })
    }

    /// Asks one statement. Once its answer has begun, what goes wrong comes at its end.
    pub(super) async fn ask(&self, text: &str, form: Form) -> Result<Pieces, CliError> {
        match self {
            Self::Server { client, address, key } => {
                let body = json!({ "query": text, "format": form.name() });
                let request = client.post(address).bearer_auth(key.reveal()).json(&body);
                let response = remote::stream(request).await?;
                let pieces = stream::unfold(Some(response), |response| async {
                    let mut response = response?;
                    match remote::next_piece(&mut response).await {
                        Ok(None) => None,
                        Ok(Some(piece)) => Some((Ok(piece), Some(response))),
                        Err(error) => Some((Err(error), None)),
                    }
                });
                Ok(pieces.boxed())
            }
            Self::Store { store, project, trail } => {
                let answer = store.run_sql(*project, *trail, SqlQuery::of(text)).await?;
                let pieces = answer.encode(form.format())?;
                Ok(pieces.map(|piece| piece.map_err(CliError::from)).boxed())
            }
        }
    }

    /// The rows of a small answer, as lists of values.
    pub(super) async fn rows(&self, text: &str) -> Result<Vec<Vec<Value>>, CliError> {
        let mut pieces = self.ask(text, Form::Json).await?;
        let mut document = Vec::new();
        while let Some(piece) = pieces.next().await {
            document.extend_from_slice(&piece?);
        }
        let document: Value = serde_json::from_slice(&document).map_err(|_| remote::malformed())?;
        let rows = document["rows"].as_array().ok_or_else(remote::malformed)?;
        Ok(rows.iter().filter_map(|row| row.as_array().cloned()).collect())
    }
}

/// A variable that is not text cannot be an option's.
fn environment() -> Vec<(String, String)> {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
