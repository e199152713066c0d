//! The registry of actions: what a policy can be about.
//!
//! One file for each type of resource. A [`Write`] is everything that a request wants done, validated; it is carried out
//! the same way at once and after an approval. What it does is seen by comparing the resource before and after.

mod alert;
mod export;
mod key;
mod member;
mod organization;
mod project;
mod rule;
mod view;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use super::Limits;
use crate::activity::entry::Actor;
use crate::error::ApiError;
use crate::meta::approval::Place;
use crate::secret::Secret;

pub(crate) use alert::AlertWrite;
pub(crate) use export::ExportWrite;
pub(crate) use key::KeyWrite;
pub(crate) use member::MemberWrite;
pub(crate) use organization::OrganizationWrite;
pub(crate) use project::ProjectWrite;
pub(crate) use rule::RuleWrite;
pub(crate) use view::ViewWrite;

/// Something that can need approval.
#[derive(Debug)]
pub(crate) struct Action {
    /// What policies call it.
    pub(crate) key: &'static str,
    /// Rises when stored requests of it can be read no more.
    pub(crate) version: i64,
    /// What kind of thing it changes.
    pub(crate) resource_type: &'static str,
    /// What it does, for people: `Create an alert`.
    pub(crate) description: &'static str,
}

impl Action {
    const fn new(key: &'static str, resource_type: &'static str, description: &'static str) -> Self {
        Self { key, version: 1, resource_type, description }
    }
}

/// The action with a key, if there is one.
pub(crate) fn by_key(key: &str) -> Option<&'static Action> {
    all().find(|action| action.key == key)
}

/// The actions on personal API keys.
pub(crate) fn of_keys() -> impl Iterator<Item = &'static Action> {
    key::ACTIONS.iter()
}

/// Every action there is.
pub(crate) fn all() -> impl Iterator<Item = &'static Action> {
    let of_resources = [
        alert::ACTIONS,
        rule::SAMPLING,
        rule::RETENTION,
        view::ACTIONS,
        project::ACTIONS,
        export::ACTIONS,
        organization::ACTIONS,
        key::ACTIONS,
        member::ACTIONS,
    ];
    of_resources.into_iter().flatten()
}

/// A thing as approvers see it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    /// As the API addresses it.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// What can be changed of it, by name.
    pub(crate) fields: Map<String, Value>,
    /// When it was changed last, microseconds.
    pub(crate) updated_us: i64,
}

impl Resource {
    /// The same for the same fields, another one for others: what only checks or readers change of it is no new version.
    pub(crate) fn version(&self) -> String {
        const NUM_BYTES: usize = 8;
        let digest = Sha256::digest(Value::Object(self.fields.clone()).to_string());
        digest.iter().take(NUM_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a write changes: the fields that are not what they were. Both are empty when it changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Changed {
    pub(crate) before: Map<String, Value>,
    pub(crate) after: Map<String, Value>,
}

impl Changed {
    /// Between two states; none is a thing that is not there.
    pub(crate) fn between(before: Option<&Resource>, after: Option<&Resource>) -> Self {
        let fields = |state: Option<&Resource>| state.map(|state| state.fields.clone()).unwrap_or_default();
        let (mut before, mut after) = (fields(before), fields(after));
        let same: Vec<String> = before
            .iter()
            .filter(|(key, value)| after.get(*key) == Some(value))
            .map(|(key, _)| key.clone())
            .collect();
        for key in same {
            before.remove(&key);
            after.remove(&key);
        }
        Self { before, after }
    }

    fn is_nothing(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    /// Whether a truth value goes from one to the other.
    fn goes(&self, field: &str, from: bool, to: bool) -> bool {
        self.before.get(field) == Some(&Value::Bool(from)) && self.after.get(field) == Some(&Value::Bool(to))
    }

    /// The names of all fields that change.
    pub(crate) fn fields(&self) -> Vec<&String> {
        let gone = self.before.keys().filter(|field| !self.after.contains_key(*field));
        self.after.keys().chain(gone).collect()
    }
}

/// Who has a write done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By<'a> {
    pub(crate) place: &'a Place,
    pub(crate) actor: &'a Actor,
    pub(crate) user_id: i64,
    pub(crate) limits: Limits,
    /// Whether it was validated some time ago, and not just now.
    pub(crate) is_replay: bool,
}

/// What a write has done.
#[derive(Debug)]
pub(crate) struct Done {
    /// The thing that was made, changed or removed.
    pub(crate) resource_id: String,
    /// The clear text of a key that was made.
    pub(crate) secret: Option<Secret>,
}

impl Done {
    fn to(resource_id: impl ToString) -> Self {
        Self { resource_id: resource_id.to_string(), secret: None }
    }
}

/// What a type of resource knows about its writes.
trait Gated {
    /// What a write of this kind can be.
    fn actions(&self) -> &'static [Action];

    /// The thing that is changed; none when it is to be made.
    fn resource_id(&self) -> Option<String>;

    /// Tells things that are to be made apart.
    fn natural_key(&self, _user_id: i64) -> String {
        String::new()
    }

    /// What people call a thing that is to be made.
    fn new_name(&self) -> String {
        String::new()
    }

    /// Which actions a write with these changes is; none of one that changes nothing.
    fn detect(&self, changed: &Changed) -> Vec<&'static Action> {
        self.actions().iter().filter(|_| !changed.is_nothing()).collect()
    }

    /// The thing with an id, as it is.
    async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError>;

    /// Does it, with its entries of the audit trail.
    ///
    /// # Errors
    /// 4xx when it may not be done; then nothing of the transaction may be kept. 5xx when the database fails.
    async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError>;
}

/// Everything that a request wants done. Its JSON is what change requests store.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "resource_type", rename_all = "snake_case")]
pub(crate) enum Write {
    LogsAlert(AlertWrite),
    LogsRule(RuleWrite),
    LogsView(ViewWrite),
    Project(ProjectWrite),
    ActivityLog(ExportWrite),
    Organization(OrganizationWrite),
    PersonalApiKey(KeyWrite),
    OrganizationMember(MemberWrite),
}

/// The same of every kind of write.
macro_rules! of_any {
    ($write:expr, $of:ident => $body:expr) => {
        match $write {
            Write::LogsAlert($of) => $body,
            Write::LogsRule($of) => $body,
            Write::LogsView($of) => $body,
            Write::Project($of) => $body,
            Write::ActivityLog($of) => $body,
            Write::Organization($of) => $body,
            Write::PersonalApiKey($of) => $body,
            Write::OrganizationMember($of) => $body,
        }
    };
}

impl Write {
    /// See [`Gated::actions`].
    pub(crate) fn actions(&self) -> &'static [Action] {
        of_any!(self, of => of.actions())
    }

    /// See [`Gated::resource_id`].
    pub(crate) fn resource_id(&self) -> Option<String> {
        of_any!(self, of => of.resource_id())
    }

    /// See [`Gated::natural_key`].
    pub(crate) fn natural_key(&self, user_id: i64) -> String {
        of_any!(self, of => of.natural_key(user_id))
    }

    /// See [`Gated::new_name`].
    pub(crate) fn new_name(&self) -> String {
        of_any!(self, of => of.new_name())
    }

    /// See [`Gated::detect`].
    pub(crate) fn detect(&self, changed: &Changed) -> Vec<&'static Action> {
        of_any!(self, of => of.detect(changed))
    }

    /// See [`Gated::load`].
    pub(crate) async fn load(
        &self,
        connection: &mut AnyConnection,
        place: &Place,
        id: &str,
    ) -> Result<Option<Resource>, ApiError> {
        of_any!(self, of => of.load(connection, place, id).await)
    }

    /// See [`Gated::carry_out`].
    pub(crate) async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        by: &By<'_>,
        now_us: i64,
    ) -> Result<Done, ApiError> {
        of_any!(self, of => of.carry_out(connection, by, now_us).await)
    }

    /// Whether running servers must look at the metadata anew.
    pub(crate) fn changes_rules(&self) -> bool {
        matches!(self, Self::LogsRule(_) | Self::Project(_))
    }

    /// Whether a file is to be made.
    pub(crate) fn is_export(&self) -> bool {
        matches!(self, Self::ActivityLog(_))
    }
}

/// The project of a place.
///
/// # Errors
/// 500 for an organization: a write of a project's things is always stored with the project.
fn project_of(place: &Place) -> Result<engine::schema::ProjectId, ApiError> {
    place.project.ok_or_else(|| ApiError::internal("a write of a project without one"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(fields: Value) -> Resource {
        Resource {
            id: "a".into(),
            name: "A".into(),
            fields: fields.as_object().unwrap().clone(),
            updated_us: 5,
        }
    }

    #[test]
    fn every_action_has_a_key_of_its_own() {
        let keys: Vec<&str> = all().map(|action| action.key).collect();
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), keys.len());
        for key in [
            "logs_alert.create",
            "logs_alert.update",
            "logs_alert.disable",
            "logs_alert.delete",
            "logs_sampling_rule.create",
            "logs_sampling_rule.update",
            "logs_sampling_rule.delete",
            "logs_retention_rule.create",
            "logs_retention_rule.update",
            "logs_retention_rule.delete",
            "logs_view.delete",
            "project.update",
            "activity_log.export",
            "organization.update",
            "personal_api_key.create",
            "organization_member.update",
        ] {
            let action = by_key(key).unwrap_or_else(|| panic!("{key}"));
            assert!(key.starts_with(action.resource_type), "{key} of {}", action.resource_type);
        }
        assert_eq!(keys.len(), 16);
        assert!(by_key("logs_alert").is_none());
    }

    #[test]
    fn what_changed_are_the_fields_that_are_not_the_same() {
        let (before, after) =
            (resource(json!({ "a": 1, "b": 2, "c": 3 })), resource(json!({ "a": 1, "b": 5, "d": 7 })));
        let changed = Changed::between(Some(&before), Some(&after));
        assert_eq!(Value::Object(changed.before.clone()), json!({ "b": 2, "c": 3 }));
        assert_eq!(Value::Object(changed.after.clone()), json!({ "b": 5, "d": 7 }));
        assert_eq!(changed.fields(), ["b", "d", "c"]);
        assert!(Changed::between(Some(&before), Some(&before)).is_nothing());
        let made = Changed::between(None, Some(&after));
        assert!(made.before.is_empty() && made.after.len() == 3);
    }

    #[test]
    fn a_version_is_that_of_the_fields() {
        let one = resource(json!({ "a": 1 }));
        let seen = Resource { updated_us: 9, ..one.clone() };
        assert_eq!(one.version(), seen.version());
        assert_ne!(one.version(), resource(json!({ "a": 2 })).version());
        assert_eq!(one.version().len(), 16);
    }
}
