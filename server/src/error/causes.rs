//! What errors of others become.

use axum::http::StatusCode;
use engine::ErrorKind;

use super::ApiError;
use crate::accounts::AccountError;
use crate::meta::MetaError;
use crate::password::PasswordError;

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
}
