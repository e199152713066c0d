//! What a test of an entry's detail means.
//!
//! A path names values inside of the detail, which is JSON: none, one, or with `[]` as many as lists have elements.
//! A test holds when it holds for any of them, null excepted.

use std::fmt;

use serde_json::{Number, Value};

use crate::error::{Error, Result};
use crate::query::filter::TextSearch;

/// Where values are inside of a detail: `changes[].field`, `context.level`, `changes.0.after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailPath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    /// Of a member of an object, or a number of an element from 0.
    key: String,
    /// Whether all elements of the list there are meant.
    is_list: bool,
}

impl DetailPath {
    /// Reads a path: names joined by dots, each perhaps followed by `[]`.
    ///
    /// # Errors
    /// `InvalidRequest` when a name is empty.
    pub fn parse(text: &str) -> Result<Self> {
        let segments = text.split('.').map(|segment| {
            let (key, is_list) = match segment.strip_suffix("[]") {
                Some(key) => (key, true),
                None => (segment, false),
            };
            match key.is_empty() {
                true => Err(Error::invalid_request(format!("the path {text:?} has an empty part"))),
                false => Ok(Segment { key: key.to_owned(), is_list }),
            }
        });
        segments.collect::<Result<_>>().map(Self)
    }

    /// The names of members and the numbers of elements that it is made of.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|segment| segment.key.as_str())
    }

    /// Whether `test` holds for any value that the path leads to.
    fn any(&self, detail: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
        any_below(&self.0, detail, test)
    }
}

fn any_below(path: &[Segment], value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    let Some((segment, rest)) = path.split_first() else { return !value.is_null() && test(value) };
    let Some(found) = member(value, &segment.key) else { return false };
    match (segment.is_list, found) {
        (false, found) => any_below(rest, found, test),
        (true, Value::Array(elements)) => elements.iter().any(|element| any_below(rest, element, test)),
        (true, _) => false,
    }
}

fn member<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(key),
        Value::Array(elements) => elements.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

impl fmt::Display for DetailPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.0.iter().enumerate() {
            let (dot, list) = (if index > 0 { "." } else { "" }, if segment.is_list { "[]" } else { "" });
            write!(f, "{dot}{}{list}", segment.key)?;
        }
        Ok(())
    }
}

/// A test of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum DetailTest {
    /// It is one of these; none of an empty list.
    IsAny(Vec<DetailValue>),
    /// Its text contains this, ignoring case. The text of a string is itself, that of anything else its JSON.
    Contains(String),
}

/// A value that is no list and no object.
#[derive(Clone, Debug, PartialEq)]
pub enum DetailValue {
    /// Case matters.
    Text(String),
    /// Numbers are equal by value: 42 is 42.0.
    Number(Number),
    /// A truth value.
    Bool(bool),
}

impl DetailValue {
    fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(text), Value::String(other)) => text == other,
            (Self::Number(number), Value::Number(other)) => is_equal(number, other),
            (Self::Bool(flag), Value::Bool(other)) => flag == other,
            _ => false,
        }
    }
}

fn is_equal(left: &Number, right: &Number) -> bool {
    let whole = |number: &Number| number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left.as_f64() == right.as_f64(),
    }
}

/// Tests that all have to hold, ready to be run.
pub(super) struct DetailTests(Vec<(DetailPath, ReadyTest)>);

enum ReadyTest {
    IsAny(Vec<DetailValue>),
    Contains(TextSearch),
}

impl DetailTests {
    /// Makes tests ready.
    ///
    /// # Errors
    /// `LimitExceeded` when a text is too long to be looked for.
    pub(super) fn new(tests: &[(DetailPath, DetailTest)]) -> Result<Self> {
        let ready = tests.iter().map(|(path, test)| {
            let test = match test {
                DetailTest::IsAny(values) => ReadyTest::IsAny(values.clone()),
                DetailTest::Contains(text) => ReadyTest::Contains(TextSearch::new("detail_filters", text)?),
            };
            Ok((path.clone(), test))
        });
        ready.collect::<Result<_>>().map(Self)
    }

    /// Whether all hold for a detail. Of text that is no JSON none does.
    pub(super) fn hold(&self, detail: &str) -> bool {
        let Ok(detail) = serde_json::from_str::<Value>(detail) else { return false };
        self.0.iter().all(|(path, test)| match test {
            ReadyTest::IsAny(accepted) => {
                path.any(&detail, &|value| accepted.iter().any(|accepted| accepted.is(value)))
            }
            ReadyTest::Contains(search) => path.any(&detail, &|value| match value {
                Value::String(text) => search.is_in(text),
                other => search.is_in(&spaced(other)),
            }),
        })
    }
}

/// JSON as the trail has it: a space after each colon and comma.
pub(super) fn spaced(value: &Value) -> String {
    crate::activity::spaced_json(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETAIL: &str = r#"{"name": "Check", "short_id": null, "tags": ["a", "b"], "n": 42.0, "on": true,
        "changes": [{"field": "enabled", "after": false, "before": {"K": [1, 2]}}, {"field": "name", "after": "x"}]}"#;

    #[track_caller]
    fn check(path: &str, test: DetailTest, expected: bool) {
        let tests = DetailTests::new(&[(DetailPath::parse(path).unwrap(), test.clone())]).unwrap();
        assert_eq!(tests.hold(DETAIL), expected, "{path} {test:?}");
    }

    fn is(value: DetailValue) -> DetailTest {
        DetailTest::IsAny(vec![value])
    }

    fn text(text: &str) -> DetailTest {
        is(DetailValue::Text(text.into()))
    }

    fn contains(text: &str) -> DetailTest {
        DetailTest::Contains(text.into())
    }

    #[test]
    fn values_are_found_by_their_paths() {
        check("name", text("Check"), true);
        check("name", text("check"), false);
        check("changes[].field", text("name"), true);
        check("changes.1.field", text("name"), true);
        check("changes.0.field", text("name"), false);
        check("changes.field", text("name"), false);
        check("changes[].before.K[]", is(DetailValue::Number(2.into())), true);
        check("tags[]", text("b"), true);
        check("tags", text("b"), false);
        check("name[]", text("Check"), false);
        check("n", is(DetailValue::Number(42.into())), true);
        check("n", text("42"), false);
        check("on", is(DetailValue::Bool(true)), true);
        check("changes[].after", is(DetailValue::Bool(false)), true);
        check("absent.path", text("x"), false);
        check("name", DetailTest::IsAny(vec![]), false);
    }

    #[test]
    fn contains_searches_the_text_of_a_value() {
        check("name", contains("HECK"), true);
        check("name", contains("%"), false);
        check("changes[].field", contains("able"), true);
        check("changes[].field", contains("after"), false);
        check("changes", contains("\"k\": [1, 2]"), true);
        check("changes[].before", contains("k"), true);
        check("on", contains("TRU"), true);
        check("short_id", contains("null"), false);
        check("absent", contains(""), false);
    }

    #[test]
    fn whole_numbers_are_compared_without_rounding() {
        let large = |text: &str| serde_json::from_str::<Number>(text).unwrap();
        assert!(!is_equal(&large("9007199254740993"), &large("9007199254740992")));
        assert!(is_equal(&large("9007199254740992"), &large("9007199254740992.0")));
        assert!(is_equal(&large("18446744073709551615"), &large("18446744073709551615")));
    }

    #[test]
    fn paths_read_as_they_are_written() {
        for path in ["name", "changes[].after", "a.0.b[]"] {
            assert_eq!(DetailPath::parse(path).unwrap().to_string(), path);
        }
        for path in ["", ".a", "a.", "a..b", "[]", "a.[]"] {
            assert!(DetailPath::parse(path).is_err(), "{path}");
        }
    }
}
