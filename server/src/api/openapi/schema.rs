//! Forms of bodies and answers, as JSON Schema 2020-12.

use serde_json::{Map, Value, json};

/// A form that the document names.
pub(in crate::api) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Anything.
pub(in crate::api) fn anything() -> Value {
    json!({})
}

/// Text.
pub(in crate::api) fn text() -> Value {
    json!({ "type": "string" })
}

/// Text of some characters, not blank.
pub(in crate::api) fn text_up_to(max_chars: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": max_chars })
}

/// A moment: ISO 8601 in UTC.
pub(in crate::api) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A UUID.
pub(in crate::api) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// One of some words.
pub(in crate::api) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// A whole number.
pub(in crate::api) fn integer() -> Value {
    json!({ "type": "integer" })
}

/// A whole number within bounds.
pub(in crate::api) fn integer_within(min: i64, max: i64) -> Value {
    json!({ "type": "integer", "minimum": min, "maximum": max })
}

/// A number.
pub(in crate::api) fn number() -> Value {
    json!({ "type": "number" })
}

/// A truth value.
pub(in crate::api) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// The form, or null.
pub(in crate::api) fn nullable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
}

/// Any of some forms.
pub(in crate::api) fn any_of(schemas: &[Value]) -> Value {
    json!({ "anyOf": schemas })
}

/// A list of entries of one form.
pub(in crate::api) fn list(entry: Value) -> Value {
    json!({ "type": "array", "items": entry })
}

/// An object all of whose members are of one form.
pub(in crate::api) fn map(member: Value) -> Value {
    json!({ "type": "object", "additionalProperties": member })
}

/// An object that has all of these members.
pub(in crate::api) fn object(members: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    with_required(members, &names)
}

/// An object that may have any of these members.
pub(in crate::api) fn members(members: &[(&str, Value)]) -> Value {
    with_required(members, &[])
}

/// An object that may have some more members.
pub(in crate::api) fn with_optional(mut object: Value, members: &[(&str, Value)]) -> Value {
    for (name, schema) in members {
        object["properties"][*name] = schema.clone();
    }
    object
}

/// An object that has some of these members and may have the others.
pub(in crate::api) fn with_required(members: &[(&str, Value)], required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}
