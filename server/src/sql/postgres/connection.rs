//! Messages of one connection, one after the other.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use pgwire::api::{ClientInfo, DefaultClient, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireFrontendMessage;
use pgwire::tokio::server::{PgWireMessageServerCodec, process_error, process_message};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::Framed;

use super::cancel::{CancelRequests, Cancels};
use super::extended::{Extended, Prepared};
use super::frames::Frames;
use super::session::Session;
use super::simple::Simple;
use super::startup::Startup;
use super::transport::{self, Settled, Transport};
use crate::sql::connections::{Connection, Watch};
use crate::state::AppState;

/// How long a client may take to log in.
const LOG_IN_TIME: Duration = Duration::from_secs(20);

/// Answers until the client goes. A statement that runs then ends.
///
/// # Errors
/// When the connection breaks.
pub(super) fn run(
    connection: Connection,
    tls: Option<TlsAcceptor>,
    state: AppState,
    cancels: Arc<Cancels>,
) -> BoxFuture<'static, io::Result<()>> {
    Box::pin(async move {
        let log_in_until = Instant::now() + LOG_IN_TIME;
        let (peer, watch) = (connection.peer(), connection.watch());
        let settled = timeout_at(log_in_until, transport::settle(connection, tls.as_ref()));
        let Ok(settled) = settled.await else { return Ok(()) };
        let Some(settled) = settled? else { return Ok(()) };
        let must_be_secure = tls.is_some();
        let socket = framed(settled, peer);
        Conversation { socket, handlers: Handlers::new(state, cancels, must_be_secure), watch }
            .go_on(log_in_until)
            .await
    })
}

type Messages = Framed<Frames<Transport>, PgWireMessageServerCodec<Prepared>>;

/// The same as messages.
fn framed(settled: Settled, peer: SocketAddr) -> Messages {
    let client = DefaultClient::new(peer, settled.transport.is_secure());
    let frames = Frames::new(settled.transport, settled.read);
    let mut socket = Framed::new(frames, PgWireMessageServerCodec::new(client));
    socket.set_state(PgWireConnectionState::AwaitingStartup);
    socket
}

/// What answers messages.
struct Handlers {
    startup: Arc<Startup>,
    simple: Arc<Simple>,
    extended: Arc<Extended>,
    copy: Arc<NoopHandler>,
    cancel: Arc<CancelRequests>,
}

impl Handlers {
    fn new(state: AppState, cancels: Arc<Cancels>, must_be_secure: bool) -> Self {
        let session = Arc::new(Session::new(state, Arc::clone(&cancels)));
        Self {
            startup: Arc::new(Startup::new(Arc::clone(&session), must_be_secure)),
            simple: Arc::new(Simple::new(Arc::clone(&session))),
            extended: Arc::new(Extended::new(session)),
            copy: Arc::new(NoopHandler),
            cancel: Arc::new(CancelRequests::new(cancels)),
        }
    }

    async fn answer(&self, message: PgWireFrontendMessage, socket: &mut Messages) -> PgWireResult<()> {
        process_message(
            message,
            socket,
            Arc::clone(&self.startup),
            Arc::clone(&self.simple),
            Arc::clone(&self.extended),
            Arc::clone(&self.copy),
            Arc::clone(&self.cancel),
        )
        .await
    }
}

struct Conversation {
    socket: Messages,
    handlers: Handlers,
    watch: Watch,
}

impl Conversation {
    async fn go_on(mut self, log_in_until: Instant) -> io::Result<()> {
        loop {
            let is_logging_in = matches!(
                self.socket.state(),
                PgWireConnectionState::AwaitingStartup | PgWireConnectionState::AuthenticationInProgress
            );
            let message = match is_logging_in {
                true => match timeout_at(log_in_until, self.socket.next()).await {
                    Ok(message) => message,
                    Err(_elapsed) => return Ok(()),
                },
                false => self.socket.next().await,
            };
            let Some(message) = message else { return Ok(()) };
            let message = match message {
                Ok(message) => message,
                Err(error) => return self.end(error).await,
            };
            if matches!(message, PgWireFrontendMessage::Terminate(_)) {
                return Ok(());
            }
            let is_last = matches!(message, PgWireFrontendMessage::CancelRequest(_));
            let waits_for_sync = message.is_extended_query();
            let answered = tokio::select! {
                answered = self.handlers.answer(message, &mut self.socket) => answered,
                // What has not begun to answer does not notice it otherwise.
                () = self.watch.gone() => return Ok(()),
            };
            if let Err(error) = answered {
                process_error(&mut self.socket, error, waits_for_sync).await?;
                if is_logging_in {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// What cannot be read is told, if it can be, and nothing behind it is believed.
    async fn end(mut self, error: PgWireError) -> io::Result<()> {
        let code = match &error {
            PgWireError::IoError(error) if error.kind() == io::ErrorKind::TimedOut => "57P05",
            PgWireError::IoError(error) if error.kind() != io::ErrorKind::InvalidData => return Ok(()),
            _ => "08P01",
        };
        let told = ErrorInfo::new("FATAL".to_owned(), code.to_owned(), error.to_string());
        process_error(&mut self.socket, PgWireError::UserError(Box::new(told)), false).await?;
        Err(io::Error::other(error))
    }
}
