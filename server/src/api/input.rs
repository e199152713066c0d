//! Reading the members of a body that writes something: typed, bounded, with the code and the member of what is wrong.
//!
//! What is absent is `None`, so that a partial update leaves it as it is. Texts are trimmed. Members that nobody asks
//! for are ignored.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::form::is_form;
use crate::error::ApiError;

/// The members of one object of a body.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a> {
    object: &'a Map<String, Value>,
    /// Where the object stands, with `__` between members; empty for the body itself.
    path: String,
    /// Whether all values are text, and truth values and numbers are to be read from it.
    is_form: bool,
}

impl<'a> Input<'a> {
    /// The body itself.
    ///
    /// # Errors
    /// 400 when it is not an object.
    pub(crate) fn of(body: &'a Value) -> Result<Self, ApiError> {
        let object = body.as_object().ok_or_else(|| {
            ApiError::validation("invalid_input", None, "the request body: expected an object")
        })?;
        Ok(Self { object, path: String::new(), is_form: is_form(object) })
    }

    /// The object at a path of the body.
    ///
    /// # Errors
    /// 400 when it is not an object.
    pub(crate) fn nested(value: &'a Value, path: String) -> Result<Self, ApiError> {
        match value.as_object() {
            Some(object) => Ok(Self { object, path, is_form: false }),
            None => Err(refused("not_a_dict", &path, "expected an object")),
        }
    }

    /// Where a member stands.
    pub(crate) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}__{key}", self.path) }
    }

    /// The member as it is; null is a value.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key)
    }

    /// A member that must be there, as one of the readers gives it.
    ///
    /// # Errors
    /// 400 `required` when it is absent.
    pub(crate) fn required<T>(&self, key: &str, read: Option<T>) -> Result<T, ApiError> {
        read.ok_or_else(|| self.refuse("required", key, "this field is required"))
    }

    /// A text that is not blank and has at most `max_chars` characters.
    pub(crate) fn text(&self, key: &str, max_chars: usize) -> Result<Option<String>, ApiError> {
        let Some(text) = self.text_or_blank(key, max_chars)? else { return Ok(None) };
        if text.is_empty() {
            return Err(self.refuse("blank", key, "this field may not be blank"));
        }
        Ok(Some(text))
    }

    /// A text that may be blank.
    pub(crate) fn text_or_blank(&self, key: &str, max_chars: usize) -> Result<Option<String>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        self.bounded_text(key, value, max_chars).map(Some)
    }

    /// A text that may be blank or null.
    pub(crate) fn nullable_text(
        &self,
        key: &str,
        max_chars: usize,
    ) -> Result<Option<Option<String>>, ApiError> {
        self.nullable(key, |value| self.bounded_text(key, value, max_chars))
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(&self, key: &str, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        let chosen = value.as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        match chosen {
            Some((_, meaning)) => Ok(Some(*meaning)),
            None => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                let reason = format!("{value} is not one of {}", words.join(", "));
                Err(self.refuse("invalid_choice", key, reason))
            }
        }
    }

    /// A truth value.
    pub(crate) fn boolean(&self, key: &str) -> Result<Option<bool>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        self.truth(key, value).map(Some)
    }

    /// A truth value or null.
    pub(crate) fn nullable_boolean(&self, key: &str) -> Result<Option<Option<bool>>, ApiError> {
        self.nullable(key, |value| self.truth(key, value))
    }

    /// A whole number within bounds.
    pub(crate) fn integer(&self, key: &str, bounds: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        self.bounded_integer(key, value, &bounds).map(Some)
    }

    /// A whole number within bounds, or null.
    pub(crate) fn nullable_integer(
        &self,
        key: &str,
        bounds: RangeInclusive<i64>,
    ) -> Result<Option<Option<i64>>, ApiError> {
        self.nullable(key, |value| self.bounded_integer(key, value, &bounds))
    }

    /// A UUID or null.
    pub(crate) fn nullable_uuid(&self, key: &str) -> Result<Option<Option<Uuid>>, ApiError> {
        self.nullable(key, |value| {
            let uuid = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
            uuid.ok_or_else(|| self.refuse("invalid_input", key, "expected a UUID"))
        })
    }

    /// A list of at most `max_len` entries.
    pub(crate) fn list(&self, key: &str, max_len: usize) -> Result<Option<&'a [Value]>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        let list = match value {
            Value::String(_) if self.is_form => Some(std::slice::from_ref(value)),
            value => value.as_array().map(Vec::as_slice),
        };
        let list = list.ok_or_else(|| self.refuse("not_a_list", key, "expected a list"))?;
        if list.len() > max_len {
            return Err(self.refuse("max_length", key, format!("more than {max_len} entries")));
        }
        Ok(Some(list))
    }

    /// A list of texts, each of at most `max_chars` characters and not blank.
    pub(crate) fn texts(
        &self,
        key: &str,
        max_len: usize,
        max_chars: usize,
    ) -> Result<Option<Vec<String>>, ApiError> {
        let Some(list) = self.list(key, max_len)? else { return Ok(None) };
        let text = |(index, value): (usize, &Value)| {
            let text = self.bounded_text(&format!("{key}__{index}"), value, max_chars)?;
            if text.is_empty() {
                return Err(self.refuse("blank", &format!("{key}__{index}"), "this field may not be blank"));
            }
            Ok(text)
        };
        list.iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// An object, stored as given; at most `max_bytes` as compact JSON.
    pub(crate) fn object(
        &self,
        key: &str,
        max_bytes: usize,
    ) -> Result<Option<&'a Map<String, Value>>, ApiError> {
        let Some(value) = self.not_null(key)? else { return Ok(None) };
        let object = value.as_object().ok_or_else(|| self.refuse("not_a_dict", key, "expected an object"))?;
        if value.to_string().len() > max_bytes {
            return Err(self.refuse("max_length", key, format!("larger than {max_bytes} bytes")));
        }
        Ok(Some(object))
    }

    /// The error of a member.
    pub(crate) fn refuse(&self, code: &'static str, key: &str, reason: impl Display) -> ApiError {
        refused(code, &self.path_of(key), reason)
    }

    fn not_null(&self, key: &str) -> Result<Option<&'a Value>, ApiError> {
        match self.object.get(key) {
            Some(Value::Null) => Err(self.refuse("null", key, "this field may not be null")),
            value => Ok(value),
        }
    }

    fn nullable<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Value) -> Result<T, ApiError>,
    ) -> Result<Option<Option<T>>, ApiError> {
        match self.object.get(key) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) if self.is_form && text.is_empty() => Ok(Some(None)),
            Some(value) => read(value).map(|value| Some(Some(value))),
        }
    }

    fn bounded_text(&self, key: &str, value: &Value, max_chars: usize) -> Result<String, ApiError> {
        let text = match value {
            Value::String(text) => text.trim(),
            Value::Null => return Err(self.refuse("null", key, "this field may not be null")),
            _ => return Err(self.refuse("invalid_input", key, "expected a string")),
        };
        if text.chars().nth(max_chars).is_some() {
            return Err(self.refuse("max_length", key, format!("longer than {max_chars} characters")));
        }
        // No database takes it in a text.
        if text.contains('\0') {
            return Err(self.refuse("invalid_input", key, "a text may not have a null character"));
        }
        Ok(text.to_owned())
    }

    fn truth(&self, key: &str, value: &Value) -> Result<bool, ApiError> {
        let of_form = || {
            let word = value.as_str().filter(|_| self.is_form)?.to_ascii_lowercase();
            match word.as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            }
        };
        let truth = value.as_bool().or_else(of_form);
        truth.ok_or_else(|| self.refuse("invalid_input", key, "expected true or false"))
    }

    fn bounded_integer(
        &self,
        key: &str,
        value: &Value,
        bounds: &RangeInclusive<i64>,
    ) -> Result<i64, ApiError> {
        let of_form = || value.as_str().filter(|_| self.is_form)?.trim().parse().ok();
        let number = value.as_i64().or_else(of_form);
        let number = number.ok_or_else(|| self.refuse("invalid_input", key, "expected a whole number"))?;
        if bounds.contains(&number) {
            return Ok(number);
        }
        let code = if number < *bounds.start() { "min_value" } else { "max_value" };
        let reason = format!("{number} is not between {} and {}", bounds.start(), bounds.end());
        Err(self.refuse(code, key, reason))
    }
}

/// For members of stored changes where null is a value: what is there is some, null as well.
///
/// # Errors
/// When it is not what the member may be.
pub(crate) fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn refused(code: &'static str, path: &str, reason: impl Display) -> ApiError {
    ApiError::validation(code, Some(path.to_owned()), format!("{path}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::form::read_urlencoded;
    use super::*;

    #[test]
    fn what_is_absent_is_none_and_what_is_there_is_read() {
        let body = json!({ "t": " a ", "b": true, "n": null, "i": 7, "l": ["x", "y"], "o": { "k": 1 } });
        let input = Input::of(&body).unwrap();
        assert_eq!(input.text("t", 1).unwrap().as_deref(), Some("a"));
        assert_eq!(input.boolean("b").unwrap(), Some(true));
        assert_eq!(input.nullable_boolean("n").unwrap(), Some(None));
        assert_eq!(input.nullable_text("n", 5).unwrap(), Some(None));
        assert_eq!(input.nullable_integer("n", 0..=9).unwrap(), Some(None));
        assert_eq!(input.integer("i", 0..=9).unwrap(), Some(7));
        assert_eq!(input.texts("l", 2, 1).unwrap().unwrap(), ["x", "y"]);
        assert_eq!(input.object("o", 100).unwrap().unwrap()["k"], 1);
        assert_eq!(input.choice("t", &[(" a ", 5)]).unwrap(), Some(5));
        assert_eq!(input.text("absent", 1).unwrap(), None);
        assert_eq!(input.nullable_uuid("absent").unwrap(), None);
        assert_eq!(input.list("absent", 1).unwrap(), None);
    }

    #[test]
    fn a_form_is_read_like_an_object() {
        let body = read_urlencoded(b"t=a+b%26c&b=Yes&off=0&i=7&l=x&l=%C3%BC&one=y&n=&e").unwrap();
        let input = Input::of(&body).unwrap();
        assert_eq!(input.text("t", 9).unwrap().as_deref(), Some("a b&c"));
        assert_eq!((input.boolean("b").unwrap(), input.boolean("off").unwrap()), (Some(true), Some(false)));
        assert_eq!(input.integer("i", 0..=9).unwrap(), Some(7));
        assert_eq!(input.texts("l", 2, 1).unwrap().unwrap(), ["x", "ü"]);
        assert_eq!(input.texts("one", 2, 1).unwrap().unwrap(), ["y"]);
        assert_eq!(input.nullable_integer("n", 0..=9).unwrap(), Some(None));
        assert_eq!(input.text_or_blank("e", 9).unwrap().as_deref(), Some(""));
        check(input.boolean("t"), "invalid_input", "t");
        check(input.integer("t", 0..=9), "invalid_input", "t");
        check(input.integer("i", 0..=5), "max_value", "i");
    }

    #[track_caller]
    fn check<T: std::fmt::Debug>(read: Result<T, ApiError>, code: &str, attr: &str) {
        let error = read.unwrap_err();
        assert_eq!((error.status().as_u16(), error.code(), error.attr()), (400, code, Some(attr)), "{error}");
    }

    #[test]
    fn what_is_wrong_has_its_code_and_its_member() {
        let body = json!({ "t": "abc", "blank": "  ", "n": null, "i": 10, "l": ["x", ""], "zero": "a\0b" });
        let input = Input::of(&body).unwrap();
        check(input.text("t", 2), "max_length", "t");
        check(input.text("blank", 2), "blank", "blank");
        check(input.text("n", 2), "null", "n");
        check(input.text("i", 2), "invalid_input", "i");
        check(input.text("zero", 9), "invalid_input", "zero");
        check(input.required("gone", input.text("gone", 2).unwrap()), "required", "gone");
        check(input.boolean("t"), "invalid_input", "t");
        check(input.integer("i", 0..=9), "max_value", "i");
        check(input.integer("i", 11..=20), "min_value", "i");
        check(input.integer("t", 0..=9), "invalid_input", "t");
        check(input.list("t", 9), "not_a_list", "t");
        check(input.list("l", 1), "max_length", "l");
        check(input.texts("l", 2, 5), "blank", "l__1");
        check(input.object("l", 9), "not_a_dict", "l");
        check(input.choice("t", &[("x", 1)]), "invalid_choice", "t");
        check(input.nullable_uuid("t"), "invalid_input", "t");
        let nested = Input::nested(&body, "outer__0".into()).unwrap();
        check(nested.text("t", 1), "max_length", "outer__0__t");
        check(Input::nested(&json!([]), "outer".into()), "not_a_dict", "outer");
        assert_eq!(Input::of(&json!([])).unwrap_err().attr(), None);
    }
}
