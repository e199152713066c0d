//! Tests of text.
//!
//! Ignoring case has one definition: two characters are equal when their simple case foldings are, character
//! by character, as in the `regex` crate's `(?i)`. So the Kelvin sign equals k, the long s equals s, every
//! sigma equals every sigma, and the dotted capital I equals only itself. Every search that ignores case is
//! such a pattern, whatever its needle.

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};

use super::body_test::{BodyTest, required_texts};
use super::predicate::Relation;
use super::{MAX_PATTERN_BYTES, over_limit};
use crate::error::{Error, Result};
use crate::index::words::Needle;

/// A compiled pattern larger than this is refused, bytes. The longest text to search for takes up half of it.
const MAX_PROGRAM_BYTES: usize = 1024 * 1024;

/// A test that text passes.
#[derive(Debug)]
pub(super) enum TextTest {
    Equals(String),
    EqualsAny(HashSet<String>),
    /// Contains one of some texts, ignoring case, which is a search for patterns.
    Contains(Vec<String>, Vec<Regex>),
    /// A search for one of several patterns.
    Matches(Vec<Regex>),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    /// Stands in the relation to one of the texts.
    Order(Relation, Vec<String>),
    Between(String, String),
}

impl TextTest {
    pub(super) fn equals(texts: &[&str]) -> Self {
        match texts {
            [text] => Self::Equals((*text).to_owned()),
            texts => Self::EqualsAny(texts.iter().map(|text| (*text).to_owned()).collect()),
        }
    }

    /// Holds for text that contains one of the needles, ignoring case; for none without needles.
    ///
    /// # Errors
    /// `LimitExceeded` for too long needles.
    pub(super) fn contains(path: &str, needles: &[&str]) -> Result<Self> {
        check_lengths(path, needles)?;
        let patterns = needles.iter().map(|needle| {
            build(&regex::escape(needle), true)
                .map_err(|_| over_limit(format!("{path}: the text is too long")))
        });
        Ok(Self::Contains(owned(needles), patterns.collect::<Result<_>>()?))
    }

    /// Holds for text in which one of the patterns is found.
    ///
    /// # Errors
    /// `InvalidRequest` when a pattern cannot be compiled, `LimitExceeded` for too long ones.
    pub(super) fn matches(path: &str, patterns: &[&str]) -> Result<Self> {
        check_lengths(path, patterns)?;
        let patterns = patterns.iter().map(|pattern| {
            build(pattern, false).map_err(|error| {
                let message = format!("{path}: the pattern {pattern:?} cannot be compiled");
                Error::invalid_request(message).with_source(error)
            })
        });
        patterns.collect::<Result<_>>().map(Self::Matches)
    }

    pub(super) fn starts_with(path: &str, texts: &[&str]) -> Result<Self> {
        check_lengths(path, texts)?;
        Ok(Self::StartsWith(owned(texts)))
    }

    pub(super) fn ends_with(path: &str, texts: &[&str]) -> Result<Self> {
        check_lengths(path, texts)?;
        Ok(Self::EndsWith(owned(texts)))
    }

    pub(super) fn order(relation: Relation, texts: &[&str]) -> Self {
        Self::Order(relation, owned(texts))
    }

    pub(super) fn between(min: &str, max: &str) -> Self {
        Self::Between(min.to_owned(), max.to_owned())
    }

    /// What it says of the words of a body that passes; none when nothing.
    pub(super) fn body_test(&self) -> Option<BodyTest> {
        let alternatives: Vec<Vec<Needle>> = match self {
            Self::Contains(texts, _) | Self::StartsWith(texts) | Self::EndsWith(texts) => {
                texts.iter().map(|text| vec![Needle::new(text)]).collect()
            }
            Self::Matches(patterns) => {
                patterns.iter().map(|pattern| required_texts(pattern.as_str())).collect()
            }
            _ => return None,
        };
        let is_contained = matches!(self, Self::Contains(texts, _) if texts.len() == 1);
        Some(BodyTest { alternatives, is_contained })
    }

    pub(super) fn passes(&self, value: &str) -> bool {
        match self {
            Self::Equals(text) => text == value,
            Self::EqualsAny(texts) => texts.contains(value),
            Self::Contains(_, patterns) | Self::Matches(patterns) => {
                patterns.iter().any(|pattern| pattern.is_match(value))
            }
            Self::StartsWith(texts) => texts.iter().any(|text| value.starts_with(text)),
            Self::EndsWith(texts) => texts.iter().any(|text| value.ends_with(text)),
            Self::Order(relation, texts) => texts.iter().any(|text| relation.holds(value, text)),
            Self::Between(min, max) => min.as_str() <= value && value <= max.as_str(),
        }
    }
}

pub(in crate::query) fn build(pattern: &str, ignore_case: bool) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(MAX_PROGRAM_BYTES)
        .dfa_size_limit(MAX_PROGRAM_BYTES)
        .build()
}

pub(super) fn check_lengths(path: &str, patterns: &[&str]) -> Result<()> {
    match patterns.iter().find(|pattern| pattern.len() > MAX_PATTERN_BYTES) {
        None => Ok(()),
        Some(pattern) => {
            let bytes = pattern.len();
            Err(over_limit(format!("{path}: a text of {bytes} bytes, at most {MAX_PATTERN_BYTES}")))
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[track_caller]
    fn check(needle: &str, text: &str, expected: bool) {
        let test = TextTest::contains("searchTerm", &[needle]).unwrap();
        assert_eq!(test.passes(text), expected, "{needle:?} in {text:?}");
    }

    #[test]
    fn searching_ignores_case_by_simple_folding() {
        check("error", "An ERROR here", true);
        check("K", "\u{212A}elvin", true);
        check("\u{212A}", "kelvin", true);
        check("s", "\u{17F}", true);
        check("\u{17F}tra\u{DF}e", "STRA\u{1E9E}E", true);
        check("stra\u{DF}e", "STRASSE", false);
        check("\u{3C3}", "\u{3A3} \u{3C2}", true);
        check("\u{3C2}", "\u{3A3}", true);
        check("\u{130}", "i", false);
        check("\u{130}", "I", false);
        check("i", "\u{130}", false);
        check("\u{131}", "I", false);
        check("\u{130}", "x\u{130}x", true);
        check("ÄÖÜ", "äöü", true);
    }

    #[test]
    fn searching_is_literal() {
        check("50%off", "get 50%OFF now", true);
        check("50%off", "50ABCoff", false);
        check("a_b", "axb", false);
        check("a.b*", "A.B*", true);
        check("a.b*", "axb", false);
        check("(", "f(x)", true);
        check("two  spaces", "two spaces", false);
        check("\n", "a\nb", true);
    }

    #[test]
    fn patterns_are_searched_anywhere_and_mind_case() {
        let test = TextTest::matches("filterGroup[0]", &["^a+b", "Z$"]).unwrap();
        for (text, expected) in [("aab", true), ("xaab", false), ("xZ", true), ("xz", false), ("AB", false)] {
            assert_eq!(test.passes(text), expected, "{text}");
        }
        assert!(TextTest::matches("", &["(?i)error"]).unwrap().passes("ERROR"));
    }

    #[test]
    fn patterns_that_do_not_compile_name_their_place() {
        for pattern in ["(", "a{2,1}", "[z-a]", "(?=x)", r"\1", "a{1000}{1000}{1000}"] {
            let error = TextTest::matches("filterGroup[3]", &[pattern]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{pattern}");
            assert!(error.message().starts_with("filterGroup[3]: "), "{error}");
        }
    }

    #[test]
    fn needles_are_bounded() {
        let longest = "k".repeat(MAX_PATTERN_BYTES);
        assert!(TextTest::contains("searchTerm", &[&longest]).unwrap().passes(&longest));
        let kind = |needles: &[&str]| TextTest::contains("searchTerm", needles).unwrap_err().kind();
        assert_eq!(kind(&[&format!("{longest}k")]), ErrorKind::LimitExceeded);
    }

    #[test]
    fn text_orders_by_code_points() {
        let less = |text: &str, than: &str| TextTest::order(Relation::Less, &[than]).passes(text);
        assert!(less("10", "9") && less("Z", "a") && !less("b", "ab"));
        assert!(TextTest::between("1", "3").passes("25"));
    }
}
