//! Errors as PostgreSQL's clients know them.

use axum::http::StatusCode;
use pgwire::error::{ErrorInfo, PgWireError};

use crate::error::ApiError;

/// An error of a statement; the connection goes on.
pub(super) fn of_statement(error: ApiError) -> PgWireError {
    refused("ERROR", error)
}

/// An error that ends the connection.
pub(super) fn fatal(error: ApiError) -> PgWireError {
    refused("FATAL", error)
}

/// An error that says why.
pub(super) fn because(code: &str, message: impl Into<String>) -> PgWireError {
    PgWireError::UserError(Box::new(ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message.into())))
}

/// The one place where an error becomes an error of PostgreSQL.
fn refused(severity: &str, error: ApiError) -> PgWireError {
    error.log();
    let code = code(error.status());
    PgWireError::UserError(Box::new(ErrorInfo::new(
        severity.to_owned(),
        code.to_owned(),
        error.detail().to_owned(),
    )))
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "28P01",
        StatusCode::FORBIDDEN => "42501",
        StatusCode::NOT_FOUND => "3D000",
        StatusCode::TOO_MANY_REQUESTS => "53400",
        StatusCode::SERVICE_UNAVAILABLE => "53000",
        StatusCode::GATEWAY_TIMEOUT => "57014",
        status if status.is_client_error() => "42000",
        _ => "XX000",
    }
}
