//! `/api/login/` and `/api/logout/`: sessions of the web page.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, IntoResponseParts, Response};
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::input::Input;
use super::openapi::schema::{boolean, members, object, text, with_required};
use super::openapi::{Operation, Routes, post};
use crate::accounts::sessions::{self, Begun};
use crate::accounts::users::MAX_EMAIL_CHARS;
use crate::auth::cookies::{self, CookieJar};
use crate::error::ApiError;
use crate::meta::session::Session;
use crate::meta::user::User;
use crate::password;
use crate::secret::Secret;
use crate::state::AppState;

/// The routes.
pub(super) fn routes() -> Routes {
    let body = with_required(&[("email", text()), ("password", text())], &["email", "password"]);
    let log_in_op = Operation::for_everyone("Begin a session, by cookies")
        .body_or_form(body)
        .answers(200, object(&[("success", boolean())]))
        .refuses(&[401, 403, 429]);
    let log_out_op = Operation::for_everyone("End the session")
        .body_or_form(members(&[("everywhere", boolean())]))
        .answers_nothing(204, "ended")
        .refuses(&[401, 403]);
    Routes::new().at("/api/login", post(log_in, log_in_op)).at("/api/logout", post(log_out, log_out_op))
}

/// Who has a session and logs in again gets a new one in its place.
async fn log_in(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    require_same_site(&call)?;
    let body = call.json()?;
    let input = Input::of(body)?;
    let email = input.required("email", input.text("email", MAX_EMAIL_CHARS)?)?;
    let password = input.required("password", password(&input, "password")?)?;
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let throttle = state.login_throttle();
    let attempt = throttle.begin(&email, call.ip_address(), now_us).map_err(ApiError::throttled)?;
    let user = sessions::user_with_password(meta, &email, &password).await?;
    let user = user.ok_or_else(|| ApiError::authentication_failed("e-mail address or password is wrong"))?;
    throttle.succeeded(attempt);
    let begun = begin_session(&state, &call, &user).await?;
    Ok((with_cookies(&state, &call, &begun), Json(json!({ "success": true }))).into_response())
}

/// With `everywhere` in the body every session of the user ends.
async fn log_out(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let caller = call.find_caller(&state).await?.ok_or_else(ApiError::not_authenticated)?;
    let session =
        caller.session().ok_or_else(|| ApiError::permission_denied("a key has no session to end"))?;
    let everywhere = match call.json() {
        Ok(body) => Input::of(body)?.boolean("everywhere")?.unwrap_or(false),
        // Nothing needs to be said to end one session.
        Err(_) => false,
    };
    let actor = call.actor(&caller);
    sessions::end(state.meta(), &actor, session, everywhere, state.clock().now_us()).await?;
    let cookies = jar(&state, &call).end().map(|cookie| (SET_COOKIE, cookie));
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies)).into_response())
}

/// Begins a session for who has just shown who they are.
pub(super) async fn begin_session(state: &AppState, call: &ApiCall, user: &User) -> Result<Begun, ApiError> {
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let earlier = earlier_session(state, call.headers()).await?.filter(|session| session.user_id == user.id);
    let lifetime = state.config().auth.session_lifetime;
    let actor = call.actor_of(user.id);
    Ok(sessions::begin(meta, &actor, user.id, earlier.as_ref(), lifetime, now_us).await?)
}

/// The headers that hand a new session to a browser.
pub(super) fn with_cookies(
    state: &AppState,
    call: &ApiCall,
    begun: &Begun,
) -> impl IntoResponseParts + use<> {
    let lifetime_secs = state.config().auth.session_lifetime.as_secs();
    let cookies = jar(state, call).begin(&begun.secret, lifetime_secs);
    (AppendHeaders(cookies.map(|cookie| (SET_COOKIE, cookie))), [("cache-control", "no-store")])
}

/// Refuses what another site makes a browser send: it could log somebody in as somebody else.
///
/// # Errors
/// 403.
pub(super) fn require_same_site(call: &ApiCall) -> Result<(), ApiError> {
    match call.headers().get("sec-fetch-site").and_then(|site| site.to_str().ok()) {
        Some("cross-site") => Err(ApiError::permission_denied("another site cannot log anybody in")),
        _ => Ok(()),
    }
}

/// A password as it is: no white space of it is cut off. What cannot be one is not hashed.
pub(super) fn password(input: &Input<'_>, key: &str) -> Result<Option<Secret>, ApiError> {
    match input.value(key) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => {
            Err(input.refuse("blank", key, "this field may not be blank"))
        }
        Some(Value::String(text)) if text.len() > password::MAX_BYTES => {
            Err(input.refuse("max_length", key, format!("longer than {} bytes", password::MAX_BYTES)))
        }
        Some(Value::String(text)) => Ok(Some(Secret::new(text.clone()))),
        Some(Value::Null) => Err(input.refuse("null", key, "this field may not be null")),
        Some(_) => Err(input.refuse("invalid_input", key, "expected a string")),
    }
}

async fn earlier_session(state: &AppState, headers: &HeaderMap) -> Result<Option<Session>, ApiError> {
    let Some(secret) = cookies::find(headers, cookies::SESSION) else { return Ok(None) };
    Ok(state.meta().session(secret).await?.map(|(session, _)| session))
}

pub(super) fn jar(state: &AppState, call: &ApiCall) -> CookieJar {
    CookieJar { is_secure: call.is_https() || state.config().auth.secure_cookies }
}
