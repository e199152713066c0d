//! Arrow Flight SQL: for ADBC and JDBC drivers, which read answers column by column.
//!
//! Statements, prepared ones among them, are not kept by the server: what a driver holds as their handle says what they
//! are, and whoever comes with it shows the key again.
//!
//! | module | what |
//! |---|---|
//! | `credentials` | the key and the project that a call names |
//! | `handle` | a statement as a driver keeps it |
//! | `parameters` | values of parameters that drivers send as rows |
//! | `rows` | rows on their way to a driver |
//! | `catalog` | which catalogs, schemas and tables there are |
//! | `information` | what the server can do |
//! | `service` | the calls |

mod catalog;
mod credentials;
mod handle;
mod information;
mod parameters;
mod rows;
mod service;

use std::io;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use axum::http::StatusCode;
use futures::stream;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Status};

use self::service::FlightSql;
use super::connections::Connections;
use super::tls::Certificate;
use crate::error::ApiError;
use crate::state::AppState;

/// Largest message of a client; statements and their parameters are kilobytes.
const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// How long a client may take to settle TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(20);
/// Calls under way of one connection.
const MAX_CALLS_OF_A_CONNECTION: usize = 64;

/// Serves until `stopping`, then waits for calls under way.
///
/// # Errors
/// When the listener fails.
pub(crate) async fn serve(
    listener: TcpListener,
    certificate: Option<&Certificate>,
    state: AppState,
    stopping: CancellationToken,
) -> io::Result<()> {
    let mut server = Server::builder().concurrency_limit_per_connection(MAX_CALLS_OF_A_CONNECTION);
    if let Some(certificate) = certificate {
        let identity = Identity::from_pem(certificate.chain_pem(), certificate.key_pem());
        let tls = ServerTlsConfig::new().identity(identity).timeout(HANDSHAKE_TIME);
        server = server.tls_config(tls).map_err(io::Error::other)?;
    }
    let service = FlightServiceServer::new(FlightSql::new(state.clone()))
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .send_compressed(CompressionEncoding::Zstd);
    let door = Connections::new(listener, &state.config().sql);
    let connections = stream::unfold(door, |door| async move { Some((door.next().await, door)) });
    let served =
        server.add_service(service).serve_with_incoming_shutdown(connections, stopping.cancelled_owned());
    served.await.map_err(io::Error::other)
}

/// The one place where an error becomes a status of gRPC.
fn status_of(error: ApiError) -> Status {
    let code = match error.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        StatusCode::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        status if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    };
    error.log();
    Status::new(code, error.detail())
}
