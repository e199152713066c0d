//! `/api/personal_api_keys/`: the caller's own keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::api_call::ApiCall;
use super::approvals::gated;
use super::input::Input;
use super::openapi::schema::{
    integer, list as list_of, moment, nullable, object, text, text_up_to, uuid, with_required,
};
use super::openapi::{Routes, get, op, post};
use super::{iso_time, page};
use crate::accounts::keys::{self, MAX_LABEL_CHARS};
use crate::approvals::action::{KeyWrite, Write};
use crate::auth::{Caller, Scope};
use crate::error::ApiError;
use crate::meta::personal_api_key::{KeyAttributes, PersonalApiKey};
use crate::secret::Secret;
use crate::state::AppState;

/// Most scopes, projects or organizations of a key.
const MAX_ENTRIES: usize = 200;
/// Longest scope or id, characters.
const MAX_ENTRY_CHARS: usize = 100;

/// The routes.
pub(super) fn routes() -> Routes {
    let read = |summary| op(summary, &[Scope::USER_READ]);
    let write = |summary| op(summary, &[Scope::USER_WRITE]);
    let body = described_body;
    let all = get(list, read("The caller's keys").lists(described())).post(
        create,
        write("Make a key, shown this once")
            .body_or_form(body(&["label", "scopes"]))
            .creates(described())
            .may_need_approval(),
    );
    let one = get(retrieve, read("A key").answers(200, described()))
        .put(
            change,
            write("Change a key").body_or_form(body(&[])).answers(200, described()).may_need_approval(),
        )
        .patch(
            change,
            write("Change a key").body_or_form(body(&[])).answers(200, described()).may_need_approval(),
        )
        .delete(delete, write("Delete a key").answers_nothing(204, "gone"));
    let roll_op = write("Replace the text of a key, shown this once").answers(200, described());
    Routes::new()
        .at("/api/personal_api_keys", all)
        .at("/api/personal_api_keys/{key_id}", one)
        .at("/api/personal_api_keys/{key_id}/roll", post(roll, roll_op))
}

/// The form of a key.
fn described() -> Value {
    object(&[
        ("id", text()),
        ("label", text()),
        ("value", nullable(text())),
        ("mask_value", text()),
        ("created_at", moment()),
        ("last_used_at", nullable(moment())),
        ("last_rolled_at", nullable(moment())),
        ("expires_at", nullable(moment())),
        ("user_id", integer()),
        ("scopes", list_of(text())),
        ("scoped_teams", nullable(list_of(integer()))),
        ("scoped_organizations", nullable(list_of(uuid()))),
    ])
}

fn described_body(required: &[&str]) -> Value {
    let members = [
        ("label", text_up_to(MAX_LABEL_CHARS)),
        ("scopes", list_of(text())),
        ("scoped_teams", nullable(list_of(integer()))),
        ("scoped_organizations", nullable(list_of(uuid()))),
        ("expires_at", nullable(moment())),
    ];
    with_required(&members, required)
}

async fn list(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::USER_READ).await?;
    let keys = state.meta().personal_api_keys_of_user(caller.user_id()).await?;
    Ok(Json(page::page_of(&call, keys, |key| written(key, None))))
}

async fn create(State(state): State<AppState>, call: ApiCall) -> Result<(StatusCode, Json<Value>), ApiError> {
    let caller = authorize_change(&state, &call).await?;
    let actor = call.actor(&caller);
    let body = call.into_json()?;
    let input = Input::of(&body)?;
    let change = KeyChange::parse(&input)?;
    input.required("label", change.label.as_ref())?;
    input.required("scopes", change.scopes.as_ref())?;
    let mut attributes = KeyAttributes::default();
    change.apply(&mut attributes);
    caller.require_no_more_than(&attributes)?;
    let user_id = caller.user_id();
    let place = gated::place_of_key(&state, user_id, &attributes).await?;
    let write = Write::PersonalApiKey(KeyWrite::Create { user_id, key: attributes });
    let done = gated::perform(&state, place, &actor, ("POST", write)).await?;
    let key = find(&state, user_id, &done.resource_id).await?;
    Ok((StatusCode::CREATED, Json(written(&key, done.secret.as_ref()))))
}

async fn retrieve(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = call.authorize_user(&state, Scope::USER_READ).await?;
    Ok(Json(written(&find(&state, caller.user_id(), &key_id(&call)).await?, None)))
}

async fn find(state: &AppState, user_id: i64, id: &str) -> Result<PersonalApiKey, ApiError> {
    let keys = state.meta().personal_api_keys_of_user(user_id).await?;
    let key = keys.into_iter().find(|key| key.id == id);
    key.ok_or_else(|| ApiError::not_found("personal API key not found"))
}

async fn change(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = authorize_change(&state, &call).await?;
    let (actor, id, user_id) = (call.actor(&caller), key_id(&call), caller.user_id());
    let method = call.method().to_string();
    let body = call.into_json()?;
    let change = KeyChange::parse(&Input::of(&body)?)?;
    let mut wanted = KeyAttributes::default();
    let keys = state.meta().personal_api_keys_of_user(user_id).await?;
    if let Some(key) = keys.into_iter().find(|key| key.id == id) {
        wanted = key.attributes;
    }
    change.apply(&mut wanted);
    caller.require_no_more_than(&wanted)?;
    let place = gated::place_of_key(&state, user_id, &wanted).await?;
    let write = KeyWrite::Change { user_id, key_id: id.clone(), key: wanted };
    gated::perform(&state, place, &actor, (&method, Write::PersonalApiKey(write))).await?;
    Ok(Json(written(&find(&state, user_id, &id).await?, None)))
}

async fn roll(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let caller = authorize_change(&state, &call).await?;
    let (actor, now_us, id) = (call.actor(&caller), state.clock().now_us(), key_id(&call));
    if let Some(key) =
        state.meta().personal_api_keys_of_user(caller.user_id()).await?.iter().find(|key| key.id == id)
    {
        caller.require_no_more_than(&key.attributes)?;
    }
    let (key, secret) = keys::roll(state.meta(), &actor, caller.user_id(), &id, now_us).await?;
    Ok(Json(written(&key, Some(&secret))))
}

async fn delete(State(state): State<AppState>, call: ApiCall) -> Result<StatusCode, ApiError> {
    let caller = authorize_change(&state, &call).await?;
    let (actor, now_us) = (call.actor(&caller), state.clock().now_us());
    keys::delete(state.meta(), &actor, caller.user_id(), &key_id(&call), now_us).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn authorize_change(state: &AppState, call: &ApiCall) -> Result<Caller, ApiError> {
    let caller = call.authorize_user(state, Scope::USER_WRITE).await?;
    caller.require_recent_log_in(state.config().auth.sensitive_max_age, state.clock().now_us())?;
    Ok(caller)
}

fn key_id(call: &ApiCall) -> String {
    call.path_parameter("key_id").to_lowercase()
}

/// The members that a body has. The outer none is for absent, the inner for null.
#[derive(Clone, Debug)]
struct KeyChange {
    label: Option<String>,
    scopes: Option<Vec<String>>,
    scoped_projects: Option<Option<Vec<i64>>>,
    scoped_organizations: Option<Option<Vec<String>>>,
    expires_us: Option<Option<i64>>,
}

impl KeyChange {
    fn parse(input: &Input<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            label: input.text("label", MAX_LABEL_CHARS)?,
            scopes: input.texts("scopes", MAX_ENTRIES, MAX_ENTRY_CHARS)?,
            scoped_projects: parse_projects(input)?,
            scoped_organizations: parse_organizations(input)?,
            expires_us: parse_expiry(input)?,
        })
    }

    fn apply(self, attributes: &mut KeyAttributes) {
        if let Some(label) = self.label {
            attributes.label = label;
        }
        if let Some(scopes) = self.scopes {
            attributes.scopes = scopes;
        }
        if let Some(projects) = self.scoped_projects {
            attributes.scoped_projects = projects;
        }
        if let Some(organizations) = self.scoped_organizations {
            attributes.scoped_organizations = organizations;
        }
        if let Some(expires_us) = self.expires_us {
            attributes.expires_us = expires_us;
        }
    }
}

/// An empty list restricts to nothing, which nobody means: it is no restriction, as null is.
fn parse_projects(input: &Input<'_>) -> Result<Option<Option<Vec<i64>>>, ApiError> {
    const KEY: &str = "scoped_teams";
    if input.value(KEY).is_some_and(Value::is_null) {
        return Ok(Some(None));
    }
    let Some(list) = input.list(KEY, MAX_ENTRIES)? else { return Ok(None) };
    let id = |value: &Value| {
        let id = value.as_i64();
        id.ok_or_else(|| input.refuse("invalid_input", KEY, "expected whole numbers"))
    };
    let ids = list.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Some(ids).filter(|ids| !ids.is_empty())))
}

fn parse_organizations(input: &Input<'_>) -> Result<Option<Option<Vec<String>>>, ApiError> {
    const KEY: &str = "scoped_organizations";
    if input.value(KEY).is_some_and(Value::is_null) {
        return Ok(Some(None));
    }
    let ids = input.texts(KEY, MAX_ENTRIES, MAX_ENTRY_CHARS)?;
    Ok(ids.map(|ids| Some(ids).filter(|ids| !ids.is_empty())))
}

fn parse_expiry(input: &Input<'_>) -> Result<Option<Option<i64>>, ApiError> {
    const KEY: &str = "expires_at";
    let Some(text) = input.nullable_text(KEY, MAX_ENTRY_CHARS)? else { return Ok(None) };
    let Some(text) = text else { return Ok(Some(None)) };
    match iso_time::parse(&text) {
        Some(expires_us) => Ok(Some(Some(expires_us))),
        None => Err(input.refuse("invalid_input", KEY, "expected an ISO 8601 date and time")),
    }
}

/// The key's members; its clear text only where it was just made.
fn written(key: &PersonalApiKey, secret: Option<&Secret>) -> Value {
    let KeyAttributes { label, scopes, scoped_projects, scoped_organizations, expires_us } = &key.attributes;
    json!({
        "id": key.id,
        "label": label,
        "value": secret.map(Secret::reveal),
        "mask_value": key.mask_value,
        "created_at": iso_time::format(key.created_us),
        "last_used_at": key.last_used_us.map(iso_time::format),
        "last_rolled_at": key.last_rolled_us.map(iso_time::format),
        "expires_at": expires_us.map(iso_time::format),
        "user_id": key.user_id,
        "scopes": if scopes.is_empty() { vec!["*".to_owned()] } else { scopes.clone() },
        "scoped_teams": scoped_projects,
        "scoped_organizations": scoped_organizations,
    })
}
