//! The API's one error type, and the one place where an engine error becomes a status.
//!
//! An error has a few written forms. The envelope `{type, code, detail, attr}` is the rule; the simple form
//! `{"error": text}` is what ingest and a few causes inside the logs endpoints answer; one cause answers its bare text,
//! explanations answer a bad body as `{"member": [text]}`, and what needs approval answers what was stored.
//! What a caller may read is in the error; what an operator must read is its cause, which goes to the log.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::ErrorKind;
use serde_json::{Value, json};

use crate::accounts::AccountError;
use crate::log_sparing::Sparing;
use crate::meta::MetaError;
use crate::password::PasswordError;

/// An answer that is not a success.
#[derive(Debug)]
pub struct ApiError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    form: Form,
    kind: &'static str,
    code: &'static str,
    detail: Cow<'static, str>,
    attr: Option<String>,
    retry_after_secs: Option<u32>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
    /// The members of [`Form::Own`].
    own: Value,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    Envelope,
    Simple,
    Bare,
    /// The member as a key, with a list of what is wrong with it.
    Field,
    /// Members of its own.
    Own,
}

impl ApiError {
    fn new(
        status: StatusCode,
        kind: &'static str,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let detail = detail.into();
        Self(Box::new(Parts {
            status,
            form: Form::Envelope,
            kind,
            code,
            detail,
            attr: None,
            retry_after_secs: None,
            cause: None,
            own: Value::Null,
        }))
    }

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

    /// The same error about a member of something that is to be stored, if it is about a member.
    #[must_use]
    pub fn into_validation(mut self) -> Self {
        if self.0.code == "parse_error" && self.0.attr.is_some() {
            (self.0.kind, self.0.code, self.0.form) = ("validation_error", "invalid_input", Form::Envelope);
        }
        self
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

    /// The same error about a body that could not be read, for another answer; its cause stays with the first.
    pub(crate) fn of_body(&self) -> Self {
        let Parts { status, form, kind, code, .. } = *self.0;
        let mut error = Self::new(status, kind, code, self.0.detail.clone());
        (error.0.form, error.0.attr) = (form, self.0.attr.clone());
        error
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

    /// The same error in the simple form.
    #[must_use]
    pub fn simple(mut self) -> Self {
        self.0.form = Form::Simple;
        self
    }

    /// The same error as nothing but its text: what `values` answers without a key.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.0.form = Form::Bare;
        self
    }

    /// The same error in the simple form if the caller can mend the call.
    #[must_use]
    pub fn simple_if_bad_request(self) -> Self {
        if self.0.status == StatusCode::BAD_REQUEST { self.simple() } else { self }
    }

    /// Names the member of the request that the error is about.
    #[must_use]
    pub fn with_attr(mut self, attr: impl Into<String>) -> Self {
        self.0.attr = Some(attr.into());
        self
    }

    /// The same error with what caused it, for the log.
    #[must_use]
    pub fn because(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.caused_by(cause)
    }

    fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// The status that the error is answered with.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What the caller may read.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The word that clients tell causes apart by.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The member of the request that the error is about.
    pub fn attr(&self) -> Option<&str> {
        self.0.attr.as_deref()
    }

    fn body(&self) -> Value {
        let Parts { form, kind, code, detail, attr, own, .. } = &*self.0;
        match form {
            Form::Envelope => json!({ "type": kind, "code": code, "detail": detail, "attr": attr }),
            Form::Simple => json!({ "error": detail }),
            Form::Bare => json!(detail),
            Form::Own => own.clone(),
            Form::Field => json!({ attr.as_deref().unwrap_or("non_field_errors"): [detail] }),
        }
    }

    /// Tells the log, with the cause.
    pub(crate) fn log(&self) {
        let cause = self.0.cause.as_deref().map(|cause| Chain(cause).to_string());
        let status = self.0.status.as_u16();
        if self.0.status == StatusCode::SERVICE_UNAVAILABLE {
            // Many senders are told to come again at once, and again.
            static SPARING: Sparing = Sparing::new();
            if let Some(left_out) = SPARING.take() {
                tracing::warn!(status, detail = %self.0.detail, cause, left_out, "told to come again");
            }
        } else if self.0.status.is_server_error() {
            tracing::error!(status, detail = %self.0.detail, cause, "request failed");
        } else {
            tracing::debug!(status, detail = %self.0.detail, cause, "request refused");
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.status.as_u16(), self.0.code, self.0.detail)
    }
}

impl StdError for ApiError {}

/// An error with everything that caused it, for the log.
struct Chain<'a>(&'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = (self.0.status, Json(self.body())).into_response();
        let headers = response.headers_mut();
        if self.0.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(secs) = self.0.retry_after_secs {
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

/// The one place where an engine error becomes an answer.
impl From<engine::Error> for ApiError {
    #[deny(clippy::wildcard_enum_match_arm)]
    fn from(error: engine::Error) -> Self {
        let message = error.message().to_owned();
        let answer = match error.kind() {
            ErrorKind::InvalidRequest | ErrorKind::LimitExceeded => {
                Self::new(StatusCode::BAD_REQUEST, "validation_error", "invalid_input", message)
            }
            ErrorKind::NotFound => Self::not_found(message),
            ErrorKind::ResourcesExhausted => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "server_error",
                "error",
                "the query needs more memory than it may have: narrow its time range or its filters",
            ),
            ErrorKind::DeadlineExceeded => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                "server_error",
                "error",
                "the query ran out of time: narrow its time range or its filters",
            ),
            ErrorKind::Unavailable => {
                Self::unavailable("the server cannot do this at the moment, try again shortly")
            }
            ErrorKind::CorruptData | ErrorKind::Internal => return Self::internal(error),
        };
        answer.caused_by(error)
    }
}

/// The one place where a refused change of accounts becomes an answer.
impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::NotFound(what) => Self::not_found(format!("{what} not found")),
            AccountError::Forbidden(detail) => Self::permission_denied(detail),
            AccountError::Invalid { code, attr, detail } => {
                Self::validation(code, attr.map(str::to_owned), detail)
            }
            AccountError::Password(error) => error.into(),
            AccountError::SecretKey(error) => Self::internal(error),
            AccountError::Meta(error) => error.into(),
        }
    }
}

/// Too many passwords at a time are the moment's fault, all else is ours.
impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::unavailable("too many are logging in, try again shortly"),
            PasswordError::Hash(_) | PasswordError::Random(_) | PasswordError::Stopped => {
                Self::internal(error)
            }
        }
    }
}

/// A metadata database that fails is never the caller's fault.
impl From<MetaError> for ApiError {
    fn from(error: MetaError) -> Self {
        Self::internal(error)
    }
}

/// What a handler that panicked answers; the server goes on.
pub(crate) fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| payload.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned());
    ApiError::internal(format!("panic: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY_KIND: [ErrorKind; 8] = [
        ErrorKind::InvalidRequest,
        ErrorKind::NotFound,
        ErrorKind::LimitExceeded,
        ErrorKind::ResourcesExhausted,
        ErrorKind::DeadlineExceeded,
        ErrorKind::Unavailable,
        ErrorKind::CorruptData,
        ErrorKind::Internal,
    ];

    #[test]
    fn each_kind_of_engine_error_has_its_status() {
        let statuses = EVERY_KIND.map(|kind| ApiError::from(engine::Error::new(kind, "m")).status().as_u16());
        assert_eq!(statuses, [400, 404, 400, 504, 504, 503, 500, 500]);
    }

    #[test]
    fn a_server_error_tells_the_caller_nothing_of_the_engine() {
        for kind in EVERY_KIND {
            let error = ApiError::from(engine::Error::new(kind, "path /secret/file"));
            if error.status().is_server_error() {
                assert!(!error.body().to_string().contains("secret"), "{kind:?}");
            }
        }
    }

    #[test]
    fn the_two_forms_are_the_contracts() {
        let error = ApiError::parse_error(Some("limit".into()), "limit: expected a whole number");
        assert_eq!(
            error.body(),
            json!({ "type": "invalid_request", "code": "parse_error", "detail": "limit: expected a whole number", "attr": "limit" })
        );
        assert_eq!(error.simple().body(), json!({ "error": "limit: expected a whole number" }));
        assert_eq!(ApiError::bad_request("key is required").bare().body(), json!("key is required"));
        assert_eq!(ApiError::not_authenticated().body()["attr"], Value::Null);
    }

    #[test]
    fn headers_tell_how_to_go_on() {
        let response = ApiError::not_authenticated().into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        let response = ApiError::unavailable("later").into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    #[test]
    fn a_cause_is_written_with_all_its_causes() {
        let inner = engine::Error::internal("inner");
        let outer = MetaError::Database(sqlx::Error::AnyDriverError(Box::new(inner)));
        let text = Chain(&outer).to_string();
        assert!(
            text.starts_with("the metadata database does not answer: ") && text.contains("inner"),
            "{text}"
        );
    }
}
