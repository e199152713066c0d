//! One question at a time of those that an organization may ask, and what its answer cost, in a header.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use engine::query::with_cost;

use crate::rate_limits::answer_question;

/// Header of answers to questions: what they cost the engine, and which sources they are from.
const COST: HeaderName = HeaderName::from_static("x-timberline-cost");

/// Tells with an answer what it cost, if the engine was asked anything for it.
pub(in crate::api) async fn tell_cost(request: Request, next: Next) -> Response {
    let (mut response, cost) = with_cost(answer_question(next.run(request))).await;
    if cost.questions > 0
        && let Ok(text) = HeaderValue::from_str(&cost.to_string())
    {
        response.headers_mut().insert(COST, text);
    }
    response
}
