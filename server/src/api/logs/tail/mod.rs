//! `GET logs/tail`: rows as they come in, as Server-Sent Events.
//!
//! Reading order: [`parameters`] (what is asked for), [`subscribers`] (how many may ask at a time), [`events`] (what
//! is sent).

mod events;
mod parameters;
mod subscribers;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response, Sse};
use engine::tail::TailRequest;

use self::parameters::TailParameters;
use crate::api::api_call::ApiCall;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

pub(crate) use self::subscribers::TailSubscribers;

/// Proxies that hold answers back until they are whole are asked not to.
const NO_BUFFERING: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

pub(super) async fn tail(
    State(state): State<AppState>,
    headers: HeaderMap,
    call: ApiCall,
) -> Result<Response, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let TailParameters { filter, after, attributes } = TailParameters::parse(call.parameters(), &headers)?;
    let place = state.tail_subscribers().admit(project)?;
    let max_queue_bytes = state.config().tail.buffer_bytes;
    let tail = state.engine().tail(project, TailRequest { filter, after, max_queue_bytes }).await?;
    let events = events::stream(tail, attributes, state.stopping(), place);
    Ok(([NO_BUFFERING], Sse::new(events)).into_response())
}
