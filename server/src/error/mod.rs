//! The API's one error type.
//!
//! An error has a few written forms. The envelope `{type, code, detail, attr}` is the rule; the simple form
//! `{"error": text}` is what ingest and a few causes inside the logs endpoints answer; one cause answers its bare text,
//! explanations answer a bad body as `{"member": [text]}`, and what needs approval answers what was stored.
//! What a caller may read is in the error; what an operator must read is its cause, which goes to the log.
//!
//! | module | what |
//! |---|---|
//! | `statuses` | an error of each status |
//! | `causes` | what errors of others become; the one place where an engine error becomes a status |

mod causes;
mod statuses;

use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::log_sparing::Sparing;

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

    /// The same error about a member of something that is to be stored, if it is about a member.
    #[must_use]
    pub fn into_validation(mut self) -> Self {
        if self.0.code == "parse_error" && self.0.attr.is_some() {
            (self.0.kind, self.0.code, self.0.form) = ("validation_error", "invalid_input", Form::Envelope);
        }
        self
    }

    /// The same error about a body that could not be read, for another answer; its cause stays with the first.
    pub(crate) fn of_body(&self) -> Self {
        let Parts { status, form, kind, code, .. } = *self.0;
        let mut error = Self::new(status, kind, code, self.0.detail.clone());
        (error.0.form, error.0.attr) = (form, self.0.attr.clone());
        error
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
    use crate::meta::MetaError;

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
