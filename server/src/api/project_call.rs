//! A call below the prefix of a project: who calls, about which project, with which body.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode};
use engine::schema::ProjectId;
use serde_json::Value;

use super::parameters::Parameters;
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::state::AppState;

/// Largest body of a call that asks; a filter is kilobytes.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What a handler is given; it calls [`ProjectCall::authorize`] before it looks at the body.
#[derive(Debug)]
pub(crate) struct ProjectCall {
    project: String,
    headers: HeaderMap,
    parameters: Vec<(String, String)>,
    body: Result<Value, ApiError>,
}

impl ProjectCall {
    /// Finds out who calls and whether they may, in the contract's order of checks.
    ///
    /// # Errors
    /// 401, 403 or 404.
    pub(crate) async fn authorize(&self, state: &AppState, scope: Scope) -> Result<ProjectId, ApiError> {
        let meta = state.meta();
        let now_us = state.clock().now_us();
        let body = self.body.as_ref().ok();
        let caller = Caller::authenticate(meta, &self.headers, body, &self.parameters, now_us).await?;
        caller.require_scope(scope)?;
        caller.require_project(meta, &self.project).await
    }

    /// The parameters of the query string.
    pub(crate) fn parameters(&self) -> Parameters<'_> {
        Parameters::of(&self.parameters)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// 400 when it is not JSON, 413 when it is too large.
    pub(crate) fn into_json(self) -> Result<Value, ApiError> {
        self.body
    }
}

impl FromRequest<AppState> for ProjectCall {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Path(mut path) = Path::<HashMap<String, String>>::from_request_parts(&mut parts, state)
            .await
            .map_err(|_| ApiError::not_found("project not found"))?;
        // A query string that cannot be read carries no key: the call is then not authenticated.
        let parameters =
            Query::try_from_uri(&parts.uri).map(|Query(parameters)| parameters).unwrap_or_default();
        let headers = parts.headers.clone();
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(|rejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                ApiError::too_large(format!("the request body is larger than {MAX_BODY_BYTES} bytes"))
            }
            _ => ApiError::parse_error(None, "the request body could not be read"),
        });
        let body = body.and_then(|body| parse_json(&body));
        Ok(Self { project: path.remove("project_id").unwrap_or_default(), headers, parameters, body })
    }
}

fn parse_json(body: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::parse_error(None, format!("malformed JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_json_is_a_parse_error() {
        for body in [&b""[..], b" ", b"{", b"{} x", b"\xff", b"'a'"] {
            assert!(parse_json(body).unwrap_err().to_string().starts_with("400 parse_error: malformed JSON"));
        }
        let deep = "[".repeat(10_000);
        assert_eq!(parse_json(deep.as_bytes()).unwrap_err().status(), 400);
    }
}
