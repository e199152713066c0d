//! A search in names and values, which ignores case as every search does.

use arrow::array::{Array, StringArray};
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

    /// Where among `values` those are that the text is in, rising. All values are searched as one text, which costs no
    /// more for a million short ones than for a long one.
    pub(in crate::query) fn places_in(&self, values: &StringArray) -> Vec<usize> {
        let Some(Patterns { part, .. }) = &self.patterns else {
            return (0..values.len()).filter(|place| values.is_valid(*place)).collect();
        };
        let offsets = values.value_offsets();
        let (first, last) = (offsets[0] as usize, offsets[values.len()] as usize);
        let Ok(all) = std::str::from_utf8(&values.value_data()[first..last]) else {
            let is_found = |place: &usize| values.is_valid(*place) && part.is_match(values.value(*place));
            return (0..values.len()).filter(is_found).collect();
        };
        let end_of = |place: usize| offsets[place + 1] as usize - first;
        let (mut places, mut place, mut from) = (Vec::new(), 0, 0);
        while let Some(found) = part.find_at(all, from) {
            place += offsets[place + 1..].partition_point(|end| *end as usize - first <= found.start());
            if found.end() <= end_of(place) {
                if values.is_valid(place) {
                    places.push(place);
                }
                from = end_of(place);
            } else {
                // It goes on into the next value; another may begin after its first character.
                from = found.start() + all[found.start()..].chars().next().map_or(1, char::len_utf8);
            }
        }
        places
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
    use proptest::collection::vec;
    use proptest::{option, prelude::*};

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

    proptest! {
        #[test]
        fn searching_all_values_at_once_finds_the_same_as_one_by_one(
            text in "[aAkKsS\u{212A}ſé.]{0,3}",
            values in vec(option::of("[aAkKsS\u{212A}ſé.b]{0,6}"), 0..40),
            skipped in 0_usize..5,
        ) {
            let search = TextSearch::new("search", &text).unwrap();
            let array: StringArray = values.iter().map(Option::as_deref).collect();
            let skipped = skipped.min(array.len());
            let part = array.slice(skipped, array.len() - skipped);
            let is_found = |place: &usize| part.is_valid(*place) && search.is_in(part.value(*place));
            let expected: Vec<usize> = (0..part.len()).filter(is_found).collect();
            prop_assert_eq!(search.places_in(&part), expected);
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
