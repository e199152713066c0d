//! Timberline's HTTP API and command line: the only code that knows HTTP, JSON bodies, users and the environment.
//!
//! [`app`] makes a router over an open [`state::AppState`]; [`serve`] runs it on a listener until it is told to
//! stop. The engine knows none of this, and nothing here knows how the engine stores rows.
//!
//! Modules in reading order:
//! - [`config`]: settings, from files, the environment and flags;
//! - `rules`: what projects have done with records as they come in;
//! - `retention`: how long projects keep their rows, told to the engine;
//! - [`state`]: what every handler shares: the engine, the metadata, the clock;
//! - [`meta`]: organizations, users, projects, tokens and keys, in SQLite or PostgreSQL;
//! - [`accounts`]: what may be done to organizations, people, projects and keys, for the API and the command line;
//! - [`activity`]: the audit trail's entries;
//! - [`alerts`]: what an alert on logs decides;
//! - `approvals`: what needs the consent of others, and what becomes of it;
//! - [`delivery`]: notifications on their way to webhooks, Slack, e-mail and PagerDuty;
//! - [`secret`]: how keys and tokens are made, hashed and masked; [`secret_key`]: how others' secrets are encrypted;
//! - [`password`]: how passwords are hashed and compared;
//! - [`auth`]: who calls, and whether they may;
//! - [`error`]: the one error type, and how an engine error becomes a status;
//! - `sign_on`: signing on with an OpenID Connect provider;
//! - `ai`: explanations of logs by a model;
//! - `sql`: SQL for people and programs, whichever door they come through;
//! - `rate_limits`: how much one key and one project may ask for;
//! - `telemetry`: numbers about the running server;
//! - `middleware`: request ids and spans, counted requests, slow ones in the log;
//! - `api`: one file or folder per resource;
//! - [`cli`]: the commands of the program.

pub mod accounts;
pub mod activity;
mod ai;
pub mod alerts;
mod api;
mod approvals;
pub mod auth;
pub mod cli;
pub mod config;
mod deletions;
pub mod delivery;
pub mod error;
mod log_sparing;
pub mod meta;
mod middleware;
pub mod password;
mod rate_limits;
mod retention;
mod rules;
pub mod secret;
pub mod secret_key;
mod sign_on;
mod sql;
pub mod state;
mod telemetry;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::serve::{ListenerExt, TapIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::util::MapRequest;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::state::AppState;

/// The whole API as one router, ready to be called or served.
pub fn app(state: AppState) -> Router {
    let routes = api::router()
        .with_state(state.clone())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(state, middleware::request_context));
    // A path gets its one spelling before the routes see it, which a layer of a router could not do.
    Router::new().fallback_service(MapRequest::new(routes, api::canonical_path))
}

/// OTLP over gRPC as a router of its own.
pub fn grpc_app(state: AppState) -> Router {
    api::ingest::grpc::router()
        .with_state(state.clone())
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(axum::middleware::from_fn_with_state(state, middleware::request_context))
}

/// Where a server answers.
#[derive(Debug)]
pub struct Listeners {
    /// The HTTP API.
    pub http: TcpListener,
    /// OTLP over gRPC, when it is wanted.
    pub grpc: Option<TcpListener>,
    /// Arrow Flight SQL, when it is wanted.
    pub flight: Option<TcpListener>,
    /// The PostgreSQL protocol, when it is wanted.
    pub postgres: Option<TcpListener>,
}

/// Serves until `shutdown` is ready: then accepts nothing more and waits for requests under way, but not longer
/// than the configured time. The state stays open; closing it is the caller's.
///
/// # Errors
/// When a listener fails, or the certificate of the doors to SQL is not what it should be.
pub async fn serve(
    listeners: Listeners,
    state: AppState,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let stopping = CancellationToken::new();
    let drain_timeout = state.config().drain_timeout;
    let app = app(state.clone());
    let http =
        axum::serve(without_delay(listeners.http), app.into_make_service_with_connect_info::<SocketAddr>())
            .with_graceful_shutdown(stopping.clone().cancelled_owned())
            .into_future();
    let grpc = serve_grpc(listeners.grpc, state.clone(), stopping.clone());
    let doors = sql::serve(listeners.flight, listeners.postgres, state.clone(), stopping.clone());
    let drained = async {
        shutdown.await;
        state.begin_stop();
        stopping.cancel();
        tokio::time::sleep(drain_timeout).await;
    };
    tokio::select! {
        served = async { tokio::try_join!(http, grpc, doors).map(drop) } => served,
        () = drained => {
            tracing::warn!(?drain_timeout, "requests under way did not finish in time");
            Ok(())
        }
    }
}

/// Parts of a streamed answer leave when they are written: waiting for more would hold the last one up until the caller
/// has confirmed the one before, which takes it 40 ms.
fn without_delay(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    fn send_at_once(stream: &mut TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection waits before it sends");
        }
    }
    listener.tap_io(send_at_once)
}

async fn serve_grpc(
    listener: Option<TcpListener>,
    state: AppState,
    stopping: CancellationToken,
) -> io::Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    axum::serve(without_delay(listener), grpc_app(state))
        .with_graceful_shutdown(stopping.cancelled_owned())
        .await
}
