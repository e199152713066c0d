//! `invites/`: links by which somebody joins an organization.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::members::parse_level;
use crate::accounts::invites::{self, MAX_MESSAGE_CHARS, NewInvite};
use crate::accounts::users::{MAX_EMAIL_CHARS, MAX_NAME_CHARS};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{boolean, integer, moment, nullable, object, text, uuid, with_required};
use crate::api::openapi::shared::user_or_null;
use crate::api::openapi::{Routes, get, op};
use crate::api::{basic_user, iso_time, page};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::Level;
use crate::meta::invite::Invite;
use crate::meta::user::BasicUser;
use crate::state::AppState;

pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::MEMBER_READ]);
    let write = |summary| op(summary, &[Scope::MEMBER_WRITE]);
    let body = with_required(
        &[
            ("target_email", json!({ "type": "string", "format": "email", "maxLength": 254 })),
            ("level", json!({ "type": "integer", "enum": [1, 8, 15] })),
            ("first_name", text()),
            ("message", nullable(text())),
        ],
        &["target_email"],
    );
    let all = get(list, read("Invitations").lists(described(false)))
        .post(create, write("Invite somebody").body_or_form(body).creates(described(true)));
    let one = get(retrieve, read("An invitation").answers(200, described(false)))
        .delete(delete, write("Take an invitation back").answers_nothing(204, "gone"));
    Routes::new().at("/invites", all).at("/invites/{invite_id}", one)
}

/// The form of an invitation; a new one shows its secret.
fn described(has_secret: bool) -> Value {
    let mut of_invite = vec![
        ("id", uuid()),
        ("target_email", text()),
        ("first_name", text()),
        ("level", integer()),
        ("message", nullable(text())),
        ("emailing_attempt_made", boolean()),
        ("is_expired", boolean()),
        ("created_by", user_or_null()),
        ("created_at", moment()),
        ("updated_at", moment()),
        ("expires_at", moment()),
    ];
    if has_secret {
        of_invite.push(("secret", text()));
    }
    object(&of_invite)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    let window = page::window(&call);
    let (invites, count) = state.meta().invites(&member.organization.id, window.limit, window.offset).await?;
    let mut results = Vec::with_capacity(invites.len());
    for invite in &invites {
        results.push(written(&state, invite).await?);
    }
    Ok(Json(page::page(&call.address(), window, count, results)))
}

/// The answer alone has the secret of the link.
async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    let actor = call.actor(&caller);
    let new = parse(&call.into_json()?)?;
    let inviter = (caller.user(), &member);
    let now_us = state.clock().now_us();
    let (invite, secret) = invites::create(state.meta(), &actor, inviter, new, now_us).await?;
    let mut written = written(&state, &invite).await?;
    written["secret"] = secret.reveal().into();
    written["path"] = format!("/signup/{}", secret.reveal()).into();
    Ok((StatusCode::CREATED, Json(written)))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (member, _) = call.authorize_organization(&state, Scope::MEMBER_READ).await?;
    let id = call.path_parameter("invite_id").to_lowercase();
    let invite = state.meta().invite(&member.organization.id, &id).await?;
    let invite = invite.ok_or_else(|| ApiError::not_found("invite not found"))?;
    Ok(Json(written(&state, &invite).await?))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (member, caller) = call.authorize_organization(&state, Scope::MEMBER_WRITE).await?;
    member.require_level(Level::ADMIN)?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let id = call.path_parameter("invite_id").to_lowercase();
    invites::delete(state.meta(), &actor, &member.organization.id, &id, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse(body: &Value) -> Result<NewInvite, ApiError> {
    let input = Input::of(body)?;
    let target_email = input.text("target_email", MAX_EMAIL_CHARS)?;
    Ok(NewInvite {
        target_email: input.required("target_email", target_email)?,
        first_name: input.text_or_blank("first_name", MAX_NAME_CHARS)?.unwrap_or_default(),
        level: parse_level(&input)?.unwrap_or(Level::MEMBER),
        message: input.nullable_text("message", MAX_MESSAGE_CHARS)?.flatten(),
    })
}

async fn written(state: &AppState, invite: &Invite) -> Result<Value, ApiError> {
    let created_by = state.meta().user(invite.created_by).await?;
    Ok(json!({
        "id": invite.id,
        "target_email": invite.target_email,
        "first_name": invite.first_name,
        "level": invite.level.0,
        "message": invite.message,
        "emailing_attempt_made": false,
        "is_expired": state.clock().now_us() >= invite.expires_us,
        "created_by": basic_user::written(created_by.as_ref().map(BasicUser::from).as_ref()),
        "created_at": iso_time::format(invite.created_us),
        "updated_at": iso_time::format(invite.updated_us),
        "expires_at": iso_time::format(invite.expires_us),
    }))
}
