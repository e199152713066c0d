//! What a body says about a policy.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::duration;
use crate::api::input::Input;
use crate::error::ApiError;
use crate::meta::approval::PolicyContent;

/// Longest key of an action, characters.
pub(super) const MAX_KEY_CHARS: usize = 128;
/// Most bytes of conditions, and of approvers.
const MAX_OBJECT_BYTES: usize = 16 * 1024;
/// Most levels or roles.
const MAX_ENTRIES: usize = 100;
const US_PER_SECOND: i64 = 1_000_000;
const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;
/// How long requests live unless a policy says otherwise.
const DEFAULT_EXPIRES_AFTER_US: i64 = 14 * US_PER_DAY;
/// Longest life of a request.
const MAX_EXPIRES_AFTER_US: i64 = 3_650 * US_PER_DAY;

/// The members that a body has.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicyChange {
    pub(super) action_key: Option<String>,
    conditions: Option<Map<String, Value>>,
    pub(super) approver_config: Option<Map<String, Value>>,
    allow_self_approve: Option<bool>,
    bypass_levels: Option<Vec<i64>>,
    bypass_roles: Option<Vec<String>>,
    expires_after_us: Option<i64>,
    enabled: Option<bool>,
}

impl PolicyChange {
    /// Reads a body; other members are ignored.
    ///
    /// # Errors
    /// 400 that names the first member that is wrong.
    pub(super) fn parse(input: &Input<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            action_key: input.text("action_key", MAX_KEY_CHARS)?,
            conditions: input.object("conditions", MAX_OBJECT_BYTES)?.cloned(),
            approver_config: approver_config(input)?,
            allow_self_approve: input.boolean("allow_self_approve")?,
            bypass_levels: bypass_levels(input)?,
            bypass_roles: bypass_roles(input)?,
            expires_after_us: expires_after(input)?,
            enabled: input.boolean("enabled")?,
        })
    }

    /// A policy after the change.
    pub(super) fn over(self, content: PolicyContent) -> PolicyContent {
        PolicyContent {
            action_key: self.action_key.unwrap_or(content.action_key),
            conditions: self.conditions.unwrap_or(content.conditions),
            approver_config: self.approver_config.unwrap_or(content.approver_config),
            allow_self_approve: self.allow_self_approve.unwrap_or(content.allow_self_approve),
            bypass_levels: self.bypass_levels.unwrap_or(content.bypass_levels),
            bypass_roles: self.bypass_roles.unwrap_or(content.bypass_roles),
            expires_after_us: self.expires_after_us.unwrap_or(content.expires_after_us),
            enabled: self.enabled.unwrap_or(content.enabled),
        }
    }
}

/// What a new policy is where a body says nothing.
pub(super) fn default_content() -> PolicyContent {
    PolicyContent {
        action_key: String::new(),
        conditions: Map::new(),
        approver_config: Map::new(),
        allow_self_approve: false,
        bypass_levels: Vec::new(),
        bypass_roles: Vec::new(),
        expires_after_us: DEFAULT_EXPIRES_AFTER_US,
        enabled: true,
    }
}

/// Whoever is named need not exist, but must be named as users and roles are.
fn approver_config(input: &Input<'_>) -> Result<Option<Map<String, Value>>, ApiError> {
    const KEY: &str = "approver_config";
    let Some(config) = input.object(KEY, MAX_OBJECT_BYTES)? else { return Ok(None) };
    let refuse = |reason: &str| input.refuse("invalid_input", KEY, reason);
    let quorum = config.get("quorum").unwrap_or(&json!(0)).as_i64();
    if quorum.is_none_or(|quorum| quorum < 1) {
        return Err(refuse("quorum must be a whole number from 1"));
    }
    let all = |key: &str, is_right: fn(&Value) -> bool| match config.get(key) {
        None => true,
        Some(Value::Array(list)) => list.iter().all(is_right),
        Some(_) => false,
    };
    if !all("users", Value::is_i64) {
        return Err(refuse("users must be a list of the numbers of users"));
    }
    let is_uuid = |value: &Value| value.as_str().is_some_and(|text| Uuid::parse_str(text).is_ok());
    if !all("roles", is_uuid) {
        return Err(refuse("roles must be a list of the UUIDs of roles"));
    }
    Ok(Some(config.clone()))
}

/// Whole numbers, also as text.
fn bypass_levels(input: &Input<'_>) -> Result<Option<Vec<i64>>, ApiError> {
    const KEY: &str = "bypass_org_membership_levels";
    let Some(list) = input.list(KEY, MAX_ENTRIES)? else { return Ok(None) };
    let level = |value: &Value| {
        let text = || value.as_str().and_then(|text| text.trim().parse().ok());
        let reason = format!("{value} is no level: expected whole numbers");
        value.as_i64().or_else(text).ok_or_else(|| input.refuse("invalid_input", KEY, reason))
    };
    list.iter().map(level).collect::<Result<_, _>>().map(Some)
}

fn bypass_roles(input: &Input<'_>) -> Result<Option<Vec<String>>, ApiError> {
    const KEY: &str = "bypass_roles";
    let Some(list) = input.list(KEY, MAX_ENTRIES)? else { return Ok(None) };
    let id = |value: &Value| {
        let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
        let reason = format!("{value} is no UUID of a role");
        id.map(|id| id.to_string()).ok_or_else(|| input.refuse("invalid_input", KEY, reason))
    };
    list.iter().map(id).collect::<Result<_, _>>().map(Some)
}

fn expires_after(input: &Input<'_>) -> Result<Option<i64>, ApiError> {
    const KEY: &str = "expires_after";
    let Some(value) = input.value(KEY) else { return Ok(None) };
    if value.is_null() {
        return Err(input.refuse("null", KEY, "this field may not be null"));
    }
    let us = duration::parse(value);
    let us = us.ok_or_else(|| input.refuse("invalid_input", KEY, "expected a duration, like 14 00:00:00"))?;
    if us < US_PER_SECOND {
        return Err(input.refuse("min_value", KEY, "shorter than a second"));
    }
    if us > MAX_EXPIRES_AFTER_US {
        return Err(input.refuse("max_value", KEY, "longer than 3650 days"));
    }
    Ok(Some(us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: Value) -> Result<PolicyContent, (String, String)> {
        let parsed = Input::of(&body).and_then(|input| PolicyChange::parse(&input));
        let parsed =
            parsed.map_err(|error| (error.code().to_owned(), error.attr().unwrap_or("body").to_owned()))?;
        Ok(parsed.over(default_content()))
    }

    #[test]
    fn a_body_says_what_it_says_and_the_rest_has_defaults() {
        let role = "0190F6A0-0000-7000-8000-000000000001";
        let body = json!({
            "action_key": " a.b ", "approver_config": { "quorum": 2, "users": [1], "roles": [role], "more": 5 },
            "bypass_org_membership_levels": ["8", 15], "bypass_roles": [role], "expires_after": "P1D",
        });
        let content = content(body).unwrap();
        assert_eq!((content.action_key.as_str(), content.enabled), ("a.b", true));
        assert_eq!(content.bypass_levels, [8, 15]);
        assert_eq!(content.bypass_roles, [role.to_lowercase()]);
        assert_eq!(content.expires_after_us, US_PER_DAY);
        assert_eq!(content.approver_config["more"], 5, "kept as it was sent");
        let approvers = content.approvers();
        assert_eq!((approvers.quorum, approvers.users), (2, vec![1]));
        assert_eq!(approvers.roles, [role.to_lowercase()]);
        assert_eq!(super::default_content().expires_after_us, 14 * US_PER_DAY);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, code, attr) in [
            (json!([]), "invalid_input", "body"),
            (json!({ "action_key": "" }), "blank", "action_key"),
            (json!({ "action_key": "x".repeat(129) }), "max_length", "action_key"),
            (json!({ "action_key": null }), "null", "action_key"),
            (json!({ "conditions": null }), "null", "conditions"),
            (json!({ "conditions": [] }), "not_a_dict", "conditions"),
            (json!({ "conditions": { "a": "x".repeat(20_000) } }), "max_length", "conditions"),
            (json!({ "approver_config": 5 }), "not_a_dict", "approver_config"),
            (json!({ "approver_config": {} }), "invalid_input", "approver_config"),
            (json!({ "approver_config": { "quorum": 0 } }), "invalid_input", "approver_config"),
            (json!({ "approver_config": { "quorum": -1 } }), "invalid_input", "approver_config"),
            (json!({ "approver_config": { "quorum": "1" } }), "invalid_input", "approver_config"),
            (json!({ "approver_config": { "quorum": 1, "users": 1 } }), "invalid_input", "approver_config"),
            (
                json!({ "approver_config": { "quorum": 1, "users": ["a"] } }),
                "invalid_input",
                "approver_config",
            ),
            (json!({ "approver_config": { "quorum": 1, "roles": [5] } }), "invalid_input", "approver_config"),
            (json!({ "allow_self_approve": "yes" }), "invalid_input", "allow_self_approve"),
            (json!({ "bypass_org_membership_levels": 8 }), "not_a_list", "bypass_org_membership_levels"),
            (
                json!({ "bypass_org_membership_levels": ["x"] }),
                "invalid_input",
                "bypass_org_membership_levels",
            ),
            (
                json!({ "bypass_org_membership_levels": [1.5] }),
                "invalid_input",
                "bypass_org_membership_levels",
            ),
            (json!({ "bypass_roles": ["x"] }), "invalid_input", "bypass_roles"),
            (json!({ "expires_after": null }), "null", "expires_after"),
            (json!({ "expires_after": "soon" }), "invalid_input", "expires_after"),
            (json!({ "expires_after": 0 }), "min_value", "expires_after"),
            (json!({ "expires_after": "4000 00:00:00" }), "max_value", "expires_after"),
            (json!({ "enabled": null }), "null", "enabled"),
        ] {
            let found = content(body.clone()).unwrap_err();
            assert_eq!(found, (code.to_owned(), attr.to_owned()), "{body}");
        }
    }
}
