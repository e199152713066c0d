//! Answers that are sent while they are made.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::timeout;

use crate::error::ApiError;

/// How long the answer's status waits for the first rows: what fails until then is answered with a status of its own,
/// and a client that waits for rare rows still sees the answer begin.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

/// An answer, piece by piece.
pub(super) type Pieces = BoxStream<'static, Result<Bytes, ApiError>>;

/// The body of an answer. It ends with an error when the pieces do, and then the connection is cut: what was received
/// does not look whole.
///
/// # Errors
/// What the pieces begin with, if that is an error.
pub(super) async fn body_of(mut pieces: Pieces) -> Result<Body, ApiError> {
    match timeout(STATUS_PATIENCE, pieces.next()).await {
        Ok(Some(Err(error))) => Err(error),
        Ok(Some(Ok(first))) => Ok(Body::from_stream(stream::iter([Ok(first)]).chain(logged(pieces)))),
        Ok(None) => Ok(Body::empty()),
        Err(_elapsed) => Ok(Body::from_stream(logged(pieces))),
    }
}

fn logged(pieces: Pieces) -> Pieces {
    let tell = |piece: &Result<Bytes, ApiError>| {
        if let Err(error) = piece {
            error.log();
        }
    };
    pieces.inspect(tell).boxed()
}
