//! What a body sets of a project.

use engine::retention::MAX_RETENTION_DAYS;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MAX_NAME_CHARS;
use crate::api::input::{Input, present};
use crate::error::ApiError;
use crate::meta::project::ProjectSettings;

/// Longest name of a time zone, characters.
const MAX_TIMEZONE_CHARS: usize = 64;

/// The members that a body has; what is absent is left as it is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct ProjectChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receive_org_level_activity_logs: Option<bool>,
    /// The inner none is for ever.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    retention_days: Option<Option<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_parse_logs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pii_scrub_logs: Option<bool>,
}

impl ProjectChange {
    /// Reads a body. Other members are ignored, as they are when they are sent back with a change.
    ///
    /// # Errors
    /// 400 that names the first member that is wrong.
    pub(super) fn parse(body: &Value) -> Result<Self, ApiError> {
        let input = Input::of(body)?;
        let days = input.nullable_integer("retention_days", 1..=i64::from(MAX_RETENTION_DAYS))?;
        Ok(Self {
            name: input.text("name", MAX_NAME_CHARS)?,
            timezone: input.text("timezone", MAX_TIMEZONE_CHARS)?,
            receive_org_level_activity_logs: input.boolean("receive_org_level_activity_logs")?,
            retention_days: days.map(|days| days.and_then(|days| u32::try_from(days).ok())),
            json_parse_logs: input.boolean("json_parse_logs")?,
            pii_scrub_logs: input.boolean("pii_scrub_logs")?,
        })
    }

    /// Sets what the body has.
    pub(crate) fn apply(self, settings: &mut ProjectSettings) {
        set(&mut settings.name, self.name);
        set(&mut settings.timezone, self.timezone);
        set(&mut settings.receive_org_level_activity_logs, self.receive_org_level_activity_logs);
        set(&mut settings.retention_days, self.retention_days);
        set(&mut settings.json_parse_logs, self.json_parse_logs);
        set(&mut settings.pii_scrub_logs, self.pii_scrub_logs);
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}
