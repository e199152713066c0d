//! The severity that a JSON body names for itself.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

use crate::schema::SeverityText;

/// Keys that may name a level, the first that does wins. The dots are part of the key.
const LEVEL_KEYS: [&str; 4] = ["level", "severity", "log.level", "config.log_level"];

/// The severity named by a body that is a JSON object, if any.
pub(super) fn body_level(body: &str) -> Option<SeverityText> {
    if !body.trim_start().starts_with('{') {
        return None;
    }
    let levels: Levels = serde_json::from_str(body).ok()?;
    levels.0.into_iter().flatten().next()
}

/// What each of [`LEVEL_KEYS`] says.
struct Levels([Option<SeverityText>; LEVEL_KEYS.len()]);

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LevelsVisitor)
    }
}

struct LevelsVisitor;

impl<'de> Visitor<'de> for LevelsVisitor {
    type Value = Levels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Levels, A::Error> {
        let mut levels = [None; LEVEL_KEYS.len()];
        while let Some(Key(key)) = map.next_key()? {
            match LEVEL_KEYS.iter().position(|level_key| *level_key == key) {
                Some(index) => levels[index] = map.next_value::<LevelWord>()?.0,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Levels(levels))
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value that may be a level's name; any other value is none.
struct LevelWord(Option<SeverityText>);

impl<'de> Deserialize<'de> for LevelWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().and_then(SeverityText::from_name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<&str>) {
        assert_eq!(body_level(body).map(SeverityText::as_str), expected, "{body}");
    }

    #[test]
    fn levels_are_read_from_json_objects_only() {
        check(r#"{"level":"ERROR"}"#, Some("error"));
        check(r#" {"msg":"x","severity":"Warn"}"#, Some("warn"));
        check(r#"{"log.level":"debug"}"#, Some("debug"));
        check(r#"{"config.log_level":"trace","log.level":"fatal"}"#, Some("fatal"));
        check(r#"{"severity":"info","level":"fatal"}"#, Some("fatal"));
        check(r#"{"level":"notice","severity":"error"}"#, Some("error"));
        check(r#"{"level":{"deep":[1,2]}}"#, None);
        check(r#"{"log":{"level":"error"}}"#, None);
        check(r#"["level","error"]"#, None);
        check("level=error", None);
        check(r#"{"level":"error""#, None);
        check("", None);
    }
}
