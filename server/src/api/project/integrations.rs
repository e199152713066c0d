//! `integrations/`: what a project is connected to. Secrets go in and never come out.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::authorize_change;
use crate::accounts::integrations::{self, Connection};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::openapi::schema::{
    anything, integer, members, moment, nullable, object, one_of, text, text_up_to, with_required,
};
use crate::api::openapi::{Routes, get, op};
use crate::api::{iso_time, page};
use crate::auth::Scope;
use crate::delivery::address::require_callable;
use crate::error::ApiError;
use crate::meta::integration::Integration;
use crate::secret::Secret;
use crate::state::AppState;

const MAX_NAME_CHARS: usize = 100;
const MAX_SECRET_CHARS: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Slack,
    Webhook,
}

const KINDS: [(&str, Kind); 2] = [("slack", Kind::Slack), ("webhook", Kind::Webhook)];

pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::PROJECT_READ]);
    let write = |summary| op(summary, &[Scope::PROJECT_WRITE]);
    let kind = || one_of(&KINDS.map(|(word, _)| word));
    let shown = || {
        object(&[
            ("id", integer()),
            ("kind", kind()),
            ("name", text()),
            ("display_name", text()),
            ("config", anything()),
            ("created_by", nullable(integer())),
            ("created_at", moment()),
            ("updated_at", moment()),
        ])
    };
    let secret = || text_up_to(MAX_SECRET_CHARS);
    let config = || members(&[("access_token", secret()), ("url", secret()), ("signing_secret", secret())]);
    let new = with_required(
        &[("kind", kind()), ("name", text_up_to(MAX_NAME_CHARS)), ("config", config())],
        &["kind", "name", "config"],
    );
    let changed = || members(&[("name", text_up_to(MAX_NAME_CHARS)), ("config", config())]);
    let all = get(list, read("What the project is connected to").lists(shown()))
        .post(create, write("Connect the project to something").body(new).creates(shown()));
    let one = get(retrieve, read("An integration").answers(200, shown()))
        .put(change, write("Change an integration").body(changed()).answers(200, shown()))
        .patch(change, write("Change an integration").body(changed()).answers(200, shown()))
        .delete(delete, write("Delete an integration").answers_nothing(204, "gone"));
    Routes::new().at("/integrations", all).at("/integrations/{integration_id}", one)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::PROJECT_READ).await?;
    let integrations = state.meta().integrations(project).await?;
    Ok(Json(page::page_of(&call, integrations, written)))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let kind = input.required("kind", input.choice("kind", &KINDS)?)?;
    let name = input.required("name", input.text("name", MAX_NAME_CHARS)?)?;
    let connection = input.required("config", connection(&input, kind)?)?;
    let (meta, key) = (state.meta(), state.secret_key());
    let made = integrations::create(meta, key, &actor, &project, (&name, &connection), now_us).await?;
    Ok((StatusCode::CREATED, Json(written(&made))))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::PROJECT_READ).await?;
    let found = state.meta().integration(project, target(&call)?).await?;
    found.map(|integration| Json(written(&integration))).ok_or_else(not_found)
}

/// A `config` replaces the one before as a whole; the kind stays.
async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let id = target(&call)?;
    let before = state.meta().integration(project.id, id).await?.ok_or_else(not_found)?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let kind = KINDS.iter().find(|(word, _)| *word == before.kind).map(|(_, kind)| *kind);
    let name = input.text("name", MAX_NAME_CHARS)?;
    let connection = connection(&input, kind.ok_or_else(not_found)?)?;
    let (meta, key, target) = (state.meta(), state.secret_key(), (&project, id));
    let to = (name.as_deref(), connection.as_ref());
    let after = integrations::update(meta, key, &actor, target, to, now_us).await?;
    Ok(Json(written(&after)))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let (project, caller) = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    integrations::delete(state.meta(), &actor, &project, target(&call)?, now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn target(call: &ApiCall) -> Result<i64, ApiError> {
    call.path_parameter("integration_id").parse().map_err(|_| not_found())
}

fn not_found() -> ApiError {
    ApiError::not_found("integration not found")
}

fn connection(input: &Input<'_>, kind: Kind) -> Result<Option<Connection>, ApiError> {
    let Some(config) = input.value("config") else { return Ok(None) };
    let config = Input::nested(config, input.path_of("config"))?;
    let secret = |name: &str| {
        let text = config.text(name, MAX_SECRET_CHARS)?;
        Ok::<_, ApiError>(text.map(Secret::new))
    };
    Ok(Some(match kind {
        Kind::Slack => {
            Connection::Slack { access_token: config.required("access_token", secret("access_token")?)? }
        }
        Kind::Webhook => {
            let url = config.required("url", secret("url")?)?;
            require_callable(url.reveal()).map_err(|reason| {
                let path = config.path_of("url");
                ApiError::validation("invalid_input", Some(path.clone()), format!("{path}: {reason}"))
            })?;
            Connection::Webhook { url, signing_secret: secret("signing_secret")? }
        }
    }))
}

fn written(integration: &Integration) -> Value {
    let shown: Value = serde_json::from_str(&integration.shown).unwrap_or_default();
    json!({
        "id": integration.id,
        "kind": integration.kind,
        "name": integration.name,
        "display_name": integration.name,
        "config": shown,
        "created_by": integration.created_by,
        "created_at": iso_time::format(integration.created_us),
        "updated_at": iso_time::format(integration.updated_us),
    })
}
