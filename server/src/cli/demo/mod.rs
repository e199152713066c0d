//! `timberline demo`: a server with something in it.
//!
//! A folder of its own is filled with a day of generated logs through the real ingest path, a light stream goes
//! on, and three questions are asked through the real router and shown with their answers.

mod live;
mod load;
mod questions;

use std::io::{Write, stdout};

use clap::Args;
use engine::ingest::decode_otlp_protobuf;
use engine::schema::TableId;

use super::serve::Started;
use super::{CliError, SettingArgs, welcome};
use crate::config::ServerConfig;
use crate::meta::bootstrap::{FIRST_PROJECT, FIRST_USER};
use crate::meta::personal_api_key::KeyAttributes;
use crate::secret::Secret;
use crate::state::AppState;

/// Kept apart from `serve`'s folder, so that generated rows never mix with real ones.
const DEFAULT_DATA_DIR: &str = "timberline-demo";

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    #[command(flatten)]
    settings: SettingArgs,
    /// Number of log records to load into a folder that has none
    #[arg(long, default_value_t = 300_000)]
    rows: u64,
}

pub(super) async fn run(args: &DemoArgs) -> Result<(), CliError> {
    let config = args.settings.load_over(ServerConfig::new(DEFAULT_DATA_DIR))?;
    let started = Started::new(&config).await?;
    let state = started.state.clone();
    welcome::write(&mut stdout(), &started.url, config.data_dir(), started.credentials.as_ref())
        .map_err(CliError::Print)?;

    if !state.engine().has_logs(FIRST_PROJECT).await? {
        tokio::select! {
            loaded = load::load(&state, args.rows) => loaded?,
            () = started.stop.cancelled() => return Ok(state.close().await?),
        }
    }
    let key = demo_key(&state).await?;
    questions::ask_all(&state, &started.url, &key, &mut stdout()).await?;
    let stream = tokio::spawn(live::stream(state, started.stop.clone()));
    writeln!(stdout(), "A few new records come in every second. Stop with Ctrl-C.")
        .map_err(CliError::Print)?;
    let served = started.serve().await;
    stream.abort();
    served
}

/// A key that may only ask, made anew at each start: the first key's text is not kept anywhere.
async fn demo_key(state: &AppState) -> Result<Secret, CliError> {
    let attributes = KeyAttributes {
        label: "Demo".to_owned(),
        scopes: vec!["logs:read".to_owned()],
        scoped_projects: Some(vec![FIRST_PROJECT.0]),
        ..KeyAttributes::default()
    };
    Ok(state.meta().replace_personal_api_key(FIRST_USER, &attributes, state.clock().now_us()).await?)
}

/// Takes a generated request in the way a sent one is taken in.
async fn ingest(state: &AppState, body: &[u8]) -> engine::Result<()> {
    let logs = decode_otlp_protobuf(body, state.clock().now_us(), &state.record_limits())?;
    state.engine().ingest(TableId::logs(FIRST_PROJECT), logs).await
}
