//! What happens around every request: its id, its span in the log and in traces, and how long it took, for the counts
//! and the log.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Status, TraceContextExt};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::api::ingest::datadog;
use crate::api::signup;
use crate::state::AppState;
use crate::telemetry::NO_ROUTE;

/// Header of the request id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a caller.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Gives the request an id, which the answer carries and every line of the log about it names.
///
/// The log has the path and never the query string, which may carry a key or a token.
pub(crate) async fn request_context(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let span = info_span!(
        "request", id = %id, method = %request.method(), path = logged_path(request.uri().path()),
        otel.name = Empty, otel.kind = Empty, trace_id = Empty,
    );
    let call = Call::of(&request, id.clone());
    let is_traced = state.config().traces.endpoint.is_some();
    if is_traced {
        call.begin_trace(&span, request.headers());
    }
    let started = Instant::now();
    async {
        let mut response = next.run(request).await;
        call.answered(&state, response.status(), started.elapsed());
        if is_traced {
            end_trace(response.status());
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// What is told of a request once it is answered.
struct Call {
    id: String,
    method: Method,
    route: Option<MatchedPath>,
    /// As the path names it: a number or `@current`.
    project: Option<String>,
}

impl Call {
    fn of(request: &Request, id: String) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let project = project_in(request.uri().path()).map(str::to_owned);
        Self { id, method: request.method().clone(), route, project }
    }

    fn endpoint(&self) -> &str {
        self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str)
    }

    /// Makes the span a part of the caller's trace, or the first of one, as OpenTelemetry's conventions for HTTP have it.
    fn begin_trace(&self, span: &Span, headers: &HeaderMap) {
        let caller = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
        // Refused only where the span is not enabled, and then nothing is sent of it.
        let _ = span.set_parent(caller);
        span.record("otel.name", format!("{} {}", self.method, self.endpoint()));
        span.record("otel.kind", "server");
        span.record("trace_id", span.context().span().span_context().trace_id().to_string());
        span.set_attribute("http.request.method", self.method.to_string());
        span.set_attribute("http.route", self.endpoint().to_owned());
    }

    /// Counts it, and logs it: as a warning when it was slow.
    fn answered(&self, state: &AppState, status: StatusCode, elapsed: Duration) {
        let endpoint = self.endpoint();
        let status_number = status.as_u16();
        state.telemetry().note_request(endpoint, &self.method, status, elapsed);
        tracing::debug!(status = status_number, elapsed_us = elapsed.as_micros() as u64, "answered");
        if state.config().log.slow_query.is_some_and(|limit| elapsed >= limit) {
            tracing::warn!(
                endpoint,
                project = self.project,
                request_id = self.id,
                elapsed_ms = elapsed.as_millis() as u64,
                status = status_number,
                "slow request"
            );
        }
    }
}

/// Notes the outcome in the span of the request, whose faults are those of the server.
fn end_trace(status: StatusCode) {
    let span = Span::current();
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// The project that a path names, if it names one.
fn project_in(path: &str) -> Option<&str> {
    path.strip_prefix("/api/projects/")?.split('/').next()
}

/// A path without the token that Datadog's senders may have in theirs, and without the secret of an invitation.
fn logged_path(path: &str) -> &str {
    let with_secret = [datadog::PATH, signup::PATH, signup::PAGE];
    with_secret.into_iter().find(|prefix| path.starts_with(prefix)).unwrap_or(path)
}

/// The caller's own id when it is short and plain, so that it cannot forge lines of the log; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    match given {
        Some(id) if !id.is_empty() && id.len() <= MAX_REQUEST_ID_BYTES && id.bytes().all(is_plain) => {
            id.to_owned()
        }
        _ => Uuid::now_v7().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(given: &str) -> String {
        request_id(&HeaderMap::from_iter([(REQUEST_ID, given.parse().unwrap())]))
    }

    #[test]
    fn the_log_has_no_token() {
        assert_eq!(logged_path("/i/v1/logs/datadog/phc_secret"), "/i/v1/logs/datadog");
        assert_eq!(logged_path("/api/signup/tli_secret/"), "/api/signup");
        assert_eq!(logged_path("/signup/tli_secret"), "/signup");
        assert_eq!(logged_path("/i/v1/logs"), "/i/v1/logs");
    }

    #[test]
    fn a_plain_id_is_kept_and_any_other_replaced() {
        assert_eq!(id_for("trace-1.a:b_C"), "trace-1.a:b_C");
        for given in ["", "a b", "a=\"b\"", &"a".repeat(129)] {
            assert!(Uuid::parse_str(&id_for(given)).is_ok(), "{given}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }
}
