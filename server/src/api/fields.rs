//! Reading members of a JSON object by name and type, with errors that name the member.
//!
//! Null and absent are the same for every member. Members that nobody asks for are ignored.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// An object of a request and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
}

impl<'a> Fields<'a> {
    /// Reads a value as an object; `path` is its place in the request, empty for the outermost.
    ///
    /// # Errors
    /// 400 when it is not an object.
    pub(crate) fn of(value: &'a Value, path: &str) -> Result<Self, ApiError> {
        match value.as_object() {
            Some(object) => Ok(Self { object, path: path.to_owned() }),
            None => Err(wrong_type(path, "an object", value)),
        }
    }

    /// The member's value, unless it is absent or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// The names of all members.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.object.keys().map(String::as_str)
    }

    /// Where a member stands in the request.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// A text.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, ApiError> {
        self.read(key, "a string", Value::as_str)
    }

    /// A text, where the empty one counts as absent.
    pub(crate) fn filled_text(&self, key: &str) -> Result<Option<&'a str>, ApiError> {
        Ok(self.text(key)?.filter(|text| !text.is_empty()))
    }

    /// A truth value.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, ApiError> {
        self.read(key, "true or false", Value::as_bool)
    }

    /// A whole number.
    pub(crate) fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        self.read(key, "a whole number", Value::as_i64)
    }

    /// A list of texts; absent is the empty list.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, ApiError> {
        let list = self.read(key, "a list of strings", Value::as_array)?.map_or(&[][..], Vec::as_slice);
        let text = |(index, value): (usize, &Value)| match value.as_str() {
            Some(text) => Ok(text.to_owned()),
            None => Err(wrong_type(&format!("{}[{index}]", self.path_of(key)), "a string", value)),
        };
        list.iter().enumerate().map(text).collect()
    }

    fn read<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(wrong_type(&self.path_of(key), expected, value)),
        }
    }
}

/// The error of a member that has the wrong type.
pub(crate) fn wrong_type(path: &str, expected: &str, value: &Value) -> ApiError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    invalid(path, &format!("expected {expected}, found {found}"))
}

/// The error of a member whose value cannot be used.
pub(crate) fn invalid(path: &str, reason: &str) -> ApiError {
    let subject = if path.is_empty() { "the request body" } else { path };
    let attr = (!path.is_empty()).then(|| attr(path));
    ApiError::parse_error(attr, format!("{subject}: {reason}"))
}

/// A path as `attr` gives it: `filterGroup.values[0].key` is `filterGroup__values__0__key`.
fn attr(path: &str) -> String {
    path.replace(']', "").replace(['.', '['], "__")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn detail(error: Result<impl std::fmt::Debug, ApiError>) -> String {
        error.unwrap_err().to_string()
    }

    #[test]
    fn members_of_the_right_type_are_read() {
        let value = json!({ "t": "x", "e": "", "b": true, "i": 5, "l": ["a", "b"], "n": null });
        let fields = Fields::of(&value, "").unwrap();
        assert_eq!(fields.text("t").unwrap(), Some("x"));
        assert_eq!(fields.filled_text("e").unwrap(), None);
        assert_eq!(fields.boolean("b").unwrap(), Some(true));
        assert_eq!(fields.integer("i").unwrap(), Some(5));
        assert_eq!(fields.texts("l").unwrap(), ["a", "b"]);
        for absent in ["n", "missing"] {
            assert_eq!(fields.text(absent).unwrap(), None);
            assert_eq!(fields.texts(absent).unwrap(), [""; 0]);
        }
    }

    #[test]
    fn members_of_the_wrong_type_are_named() {
        let value = json!({ "t": 1, "i": 1.5, "l": ["a", 2], "m": "a" });
        let fields = Fields::of(&value, "query").unwrap();
        assert_eq!(detail(fields.text("t")), "400 parse_error: query.t: expected a string, found a number");
        assert_eq!(
            detail(fields.integer("i")),
            "400 parse_error: query.i: expected a whole number, found a number"
        );
        assert_eq!(
            detail(fields.texts("l")),
            "400 parse_error: query.l[1]: expected a string, found a number"
        );
        assert_eq!(
            detail(fields.texts("m")),
            "400 parse_error: query.m: expected a list of strings, found a string"
        );
        assert_eq!(
            detail(Fields::of(&json!([]), "query")),
            "400 parse_error: query: expected an object, found a list"
        );
        assert_eq!(
            detail(Fields::of(&json!(1), "")),
            "400 parse_error: the request body: expected an object, found a number"
        );
    }

    #[test]
    fn attr_joins_the_path_with_double_underscores() {
        assert_eq!(attr("filterGroup.values[0].values[12].key"), "filterGroup__values__0__values__12__key");
    }
}
