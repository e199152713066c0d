//! How a running server is told to stop.

use std::process;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::CliError;

/// What a shell reports for a process that an interrupt has ended.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// A token that the first SIGTERM or SIGINT cancels. A second one ends the process at once: nothing that was
/// acknowledged is lost by it.
///
/// Signals are caught from the moment this returns, so call it before telling anybody that the server is up.
pub(super) fn on_signal() -> Result<CancellationToken, CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
    let token = CancellationToken::new();
    let first = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("stopping: finishing the requests under way");
        first.cancel();
        next().await;
        process::exit(EXIT_CODE_INTERRUPTED);
    });
    Ok(token)
}
