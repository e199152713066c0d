//! An error of each status.

use std::borrow::Cow;
use std::error::Error as StdError;

use axum::http::StatusCode;
use serde_json::Value;

use super::{ApiError, Form};

impl ApiError {
    /// A refusal with members of its own, an object, beside `code` and `detail`.
    pub(crate) fn with_body(
        status: StatusCode,
        code: &'static str,
        detail: &'static str,
        body: Value,
    ) -> Self {
        let mut error = Self::new(status, "server_error", code, detail);
        error.0.form = Form::Own;
        error.0.own = body;
        error.0.own["code"] = code.into();
        error.0.own["detail"] = detail.into();
        error
    }

    /// 400: the body, or a member of `query`, cannot be read. `attr` is the member's path.
    pub fn parse_error(attr: Option<String>, detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "parse_error", detail);
        error.0.attr = attr;
        error
    }

    /// 400 in the simple form.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation_error", "invalid_input", detail).simple()
    }

    /// 400: a member of something that is written is not what it may be. `attr` is its path; none is the whole.
    pub fn validation(
        code: &'static str,
        attr: Option<String>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "validation_error", code, detail);
        error.0.attr = attr;
        error
    }

    /// 401: nothing says who calls.
    pub fn not_authenticated() -> Self {
        let detail = "authentication credentials were not provided";
        Self::new(StatusCode::UNAUTHORIZED, "authentication_error", "not_authenticated", detail)
    }

    /// 401: what says who calls is not valid.
    pub fn authentication_failed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "authentication_error", "authentication_failed", detail)
    }

    /// 403.
    pub fn permission_denied(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "authentication_error", "permission_denied", detail)
    }

    /// 403: the caller is to give the password again first.
    pub fn reauthentication_required() -> Self {
        let detail = "this changes who may do what: log in again first";
        let code = "sensitive_action_required_reauth";
        Self::new(StatusCode::FORBIDDEN, "authentication_error", code, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request", "not_found", detail)
    }

    /// 405.
    pub fn method_not_allowed(method: &str) -> Self {
        let detail = format!("method {method} is not allowed here");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "method_not_allowed", detail)
    }

    /// 408: the body did not arrive in time.
    pub fn request_timeout() -> Self {
        let detail = "the request body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "invalid_request", "request_timeout", detail)
    }

    /// 413: the body is over a limit.
    pub fn too_large(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "request_too_large", detail)
    }

    /// 415: the body's encoding is not one that the server reads.
    pub fn unsupported_encoding(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request", "unsupported_media_type", detail)
    }

    /// 429: the caller has as much under way as it may have; try again after a second.
    pub fn too_many(detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled_error", "throttled", detail);
        error.0.retry_after_secs = Some(1);
        error
    }

    /// 503: not now; try again after a second.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        let mut error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "logs_workload_unreachable", detail);
        error.0.retry_after_secs = Some(1);
        error
    }

    /// 400 as `{"member": [text]}`.
    pub fn field(name: &str, detail: &'static str) -> Self {
        let mut error = Self::validation("invalid_input", Some(name.to_owned()), detail);
        error.0.form = Form::Field;
        error
    }

    /// 429: the caller asks too often.
    pub fn throttled(retry_after_secs: u32) -> Self {
        let detail = format!("request was throttled, expected available in {retry_after_secs} seconds");
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled_error", "throttled", detail);
        error.0.retry_after_secs = Some(retry_after_secs);
        error
    }

    /// 503: there is no model to ask. Asking again is of no use until somebody configures one.
    pub fn ai_not_configured() -> Self {
        let detail = "no model is configured on this server";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", "ai_not_configured", detail)
    }

    /// 409: what was asked for is being made; try again after some seconds.
    pub fn not_ready(detail: impl Into<Cow<'static, str>>, retry_after_secs: u32) -> Self {
        let mut error = Self::new(StatusCode::CONFLICT, "server_error", "conflict", detail);
        error.0.retry_after_secs = Some(retry_after_secs);
        error
    }

    /// 500 with a reason that the caller may read: what was asked for earlier has failed.
    pub fn failed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "error", detail)
    }

    /// 500: our fault. The caller learns nothing about it, the log everything.
    pub fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let error =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "error", "a server error occurred");
        error.caused_by(cause)
    }
}
