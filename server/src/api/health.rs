//! `/_liveness`, `/_readiness`: whether the process lives, and whether to send it requests.

use axum::extract::State;

use super::openapi::schema::text;
use super::openapi::{Operation, Routes, get};
use crate::error::ApiError;
use crate::state::AppState;

/// The endpoints.
pub(super) fn routes() -> Routes {
    let ok = |summary| Operation::for_everyone(summary).answers_as(200, "ok", &[("text/plain", text())]);
    Routes::new()
        .at("/_liveness", get(liveness, ok("Whether the process lives")))
        .at("/_readiness", get(readiness, ok("Whether it takes requests").refuses(&[503])))
}

async fn liveness() -> &'static str {
    "ok"
}

/// Not ready once a stop has begun: a balancer sends its requests elsewhere while those under way finish.
async fn readiness(State(state): State<AppState>) -> Result<&'static str, ApiError> {
    if state.is_stopping() { Err(ApiError::unavailable("the server is stopping")) } else { Ok("ok") }
}
