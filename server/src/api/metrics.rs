//! `GET /metrics`: numbers about the server, as Prometheus reads them.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};

use super::openapi::schema::text;
use super::openapi::{Operation, Routes, get};
use crate::auth::{Caller, Presented};
use crate::config::MetricsAccess;
use crate::error::ApiError;
use crate::state::AppState;
use crate::telemetry::{TEXT_FORMAT, gather};

/// What proxies add to a request: it does not come from where it seems to.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// The endpoint.
pub(super) fn routes() -> Routes {
    let numbers = Operation::for_any_key("Numbers about the server, for Prometheus").answers_as(
        200,
        "numbers",
        &[("text/plain", text())],
    );
    Routes::new().at("/metrics", get(metrics, numbers))
}

async fn metrics(State(state): State<AppState>, request: Request) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    authorize(&state, &parts).await?;
    let text = gather(&state).await;
    Ok(([(CONTENT_TYPE, TEXT_FORMAT), (CACHE_CONTROL, "no-store")], text).into_response())
}

/// # Errors
/// 404 when nobody may ask, 401 when this caller may not.
async fn authorize(state: &AppState, request: &Parts) -> Result<(), ApiError> {
    let is_open = match state.config().metrics_access {
        MetricsAccess::None => return Err(ApiError::not_found("there is nothing at this path")),
        MetricsAccess::Everyone => true,
        MetricsAccess::Local => is_local(request),
        MetricsAccess::Key => false,
    };
    if is_open {
        return Ok(());
    }
    let Query(parameters): Query<Vec<(String, String)>> =
        Query::try_from_uri(&request.uri).unwrap_or_default();
    let Parts { method, headers, .. } = request;
    let presented = Presented { method, headers, body: None, query: &parameters };
    Caller::authenticate(state.meta(), presented, state.clock().now_us()).await.map(drop)
}

/// Whether the caller is on this machine, as far as can be told: a proxy on it seems to be.
fn is_local(request: &Parts) -> bool {
    let remote = request.extensions.get::<ConnectInfo<SocketAddr>>();
    remote.is_some_and(|ConnectInfo(address)| address.ip().to_canonical().is_loopback())
        && !is_forwarded(&request.headers)
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    FORWARDED.iter().any(|name| headers.contains_key(HeaderName::from_static(name)))
}
