//! The activity entry and its detail, in the form the API shows.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

/// One entry of the activity trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivityEntry {
    /// UUIDv7 of `created_at`.
    pub id: Uuid,
    /// Who did it; `None` when a job or schedule did.
    pub user: Option<Actor>,
    /// The project, `None` for an entry of the organization.
    pub team_id: Option<i64>,
    /// The organization, also for a project's entry.
    pub organization_id: Uuid,
    /// Whether support staff acted through the user's session.
    pub was_impersonated: bool,
    /// True exactly when there is no user.
    pub is_system: bool,
    /// The program the user acted with, when it told its name.
    pub client: Option<String>,
    /// Address of the caller; `None` for background work.
    pub ip_address: Option<String>,
    /// The verb.
    pub activity: Activity,
    /// The id of the thing it was done to.
    pub item_id: String,
    /// The type of the thing: `FeatureFlag`, `Dashboard`, `PersonalAPIKey` and so on.
    pub scope: String,
    /// What exactly happened.
    pub detail: Detail,
    /// When it happened.
    #[serde(serialize_with = "serialize_time")]
    pub created_at: DateTime<Utc>,
}

/// The verbs that the generator uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// The thing is new.
    Created,
    /// Fields of the thing have other values.
    Updated,
    /// The thing is gone.
    Deleted,
}

/// The user behind an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user's id.
    pub uuid: Uuid,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// E-mail address, in a domain reserved for examples.
    pub email: String,
}

/// What happened; all six keys are always written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Display name of the item at the time.
    pub name: Option<String>,
    /// Short id, of the resources that have one.
    pub short_id: Option<String>,
    /// Subtype of the resource.
    #[serde(rename = "type")]
    pub subtype: Option<String>,
    /// Differences field by field; empty for a new item.
    pub changes: Option<Vec<Change>>,
    /// The job that caused it.
    pub trigger: Option<Trigger>,
    /// Facts of the kind of resource; sorted by key.
    pub context: Option<BTreeMap<String, Value>>,
}

/// One changed field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Scope of the changed thing.
    #[serde(rename = "type")]
    pub scope: String,
    /// Whether the value came, went or became another.
    pub action: ChangeAction,
    /// Name of the field.
    pub field: Option<String>,
    /// Value before; null for a created one.
    pub before: Value,
    /// Value after; null for a deleted one.
    pub after: Value,
}

impl Change {
    /// The difference between two values of a field; `None` when there is none.
    ///
    /// Null, the empty text, list and object count as no value, as they do in the trail's own rules.
    pub(crate) fn between(scope: &str, field: &str, before: Value, after: Value) -> Option<Self> {
        let action = match (is_empty(&before), is_empty(&after)) {
            (true, true) => return None,
            (true, false) => ChangeAction::Created,
            (false, true) => ChangeAction::Deleted,
            (false, false) if before == after => return None,
            (false, false) => ChangeAction::Changed,
        };
        let kept = |value: Value| if is_empty(&value) { Value::Null } else { value };
        Some(Self {
            scope: scope.to_owned(),
            action,
            field: Some(field.to_owned()),
            before: kept(before),
            after: kept(after),
        })
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a change did to a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// From one value to another.
    Changed,
    /// From none to a value.
    Created,
    /// From a value to none.
    Deleted,
}

/// A job that caused an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Kind of job.
    pub job_type: String,
    /// The job's id.
    pub job_id: String,
    /// The job's input; sorted by key.
    pub payload: BTreeMap<String, Value>,
}

/// ISO 8601, UTC; microseconds are left out when they are zero.
fn serialize_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    let format = if time.nanosecond() / 1_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    serializer.serialize_str(&time.to_rfc3339_opts(format, true))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_named_by_what_was_empty() {
        let action = |before, after| Change::between("Team", "x", before, after).map(|change| change.action);
        assert_eq!(action(json!(null), json!("")), None);
        assert_eq!(action(json!(""), json!(1)), Some(ChangeAction::Created));
        assert_eq!(action(json!([1]), json!([])), Some(ChangeAction::Deleted));
        assert_eq!(action(json!(true), json!(false)), Some(ChangeAction::Changed));
        assert_eq!(action(json!({"a": 1}), json!({"a": 1})), None);
    }
}
