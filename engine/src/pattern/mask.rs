//! A body to its masked form.

use super::value::{Value, value_at};
use super::{CUT, MAX_PATTERN_BODY_BYTES};

/// Appends the masked form of a body: values become markers, white space becomes single spaces.
///
/// One pass over at most [`MAX_PATTERN_BODY_BYTES`].
pub(crate) fn mask(body: &str, masked: &mut String) {
    let begin = masked.len();
    let (text, is_cut) = match body.len() > MAX_PATTERN_BODY_BYTES {
        true => (&body[..body.floor_char_boundary(MAX_PATTERN_BODY_BYTES)], true),
        false => (body, false),
    };
    let (mut place, mut is_after_space) = (0, true);
    // Whether the character before is part of a word, so that no value begins here.
    let mut is_in_word = false;
    while let Some(next) = text[place..].chars().next() {
        if next.is_whitespace() {
            place += next.len_utf8();
            if !is_after_space {
                masked.push(' ');
            }
            (is_after_space, is_in_word) = (true, false);
            continue;
        }
        is_after_space = false;
        let found = if is_in_word { None } else { value_at(text, place) };
        if let Some((value, end)) = found {
            masked.push_str(value.marker());
            (place, is_in_word) = (end, true);
        } else if next.is_ascii_digit() {
            masked.push_str(Value::Number.marker());
            let digits = text[place..].bytes().take_while(u8::is_ascii_digit).count();
            (place, is_in_word) = (place + digits, true);
        } else {
            masked.push(next);
            place += next.len_utf8();
            is_in_word = next.is_alphanumeric() || next == '_';
        }
    }
    if masked.len() > begin && masked.ends_with(' ') {
        masked.pop();
    }
    if is_cut {
        masked.push(CUT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let mut masked = String::new();
        mask(body, &mut masked);
        assert_eq!(masked, expected, "{body:?}");
    }

    #[test]
    fn values_become_markers() {
        check("took 12 ms", "took <num> ms");
        check("took 12.5ms, 3 retries", "took <num>ms, <num> retries");
        check("v1.2.3-rc4", "v<num>.<num>-rc<num>");
        check("build 1.2.3 of user17_b", "build <num> of user<num>_b");
        check("2025-12-16T10:32:36.184820Z start", "<timestamp> start");
        check("[2025-12-16 10:32:36,184] 10:32:36 x", "[<timestamp>] <timestamp> x");
        check("on 2025/12/16 at 10:32", "on <timestamp> at <num>:<num>");
        check("2025-12-16T10:32:36+01:00.", "<timestamp>.");
        check("id=019b2651-0f38-7000-bfff-ffffffffffff;", "id=<uuid>;");
        check("from 10.0.0.1:8080 to fe80::1%eth0, ::1", "from <ip>:<num> to <ip>%eth<num>, <ip>");
        check("at 0xdeadBEEF commit 5f4dcc3b5aa765d61d8327deb882cf99", "at <hex> commit <hex>");
        check("a decade of facade", "a decade of facade");
        check("std::fmt::Display", "std::fmt::Display");
        check("-5 +7 1e9", "-<num> +<num> <num>e<num>");
        check("99999-99-99T1:2", "<num>-<num>-<num>T<num>:<num>");
        check("\u{663}\u{664} é1", "\u{663}\u{664} é<num>");
        check("x1234567890abcdef", "x<num>abcdef");
    }

    #[test]
    fn white_space_counts_as_one_space() {
        check("  a \t\n b  ", "a b");
        check("", "");
        check(" \n ", "");
        check("a\u{a0}b", "a b");
    }

    #[test]
    fn json_keeps_its_keys_and_words() {
        check(
            r#"{"level":"info","msg":"user 17 logged in","ms":1.5,"ok":true}"#,
            r#"{"level":"info","msg":"user <num> logged in","ms":<num>,"ok":true}"#,
        );
    }

    #[test]
    fn the_beginning_of_a_long_body_decides() {
        let long = format!("begin {} end", "é".repeat(2000));
        let mut masked = String::new();
        mask(&long, &mut masked);
        assert!(masked.starts_with("begin é") && masked.ends_with("é…"));
        assert!(masked.len() <= MAX_PATTERN_BODY_BYTES + CUT.len_utf8());
        check(&"a".repeat(MAX_PATTERN_BODY_BYTES), &"a".repeat(MAX_PATTERN_BODY_BYTES));
    }

    #[test]
    fn masking_appends() {
        let mut masked = String::from("x ");
        mask(" ", &mut masked);
        assert_eq!(masked, "x ");
    }
}
