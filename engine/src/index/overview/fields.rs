//! The fields of details: paths, and the types of the values there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// Elements of a list that are looked at.
const SAMPLED_ELEMENTS: usize = 10;
/// Fields of a scope that are told of; a detail with members that are data in their names could have any number.
const MAX_FIELDS: usize = 10_000;
/// Memory that a path takes beside its text.
const PATH_OVERHEAD_BYTES: usize = 64;

/// The fields of details by scope: of each path the types of its values.
pub type DetailFields = BTreeMap<String, BTreeMap<String, BTreeSet<FieldType>>>;

/// The type of a value in a detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldType {
    /// A list.
    Array,
    /// A truth value.
    Boolean,
    /// Nothing.
    Null,
    /// A number.
    Number,
    /// Members.
    Object,
    /// Text.
    String,
}

impl FieldType {
    pub(super) const ALL: [Self; 6] =
        [Self::Array, Self::Boolean, Self::Null, Self::Number, Self::Object, Self::String];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Boolean => "boolean",
            Self::Null => "null",
            Self::Number => "number",
            Self::Object => "object",
            Self::String => "string",
        }
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::String,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

/// Adds fields to others.
pub fn merge_fields(fields: &mut DetailFields, others: &DetailFields) {
    for (scope, paths) in others {
        if !fields.contains_key(scope) {
            fields.insert(scope.clone(), BTreeMap::new());
        }
        let Some(of_scope) = fields.get_mut(scope) else { continue };
        for (path, types) in paths {
            if let Some(known) = of_scope.get_mut(path) {
                known.extend(types);
            } else if of_scope.len() < MAX_FIELDS {
                of_scope.insert(path.clone(), types.clone());
            }
        }
    }
}

/// Memory that fields take, more or less.
pub(super) fn size_bytes(fields: &DetailFields) -> usize {
    let of_scope = |(scope, paths): (&String, &BTreeMap<String, _>)| {
        PATH_OVERHEAD_BYTES
            + scope.len()
            + paths.keys().map(|path| path.len() + PATH_OVERHEAD_BYTES).sum::<usize>()
    };
    fields.iter().map(of_scope).sum()
}

/// Collects fields within a budget of bytes.
#[derive(Debug)]
pub(super) struct FieldsBuilder {
    fields: DetailFields,
    num_bytes: usize,
    max_bytes: usize,
    /// Room for a path.
    path: String,
}

impl FieldsBuilder {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { fields: DetailFields::new(), num_bytes: 0, max_bytes, path: String::new() }
    }

    /// Adds the fields of the detail of an entry of a scope. A scope without any is told of as well.
    pub(super) fn add(&mut self, scope: &str, detail: &Map<String, Value>) {
        if !self.fields.contains_key(scope) {
            self.num_bytes += scope.len() + PATH_OVERHEAD_BYTES;
            self.fields.insert(scope.to_owned(), BTreeMap::new());
        }
        let Some(fields) = self.fields.get_mut(scope) else { return };
        let mut of_scope = OfScope { fields, num_bytes: &mut self.num_bytes, max_bytes: self.max_bytes };
        self.path.clear();
        of_scope.note_members(&mut self.path, detail);
    }

    pub(super) fn is_over_budget(&self) -> bool {
        self.num_bytes > self.max_bytes
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.num_bytes
    }

    pub(super) fn finish(self) -> DetailFields {
        self.fields
    }
}

struct OfScope<'f> {
    fields: &'f mut BTreeMap<String, BTreeSet<FieldType>>,
    num_bytes: &'f mut usize,
    max_bytes: usize,
}

impl OfScope<'_> {
    fn note_members(&mut self, path: &mut String, members: &Map<String, Value>) {
        let length = path.len();
        for (name, value) in members {
            if length > 0 {
                path.push('.');
            }
            path.push_str(name);
            self.note(path, value);
            path.truncate(length);
        }
    }

    /// Notes the type of a value at a path, and those of all values in it.
    fn note(&mut self, path: &mut String, value: &Value) {
        let field_type = FieldType::of(value);
        if let Some(types) = self.fields.get_mut(path.as_str()) {
            types.insert(field_type);
        } else if self.fields.len() >= MAX_FIELDS || *self.num_bytes > self.max_bytes {
            return;
        } else {
            *self.num_bytes += path.len() + PATH_OVERHEAD_BYTES;
            self.fields.insert(path.clone(), BTreeSet::from([field_type]));
        }
        match value {
            Value::Object(members) => self.note_members(path, members),
            Value::Array(elements) => {
                let length = path.len();
                path.push_str("[]");
                let sampled = elements.iter().take(SAMPLED_ELEMENTS).filter(|element| !element.is_null());
                sampled.for_each(|element| match element {
                    Value::Object(members) => self.note_members(path, members),
                    element => self.note(path, element),
                });
                path.truncate(length);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_paths_with_the_types_of_their_values() {
        let mut builder = FieldsBuilder::new(1 << 20);
        let mut late = vec![json!(1); 10];
        late.push(json!("beyond what is looked at"));
        for detail in [
            json!({"changes": [{"after": 1}, {"after": "x"}, null], "tags": ["a"], "name": null}),
            json!({"list": late}),
        ] {
            builder.add("Role", detail.as_object().unwrap());
        }
        let fields = builder.finish().remove("Role").unwrap();
        let told: Vec<String> = fields
            .iter()
            .map(|(path, types)| {
                let types: Vec<_> = types.iter().map(|field_type| field_type.as_str()).collect();
                format!("{path}: {}", types.join(" "))
            })
            .collect();
        assert_eq!(
            told,
            [
                "changes: array",
                "changes[].after: number string",
                "list: array",
                "list[]: number",
                "name: null",
                "tags: array",
                "tags[]: string"
            ]
        );
    }

    #[test]
    fn fields_are_bounded() {
        let mut builder = FieldsBuilder::new(1000);
        for number in 0..100 {
            builder.add("Role", json!({ format!("key-{number}"): 1 }).as_object().unwrap());
        }
        assert!(builder.is_over_budget() && builder.memory_bytes() < 1200);
    }
}
