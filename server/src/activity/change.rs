//! How two states of a resource become a list of changes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What stands in place of a value that the trail must not hold.
const MASKED: &str = "masked";

/// One field that is not what it was.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Change {
    /// Type of the resource.
    #[serde(rename = "type")]
    pub scope: String,
    /// What happened to the field.
    pub action: ChangeAction,
    /// Name of the field, as people know it.
    pub field: Option<String>,
    /// Its value before; null when it had none.
    pub before: Value,
    /// Its value after; null when it has none.
    pub after: Value,
}

/// What happened to a field.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    /// It had no value.
    Created,
    /// It had another value.
    Changed,
    /// It has no value any more.
    Deleted,
}

/// How the fields of a type of resource are told about.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// Name of the type, UpperCamelCase.
    pub name: &'static str,
    /// Fields whose values the trail must not hold.
    pub masked: &'static [&'static str],
    /// Fields that people know by another name.
    pub display_names: &'static [(&'static str, &'static str)],
}

impl Scope {
    /// A type all of whose fields are told about by their own names.
    pub const fn plain(name: &'static str) -> Self {
        Self { name, masked: &[], display_names: &[] }
    }

    /// What is different between two states of a resource: by the fields of `after`, in their order, then those that
    /// only `before` has. Null, an empty text, list or object is no value.
    pub fn changes(&self, before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<Change> {
        let gone = before.keys().filter(|field| !after.contains_key(*field));
        let fields = after.keys().chain(gone);
        fields
            .filter_map(|field| {
                let value = |state: &Map<String, Value>| state.get(field).cloned().unwrap_or_default();
                self.change(field, value(before), value(after))
            })
            .collect()
    }

    fn change(&self, field: &str, before: Value, after: Value) -> Option<Change> {
        let action = match (is_empty(&before), is_empty(&after)) {
            (true, true) => return None,
            (true, false) => ChangeAction::Created,
            (false, true) => ChangeAction::Deleted,
            (false, false) if before == after => return None,
            (false, false) => ChangeAction::Changed,
        };
        let is_masked = self.masked.contains(&field);
        let shown = |value: Value, is_shown: bool| match (is_shown, is_masked) {
            (false, _) => Value::Null,
            (true, true) => MASKED.into(),
            (true, false) => value,
        };
        let display_name = self.display_names.iter().find(|(name, _)| *name == field);
        Some(Change {
            scope: self.name.to_owned(),
            action,
            field: Some(display_name.map_or(field, |(_, display)| *display).to_owned()),
            before: shown(before, action != ChangeAction::Created),
            after: shown(after, action != ChangeAction::Deleted),
        })
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A value as people read it, cut after so many characters.
pub(crate) fn in_words(value: &Value, max_chars: usize) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCOPE: Scope =
        Scope { name: "Thing", masked: &["secret"], display_names: &[("name", "thing name")] };

    fn changes(before: Value, after: Value) -> Value {
        let (before, after) = (before.as_object().unwrap(), after.as_object().unwrap());
        serde_json::to_value(SCOPE.changes(before, after)).unwrap()
    }

    #[test]
    fn a_field_is_created_changed_or_deleted() {
        assert_eq!(
            changes(
                json!({ "a": "", "b": 1, "c": [1], "d": false }),
                json!({ "a": "x", "b": 2, "c": [], "d": false })
            ),
            json!([
                { "type": "Thing", "action": "created", "field": "a", "before": null, "after": "x" },
                { "type": "Thing", "action": "changed", "field": "b", "before": 1, "after": 2 },
                { "type": "Thing", "action": "deleted", "field": "c", "before": [1], "after": null },
            ])
        );
    }

    #[test]
    fn a_field_that_one_side_lacks_had_or_has_no_value() {
        assert_eq!(
            changes(json!({ "a": 1 }), json!({ "b": true })),
            json!([
                { "type": "Thing", "action": "created", "field": "b", "before": null, "after": true },
                { "type": "Thing", "action": "deleted", "field": "a", "before": 1, "after": null },
            ])
        );
    }

    #[test]
    fn false_and_zero_are_values() {
        assert_eq!(changes(json!({ "a": null }), json!({ "a": false }))[0]["action"], "created");
        assert_eq!(changes(json!({ "a": 0 }), json!({ "a": 1 }))[0]["action"], "changed");
    }

    #[test]
    fn secrets_are_masked_and_names_are_those_of_people() {
        assert_eq!(
            changes(json!({ "secret": "a", "name": "x" }), json!({ "secret": "b", "name": "y" })),
            json!([
                { "type": "Thing", "action": "changed", "field": "thing name", "before": "x", "after": "y" },
                { "type": "Thing", "action": "changed", "field": "secret", "before": "masked", "after": "masked" },
            ])
        );
        assert_eq!(changes(json!({}), json!({ "secret": "b" }))[0]["before"], Value::Null);
    }
}
