//! A masked body as words and what is between them.

/// What is between words. Markers have none of it.
pub(super) fn is_separator(character: char) -> bool {
    matches!(character, ' ' | '{' | '}' | '[' | ']' | '(' | ')' | '"' | '\'' | ',' | ':' | ';' | '=' | '|')
}

/// The words of a masked body, and its separators: one before each word and one at the end, which may be empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) words: Vec<&'a str>,
    pub(super) separators: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(masked: &'a str) -> Self {
        let (mut words, mut separators) = (Vec::new(), Vec::new());
        let mut rest = masked;
        loop {
            let word = rest.find(|character| !is_separator(character)).unwrap_or(rest.len());
            separators.push(&rest[..word]);
            rest = &rest[word..];
            if rest.is_empty() {
                return Self { words, separators };
            }
            let end = rest.find(is_separator).unwrap_or(rest.len());
            words.push(&rest[..end]);
            rest = &rest[end..];
        }
    }

    /// Whether a word is the name of a value, as in JSON and in `name=value`.
    pub(super) fn is_key(&self, word: usize) -> bool {
        let after = self.separators[word + 1];
        after.starts_with("\":") || after.starts_with("':") || after.starts_with('=')
    }

    /// What must be equal in bodies of one template: the separators and the names of values.
    pub(super) fn shape(&self) -> String {
        let mut shape = String::new();
        for (place, separator) in self.separators.iter().enumerate() {
            shape.push_str(separator);
            if place < self.words.len() {
                // No masked body has it: it would be white space.
                shape.push('\n');
                if self.is_key(place) {
                    shape.push_str(self.words[place]);
                }
            }
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_separators_make_up_the_body() {
        for masked in ["", "a", " : ", "a b", r#"{"k":"v w","n":<num>}"#, "x=<ip>:<num> (é)", "a==b"] {
            let parts = Parts::of(masked);
            assert_eq!(parts.separators.len(), parts.words.len() + 1);
            let mut whole = parts.separators[0].to_owned();
            for (word, separator) in parts.words.iter().zip(&parts.separators[1..]) {
                whole += word;
                whole += separator;
            }
            assert_eq!(whole, masked);
        }
    }

    #[test]
    fn the_shape_has_separators_and_names_and_no_values() {
        let shape = |masked| Parts::of(masked).shape();
        assert_eq!(shape(r#"{"a":"x","b":<num>}"#), shape(r#"{"a":"y","b":true}"#));
        assert_ne!(shape(r#"{"a":"x"}"#), shape(r#"{"c":"x"}"#));
        assert_eq!(shape("a=1 b=2"), shape("a=x b=y"));
        assert_ne!(shape("a=1 b=2"), shape("a=1 c=2"));
        assert_eq!(shape("one two"), shape("three four"));
        assert_ne!(shape("one two"), shape("one, two"));
        assert_ne!(shape("one"), shape(""));
    }
}
