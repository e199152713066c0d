//! `POST sql`: one statement, answered while it runs.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use engine::sql::{SqlAnswer, SqlFormat};
use futures::stream::{self, BoxStream, StreamExt};
use tokio::time::timeout;

use super::request::{content_type, format, query};
use crate::api::api_call::ApiCall;
use crate::error::ApiError;
use crate::sql::{Asker, about_query};
use crate::state::AppState;

/// Header of answers with the id that a statement can be ended by.
const QUERY_ID: HeaderName = HeaderName::from_static("x-timberline-query-id");
/// How long the answer's status waits for the first rows: what fails until then is answered with a status of its own.
const STATUS_PATIENCE: Duration = Duration::from_secs(1);

type Pieces = BoxStream<'static, Result<Bytes, ApiError>>;

pub(super) async fn ask(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let format = format(call.json()?, call.headers())?;
    let query = query(call.json()?)?;
    respond(asker.ask(&state, query).await?, format).await
}

/// The stream ends with an error when the statement does, and then the connection is cut: what was received does not
/// look whole.
async fn respond(answer: SqlAnswer, format: SqlFormat) -> Result<Response, ApiError> {
    let id = answer.id();
    let pieces = answer.encode(format).map_err(about_query)?;
    let mut pieces: Pieces = pieces.map(|piece| piece.map_err(about_query)).boxed();
    let body = match timeout(STATUS_PATIENCE, pieces.next()).await {
        Ok(Some(Err(error))) => return Err(error),
        Ok(Some(Ok(first))) => Body::from_stream(stream::iter([Ok(first)]).chain(logged(pieces))),
        Ok(None) => Body::empty(),
        Err(_elapsed) => Body::from_stream(logged(pieces)),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    headers.insert(QUERY_ID, HeaderValue::try_from(id.to_string()).map_err(ApiError::internal)?);
    Ok(response)
}

fn logged(pieces: Pieces) -> Pieces {
    let tell = |piece: &Result<Bytes, ApiError>| {
        if let Err(error) = piece {
            error.log();
        }
    };
    pieces.inspect(tell).boxed()
}
