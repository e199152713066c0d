//! What can stand where the cursor is: words of SQL, tables, columns, functions, keys of attributes.

use reedline::{Completer, CompletionResult, Span, Suggestion};
use serde_json::Value;

use super::super::CliError;
use super::door::Door;

/// Words that statements are made of.
const WORDS: [&str; 46] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "AS",
    "AND",
    "OR",
    "NOT",
    "IN",
    "IS NULL",
    "IS NOT NULL",
    "LIKE",
    "ILIKE",
    "BETWEEN",
    "DISTINCT",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING",
    "WITH",
    "UNION ALL",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "INTERVAL",
    "DESC",
    "ASC",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "COUNT(*)",
    "TRUE",
    "FALSE",
    "NULL",
    "OVER",
    "PARTITION BY",
    "FILTER",
    "EXISTS",
    "VALUES",
    "UNNEST",
];
/// Rows whose attributes are looked at for keys.
const SAMPLED_ROWS: usize = 20_000;

/// Names that are known of a door.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Tables, columns and functions.
    names: Vec<String>,
    /// Keys of the attributes of records.
    keys: Vec<String>,
    /// Keys of the attributes of resources.
    resource_keys: Vec<String>,
}

impl Names {
    /// Asks for them. Keys are those of some of the rows.
    pub(super) async fn ask(door: &Door) -> Result<Self, CliError> {
        let names = "SELECT name FROM system.tables UNION SELECT column_name FROM system.columns \
                     UNION SELECT name FROM system.functions ORDER BY 1";
        let keys = |map: &str| {
            format!(
                "SELECT DISTINCT CAST(key AS VARCHAR) AS key FROM (SELECT unnest(attribute_keys({map})) AS key \
                 FROM (SELECT {map} FROM logs LIMIT {SAMPLED_ROWS}) r) k ORDER BY 1"
            )
        };
        Ok(Self {
            names: texts(door.rows(names).await?),
            keys: texts(door.rows(&keys("attributes")).await?),
            resource_keys: texts(door.rows(&keys("resource_attributes")).await?),
        })
    }

    /// What can stand at the end of a line, and where that begins.
    fn complete(&self, line: &str) -> (usize, Vec<String>) {
        if let Some((start, keys)) = self.open_key(line) {
            let typed = &line[start..];
            return (start, begins_with(keys.iter().map(String::as_str), typed, |key| format!("{key}']")));
        }
        let is_of_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '.');
        let start = line.char_indices().rev().take_while(|(_, char)| is_of_word(*char)).last();
        let start = start.map_or(line.len(), |(start, _)| start);
        let typed = &line[start..];
        if typed.is_empty() {
            return (start, Vec::new());
        }
        let mut found = begins_with(self.names.iter().map(String::as_str), typed, str::to_owned);
        found.extend(begins_with(WORDS.into_iter(), typed, str::to_owned));
        (start, found)
    }

    /// Where the key begins that is being typed, and the keys that it can be.
    fn open_key(&self, line: &str) -> Option<(usize, &[String])> {
        let start = line.rfind("['")? + 2;
        if line[start..].contains('\'') {
            return None;
        }
        let before = line[..start - 2].trim_end().to_ascii_lowercase();
        if before.ends_with("resource_attributes") {
            return Some((start, &self.resource_keys));
        }
        before.ends_with("attributes").then_some((start, &self.keys))
    }
}

fn begins_with<'a>(
    names: impl Iterator<Item = &'a str>,
    typed: &str,
    written: impl Fn(&str) -> String,
) -> Vec<String> {
    let is_meant =
        |name: &&str| name.get(..typed.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(typed));
    names.filter(is_meant).map(written).collect()
}

fn texts(rows: Vec<Vec<Value>>) -> Vec<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()?.as_str().map(str::to_owned)).collect()
}

impl Completer for Names {
    fn complete(&mut self, line: &str, position: usize) -> CompletionResult {
        let (start, found) = match line.get(..position) {
            Some(line) => Names::complete(self, line),
            None => (position, Vec::new()),
        };
        let suggestion =
            |value| Suggestion { value, span: Span::new(start, position), ..Suggestion::default() };
        CompletionResult::fresh(found.into_iter().map(suggestion).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_completed_by_what_can_stand_there() {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let names = Names {
            names: owned(&["logs", "body", "system.tables"]),
            keys: owned(&["http.route", "http.status", "user.id"]),
            resource_keys: owned(&["host.name"]),
        };
        for (line, start, expected) in [
            ("SELECT bo", 7, &["body"][..]),
            ("sel", 0, &["SELECT"]),
            ("SELECT * FROM system.t", 14, &["system.tables"]),
            ("SELECT attributes['http.", 19, &["http.route']", "http.status']"]),
            ("SELECT resource_attributes['", 28, &["host.name']"]),
            ("SELECT attributes['user.id'], bo", 30, &["body"]),
            ("SELECT ", 7, &[]),
        ] {
            assert_eq!(names.complete(line), (start, owned(expected)), "{line}");
        }
    }
}
