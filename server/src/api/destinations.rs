//! Destinations of notifications in bodies of requests, whatever notifies.

use engine::schema::ProjectId;
use serde_json::Value;

use super::input::Input;
use super::openapi::schema::{integer, list, one_of, text, text_up_to, with_required};
use crate::delivery::Target;
use crate::delivery::address::require_callable;
use crate::error::ApiError;
use crate::meta::destination::DestinationError;
use crate::secret::Secret;
use crate::state::AppState;

/// Longest address and secret, characters.
const MAX_SECRET_CHARS: usize = 2_000;
/// Longest id or name of a channel, characters.
const MAX_CHANNEL_CHARS: usize = 200;
/// Longest key of PagerDuty, characters.
const MAX_ROUTING_KEY_CHARS: usize = 200;
/// Most e-mail addresses of one destination.
const MAX_EMAIL_ADDRESSES: usize = 20;
/// Longest e-mail address, characters.
const MAX_EMAIL_CHARS: usize = 254;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Slack,
    Webhook,
    Email,
    PagerDuty,
}

const KINDS: [(&str, Kind); 4] = [
    ("slack", Kind::Slack),
    ("webhook", Kind::Webhook),
    ("email", Kind::Email),
    ("pagerduty", Kind::PagerDuty),
];

/// The form of a destination in a body.
pub(in crate::api) fn described() -> Value {
    with_required(
        &[
            ("type", one_of(&Target::KINDS)),
            ("slack_workspace_id", integer()),
            ("slack_channel_id", text()),
            ("slack_channel_name", text()),
            ("slack_webhook_url", text()),
            ("webhook_url", text()),
            ("signing_secret", text()),
            ("email_addresses", list(text_up_to(MAX_EMAIL_CHARS))),
            ("routing_key", text()),
        ],
        &["type"],
    )
}

/// Reads a destination; members of other types are ignored. Nothing is sent to it.
///
/// # Errors
/// 400 that names the member: what is missing or malformed, an integration that the project does not have, or e-mails
/// where the server cannot send any.
pub(in crate::api) async fn parse(
    state: &AppState,
    project: ProjectId,
    input: &Input<'_>,
) -> Result<Target, ApiError> {
    match input.required("type", input.choice("type", &KINDS)?)? {
        Kind::Slack => slack(state, project, input).await,
        Kind::Webhook => {
            let url = callable(input, "webhook_url")?;
            let url = input.required("webhook_url", url)?;
            let signing_secret = input.nullable_text("signing_secret", MAX_SECRET_CHARS)?.flatten();
            let signing_secret = signing_secret.filter(|secret| !secret.is_empty()).map(Secret::new);
            Ok(Target::Webhook { url, signing_secret })
        }
        Kind::Email => {
            if !state.config().smtp.is_configured() {
                return Err(input.refuse("invalid_choice", "type", "this server sends no e-mails"));
            }
            Ok(Target::Email { addresses: email_addresses(input)? })
        }
        Kind::PagerDuty => {
            let routing_key = input.text("routing_key", MAX_ROUTING_KEY_CHARS)?;
            let routing_key = input.required("routing_key", routing_key)?;
            Ok(Target::PagerDuty { routing_key: Secret::new(routing_key) })
        }
    }
}

/// A channel of a workspace that the project is integrated with, or an incoming webhook.
async fn slack(state: &AppState, project: ProjectId, input: &Input<'_>) -> Result<Target, ApiError> {
    const WORKSPACE: &str = "slack_workspace_id";
    let integration_id = input.integer(WORKSPACE, 1..=i64::MAX)?;
    let channel_id = input.text("slack_channel_id", MAX_CHANNEL_CHARS)?;
    if integration_id.is_none()
        && channel_id.is_none()
        && let Some(url) = callable(input, "slack_webhook_url")?
    {
        return Ok(Target::SlackWebhook { url });
    }
    let integration_id = input.required(WORKSPACE, integration_id)?;
    let channel_id = input.required("slack_channel_id", channel_id)?;
    let channel_name = input.nullable_text("slack_channel_name", MAX_CHANNEL_CHARS)?.flatten();
    let found = state.meta().integration(project, integration_id).await?;
    if found.is_none_or(|integration| integration.kind != "slack") {
        let reason = "the project is integrated with no such workspace";
        return Err(input.refuse("does_not_exist", WORKSPACE, reason));
    }
    Ok(Target::SlackChannel { integration_id, channel_id, channel_name: channel_name.unwrap_or_default() })
}

fn callable(input: &Input<'_>, key: &str) -> Result<Option<Secret>, ApiError> {
    let Some(url) = input.text(key, MAX_SECRET_CHARS)? else { return Ok(None) };
    require_callable(&url).map_err(|reason| input.refuse("invalid_input", key, reason))?;
    Ok(Some(Secret::new(url)))
}

fn email_addresses(input: &Input<'_>) -> Result<Vec<String>, ApiError> {
    const KEY: &str = "email_addresses";
    let addresses = input.texts(KEY, MAX_EMAIL_ADDRESSES, MAX_EMAIL_CHARS)?;
    let addresses = input.required(KEY, addresses)?;
    if addresses.is_empty() {
        return Err(input.refuse("min_length", KEY, "at least one address is needed"));
    }
    for (index, address) in addresses.iter().enumerate() {
        if address.parse::<lettre::Address>().is_err() {
            let key = format!("{KEY}__{index}");
            return Err(input.refuse("invalid_input", &key, "expected an e-mail address"));
        }
    }
    Ok(addresses)
}

impl From<DestinationError> for ApiError {
    fn from(error: DestinationError) -> Self {
        match error {
            DestinationError::NotOwned(_) => {
                let detail = format!("hog_function_ids: {error}");
                Self::validation("does_not_exist", Some("hog_function_ids".to_owned()), detail)
            }
            DestinationError::SecretKey(error) => Self::internal(error),
            DestinationError::Meta(error) => error.into(),
        }
    }
}
