//! `/_liveness`, `/_readiness`: whether the process lives, and whether to send it requests.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::error::ApiError;
use crate::state::AppState;

/// The endpoints.
pub(super) fn router() -> Router<AppState> {
    Router::new().route("/_liveness", get(liveness)).route("/_readiness", get(readiness))
}

async fn liveness() -> &'static str {
    "ok"
}

/// Not ready once a stop has begun: a balancer sends its requests elsewhere while those under way finish.
async fn readiness(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    if state.is_stopping() { Err(ApiError::unavailable("the server is stopping")) } else { Ok("ok") }
}
