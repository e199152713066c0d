//! Why a change of accounts is refused.

use crate::meta::MetaError;
use crate::password::PasswordError;
use crate::secret_key::SecretKeyError;

/// Why a change of accounts is refused.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// What it is about is not there.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Whoever asks for it may not do it.
    #[error("{0}")]
    Forbidden(String),
    /// What is asked for cannot be.
    #[error("{detail}")]
    Invalid {
        /// The word that clients tell causes apart by.
        code: &'static str,
        /// The member that is wrong; none when it is the whole.
        attr: Option<&'static str>,
        /// Why, for people.
        detail: String,
    },
    /// A password cannot be hashed or compared.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// A secret cannot be encrypted.
    #[error(transparent)]
    SecretKey(#[from] SecretKeyError),
    /// The metadata database fails.
    #[error(transparent)]
    Meta(#[from] MetaError),
}

impl AccountError {
    /// A member that cannot be what it is.
    pub(super) fn invalid(code: &'static str, attr: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { code, attr: Some(attr), detail: format!("{attr}: {}", detail.into()) }
    }

    /// Somebody may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::Forbidden(detail.into())
    }
}

impl From<sqlx::Error> for AccountError {
    fn from(error: sqlx::Error) -> Self {
        Self::Meta(error.into())
    }
}

impl From<getrandom::Error> for AccountError {
    fn from(error: getrandom::Error) -> Self {
        Self::Meta(error.into())
    }
}
