//! What an entry of the audit trail says.

use std::net::IpAddr;

use engine::activity::spaced_json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::change::Change;

/// Longest name of a client that is kept, characters.
const MAX_CLIENT_CHARS: usize = 32;

/// Who makes a change, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The user; none for the product itself and its command line.
    pub user_id: Option<i64>,
    /// What the caller says to be, from the header `x-posthog-client`.
    pub client: Option<String>,
    /// Where the request came from.
    pub ip_address: Option<IpAddr>,
}

impl Actor {
    /// A user who calls the API.
    pub fn user(user_id: i64, client: Option<&str>, ip_address: Option<IpAddr>) -> Self {
        let client = client.map(|client| client.chars().take(MAX_CLIENT_CHARS).collect());
        Self { user_id: Some(user_id), client, ip_address }
    }

    /// The product itself: its jobs and its command line.
    pub fn system() -> Self {
        Self::default()
    }
}

/// One entry, as the outbox keeps it. When and where it belongs is beside it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entry {
    /// The actor's number; none for the product itself.
    pub user_id: Option<i64>,
    /// What the caller says to be.
    pub client: Option<String>,
    /// Where the request came from.
    pub ip_address: Option<IpAddr>,
    /// Type of the resource, UpperCamelCase.
    pub scope: String,
    /// What was done: `created`, `updated`, `deleted`, ...
    pub activity: String,
    /// Id of the resource as text.
    pub item_id: Option<String>,
    /// What exactly was done.
    pub detail: Detail,
    /// JSON text that stands in place of the detail: that of an entry which another system has made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_detail: Option<String>,
    /// Whether staff acted through the user's session.
    #[serde(default)]
    pub was_impersonated: bool,
}

/// What exactly was done to a resource.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Detail {
    /// What people called the resource at the time.
    pub name: Option<String>,
    /// Its short id, when it has one.
    pub short_id: Option<String>,
    /// Its kind, when its type has kinds.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Field by field, before and after.
    pub changes: Option<Vec<Change>>,
    /// The job that did it, when no user did.
    pub trigger: Option<Value>,
    /// Further facts.
    pub context: Option<Map<String, Value>>,
}

impl Entry {
    /// An entry about a resource.
    pub fn new(
        actor: &Actor,
        scope: &str,
        activity: &str,
        item_id: impl ToString,
        name: impl Into<String>,
        changes: Vec<Change>,
    ) -> Self {
        Self {
            user_id: actor.user_id,
            client: actor.client.clone(),
            ip_address: actor.ip_address,
            scope: scope.to_owned(),
            activity: activity.to_owned(),
            item_id: Some(item_id.to_string()),
            detail: Detail { name: Some(name.into()), changes: Some(changes), ..Detail::default() },
            foreign_detail: None,
            was_impersonated: false,
        }
    }

    /// The same with further facts.
    #[must_use]
    pub fn with_context(mut self, context: Map<String, Value>) -> Self {
        self.detail.context = Some(context);
        self
    }

    /// The text of the detail as the trail stores it; none when there is no detail.
    pub fn detail_text(&self) -> Option<String> {
        match self.foreign_detail.as_deref() {
            Some("null") => None,
            Some(text) => Some(text.to_owned()),
            None => spaced_json(&self.detail).ok(),
        }
    }

    /// Whether it says anything: an update without a change does not.
    pub fn says_something(&self) -> bool {
        self.activity != "updated"
            || self.foreign_detail.is_some()
            || self.detail.changes.as_ref().is_some_and(|changes| !changes.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_client_is_cut_to_what_is_kept() {
        let actor = Actor::user(1, Some(&"ü".repeat(40)), None);
        assert_eq!(actor.client.unwrap().chars().count(), MAX_CLIENT_CHARS);
    }

    #[test]
    fn an_entry_survives_being_written() {
        let actor = Actor::user(7, Some("web"), Some(IpAddr::from([127, 0, 0, 1])));
        let entry = Entry::new(&actor, "Role", "created", "id", "Admins", vec![]);
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
        let detail = serde_json::to_value(&entry.detail).unwrap();
        assert_eq!(
            detail,
            json!({ "name": "Admins", "short_id": null, "type": null, "changes": [], "trigger": null, "context": null })
        );
    }

    #[test]
    fn an_update_that_changes_nothing_says_nothing() {
        let entry = |activity| Entry::new(&Actor::system(), "Role", activity, 1, "a", vec![]);
        assert!(entry("created").says_something() && entry("deleted").says_something());
        assert!(!entry("updated").says_something());
    }
}
