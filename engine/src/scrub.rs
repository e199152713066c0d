//! Taking personal data and secrets out of text: e-mail addresses, bearer tokens, Stripe's secret keys.
//!
//! One pass over the text, without backtracking: every byte is looked at a bounded number of times, whatever the
//! text, so that nobody can make it slow. What is found is recognised by its ASCII form only.

use std::borrow::Cow;
use std::ops::Range;

/// What stands in the place of what was taken out.
pub const REDACTED: &str = "{{REDACTED}}";

/// A key that contains one of these, in any case, names a value that nobody should read.
const SENSITIVE_WORDS: [&str; 9] =
    ["password", "secret", "token", "authorization", "cookie", "credential", "apikey", "api_key", "bearer"];

/// The same for personal data.
const PERSONAL_WORDS: [&str; 1] = ["email"];

/// Whether the whole value of an attribute of this name is to be replaced.
pub fn is_sensitive_key(key: &str) -> bool {
    let contains = |word: &&str| {
        key.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    };
    SENSITIVE_WORDS.iter().chain(&PERSONAL_WORDS).any(contains)
}

/// The text with [`REDACTED`] in the place of what is found; borrowed when nothing is.
pub fn scrub_text(text: &str) -> Cow<'_, str> {
    let mut scrubbed = String::new();
    let mut copied_to = 0;
    let mut at = 0;
    while let Some(found) = find(text.as_bytes(), at, copied_to) {
        scrubbed.push_str(&text[copied_to..found.start]);
        scrubbed.push_str(REDACTED);
        copied_to = found.end;
        at = found.end;
    }
    if copied_to == 0 {
        return Cow::Borrowed(text);
    }
    scrubbed.push_str(&text[copied_to..]);
    Cow::Owned(scrubbed)
}

/// The next thing to take out whose mark is at `from` or later; it begins at `floor` at the earliest. Its bounds are
/// ASCII characters, so that they are those of characters.
fn find(text: &[u8], from: usize, floor: usize) -> Option<Range<usize>> {
    (from..text.len()).find_map(|at| match text[at] {
        b'@' => email(text, at, floor),
        b'b' | b'B' => bearer_token(text, at),
        b's' | b'r' => stripe_key(text, at),
        _ => None,
    })
}

/// The address around an `@`. Addresses share no characters and neither side goes past another `@`, so that all of
/// them together cost one pass.
fn email(text: &[u8], at: usize, floor: usize) -> Option<Range<usize>> {
    let is_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let is_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.".contains(byte);
    let local = text[floor..at].iter().rev().take_while(|byte| is_local(byte)).count();
    let domain = text[at + 1..].iter().take_while(|byte| is_domain(byte)).count();
    let mut domain = &text[at + 1..at + 1 + domain];
    let is_top_level = |label: &[u8]| label.len() >= 2 && label.iter().any(u8::is_ascii_alphabetic);
    // A sentence may end after an address: what is no domain at its end is left.
    while let Some(last_dot) = domain.iter().rposition(|byte| *byte == b'.') {
        if is_top_level(&domain[last_dot + 1..]) {
            return (local > 0 && last_dot > 0).then(|| at - local..at + 1 + domain.len());
        }
        domain = &domain[..last_dot];
    }
    None
}

/// The word "bearer" in any case, white space, and the token.
fn bearer_token(text: &[u8], at: usize) -> Option<Range<usize>> {
    const WORD: &[u8] = b"bearer";
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let word = text.get(at..at + WORD.len()).filter(|word| word.eq_ignore_ascii_case(WORD))?;
    if !begins_word(text, at) {
        return None;
    }
    let rest = &text[at + word.len()..];
    let gap = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let token = rest[gap..].iter().take_while(|byte| is_token(byte)).count();
    (gap > 0 && token > 0).then(|| at..at + word.len() + gap + token)
}

/// A secret or restricted key of Stripe.
fn stripe_key(text: &[u8], at: usize) -> Option<Range<usize>> {
    const PREFIXES: [&[u8]; 4] = [b"sk_live_", b"sk_test_", b"rk_live_", b"rk_test_"];
    let prefix = PREFIXES.iter().find(|prefix| text[at..].starts_with(prefix))?;
    let start = at + prefix.len();
    let key = text[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    (key > 0 && begins_word(text, at)).then(|| at..start + key)
}

fn begins_word(text: &[u8], at: usize) -> bool {
    at == 0 || !(text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(scrub_text(text), expected.replace('█', REDACTED), "{text}");
    }

    #[test]
    fn addresses_are_taken_out() {
        check("from a.b+c@mail.example.com.", "from █.");
        check("<x@y.zz>,q@r.st", "<█>,█");
        check("a@b.cc@d.ee", "█@d.ee");
        check("ünï.x@ex.org!", "ünï█!");
        check("email=joe@ex.org&x@y.zz.1 a@b.cc.", "email=█&█.1 █.");
        check("{\"m\":\"joe@ex.co.uk\"}", "{\"m\":\"█\"}");
        for none in
            ["@", "a@b", "a@b.c", "@b.cc", "a@.cc", "a@10.0.0.1", "a @ b.cc", "x@y..", "npm i @scope/name"]
        {
            check(none, none);
        }
    }

    #[test]
    fn bearer_tokens_are_taken_out() {
        check("Authorization: Bearer abc.DEF-1_2~+/==", "Authorization: █");
        check("bearer\t x, BEARER  y", "█, █");
        for none in ["bearer", "Bearer ", "forbearer x", "bearerx y", "bearer: x"] {
            check(none, none);
        }
    }

    #[test]
    fn stripe_keys_are_taken_out() {
        check("key sk_live_4eC39HqLyjWDarjtT1zdp7dc!", "key █!");
        check("sk_test_1 rk_live_2,rk_test_3", "█ █,█");
        for none in ["sk_live_", "pk_live_1", "ask_live_1", "SK_LIVE_1", "sk_liv_1"] {
            check(none, none);
        }
    }

    #[test]
    fn nothing_to_take_out_is_not_copied() {
        assert!(matches!(scrub_text("a plain line of text @ noon"), Cow::Borrowed(_)));
        assert!(matches!(scrub_text(""), Cow::Borrowed(_)));
    }

    #[test]
    fn keys_are_told_by_the_words_in_them() {
        for key in [
            "password",
            "DB_PASSWORD",
            "client.secret",
            "x-Access-Token",
            "http.request.header.authorization",
            "set-cookie",
            "credentials",
            "ApiKey",
            "stripe_api_key",
            "refresh_token",
            "bearer",
            "user.EMAIL",
        ] {
            assert!(is_sensitive_key(key), "{key}");
        }
        for key in ["", "pass", "user.name", "api.key", "mail", "tok\u{212a}en"] {
            assert!(!is_sensitive_key(key), "{key}");
        }
    }

    proptest! {
        /// Twice is once, and what was found is gone.
        #[test]
        fn scrubbing_is_stable(text in "([a-c@. ]|bearer |Bearer|sk_live_|é|\\{\\{REDACTED\\}\\}){0,40}") {
            let once = scrub_text(&text).into_owned();
            let find = regex::Regex::new(r"[A-Za-z]@[A-Za-z]+\.[A-Za-z]{2}|(^|[^A-Za-z0-9_])sk_live_[A-Za-z0-9]").unwrap();
            prop_assert!(!find.is_match(&once), "{text:?} became {once:?}");
        }
    }

    #[test]
    fn a_long_text_of_marks_costs_one_pass() {
        // Quadratic work on this would take minutes.
        for unit in ["a@", "@", "a.", "bearer ", "sk_live_", "a@b.", "bearer"] {
            let text = unit.repeat(300_000 / unit.len());
            let _ = scrub_text(&text);
        }
    }
}
