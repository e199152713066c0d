//! The values of a request about the trail: of a query string, or of the `filters` of a body.

use serde_json::{Map, Value};

use crate::api::iso_time;
use crate::error::ApiError;

/// Most members of one list.
const MAX_LIST: usize = 1_000;

/// Where values are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    /// Names and texts in the order of a query string.
    Query(&'a [(String, String)]),
    /// Members of an object.
    Body(&'a Map<String, Value>),
}

impl Values<'_> {
    /// A text, trimmed; none when it is absent, null or blank.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        let text = match self {
            Self::Query(pairs) => pairs.iter().rfind(|(key, _)| key == name).map(|(_, text)| text.clone()),
            Self::Body(members) => match members.get(name) {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(Value::Number(number)) => Some(number.to_string()),
                Some(_) => return Err(invalid(name, "not a valid string")),
            },
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// An instant, microseconds.
    pub(super) fn instant(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let instant = iso_time::parse(&text);
        instant.map(Some).ok_or_else(|| invalid(name, "not a date and time, such as 2026-01-31T12:00:00Z"))
    }

    /// A truth value; absent, empty and null are none.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        if let Self::Body(members) = self
            && let Some(Value::Bool(flag)) = members.get(name)
        {
            return Ok(Some(*flag));
        }
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Ok(Some(true)),
            "false" | "f" | "no" | "n" | "off" | "0" => Ok(Some(false)),
            "null" => Ok(None),
            _ => Err(invalid(name, "must be a valid boolean")),
        }
    }

    /// A list of texts; absent is none. In a query string it is the name repeated, numbered (`name[0]`), or one JSON
    /// array.
    pub(super) fn list(&self, name: &str) -> Result<Option<Vec<String>>, ApiError> {
        let Some(items) = self.items(name)? else { return Ok(None) };
        if items.len() > MAX_LIST {
            let detail = format!("{} members, at most {MAX_LIST}", items.len());
            return Err(ApiError::validation("max_length", Some(name.to_owned()), detail));
        }
        let text = |(index, item): (usize, &Value)| {
            let attr = format!("{name}__{index}");
            match item {
                Value::String(text) if text.trim().is_empty() => {
                    Err(ApiError::validation("blank", Some(attr), "this field may not be blank"))
                }
                Value::String(text) => Ok(text.trim().to_owned()),
                Value::Number(number) => Ok(number.to_string()),
                _ => Err(ApiError::validation("invalid_input", Some(attr), "not a valid string")),
            }
        };
        items.iter().enumerate().map(text).collect::<Result<_, _>>().map(Some)
    }

    fn items(&self, name: &str) -> Result<Option<Vec<Value>>, ApiError> {
        match self {
            Self::Query(pairs) => {
                let texts: Vec<&str> = pairs
                    .iter()
                    .filter(|(key, _)| key == name || is_numbered(key, name))
                    .map(|(_, text)| text.as_str())
                    .collect();
                Ok(match texts.as_slice() {
                    [] => None,
                    [one] => Some(json_array(one).unwrap_or_else(|| vec![Value::from(*one)])),
                    many => Some(many.iter().map(|text| Value::from(*text)).collect()),
                })
            }
            Self::Body(members) => match members.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::Array(items)) => Ok(Some(items.clone())),
                Some(_) => {
                    let detail = "expected a list of items";
                    Err(ApiError::validation("not_a_list", Some(name.to_owned()), detail))
                }
            },
        }
    }

    /// An object: of a query string, JSON text.
    pub(super) fn object(&self, name: &str) -> Result<Option<Map<String, Value>>, ApiError> {
        let value = match self {
            Self::Query(_) => match self.text(name)? {
                None => return Ok(None),
                Some(text) => serde_json::from_str(&text).map_err(|_| invalid(name, "not valid JSON"))?,
            },
            Self::Body(members) => members.get(name).cloned().unwrap_or_default(),
        };
        match value {
            Value::Null => Ok(None),
            Value::Object(members) => Ok(Some(members)),
            _ => Err(invalid(name, "must be a JSON object")),
        }
    }
}

/// `name[0]`, `name[1]`, ...
fn is_numbered(key: &str, name: &str) -> bool {
    let number = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn json_array(text: &str) -> Option<Vec<Value>> {
    let text = text.trim();
    if !(text.starts_with('[') && text.ends_with(']')) {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// 400 about a member.
pub(super) fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::validation("invalid_input", Some(name.to_owned()), format!("{name}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn list(sent: &[(&str, &str)], expected: &[&str]) {
        let pairs = pairs(sent);
        assert_eq!(Values::Query(&pairs).list("s").unwrap().unwrap(), expected, "{sent:?}");
    }

    #[test]
    fn lists_are_repeated_numbered_or_json() {
        list(&[("s", "a"), ("s", "b")], &["a", "b"]);
        list(&[("s[0]", "a"), ("s[1]", "b"), ("s[x]", "c")], &["a", "b"]);
        list(&[("s", r#"["a", "b"]"#)], &["a", "b"]);
        list(&[("s", "a,b")], &["a,b"]);
        list(&[("s", "[a")], &["[a"]);
        list(&[("s", "[a]")], &["[a]"]);
        assert_eq!(Values::Query(&[]).list("s").unwrap(), None);
        let blank = pairs(&[("s", "a"), ("s", " ")]);
        let error = Values::Query(&blank).list("s").unwrap_err();
        assert_eq!((error.code(), error.attr()), ("blank", Some("s__1")));
        let body = json!({ "s": "a", "n": null, "l": ["a", 1], "bad": [{}] });
        let values = Values::Body(body.as_object().unwrap());
        assert_eq!(values.list("s").unwrap_err().code(), "not_a_list");
        assert_eq!(values.list("n").unwrap(), None);
        assert_eq!(values.list("l").unwrap().unwrap(), ["a", "1"]);
        assert_eq!(values.list("bad").unwrap_err().attr(), Some("bad__0"));
    }

    #[test]
    fn nothing_is_not_false() {
        for (text, expected) in [
            ("", None),
            ("null", None),
            ("Null", None),
            ("true", Some(true)),
            ("T", Some(true)),
            ("off", Some(false)),
        ] {
            let pairs = pairs(&[("f", text)]);
            assert_eq!(Values::Query(&pairs).flag("f").unwrap(), expected, "{text}");
        }
        assert_eq!(Values::Query(&[]).flag("f").unwrap(), None);
        assert!(Values::Query(&pairs(&[("f", "2")])).flag("f").is_err());
        let body = json!({ "f": false, "g": "yes", "h": [] });
        let values = Values::Body(body.as_object().unwrap());
        assert_eq!((values.flag("f").unwrap(), values.flag("g").unwrap()), (Some(false), Some(true)));
        assert!(values.flag("h").is_err());
    }

    #[test]
    fn objects_are_json_text_or_members() {
        let sent = pairs(&[("o", r#"{"a": 1}"#), ("p", "{"), ("q", "[]")]);
        let values = Values::Query(&sent);
        assert_eq!(values.object("o").unwrap().unwrap()["a"], 1);
        assert!(values.object("p").is_err() && values.object("q").is_err());
        assert_eq!(values.object("r").unwrap(), None);
    }
}
