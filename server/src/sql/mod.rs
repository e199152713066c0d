//! SQL for people and programs, whichever door they come through.
//!
//! Every door finds an [`Asker`] first, who asks about one project, and asks through it: what may be read is decided there
//! and in the engine, and never by a door.
//!
//! | module | what |
//! |---|---|
//! | `asker` | who asks about which project, and what of it they may read |
//! | `system` | tables that the server brings |
//! | `flight` | Arrow Flight SQL |
//! | `postgres` | the protocol of PostgreSQL |
//! | `connections` | connections of those two |
//! | `tls` | their certificate |
//!
//! HTTP is a door, with the other endpoints of the API.

mod asker;
mod connections;
mod flight;
mod postgres;
mod system;
mod tls;

use std::io;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use self::asker::{Asker, about_query};
use self::tls::Certificate;
use crate::config::SqlConfig;
use crate::state::AppState;

/// Serves Flight SQL and the PostgreSQL protocol, as far as they have listeners, until `stopping`.
///
/// # Errors
/// When a listener fails, or the certificate is not what it should be.
pub(crate) async fn serve(
    flight: Option<TcpListener>,
    postgres: Option<TcpListener>,
    state: AppState,
    stopping: CancellationToken,
) -> io::Result<()> {
    let certificate = certificate(&state.config().sql)?;
    for listener in [&flight, &postgres].into_iter().flatten() {
        let address = listener.local_addr()?;
        if certificate.is_none() && !address.ip().is_loopback() {
            tracing::warn!(%address, "keys come here unencrypted: sql.tls_certificate is not set");
        }
    }
    let flight = async {
        match flight {
            Some(listener) => {
                Box::pin(flight::serve(listener, certificate.as_ref(), state.clone(), stopping.clone())).await
            }
            None => Ok(()),
        }
    };
    let postgres = async {
        match postgres {
            Some(listener) => {
                Box::pin(postgres::serve(listener, certificate.as_ref(), state.clone(), stopping.clone()))
                    .await
            }
            None => Ok(()),
        }
    };
    tokio::try_join!(flight, postgres).map(drop)
}

/// The certificate of the doors, if they have one.
///
/// # Errors
/// When it is not what it should be, or one of the two files is missing.
pub(crate) fn certificate(config: &SqlConfig) -> io::Result<Option<Certificate>> {
    match (&config.tls_certificate, &config.tls_key) {
        (Some(chain), Some(key)) => Certificate::read(chain, key).map(Some),
        (None, None) => Ok(None),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "sql.tls_certificate and sql.tls_key are set together or not at all",
        )),
    }
}
