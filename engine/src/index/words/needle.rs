//! A text that is looked for, as words.

/// Words of fewer letters are not kept: there are few of them, and they are everywhere.
const MIN_LETTERS: usize = 3;

/// The words of a text that is looked for, ignoring case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    runs: Vec<Run>,
    is_one_run: bool,
}

/// A run of letters in a needle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    letters: String,
    /// Something else stands before it, so that a word begins with it.
    begins: bool,
    /// Something else stands after it, so that a word ends with it.
    ends: bool,
}

impl Needle {
    /// The words of a text.
    pub fn new(text: &str) -> Self {
        let mut runs = Vec::new();
        let mut letters = String::new();
        let mut begins = false;
        for char in text.chars() {
            match letter(char) {
                Some(letter) => letters.push(letter),
                None => {
                    if !letters.is_empty() {
                        runs.push(Run { letters: std::mem::take(&mut letters), begins, ends: true });
                    }
                    begins = true;
                }
            }
        }
        let is_one_run = runs.is_empty() && !begins && !letters.is_empty();
        if !letters.is_empty() {
            runs.push(Run { letters, begins, ends: false });
        }
        Self { runs, is_one_run }
    }

    /// Whether its words can say anything.
    pub fn is_known(&self) -> bool {
        self.known_runs().next().is_some()
    }

    /// Whether it is one letter.
    pub fn is_letter(&self) -> bool {
        self.is_one_run && self.runs[0].letters.len() == 1
    }

    /// Whether it is nothing but letters.
    pub(super) fn is_one_run(&self) -> bool {
        self.is_one_run
    }

    /// The runs that every word they are in is kept for.
    pub(super) fn known_runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter().filter(|run| is_kept(run.letters.as_bytes()))
    }
}

impl Run {
    /// The word that it has to be, if it has to be a whole one.
    pub(super) fn whole_word(&self) -> Option<&str> {
        (self.begins && self.ends).then_some(self.letters.as_str())
    }

    /// Whether a word has it where it has to be.
    pub(super) fn is_in(&self, word: &str) -> bool {
        match (self.begins, self.ends) {
            (true, true) => word == self.letters,
            (true, false) => word.starts_with(&self.letters),
            (false, true) => word.ends_with(&self.letters),
            (false, false) => word.contains(&self.letters),
        }
    }
}

/// The letter that a character is, ignoring case; none when it is something else. No other character folds to one.
fn letter(char: char) -> Option<char> {
    match char {
        'a'..='z' => Some(char),
        'A'..='Z' => Some(char.to_ascii_lowercase()),
        '\u{212A}' => Some('k'),
        '\u{17F}' => Some('s'),
        _ => None,
    }
}

/// Whether a word is kept. What a kept word is a part of is kept as well.
fn is_kept(word: &[u8]) -> bool {
    word.len() >= MIN_LETTERS && word.iter().any(|letter| *letter > b'f')
}

/// Gives `take` each word of a text that is kept. `word` is room for it.
pub(super) fn for_each_word(text: &str, word: &mut String, mut take: impl FnMut(&str)) {
    word.clear();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let (letter, length) = match bytes[at..] {
            [byte, ..] if byte.is_ascii_alphabetic() => (Some(byte.to_ascii_lowercase()), 1),
            [0xE2, 0x84, 0xAA, ..] => (Some(b'k'), 3),
            [0xC5, 0xBF, ..] => (Some(b's'), 2),
            _ => (None, 1),
        };
        at += length;
        match letter {
            Some(letter) => word.push(char::from(letter)),
            None => end(word, &mut take),
        }
    }
    end(word, &mut take);
}

fn end(word: &mut String, take: &mut impl FnMut(&str)) {
    if is_kept(word.as_bytes()) {
        take(word);
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, words: &[&str]) {
        let mut found = Vec::new();
        for_each_word(text, &mut String::new(), |word| found.push(word.to_owned()));
        assert_eq!(found, words, "{text:?}");
    }

    #[test]
    fn words_are_letters_without_anything_in_between() {
        check("Upstream timed-out, 12x34", &["upstream", "timed", "out"]);
        check("\u{212A}elvin \u{17F}\u{17F}l \u{C4}rger", &["kelvin", "ssl", "rger"]);
        check("dead beef cafe face42added", &[]);
        check("", &[]);
        check("to of it", &[]);
        check("\u{1F600}smile\u{E2}", &["smile"]);
    }

    #[test]
    fn needles_say_where_their_words_begin_and_end() {
        let is_in = |needle: &str, word: &str| Needle::new(needle).known_runs().all(|run| run.is_in(word));
        assert!(is_in("ream", "upstream") && is_in("STREAM", "streams") && !is_in("stream", "trea"));
        assert!(is_in("stream ", "upstream") && !is_in("stream ", "streams"));
        assert!(is_in(" stream", "streams") && !is_in(" stream", "upstream"));
        assert!(is_in(" stream.", "stream") && !is_in(" stream.", "streams"));
        assert!(!Needle::new("404").is_known() && !Needle::new("dead beef").is_known());
        assert!(Needle::new("time").is_one_run() && !Needle::new("time ").is_one_run());
        assert!(!Needle::new("").is_one_run());
    }
}
