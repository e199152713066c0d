//! `/api/signup/{secret}/`: what an invitation is for, and accepting it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::input::Input;
use super::login::{begin_session, password, require_same_site, with_cookies};
use super::openapi::schema::{boolean, integer, members, moment, nullable, object, text, uuid};
use super::openapi::{Operation, Routes, get};
use super::{iso_time, users};
use crate::accounts::invites::{self, Joining};
use crate::accounts::users::{MAX_NAME_CHARS, hash_chosen_password};
use crate::activity::entry::Actor;
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::state::AppState;

/// What the path of a call begins with; a secret follows.
pub(crate) const PATH: &str = "/api/signup";
/// What the path of the page begins with to which an invitation's link leads.
pub(crate) const PAGE: &str = "/signup";

/// The routes.
pub(super) fn routes() -> Routes {
    let invite = object(&[
        ("id", uuid()),
        ("target_email", text()),
        ("first_name", text()),
        ("level", integer()),
        ("organization_id", uuid()),
        ("organization_name", nullable(text())),
        ("message", nullable(text())),
        ("is_user", boolean()),
        ("expires_at", moment()),
    ]);
    let body = members(&[("first_name", text()), ("last_name", text()), ("password", text())]);
    let one = get(
        retrieve,
        Operation::for_everyone("What an invitation is for").answers(200, invite).refuses(&[404]),
    )
    .post(
        accept,
        Operation::for_everyone("Accept an invitation")
            .body_or_form(body)
            .answers(200, users::described())
            .creates(users::described())
            .refuses(&[401, 403, 404, 429]),
    );
    Routes::new().at("/api/signup/{secret}", one)
}

/// Who has the secret may know what it is for, and whether to log in first.
async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let meta = state.meta();
    let invite = invites::find(meta, call.path_parameter("secret"), state.clock().now_us()).await?;
    let organization = meta.organization(&invite.organization_id).await?;
    let is_user = meta.user_by_email(&invite.target_email).await?.is_some();
    Ok(Json(json!({
        "id": invite.id,
        "target_email": invite.target_email,
        "first_name": invite.first_name,
        "level": invite.level.0,
        "organization_id": invite.organization_id,
        "organization_name": organization.map(|organization| organization.settings.name),
        "message": invite.message,
        "is_user": is_user,
        "expires_at": iso_time::format(invite.expires_us),
    })))
}

async fn accept(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    match call.find_caller(&state).await? {
        Some(caller) => accept_as(&state, &call, &caller).await,
        None => accept_as_new(&state, &call).await,
    }
}

async fn accept_as(state: &AppState, call: &ApiCall, caller: &Caller) -> Result<Response, ApiError> {
    caller.require_scope(Scope::USER_WRITE)?;
    caller.require_no_projects()?;
    caller.require_no_organizations()?;
    let (meta, now_us) = (state.meta(), state.clock().now_us());
    let (actor, secret) = (call.actor(caller), call.path_parameter("secret"));
    let user = invites::accept(meta, &actor, secret, Joining::Known(caller.user()), now_us).await?;
    Ok(Json(users::written(state, &user).await?).into_response())
}

async fn accept_as_new(state: &AppState, call: &ApiCall) -> Result<Response, ApiError> {
    require_same_site(call)?;
    let (meta, now_us, secret) = (state.meta(), state.clock().now_us(), call.path_parameter("secret"));
    // Before the password is hashed, which only the invited may make the server do.
    invites::find(meta, secret, now_us).await?;
    let input = Input::of(call.json()?)?;
    let first_name = input.required("first_name", input.text("first_name", MAX_NAME_CHARS)?)?;
    let last_name = input.text_or_blank("last_name", MAX_NAME_CHARS)?.unwrap_or_default();
    let password = input.required("password", password(&input, "password")?)?;
    let hash = hash_chosen_password(&password).await?;
    let new = Joining::New { first_name: &first_name, last_name: &last_name, password_hash: &hash };
    let from = Actor { ip_address: call.ip_address(), ..Actor::system() };
    let user = invites::accept(meta, &from, secret, new, now_us).await?;
    let begun = begin_session(state, call, &user).await?;
    let written = Json(users::written(state, &user).await?);
    Ok((StatusCode::CREATED, with_cookies(state, call, &begun), written).into_response())
}
