//! The protocol of PostgreSQL: for psql, DBeaver, Grafana and every driver of PostgreSQL.
//!
//! A connection is a session about one project with one key. It knows nothing but statements that read and what clients
//! set for themselves; whatever reads goes the way of all doors, and the key is looked at anew each time.
//!
//! | module | what |
//! |---|---|
//! | `connection` | messages of one connection, one after the other |
//! | `transport` | TLS or not |
//! | `frames` | messages are whole and well formed before anybody reads them |
//! | `startup` | logging in |
//! | `cancel` | ending what another connection of the same client runs |
//! | `session` | what a connection keeps |
//! | `cursor` | answers that are read bit by bit |
//! | `statements` | what statements of a session do |
//! | `simple`, `extended` | the two ways to send a statement |
//! | `parameters` | values of placeholders |
//! | `rows` | rows on their way to a client |
//! | `variables` | what `SHOW` tells |
//! | `errors` | errors as PostgreSQL's clients know them |

mod cancel;
mod connection;
mod cursor;
mod errors;
mod extended;
mod frames;
mod parameters;
mod rows;
mod session;
mod simple;
mod startup;
mod statements;
mod transport;
mod variables;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cancel::Cancels;
pub(in crate::sql) use self::transport::ALPN;
use super::connections::Connections;
use super::tls::Certificate;
use crate::state::AppState;

/// Serves until `stopping`; connections end then.
///
/// # Errors
/// When the certificate is not what it should be.
pub(crate) async fn serve(
    listener: TcpListener,
    certificate: Option<&Certificate>,
    state: AppState,
    stopping: CancellationToken,
) -> io::Result<()> {
    let tls = certificate.map(Certificate::acceptor).transpose()?;
    let door = Connections::new(listener, &state.config().sql);
    let cancels = Arc::new(Cancels::default());
    let connections = TaskTracker::new();
    while let Some(taken) = stopping.run_until_cancelled(door.next()).await {
        let conversation = connection::run(taken?, tls.clone(), state.clone(), Arc::clone(&cancels));
        let stopping = stopping.clone();
        connections.spawn(async move {
            if let Some(Err(error)) = stopping.run_until_cancelled(conversation).await {
                tracing::debug!(%error, "a connection of PostgreSQL's protocol has ended");
            }
        });
    }
    connections.close();
    connections.wait().await;
    Ok(())
}
