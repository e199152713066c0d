//! Who calls, by what the request presents: a personal API key, or else the cookie of a session.

use axum::http::{HeaderMap, Method};
use serde_json::Value;

use super::credential::{self, Credential, Place};
use super::{Caller, Means, cookies};
use crate::error::ApiError;
use crate::meta::Meta;
use crate::meta::personal_api_key::PersonalApiKey;
use crate::meta::session::Session;
use crate::meta::user::User;
use crate::secret;

/// The parts of a request that say who calls.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Decides whether it writes.
    pub method: &'a Method,
    /// May have a key, or the cookie of a session.
    pub headers: &'a HeaderMap,
    /// May have a key, when it is JSON.
    pub body: Option<&'a Value>,
    /// May have a key.
    pub query: &'a [(String, String)],
}

impl Caller {
    /// Finds out who calls. A key decides wherever it stands, a session is looked for without one only.
    ///
    /// # Errors
    /// 401 when nobody is named, the key is unknown or has ended, or its owner is not active; 403 when a session
    /// writes without its token, as a request would that another site has forged.
    pub async fn authenticate(meta: &Meta, presented: Presented<'_>, now_us: i64) -> Result<Self, ApiError> {
        Self::find(meta, presented, now_us).await?.ok_or_else(ApiError::not_authenticated)
    }

    /// The same where nobody needs to be named.
    ///
    /// # Errors
    /// As [`Caller::authenticate`], except that a request may name nobody.
    pub async fn find(meta: &Meta, presented: Presented<'_>, now_us: i64) -> Result<Option<Self>, ApiError> {
        meta.see_changes().await?;
        if let Some(found) = of_key(meta, &presented, now_us).await? {
            return Ok(Some(found));
        }
        of_session(meta, &presented, now_us).await
    }

    /// Finds out who gives a personal API key as a password.
    ///
    /// # Errors
    /// 401 when the key is unknown or has ended, or its owner is not active.
    pub async fn of_password(meta: &Meta, key: &str, now_us: i64) -> Result<Self, ApiError> {
        meta.see_changes().await?;
        let credential = Credential { key: key.trim().to_owned(), place: Place::Password };
        of_credential(meta, &credential, now_us).await
    }
}

async fn of_key(meta: &Meta, presented: &Presented<'_>, now_us: i64) -> Result<Option<Caller>, ApiError> {
    let Presented { headers, body, query, .. } = *presented;
    match credential::find(headers, body, query) {
        Some(credential) => of_credential(meta, &credential, now_us).await.map(Some),
        None => Ok(None),
    }
}

async fn of_credential(meta: &Meta, credential: &Credential, now_us: i64) -> Result<Caller, ApiError> {
    let found = meta.known_key(&credential.key).await?;
    let is_valid = |(key, user): &(PersonalApiKey, User)| {
        user.is_active && key.attributes.expires_us.is_none_or(|expires_us| now_us < expires_us)
    };
    let (key, user) = found.filter(is_valid).ok_or_else(|| {
        ApiError::authentication_failed(format!(
            "the personal API key found in {} is invalid",
            credential.place
        ))
    })?;
    if let Err(error) = meta.note_use(&key, now_us).await {
        // The stamp is for people; a call does not fail for it.
        tracing::warn!(%error, "cannot note the use of a key");
    }
    Ok(Caller { user, means: Means::Key(Box::new(key)) })
}

/// A cookie that opens nothing is no credential: browsers keep sending it after the session has ended.
async fn of_session(meta: &Meta, presented: &Presented<'_>, now_us: i64) -> Result<Option<Caller>, ApiError> {
    let Some(session_secret) = cookies::find(presented.headers, cookies::SESSION) else { return Ok(None) };
    let found = meta.session(session_secret).await?;
    let is_valid = |(session, user): &(Session, User)| user.is_active && now_us < session.expires_us;
    let Some((session, user)) = found.filter(is_valid) else { return Ok(None) };
    if !presented.method.is_safe() {
        require_csrf_token(presented.headers, session_secret)?;
    }
    Ok(Some(Caller { user, means: Means::Session(session) }))
}

/// The cookie alone proves nothing, because browsers send it with what other sites make them send.
fn require_csrf_token(headers: &HeaderMap, session_secret: &str) -> Result<(), ApiError> {
    let expected = cookies::csrf_token(session_secret);
    let given = headers.get(cookies::CSRF_HEADER).and_then(|token| token.to_str().ok());
    let is_right = |given: &str| secret::hashes_are_equal(given, &expected);
    let in_cookie = cookies::find(headers, cookies::CSRF);
    match (given, in_cookie) {
        (Some(given), Some(in_cookie)) if is_right(given) && is_right(in_cookie) => Ok(()),
        (None, _) => Err(ApiError::permission_denied(
            "CSRF: a session that writes sends the cookie csrftoken back in the header X-CSRFToken",
        )),
        _ => Err(ApiError::permission_denied("CSRF: the token is not the one of this session")),
    }
}
