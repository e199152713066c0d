//! `timberline serve`: a data folder over HTTP until a signal.

use std::io::stdout;
use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::welcome::Doors;
use super::{CliError, logging, stop, welcome};
use crate::Listeners;
use crate::config::ServerConfig;
use crate::meta::bootstrap::Credentials;
use crate::state::AppState;
use crate::telemetry::TraceExport;

/// A server that holds its address and its data folder, and does not answer yet.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) state: AppState,
    /// Of a new folder.
    pub(super) credentials: Option<Credentials>,
    /// Where it will answer.
    pub(super) url: String,
    /// Where it will answer otherwise.
    doors: Doors,
    /// Cancelled by the first signal.
    pub(super) stop: CancellationToken,
    listeners: Listeners,
    traces: Option<TraceExport>,
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
        let traces = logging::init(config).map_err(CliError::Traces)?;
        let (http, address) = bind(config.listen).await?;
        let (grpc, grpc_address) = bind_optional(config.grpc_listen).await?;
        let (flight, flight_address) = bind_optional(config.sql.flight_listen).await?;
        let (postgres, postgres_address) = bind_optional(config.sql.postgres_listen).await?;
        // What is wrong with it is told before anything is opened.
        crate::sql::certificate(&config.sql).map_err(CliError::Serve)?;
        let listeners = Listeners { http, grpc, flight, postgres };
        let doors = Doors { grpc: grpc_address, flight: flight_address, postgres: postgres_address };
        let stop = stop::on_signal()?;
        let (state, credentials) = AppState::open(config).await?;
        Ok(Self { state, credentials, url: format!("http://{address}"), doors, stop, listeners, traces })
    }

    /// Answers until the stop, then makes everything durable in its final place.
    pub(super) async fn serve(self) -> Result<(), CliError> {
        welcome::write_listening(&mut stdout(), &self.url, &self.doors).map_err(CliError::Print)?;
        let served = crate::serve(self.listeners, self.state.clone(), self.stop.cancelled_owned()).await;
        let closed = self.state.close().await;
        if let Some(traces) = self.traces {
            traces.close().await;
        }
        closed?;
        served.map_err(CliError::Serve)
    }
}

async fn bind_optional(
    address: Option<SocketAddr>,
) -> Result<(Option<TcpListener>, Option<SocketAddr>), CliError> {
    match address {
        Some(address) => bind(address).await.map(|(listener, bound)| (Some(listener), Some(bound))),
        None => Ok((None, None)),
    }
}

/// Takes an address. Port 0 becomes the port that was picked.
async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CliError> {
    let listen = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    listen.await.map_err(|error| CliError::Listen { address, error })
}
