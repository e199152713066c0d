//! `/api/sign_on/`: signing on with an OpenID Connect provider.

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};

use super::api_call::ApiCall;
use super::login::{begin_session, jar, with_cookies};
use super::openapi::schema::text;
use super::openapi::{Operation, Routes, get};
use crate::accounts::identities;
use crate::activity::entry::Actor;
use crate::auth::cookies;
use crate::error::ApiError;
use crate::secret::{self, Secret};
use crate::sign_on::{Provider, SignOnError, Started};
use crate::state::AppState;

/// Where a browser comes back to.
const CALLBACK: &str = "/api/sign_on/callback/";
/// Where a browser goes after that, unless it says otherwise.
const HOME: &str = "/";
/// Longest path to go to.
const MAX_NEXT_BYTES: usize = 1_000;

/// The routes.
pub(super) fn routes() -> Routes {
    let start_op = Operation::for_everyone("Sign on with a provider")
        .query("next", text(), "where to go from there, a path")
        .answers_nothing(302, "to the provider")
        .refuses(&[400, 404, 503]);
    let finish_op = Operation::for_everyone("Where a provider sends a browser back to")
        .query("code", text(), "of the provider")
        .query("state", text(), "of this server")
        .query("error", text(), "of the provider")
        .answers_nothing(303, "to where it was to go, with the cookies of a session")
        .refuses(&[400, 401, 403, 404, 429, 503]);
    Routes::new().at("/api/sign_on", get(start, start_op)).at("/api/sign_on/callback", get(finish, finish_op))
}

async fn start(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let provider = provider(&state)?;
    let started = Started::new()?;
    let address = provider.address(&started, &redirect_uri(&call)).await?;
    let next = call.parameter("next").filter(|next| is_own_path(next)).unwrap_or(HOME);
    let kept = [&started.state, &started.nonce, &started.verifier].map(Secret::reveal).join(".");
    let cookie = jar(&state, &call).sign_on(&format!("{kept}.{next}"));
    let to = header(address.as_str())?;
    Ok((StatusCode::FOUND, AppendHeaders([(LOCATION, to), (SET_COOKIE, cookie)]), no_store()).into_response())
}

async fn finish(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let provider = provider(&state)?;
    let (started, next) = started(&call).ok_or_else(|| refused("this browser has not begun a sign-on"))?;
    let given = call.parameter("state").unwrap_or_default();
    if !secret::hashes_are_equal(given, started.state.reveal()) {
        return Err(refused("this is another sign-on than the one that was begun"));
    }
    let code = call.parameter("code").ok_or_else(|| refused("the provider has signed nobody on"))?;
    let now_us = state.clock().now_us();
    let identity = provider.identity(&started, code, &redirect_uri(&call), now_us).await?;
    let from = Actor { ip_address: call.ip_address(), ..Actor::system() };
    let user = identities::user(state.meta(), &from, &state.config().sign_on, &identity, now_us).await?;
    let begun = begin_session(&state, &call, &user).await?;
    let over = jar(&state, &call).end_sign_on();
    let headers = AppendHeaders([(LOCATION, header(&next)?), (SET_COOKIE, over)]);
    Ok((StatusCode::SEE_OTHER, headers, with_cookies(&state, &call, &begun), ()).into_response())
}

fn provider(state: &AppState) -> Result<&Provider, ApiError> {
    state.sign_on().ok_or_else(|| ApiError::not_found("no provider to sign on with is configured"))
}

fn redirect_uri(call: &ApiCall) -> String {
    format!("{}{CALLBACK}", call.origin())
}

/// What the cookie keeps of a sign-on, and where to go after it.
fn started(call: &ApiCall) -> Option<(Started, String)> {
    let mut parts = cookies::find(call.headers(), cookies::SIGN_ON)?.splitn(4, '.');
    let mut secret = || parts.next().filter(|part| !part.is_empty()).map(|part| Secret::new(part.to_owned()));
    let started = Started { state: secret()?, nonce: secret()?, verifier: secret()? };
    let next = parts.next().filter(|next| is_own_path(next)).unwrap_or(HOME);
    Some((started, next.to_owned()))
}

/// Whether a browser stays here when it goes there; another site must not be reached by a link of ours. Only what
/// needs no quoting in a cookie.
fn is_own_path(next: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~?&=%#@:+".contains(&byte);
    next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= MAX_NEXT_BYTES
        && next.bytes().all(is_plain)
}

fn header(text: &str) -> Result<HeaderValue, ApiError> {
    HeaderValue::from_str(text).map_err(ApiError::internal)
}

fn no_store() -> [(HeaderName, &'static str); 1] {
    [(axum::http::header::CACHE_CONTROL, "no-store")]
}

fn refused(reason: &'static str) -> ApiError {
    ApiError::authentication_failed(reason)
}

impl From<SignOnError> for ApiError {
    fn from(error: SignOnError) -> Self {
        match error {
            SignOnError::Busy => Self::unavailable("too many are signing on, try again shortly"),
            SignOnError::Refused(reason) => {
                tracing::info!(reason, "a sign-on was refused");
                refused("the provider's answer does not show who you are")
            }
            SignOnError::Request(_) | SignOnError::Answer(_) => {
                tracing::warn!(error = %error, "a sign-on failed");
                Self::unavailable("the provider to sign on with does not answer as it must")
            }
            SignOnError::Random(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_stays_here() {
        for next in ["/", "/logs?a=b&c=%20#x"] {
            assert!(is_own_path(next), "{next}");
        }
        let long = format!("/{}", "x".repeat(MAX_NEXT_BYTES));
        for next in
            ["", "logs", "//evil.example", "/\\evil.example", "https://evil.example", "/a;b", "/ü", &long]
        {
            assert!(!is_own_path(next), "{next}");
        }
    }
}
