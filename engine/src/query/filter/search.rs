//! A search in names and values, which ignores case as every search does.

use regex::Regex;

use super::over_limit;
use super::text::{build, check_lengths};
use crate::error::Result;

/// How close a name that contains a text is to it; closer is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::query) enum Closeness {
    /// It is the text.
    Whole,
    /// It has the text between characters that are neither letters nor digits, or its ends.
    Token,
    /// It has the text somewhere.
    Part,
}

/// A text to look for. Nothing in it is a wildcard; the empty one is in every text.
#[derive(Debug)]
pub(in crate::query) struct TextSearch {
    /// None for the empty text.
    patterns: Option<Patterns>,
}

#[derive(Debug)]
struct Patterns {
    part: Regex,
    token: Regex,
    whole: Regex,
}

impl TextSearch {
    /// Makes a search ready; `path` names the text in errors.
    ///
    /// # Errors
    /// `LimitExceeded` when the text is too long.
    pub(in crate::query) fn new(path: &str, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self { patterns: None });
        }
        check_lengths(path, &[text])?;
        let literal = regex::escape(text);
        let compile = |pattern: &str| {
            build(pattern, true).map_err(|_| over_limit(format!("{path}: the text is too long")))
        };
        let edge = r"[^\p{Alphabetic}\p{Number}]";
        let patterns = Patterns {
            part: compile(&literal)?,
            token: compile(&format!(r"(?:\A|{edge})(?:{literal})(?:\z|{edge})"))?,
            whole: compile(&format!(r"\A(?:{literal})\z"))?,
        };
        Ok(Self { patterns: Some(patterns) })
    }

    /// Whether the text is in `value`.
    pub(in crate::query) fn is_in(&self, value: &str) -> bool {
        self.patterns.as_ref().is_none_or(|patterns| patterns.part.is_match(value))
    }

    /// How close `name` is to the text; none when it does not have it. To the empty text all are alike.
    pub(in crate::query) fn closeness(&self, name: &str) -> Option<Closeness> {
        let Some(patterns) = &self.patterns else { return Some(Closeness::Part) };
        if !patterns.part.is_match(name) {
            return None;
        }
        Some(match () {
            () if patterns.whole.is_match(name) => Closeness::Whole,
            () if patterns.token.is_match(name) => Closeness::Token,
            () => Closeness::Part,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::query::filter::MAX_PATTERN_BYTES;

    #[track_caller]
    fn check(text: &str, name: &str, expected: Option<Closeness>) {
        let search = TextSearch::new("search", text).unwrap();
        assert_eq!(search.closeness(name), expected, "{text:?} in {name:?}");
        assert_eq!(search.is_in(name), expected.is_some(), "{text:?} in {name:?}");
    }

    #[test]
    fn names_are_whole_have_the_text_as_a_token_or_as_a_part() {
        use Closeness::{Part, Token, Whole};
        check("id", "ID", Some(Whole));
        check("id", "trace_id", Some(Token));
        check("id", "brokers.0.id", Some(Token));
        check("id", "idx.id.x", Some(Token));
        check("id", "id9", Some(Part));
        check("id", "pid", Some(Part));
        check("id", "idé", Some(Part));
        check("id", "trace", None);
        check("a.a", "xa.a.a", Some(Token));
        check("k", "\u{212A}", Some(Whole));
        check("50%", "50%off", Some(Part));
        check(".", "a.b", Some(Part));
        check(".", "_._", Some(Token));
        check(".*", "ab", None);
    }

    #[test]
    fn the_empty_text_is_everywhere_and_tells_nothing_apart() {
        for name in ["", "a", "a.b"] {
            check("", name, Some(Closeness::Part));
        }
    }

    #[test]
    fn texts_are_bounded() {
        let longest = "K".repeat(MAX_PATTERN_BYTES);
        check(&longest, &longest.to_lowercase(), Some(Closeness::Whole));
        let error = TextSearch::new("search", &format!("{longest}k")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert!(error.message().starts_with("search: "), "{error}");
    }
}
