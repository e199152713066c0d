//! Reading the parameters of a query string, with errors that name the parameter.
//!
//! The last of several equal names counts, except for parameters that are lists.

use serde_json::Value;

/// The parameters of a request, decoded, in their order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters<'a>(&'a [(String, String)]);

impl<'a> Parameters<'a> {
    pub(crate) fn of(pairs: &'a [(String, String)]) -> Self {
        Self(pairs)
    }

    /// A text, if the parameter is there.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.all(name).last()
    }

    /// A text, where the empty one counts as absent.
    pub(crate) fn filled_text(&self, name: &str) -> Option<&'a str> {
        self.text(name).filter(|text| !text.is_empty())
    }

    /// Whether the parameter is `true`; anything else is not.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }

    /// A whole number that is not negative, at most `max`; anything else is `default`.
    pub(crate) fn number_or(&self, name: &str, default: usize, max: usize) -> usize {
        let Some(text) = self.text(name).map(str::trim) else { return default };
        let digits = text.strip_prefix('+').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return default;
        }
        // Only a number beyond the largest cannot be read.
        digits.parse().map_or(max, |number: usize| number.min(max))
    }

    /// The items of a list that is separated by commas: trimmed, without empty ones.
    pub(crate) fn comma_list(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    /// A list of names: a JSON list of strings, or the parameter once for every name. JSON that is no such list has
    /// no names; nor have the empty text and `null`.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        self.all(name).flat_map(names_in).collect()
    }

    /// The parameter each time it is given.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let pairs = self.0.iter();
        let named = move |pair: &&'a (String, String)| pair.0 == name;
        pairs.filter(named).map(|(_, value)| value.as_str())
    }
}

fn names_in(text: &str) -> Vec<String> {
    match text.trim_start() {
        "" | "null" => Vec::new(),
        json if json.starts_with(['[', '{', '"']) => match serde_json::from_str(json) {
            Ok(Value::Array(names)) => {
                let texts = names.iter().map(|name| name.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().unwrap_or_default()
            }
            _ => Vec::new(),
        },
        _ => vec![text.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_last_of_equal_names_counts() {
        let pairs = pairs(&[("a", "1"), ("b", ""), ("a", "2")]);
        let parameters = Parameters::of(&pairs);
        assert_eq!(parameters.text("a"), Some("2"));
        assert_eq!((parameters.text("b"), parameters.filled_text("b")), (Some(""), None));
        assert_eq!(parameters.text("c"), None);
    }

    #[test]
    fn only_true_is_true() {
        for (text, expected) in [("true", true), ("True", true), ("1", false), ("yes", false), ("", false)] {
            assert_eq!(Parameters::of(&pairs(&[("x", text)])).is_true("x"), expected, "{text}");
        }
        assert!(!Parameters::of(&[]).is_true("x"));
    }

    #[test]
    fn numbers_that_are_none_are_the_default() {
        for (text, expected) in [
            ("0", 0),
            ("7", 7),
            (" +7 ", 7),
            ("500", 100),
            ("99999999999999999999999", 100),
            ("-1", 50),
            ("1.5", 50),
            ("+", 50),
            ("ten", 50),
            ("", 50),
        ] {
            assert_eq!(Parameters::of(&pairs(&[("n", text)])).number_or("n", 50, 100), expected, "{text}");
        }
        assert_eq!(Parameters::of(&[]).number_or("n", 50, 100), 50);
    }

    #[test]
    fn comma_lists_are_trimmed() {
        let found =
            |text| Parameters::of(&pairs(&[("keys", text)])).comma_list("keys").collect::<Vec<_>>().join("|");
        assert_eq!(found(" a , ,b,"), "a|b");
        assert_eq!(found(",,"), "");
    }

    #[test]
    fn names_are_a_json_list_or_repeated() {
        let names = |values: &[&str]| {
            let values: Vec<_> = values.iter().map(|value| ("s", *value)).collect();
            Parameters::of(&pairs(&values)).names("s")
        };
        assert_eq!(names(&[r#"["a", ""]"#]), ["a", ""]);
        assert_eq!(names(&["a", "b c"]), ["a", "b c"]);
        assert_eq!(names(&["a", r#"["b"]"#]), ["a", "b"]);
        for nothing in ["", "null", "[", "[1]", r#"["a", 1]"#, "{}", "\"a\"", "[]"] {
            assert_eq!(names(&[nothing]), [""; 0], "{nothing}");
        }
        assert_eq!(names(&[]), [""; 0]);
    }
}
