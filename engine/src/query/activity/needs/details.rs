//! What details have that contain a text or pass a test.
//!
//! Details are JSON text. The letters of a text stand in it as they are, apart from those behind a backslash; a text that
//! is looked for is therefore written as JSON before it is cut into words, as the details were. A sidecar has the words
//! of details as they are stored and, where a letter is written as its number there, as this program writes them too.

use crate::index::ids::{DETAIL_VALUES, number_in_detail, text_in_detail};
use crate::index::words::Needle;
use crate::query::activity::detail::{DetailPath, DetailTest, DetailValue};
use crate::query::filter::{BodyTest, IdTest};

/// The words of details that contain a text.
pub(super) fn words_of_text(text: &str) -> Option<BodyTest> {
    words_test([vec![Needle::new(text)]])
}

/// The words of details that pass a test.
pub(super) fn words_of(path: &DetailPath, test: &DetailTest) -> Option<BodyTest> {
    words_test(alternatives(path, test))
}

/// The values of which details that pass a test have one; none when others do as well.
pub(super) fn ids_of(test: &DetailTest) -> Option<IdTest> {
    let DetailTest::IsAny(values) = test else { return None };
    let ids = values.iter().map(|value| match value {
        DetailValue::Text(text) => Some(text_in_detail(text)),
        DetailValue::Number(number) => Some(number_in_detail(number)),
        DetailValue::Bool(_) => None,
    });
    IdTest::of_column(DETAIL_VALUES, ids.collect::<Option<Vec<_>>>()?)
}

/// The texts of which a detail that passes a test has all of one group.
fn alternatives(path: &DetailPath, test: &DetailTest) -> Vec<Vec<Needle>> {
    // Names of members stand between quotes. A number of an element has no letters, and says nothing here.
    let names: Vec<Needle> = path.names().map(|name| Needle::new(&quoted(name))).collect();
    let with_names = |needle: Needle| names.iter().cloned().chain([needle]).collect::<Vec<_>>();
    match test {
        DetailTest::IsAny(values) => values
            .iter()
            .map(|value| match value {
                DetailValue::Text(text) => with_names(Needle::new(&quoted(text))),
                DetailValue::Bool(flag) => with_names(Needle::new(&format!(" {flag} "))),
                DetailValue::Number(_) => names.clone(),
            })
            .collect(),
        DetailTest::Contains(text) => {
            // The value is a text, or its own JSON is searched, which is a part of the detail's.
            let escaped = quoted(text);
            let escaped = escaped.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
            let mut groups = vec![with_names(Needle::new(escaped))];
            if escaped != text {
                groups.push(with_names(Needle::new(text)));
            }
            groups
        }
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// None where some group has no word that is known, so that it says nothing.
fn words_test(groups: impl IntoIterator<Item = Vec<Needle>>) -> Option<BodyTest> {
    let alternatives: Vec<Vec<Needle>> = groups.into_iter().collect();
    let says_something = |group: &Vec<Needle>| group.iter().any(Needle::is_known);
    let is_test = !alternatives.is_empty() && alternatives.iter().all(says_something);
    is_test.then_some(BodyTest { alternatives, is_contained: false })
}
