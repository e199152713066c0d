//! What happens around every request: its id, its span in the log, and how long it took.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, info_span};
use uuid::Uuid;

use crate::api::ingest::datadog;
use crate::api::signup;

/// Header of the request id, in both directions.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a caller.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Gives the request an id, which the answer carries and every line of the log about it names.
///
/// The log has the path and never the query string, which may carry a key or a token.
pub(crate) async fn request_context(request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let span =
        info_span!("request", id = %id, method = %request.method(), path = logged_path(request.uri().path()));
    let started = Instant::now();
    async {
        let mut response = next.run(request).await;
        tracing::debug!(
            status = response.status().as_u16(),
            elapsed_us = started.elapsed().as_micros() as u64,
            "answered"
        );
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }
    .instrument(span)
    .await
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
