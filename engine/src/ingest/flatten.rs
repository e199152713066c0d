//! The members of a JSON body as attributes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json_value::JsonValue;
use crate::schema::AttributeType;

/// Most attributes that a body becomes.
const MAX_KEYS: usize = 50;

/// A longer key is left out: nested members repeat the keys above them.
const MAX_KEY_BYTES: usize = 1024;

/// One attribute.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FlatAttribute {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) value_type: AttributeType,
}

/// The first scalars of a body that is a JSON object or list, by their paths: `a.b.0`. Empty lists and objects have
/// none. Of any other body nothing, also when it is damaged further on.
pub(super) fn flatten(body: &str) -> Vec<FlatAttribute> {
    if !body.trim_start().starts_with(['{', '[']) {
        return Vec::new();
    }
    let mut flat = Flat { attributes: Vec::new(), path: String::new() };
    let mut document = serde_json::Deserializer::from_str(body);
    let read = Members(&mut flat).deserialize(&mut document).and_then(|()| document.end());
    match read {
        Ok(()) => flat.attributes,
        Err(_) => Vec::new(),
    }
}

struct Flat {
    attributes: Vec<FlatAttribute>,
    path: String,
}

impl Flat {
    fn is_full(&self) -> bool {
        self.attributes.len() >= MAX_KEYS
    }

    fn push(&mut self, value: &JsonValue<'_>) {
        if !self.is_full() && self.path.len() <= MAX_KEY_BYTES {
            self.attributes.push(FlatAttribute {
                key: self.path.clone(),
                text: value.text().into_owned(),
                value_type: value.attribute_type(),
            });
        }
    }

    /// Goes one step down, and gives back where to return to.
    fn enter(&mut self, step: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(step);
        length
    }
}

/// Takes the members of a value, or the value itself at the path.
struct Members<'f>(&'f mut Flat);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push(&JsonValue::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push(&JsonValue::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.0.push(&JsonValue::Int(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        let value = i64::try_from(value).map_or(JsonValue::Double(value as f64), JsonValue::Int);
        self.0.push(&value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.0.push(&JsonValue::Double(value));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.0.push(&JsonValue::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            if self.0.is_full() {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                break;
            }
            let length = self.0.enter(&index.to_string());
            let item = items.next_element_seed(Members(self.0))?;
            self.0.path.truncate(length);
            if item.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<JsonValue<'de>>()? {
            let JsonValue::Text(key) = key else { return Err(A::Error::custom("a key is no string")) };
            if self.0.is_full() || self.0.path.len() > MAX_KEY_BYTES {
                entries.next_value::<IgnoredAny>()?;
                continue;
            }
            let length = self.0.enter(&key);
            entries.next_value_seed(Members(self.0))?;
            self.0.path.truncate(length);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let flat = flatten(body);
        let pairs =
            flat.iter().map(|flat| format!("{}={}:{}", flat.key, flat.text, flat.value_type.letter()));
        assert_eq!(pairs.collect::<Vec<_>>().join(" "), expected, "{body}");
    }

    #[test]
    fn members_are_named_by_their_paths() {
        check(
            r#"{"a":1,"b":{"c":"x","d":[true,null,{"e":1.5}]}}"#,
            "a=1:i b.c=x:s b.d.0=true:b b.d.1=:n b.d.2.e=1.5:d",
        );
        check(r#" [1,[2],{"k.l":"v"}]"#, "0=1:i 1.0=2:i 2.k.l=v:s");
        check(r#"{"a":{},"b":[]}"#, "");
    }

    #[test]
    fn other_bodies_have_no_members() {
        for body in ["", "text", "5", "\"{}\"", "{", "{\"a\":1} x", "{\"a\":1,}", "[1", &"[".repeat(10_000)] {
            check(body, "");
        }
    }

    #[test]
    fn the_first_fifty_are_taken() {
        let body = serde_json::json!({ "list": (0..60).collect::<Vec<_>>(), "z": { "late": 1 } }).to_string();
        let flat = flatten(&body);
        assert_eq!((flat.len(), flat[0].key.as_str(), flat[49].key.as_str()), (50, "list.0", "list.49"));
    }

    #[test]
    fn a_long_key_is_left_out_and_never_multiplied() {
        let long = "k".repeat(2_000);
        let body = serde_json::json!({ &long: { "a": 1, "b": 2 }, "short": 3 }).to_string();
        check(&body, "short=3:i");
    }
}
