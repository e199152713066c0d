//! What a body sets of an organization.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::input::{Input, present};
use crate::error::ApiError;
use crate::meta::organization::OrganizationSettings;

const MAX_NAME_CHARS: usize = 64;
const STATS_METHODS: [(&str, Option<&str>); 3] =
    [("bayesian", Some("bayesian")), ("frequentist", Some("frequentist")), ("", None)];

/// What a body must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Required {
    Name,
    Nothing,
}

/// The members that a body has. The outer none is for absent, the inner for null.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct OrganizationChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    enforce_2fa: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    members_can_invite: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    members_can_create_projects: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members_can_use_personal_api_keys: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_publicly_shared_resources: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    is_ai_data_processing_approved: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    is_ai_training_opted_in: Option<Option<bool>>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    default_experiment_stats_method: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_anonymize_ips: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    default_role_id: Option<Option<String>>,
}

impl OrganizationChange {
    /// Reads a body; members that cannot be written are ignored.
    ///
    /// # Errors
    /// 400 that names the first member that is wrong.
    pub(super) fn parse(body: &Value, required: Required) -> Result<Self, ApiError> {
        let input = Input::of(body)?;
        let name = input.text("name", MAX_NAME_CHARS)?;
        if required == Required::Name {
            input.required("name", name.as_ref())?;
        }
        // There are no media to choose a logo from.
        if let Some(Some(_)) = input.nullable_uuid("logo_media_id")? {
            return Err(input.refuse("does_not_exist", "logo_media_id", "there is no such medium"));
        }
        Ok(Self {
            name,
            enforce_2fa: input.nullable_boolean("enforce_2fa")?,
            members_can_invite: input.nullable_boolean("members_can_invite")?,
            members_can_create_projects: input.nullable_boolean("members_can_create_projects")?,
            members_can_use_personal_api_keys: input.boolean("members_can_use_personal_api_keys")?,
            allow_publicly_shared_resources: input.boolean("allow_publicly_shared_resources")?,
            is_ai_data_processing_approved: input.nullable_boolean("is_ai_data_processing_approved")?,
            is_ai_training_opted_in: input.nullable_boolean("is_ai_training_opted_in")?,
            default_experiment_stats_method: stats_method(&input)?,
            default_anonymize_ips: input.boolean("default_anonymize_ips")?,
            default_role_id: input.nullable_uuid("default_role_id")?.map(|id| id.map(|id| id.to_string())),
        })
    }

    /// The settings of a new organization.
    pub(super) fn over_defaults(self) -> OrganizationSettings {
        let mut settings = OrganizationSettings::named("");
        self.apply(&mut settings);
        settings
    }

    /// Sets what the body has.
    pub(crate) fn apply(self, settings: &mut OrganizationSettings) {
        set(&mut settings.name, self.name);
        set(&mut settings.enforce_2fa, self.enforce_2fa);
        set(&mut settings.members_can_invite, self.members_can_invite);
        set(&mut settings.members_can_create_projects, self.members_can_create_projects);
        set(&mut settings.members_can_use_personal_api_keys, self.members_can_use_personal_api_keys);
        set(&mut settings.allow_publicly_shared_resources, self.allow_publicly_shared_resources);
        set(&mut settings.is_ai_data_processing_approved, self.is_ai_data_processing_approved);
        set(&mut settings.is_ai_training_opted_in, self.is_ai_training_opted_in);
        set(&mut settings.default_experiment_stats_method, self.default_experiment_stats_method);
        set(&mut settings.default_anonymize_ips, self.default_anonymize_ips);
        set(&mut settings.default_role_id, self.default_role_id);
    }
}

fn set<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

fn stats_method(input: &Input<'_>) -> Result<Option<Option<String>>, ApiError> {
    const KEY: &str = "default_experiment_stats_method";
    if input.value(KEY).is_some_and(Value::is_null) {
        return Ok(Some(None));
    }
    let method = input.choice(KEY, &STATS_METHODS)?;
    Ok(method.map(|method| Some(method.unwrap_or_default().to_owned())))
}

/// What a body may set.
pub(super) fn described(required: &[&str]) -> Value {
    use crate::api::openapi::schema::{boolean, nullable, one_of, text_up_to, uuid, with_required};
    let maybe = || nullable(boolean());
    let method = nullable(one_of(&["bayesian", "frequentist", ""]));
    let members = [
        ("name", text_up_to(64)),
        ("enforce_2fa", maybe()),
        ("members_can_invite", maybe()),
        ("members_can_create_projects", maybe()),
        ("members_can_use_personal_api_keys", boolean()),
        ("allow_publicly_shared_resources", boolean()),
        ("is_ai_data_processing_approved", maybe()),
        ("is_ai_training_opted_in", maybe()),
        ("default_experiment_stats_method", method),
        ("default_anonymize_ips", boolean()),
        ("default_role_id", nullable(uuid())),
    ];
    with_required(&members, required)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_absent_stays_and_null_is_a_value() {
        let body = json!({ "enforce_2fa": true, "members_can_invite": null, "default_anonymize_ips": true,
                           "default_experiment_stats_method": "", "id": "ignored", "slug": 5 });
        let mut settings = OrganizationSettings::named("Acme");
        OrganizationChange::parse(&body, Required::Nothing).unwrap().apply(&mut settings);
        let expected = OrganizationSettings {
            enforce_2fa: Some(true),
            members_can_invite: None,
            default_anonymize_ips: true,
            default_experiment_stats_method: Some(String::new()),
            ..OrganizationSettings::named("Acme")
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let uuid = "0190f6a0-0000-7000-8000-000000000001";
        for (body, code, attr) in [
            (json!({}), "required", "name"),
            (json!({ "name": " " }), "blank", "name"),
            (json!({ "name": "x".repeat(65) }), "max_length", "name"),
            (json!({ "name": "a", "enforce_2fa": "yes" }), "invalid_input", "enforce_2fa"),
            (json!({ "name": "a", "default_anonymize_ips": null }), "null", "default_anonymize_ips"),
            (json!({ "name": "a", "default_role_id": "x" }), "invalid_input", "default_role_id"),
            (json!({ "name": "a", "logo_media_id": uuid }), "does_not_exist", "logo_media_id"),
            (
                json!({ "name": "a", "default_experiment_stats_method": "other" }),
                "invalid_choice",
                "default_experiment_stats_method",
            ),
        ] {
            let error = OrganizationChange::parse(&body, Required::Name).unwrap_err();
            assert_eq!((error.code(), error.attr()), (code, Some(attr)), "{body}");
        }
    }
}
