//! `tokens/`: what sends to a project. A token is rotated by making another, changing the senders, and taking the
//! first one away.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::authorize_change;
use crate::accounts::projects;
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{moment, object, text, text_up_to, uuid, with_required};
use crate::api::openapi::{Methods, Routes, get, op};
use crate::api::{iso_time, page};
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::project_token::ProjectToken;
use crate::state::AppState;

/// Longest label, characters.
const MAX_LABEL_CHARS: usize = 100;

pub(super) fn routes() -> Routes {
    let token = || object(&[("id", uuid()), ("token", text()), ("label", text()), ("created_at", moment())]);
    let write = |summary| op(summary, &[Scope::PROJECT_WRITE]);
    let body = with_required(&[("label", text_up_to(MAX_LABEL_CHARS))], &["label"]);
    let all = get(list, op("What sends to the project", &[Scope::PROJECT_READ]).lists(token()))
        .post(create, write("Make a token").body_or_form(body).creates(token()));
    let one = Methods::default().delete(delete, write("Take a token away").answers_nothing(204, "gone"));
    Routes::new().at("/tokens", all).at("/tokens/{token_id}", one)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::PROJECT_READ).await?;
    let tokens = state.meta().tokens_of_project(project).await?;
    Ok(Json(page::page_of(&call, tokens, written)))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let label = input.required("label", input.text("label", MAX_LABEL_CHARS)?)?;
    let token = projects::create_token(state.meta(), &actor, &project, &label, now_us).await?;
    Ok((StatusCode::CREATED, Json(written(&token))))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let id = call.path_parameter("token_id").to_lowercase();
    projects::delete_token(state.meta(), &actor, &project, &id, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn written(token: &ProjectToken) -> Value {
    json!({
        "id": token.id,
        "token": token.token,
        "label": token.label,
        "created_at": iso_time::format(token.created_us),
    })
}
