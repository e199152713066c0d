//! JSON values of unknown shape, read without building their trees: a scalar as itself, a list or an object as its
//! compact text. Memory stays in proportion to the text, however it nests.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::value_text::{push_double, push_int, push_json_double, push_json_string};
use crate::schema::AttributeType;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum JsonValue<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    /// Borrowed where it has no escapes.
    Text(Cow<'a, str>),
    /// Compact JSON.
    Array(String),
    /// Compact JSON.
    Object(String),
}

impl JsonValue<'_> {
    /// The type of an attribute with this value.
    pub(super) fn attribute_type(&self) -> AttributeType {
        match self {
            Self::Null => AttributeType::Null,
            Self::Bool(_) => AttributeType::Bool,
            Self::Int(_) => AttributeType::Int,
            Self::Double(_) => AttributeType::Double,
            Self::Text(_) => AttributeType::Text,
            Self::Array(_) => AttributeType::Array,
            Self::Object(_) => AttributeType::Map,
        }
    }

    /// The text of an attribute or a body with this value; null is empty.
    pub(super) fn text(&self) -> Cow<'_, str> {
        let mut text = String::new();
        match self {
            Self::Null => {}
            Self::Bool(value) => return Cow::Borrowed(if *value { "true" } else { "false" }),
            Self::Int(value) => push_int(&mut text, *value),
            Self::Double(value) => push_double(&mut text, *value),
            Self::Text(value) => return Cow::Borrowed(value),
            Self::Array(json) | Self::Object(json) => return Cow::Borrowed(json),
        }
        Cow::Owned(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for JsonValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = JsonValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonValue<'de>, E> {
        Ok(i64::try_from(value).map_or(JsonValue::Double(value as f64), JsonValue::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Double(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<JsonValue<'de>, E> {
        Ok(JsonValue::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<JsonValue<'de>, A::Error> {
        let mut json = String::new();
        CompactJson(&mut json).visit_seq(items)?;
        Ok(JsonValue::Array(json))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<JsonValue<'de>, A::Error> {
        let mut json = String::new();
        CompactJson(&mut json).visit_map(entries)?;
        Ok(JsonValue::Object(json))
    }
}

/// Appends any value as compact JSON.
struct CompactJson<'s>(&'s mut String);

impl<'de> DeserializeSeed<'de> for CompactJson<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CompactJson<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.0.push_str("null");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        push_int(self.0, value);
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        fmt::Write::write_fmt(self.0, format_args!("{value}")).map_err(E::custom)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        push_json_double(self.0, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        push_json_string(self.0, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.push('[');
        let start = self.0.len();
        loop {
            let end = self.0.len();
            if end > start {
                self.0.push(',');
            }
            if items.next_element_seed(CompactJson(self.0))?.is_none() {
                self.0.truncate(end);
                self.0.push(']');
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.push('{');
        let mut separator = "";
        while let Some(key) = entries.next_key::<JsonValue<'de>>()? {
            let JsonValue::Text(key) = key else { return Err(A::Error::custom("a key is no string")) };
            self.0.push_str(separator);
            push_json_string(self.0, &key);
            self.0.push(':');
            entries.next_value_seed(CompactJson(self.0))?;
            separator = ",";
        }
        self.0.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expected: &str, letter: char) {
        let value: JsonValue<'_> = serde_json::from_str(json).unwrap();
        assert_eq!((&*value.text(), value.attribute_type().letter()), (expected, letter), "{json}");
    }

    #[test]
    fn scalars_are_themselves_and_the_rest_compact_json() {
        check("null", "", 'n');
        check("true", "true", 'b');
        check("-5", "-5", 'i');
        check("500.0", "500.0", 'd');
        check("18446744073709551615", "1.8446744073709552e+19", 'd');
        check(r#""a\n\u00fc""#, "a\nü", 's');
        check("[ ]", "[]", 'a');
        check(r#"[1, [ ], "x\"", {"a" : null}]"#, r#"[1,[],"x\"",{"a":null}]"#, 'a');
        check(
            r#"{ "a" : { "b\\" : [ 1.5, 18446744073709551615 ] }, "c" : "" }"#,
            r#"{"a":{"b\\":[1.5,18446744073709551615]},"c":""}"#,
            'm',
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(serde_json::from_str::<JsonValue<'_>>(&deep).is_err());
    }
}
