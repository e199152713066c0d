//! `POST activity_log`: entries of other systems, one or a list, all or none.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use engine::activity::spaced_json;
use serde_json::{Value, json};

use crate::activity::entry::{Actor, Detail, Entry};
use crate::api::api_call::ApiCall;
use crate::api::input::Input;
use crate::api::iso_time;
use crate::auth::{Member, Scope};
use crate::error::ApiError;
use crate::meta::{Level, Meta};
use crate::state::AppState;

/// Most entries of one request.
const MAX_ENTRIES: usize = 1_000;
/// Longest scope and activity, characters.
const MAX_WORD_CHARS: usize = 79;
/// Longest id of a resource, characters.
const MAX_ITEM_ID_CHARS: usize = 72;
/// Longest name of a client, characters.
const MAX_CLIENT_CHARS: usize = 32;
/// Largest detail, bytes of its text.
const MAX_DETAIL_BYTES: usize = 256 * 1024;

/// What is known of whoever writes entries.
struct Writer<'a> {
    meta: &'a Meta,
    member: &'a Member,
    actor: Actor,
    now_us: i64,
}

/// When the answer is 201 the entries are durable.
pub(super) async fn create(State(state): State<AppState>, call: ApiCall) -> Result<Response, ApiError> {
    let (project, member, caller) = call.authorize_project(&state, Scope::ACTIVITY_WRITE).await?;
    let body = call.json()?;
    let (list, is_list) = match body {
        Value::Array(entries) => (entries.as_slice(), true),
        one => (std::slice::from_ref(one), false),
    };
    if list.len() > MAX_ENTRIES {
        let detail = format!("{} entries, at most {MAX_ENTRIES} in one request", list.len());
        return Err(ApiError::validation("max_length", None, detail));
    }
    let writer = Writer {
        meta: state.meta(),
        member: &member,
        actor: call.actor(&caller),
        now_us: state.clock().now_us(),
    };
    let mut entries = Vec::with_capacity(list.len());
    let mut errors = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let path = if is_list { index.to_string() } else { String::new() };
        match writer.entry(value, path).await {
            Ok(entry) => entries.push(entry),
            Err(error) if error.status() == 400 => errors.push((index, error)),
            Err(error) => return Err(error),
        }
    }
    if !errors.is_empty() {
        return Ok(refusal(&errors));
    }
    let ids = state.meta().push_entries(&project.organization_id, Some(project.id), &entries).await?;
    // They are durable in the outbox already: what fails now is tried again.
    if let Err(error) = state.activity().deliver().await {
        tracing::warn!(%error, "entries wait in the outbox");
    }
    state.delivery().wake();
    let body = match (is_list, ids.first()) {
        (false, Some(id)) => json!({ "id": id }),
        _ => json!({ "count": ids.len(), "ids": ids }),
    };
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// The first error in the usual form, and all of them.
fn refusal(errors: &[(usize, ApiError)]) -> Response {
    let all: Vec<Value> = errors
        .iter()
        .map(|(index, error)| {
            json!({ "index": index, "code": error.code(), "detail": error.detail(), "attr": error.attr() })
        })
        .collect();
    let first = errors.first().map(|(_, error)| error);
    let body = json!({
        "type": "validation_error",
        "code": first.map(ApiError::code),
        "detail": first.map(ApiError::detail),
        "attr": first.and_then(ApiError::attr),
        "extra": { "errors": all },
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}

impl Writer<'_> {
    /// Reads an entry and when it was done.
    async fn entry(&self, value: &Value, path: String) -> Result<(Entry, i64), ApiError> {
        let input = if path.is_empty() { Input::of(value)? } else { Input::nested(value, path)? };
        let scope = input.required("scope", input.text("scope", MAX_WORD_CHARS)?)?;
        let activity = input.required("activity", input.text("activity", MAX_WORD_CHARS)?)?;
        let user_id = self.user(&input).await?;
        let created_us = self.created(&input)?;
        let client = input.nullable_text("client", MAX_CLIENT_CHARS)?;
        let entry = Entry {
            user_id,
            client: client.unwrap_or_else(|| self.actor.client.clone()),
            ip_address: self.ip_address(&input)?,
            scope,
            activity,
            item_id: item_id(&input)?,
            detail: Detail::default(),
            foreign_detail: Some(detail(&input)?),
            was_impersonated: input.boolean("was_impersonated")?.unwrap_or(false),
        };
        if entry.was_impersonated && entry.user_id.is_none() {
            return Err(input.refuse(
                "invalid_input",
                "was_impersonated",
                "nobody can be impersonated without a user",
            ));
        }
        Ok((entry, created_us))
    }

    /// Who did it: the caller, or for those who manage the organization any of its members, or with null a system.
    async fn user(&self, input: &Input<'_>) -> Result<Option<i64>, ApiError> {
        let user_id = match input.value("user") {
            None => return Ok(self.actor.user_id),
            Some(Value::Null) => None,
            Some(Value::String(uuid)) => {
                let found = self.meta.membership_of_uuid(&self.member.organization.id, uuid).await?;
                let unknown =
                    || input.refuse("does_not_exist", "user", "the organization has no such member");
                Some(found.ok_or_else(unknown)?.user.id)
            }
            Some(_) => return Err(input.refuse("invalid_input", "user", "expected the UUID of a user")),
        };
        if user_id != self.actor.user_id {
            self.require_manager(input, "user", "entries of somebody else")?;
        }
        Ok(user_id)
    }

    /// When it was done: now, or for those who manage the organization an earlier time.
    fn created(&self, input: &Input<'_>) -> Result<i64, ApiError> {
        let Some(value) = input.value("created_at").filter(|value| !value.is_null()) else {
            return Ok(self.now_us);
        };
        let instant = value.as_str().and_then(iso_time::parse);
        let Some(instant) = instant else {
            return Err(input.refuse("invalid_input", "created_at", "expected a date and time"));
        };
        if instant > self.now_us {
            return Err(input.refuse("max_value", "created_at", "nothing was done yet that is to be done"));
        }
        self.require_manager(input, "created_at", "entries of another time")?;
        Ok(instant)
    }

    fn require_manager(&self, input: &Input<'_>, key: &str, what: &str) -> Result<(), ApiError> {
        if self.member.level >= Level::ADMIN {
            return Ok(());
        }
        let reason = format!("only administrators of the organization may write {what}");
        Err(input.refuse("permission_denied", key, reason))
    }

    fn ip_address(&self, input: &Input<'_>) -> Result<Option<IpAddr>, ApiError> {
        match input.value("ip_address") {
            None => Ok(self.actor.ip_address),
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let address = value.as_str().and_then(|text| text.parse().ok());
                let wrong = || input.refuse("invalid_input", "ip_address", "expected an address");
                address.map(Some).ok_or_else(wrong)
            }
        }
    }
}

fn item_id(input: &Input<'_>) -> Result<Option<String>, ApiError> {
    let text = match input.value("item_id") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(input.refuse("invalid_input", "item_id", "expected a text or a number")),
    };
    if text.chars().count() > MAX_ITEM_ID_CHARS {
        let reason = format!("at most {MAX_ITEM_ID_CHARS} characters");
        return Err(input.refuse("max_length", "item_id", reason));
    }
    Ok(Some(text))
}

/// The text of the detail; `null` without one.
fn detail(input: &Input<'_>) -> Result<String, ApiError> {
    let value = match input.value("detail") {
        None | Some(Value::Null) => return Ok("null".to_owned()),
        Some(value @ Value::Object(_)) => value,
        Some(_) => return Err(input.refuse("not_a_dict", "detail", "expected an object")),
    };
    let text = spaced_json(value).map_err(ApiError::internal)?;
    if text.len() > MAX_DETAIL_BYTES {
        let reason = format!("{} bytes of text, at most {MAX_DETAIL_BYTES}", text.len());
        return Err(input.refuse("max_length", "detail", reason));
    }
    Ok(text)
}
