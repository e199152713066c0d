//! `POST sql`: one statement, answered while it runs.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use engine::sql::{SqlAnswer, SqlFormat};
use futures::stream::StreamExt;

use super::request::{content_type, format, query};
use crate::api::api_call::ApiCall;
use crate::api::streamed::body_of;
use crate::error::ApiError;
use crate::sql::{Asker, about_query};
use crate::state::AppState;

/// Header of answers with the id that a statement can be ended by.
const QUERY_ID: HeaderName = HeaderName::from_static("x-timberline-query-id");

pub(super) async fn ask(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let asker = Asker::of(&state, &call).await?;
    let format = format(call.json()?, call.headers())?;
    let query = query(call.json()?)?;
    respond(asker.ask(&state, query).await?, format).await
}

async fn respond(answer: SqlAnswer, format: SqlFormat) -> Result<Response, ApiError> {
    let id = answer.id();
    let pieces = answer.encode(format).map_err(about_query)?;
    let pieces = pieces.map(|piece| piece.map_err(about_query)).boxed();
    let mut response = Response::new(body_of(pieces).await?);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(format)));
    headers.insert(QUERY_ID, HeaderValue::try_from(id.to_string()).map_err(ApiError::internal)?);
    Ok(response)
}
