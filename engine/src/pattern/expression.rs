//! A template as a regular expression and as text to search for.

use regex::{Regex, RegexBuilder};

use super::value::Value;
use super::{ANY_WORD, CUT};

/// Longer expressions are not given: a filter would not take them.
const MAX_EXPRESSION_BYTES: usize = 2 * 1024;
/// Larger compiled expressions are not given either.
const MAX_PROGRAM_BYTES: usize = 1024 * 1024;
/// Shorter text is in too many other bodies.
const MIN_LITERAL_CHARS: usize = 3;

/// A piece of a template.
enum Piece<'a> {
    /// The same in every body, but for white space.
    Text(&'a str),
    Value(Value),
    AnyWord,
}

/// A regular expression that every body of the template matches, tried on `examples`; none when it would be too large
/// to be of use. It may match other bodies.
pub(crate) fn match_regex<'e>(pattern: &str, mut examples: impl Iterator<Item = &'e str>) -> Option<String> {
    let expression = expression(pattern);
    if expression.len() > MAX_EXPRESSION_BYTES {
        return None;
    }
    let compiled: Regex = RegexBuilder::new(&expression).size_limit(MAX_PROGRAM_BYTES).build().ok()?;
    examples.all(|example| compiled.is_match(example)).then_some(expression)
}

fn expression(pattern: &str) -> String {
    let (pattern, end) = match pattern.strip_suffix(CUT) {
        Some(beginning) => (beginning, ""),
        None => (pattern, r"\s*$"),
    };
    let mut expression = String::from(r"(?s)^\s*");
    for piece in pieces(pattern) {
        match piece {
            Piece::Text(text) => {
                // White space of any kind and length is one space in a pattern.
                let words: Vec<String> = text.split(' ').map(regex::escape).collect();
                expression.push_str(&words.join(r"\s+"));
            }
            // A body may have the marker itself.
            Piece::Value(value) => {
                expression.push_str(&format!("(?:{}|{})", value.expression(), value.marker()));
            }
            Piece::AnyWord => expression.push_str(".+?"),
        }
    }
    expression + end
}

/// The longest text that is in every body of the template, as it stands; none when all are short.
pub(crate) fn match_literal(pattern: &str) -> Option<String> {
    let texts = pieces(pattern.strip_suffix(CUT).unwrap_or(pattern)).filter_map(|piece| match piece {
        Piece::Text(text) => Some(text),
        Piece::Value(_) | Piece::AnyWord => None,
    });
    let words = texts.flat_map(|text| text.split(' '));
    let long_enough = words.filter(|word| word.chars().count() >= MIN_LITERAL_CHARS);
    // The first of the longest ones.
    long_enough
        .reduce(|longest, word| if word.len() > longest.len() { word } else { longest })
        .map(str::to_owned)
}

/// What a template is made of, in order.
fn pieces(pattern: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = pattern;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        if let Some((piece, after)) = marker_at(rest) {
            rest = after;
            return Some(piece);
        }
        let is_marker = |(place, _): &(usize, &str)| *place > 0 && marker_at(&rest[*place..]).is_some();
        let end = rest.match_indices('<').find(is_marker).map_or(rest.len(), |(place, _)| place);
        let (text, after) = rest.split_at(end);
        rest = after;
        Some(Piece::Text(text))
    })
}

fn marker_at(text: &str) -> Option<(Piece<'_>, &str)> {
    if let Some(after) = text.strip_prefix(ANY_WORD) {
        return Some((Piece::AnyWord, after));
    }
    let value = |value: Value| Some((Piece::Value(value), text.strip_prefix(value.marker())?));
    Value::ALL.into_iter().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::super::mask;
    use super::*;

    fn masked(body: &str) -> String {
        let mut text = String::new();
        mask(body, &mut text);
        text
    }

    #[test]
    fn a_body_matches_the_expression_of_its_pattern() {
        let long = "word 12 ".repeat(500);
        for body in [
            "",
            "  took \t 12.5ms (2 retries)\n",
            "2025-12-16 10:32:36,184 GET /a?b=c 10.0.0.1:80 from fe80::1",
            r#"{"id":"019b2651-0f38-7000-bfff-ffffffffffff","n":-5,"hex":"0xff"}"#,
            "literally <num> <*> <ip> and 5",
            "trailing …",
            "(a|b)* [x] ^$ \\d",
            &"é".repeat(600),
            "line one\nline 2",
        ] {
            let pattern = masked(body);
            let expression = match_regex(&pattern, [body].into_iter());
            assert!(expression.is_some(), "{body:?} as {pattern:?}");
        }
        // Too long to be of use, and not wrong.
        assert_eq!(match_regex(&masked(&long), [long.as_str()].into_iter()), None);
    }

    #[test]
    fn the_expression_tells_bodies_apart() {
        let expression = match_regex("user <*> has <num> items", std::iter::empty()).unwrap();
        let expression = Regex::new(&expression).unwrap();
        assert!(
            expression.is_match("user alice has  5 items") && expression.is_match("user a b has 5.5 items")
        );
        for other in ["user alice has five items", "a user alice has 5 items", "user has 5 items"] {
            assert!(!expression.is_match(other), "{other}");
        }
        assert_eq!(match_regex("a <num>", ["b"].into_iter()), None, "an example that does not match");
    }

    #[test]
    fn the_longest_word_in_common_is_given() {
        for (pattern, expected) in [
            ("user <*> logged in", Some("logged")),
            ("id=<uuid> of <num>", Some("id=")),
            ("a=<uuid> of <num>", None),
            (r#"{"msg":"<*>"}"#, Some(r#"{"msg":""#)),
            ("prefix<num>suffixes", Some("suffixes")),
            ("", None),
            ("abc def", Some("abc")),
            ("ab …", None),
        ] {
            assert_eq!(match_literal(pattern).as_deref(), expected, "{pattern}");
        }
    }
}
