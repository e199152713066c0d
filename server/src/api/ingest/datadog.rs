//! `POST /i/v1/logs/datadog/:token`, `POST /api/v2/logs`: records as Datadog's agents and libraries send them.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::middleware;
use axum::response::Response;
use engine::schema::ProjectId;

use super::format::Format;
use super::{Form, cors, preflight, project_of_token, receive, store, token, wrong_method};
use crate::api::openapi::schema::anything;
use crate::api::openapi::{Operation, Routes, post};
use crate::error::ApiError;
use crate::state::AppState;

/// The paths of the endpoint begin so; what follows may be a token.
pub(crate) const PATH: &str = "/i/v1/logs/datadog";

/// Where Datadog's senders carry their key.
const API_KEY_HEADER: &str = "dd-api-key";

/// Query parameters that are no members of a record: tokens.
const TOKEN_PARAMETERS: [&str; 3] = ["token", "dd-api-key", "api_key"];

/// The endpoints.
pub(super) fn routes() -> Routes {
    let endpoint = || {
        let send =
            Operation::for_senders("Send Datadog's records").body_of(&[("application/json", anything())]);
        post(ingest_logs, send.answers(200, anything()))
            .options(cors::preflight, preflight())
            .otherwise(wrong_method)
    };
    Routes::new()
        .at(PATH, endpoint())
        .at(&format!("{PATH}/{{token}}"), endpoint())
        .at("/api/v2/logs", endpoint())
        .around(|router| router.layer(middleware::map_response(cors::allow_any_origin)))
}

async fn ingest_logs(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let outcome = ingest(&state, request).await.map_err(ApiError::simple);
    state.telemetry().note_ingest(&outcome);
    outcome
}

async fn ingest(state: &AppState, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let parameters = super::query_parameters(&parts);
    let project = authorize(state, &mut parts, &parameters).await?;
    let is_member =
        |(name, _): &(String, String)| !TOKEN_PARAMETERS.iter().any(|token| name.eq_ignore_ascii_case(token));
    let fallbacks = parameters.into_iter().filter(is_member).collect();
    let received = receive(state, &parts.headers, body, Form::Datadog { fallbacks }).await?;
    let (rejected, _) = store(state, project, received).await?;
    Ok(Format::Json.success(&rejected))
}

/// The token is in the path, else in a header, else a query parameter.
async fn authorize(
    state: &AppState,
    parts: &mut Parts,
    parameters: &[(String, String)],
) -> Result<ProjectId, ApiError> {
    let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
    let in_path = path.ok().and_then(|Path(mut path)| path.remove("token"));
    let in_header = || parts.headers.get(API_KEY_HEADER).and_then(|key| key.to_str().ok()).map(str::to_owned);
    let in_query = || {
        let is_key = |name: &str| TOKEN_PARAMETERS[1..].iter().any(|key| name.eq_ignore_ascii_case(key));
        let (_, key) = parameters.iter().find(|(name, _)| is_key(name))?;
        (!parts.headers.contains_key(AUTHORIZATION)).then(|| key.clone())
    };
    let token = match in_path.or_else(in_header).or_else(in_query) {
        Some(token) => token::check(token.trim()),
        None => token::find(&parts.headers, parameters),
    };
    project_of_token(state, token).await
}
