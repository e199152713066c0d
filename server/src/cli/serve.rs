//! `timberline serve`: a data folder over HTTP until a signal.

use std::io::stdout;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{CliError, logging, stop, welcome};
use crate::config::ServerConfig;
use crate::meta::bootstrap::Credentials;
use crate::state::AppState;

/// A server that holds its address and its data folder, and does not answer yet.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) state: AppState,
    /// Of a new folder.
    pub(super) credentials: Option<Credentials>,
    /// Where it will answer.
    pub(super) url: String,
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    listener: TcpListener,
}

pub(super) async fn run(config: &ServerConfig) -> Result<(), CliError> {
    let started = Started::new(config).await?;
    welcome::write(&mut stdout(), &started.url, config.data_dir(), started.credentials.as_ref())
        .map_err(CliError::Print)?;
    started.serve().await
}

impl Started {
    /// Takes the address, then the folder: an address in use must not leave a new folder whose credentials
    /// nobody has seen.
    pub(super) async fn new(config: &ServerConfig) -> Result<Self, CliError> {
        logging::init(&config.log);
        let address = config.listen;
        let listener =
            TcpListener::bind(address).await.map_err(|error| CliError::Listen { address, error })?;
        let address = listener.local_addr().map_err(|error| CliError::Listen { address, error })?;
        let stop = stop::on_signal()?;
        let (state, credentials) = AppState::open(config).await?;
        Ok(Self { state, credentials, url: format!("http://{address}"), stop, listener })
    }

    /// Answers until the stop, then makes everything durable in its final place.
    pub(super) async fn serve(self) -> Result<(), CliError> {
        welcome::write_listening(&mut stdout(), &self.url).map_err(CliError::Print)?;
        let served = crate::serve(self.listener, self.state.clone(), self.stop.cancelled_owned()).await;
        self.state.close().await?;
        served.map_err(CliError::Serve)
    }
}
