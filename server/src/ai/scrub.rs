//! Takes secrets out of what leaves the server: e-mail addresses, keys, tokens, and values under telling names.
//!
//! It finds what looks like a secret, and so it may miss one or take something harmless; it is a second lock behind
//! not logging secrets.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "{{REDACTED}}";

/// A key that contains one of these, in any case, has a secret as its value.
const SECRET_WORDS: [&str; 13] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "private_key",
    "bearer",
    "email",
];

/// What looks like a secret by itself; each is replaced whole.
const SECRETS: [&str; 7] = [
    // E-mail addresses.
    r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+",
    // Credentials of an address: user:password@host.
    r"[A-Za-z0-9._~%-]+:[^\s/@]+@",
    r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
    // JSON Web Tokens.
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.?[A-Za-z0-9_-]*",
    // Keys that say what they are: Stripe, this product, GitHub, Slack, OpenAI and their like.
    r"\b(?:(?:sk|rk|pk|whsec)_(?:live|test)?_?|phx_|phc_|phs_|pha_|gh[pousr]_|github_pat_|xox[abprs]-|sk-)[A-Za-z0-9_-]{8,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
];

/// A telling name with its value, as `name=value`, `name: value` or in JSON, also in JSON within a JSON string.
const NAMED_VALUE: &str = r#"(?i)([\w.-]*(?:password|passwd|secret|token|authorization|cookie|credential|api[_-]?key|private_key)[\w.-]*\\?["']?\s*[:=]\s*)(\\"[^"]*"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;&}\]"']+)"#;

/// Whether the value of an attribute is a secret by the attribute's name.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

/// The text without what looks like a secret.
pub(crate) fn scrubbed(text: &str) -> Cow<'_, str> {
    static NAMED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(NAMED_VALUE).expect("BUG: the pattern is a constant that compiles"));
    static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
        let any = SECRETS.map(|pattern| format!("(?:{pattern})")).join("|");
        Regex::new(&any).expect("BUG: the patterns are constants that compile")
    });
    let without_plain = PLAIN.replace_all(text, regex::NoExpand(REDACTED));
    match NAMED.replace_all(&without_plain, format!("${{1}}{REDACTED}")) {
        Cow::Borrowed(_) => without_plain,
        Cow::Owned(without_named) => Cow::Owned(without_named),
    }
}

/// The value of an attribute without what looks like a secret.
pub(crate) fn scrubbed_value<'a>(key: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret_key(key) { Cow::Borrowed(REDACTED) } else { scrubbed(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced_and_the_rest_stays() {
        for (text, expected) in [
            ("mail jo.e+x@mail.example.org now", "mail {{REDACTED}} now"),
            ("got Bearer abcDEF123.456-x, ok", "got {{REDACTED}}, ok"),
            ("key sk_live_0123456789abcdef used", "key {{REDACTED}} used"),
            ("phx_abcdefgh12345678", "{{REDACTED}}"),
            ("AKIAIOSFODNN7EXAMPLE!", "{{REDACTED}}!"),
            ("postgres://bob:hunter2@db/x", "postgres://{{REDACTED}}db/x"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc end", "jwt {{REDACTED}} end"),
            ("password=hunter2&user=bob", "password={{REDACTED}}&user=bob"),
            (r#"{"db_password": "a \"b\" c", "n": 1}"#, r#"{"db_password": {{REDACTED}}, "n": 1}"#),
            (r#"{\"apiKey\":\"xyz\",\"n\":1}"#, r#"{\"apiKey\":{{REDACTED}},\"n\":1}"#),
            ("Set-Cookie: a=b; Path=/", "Set-Cookie: {{REDACTED}}; Path=/"),
            ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\nx", "{{REDACTED}}\nx"),
            ("nothing to hide: user 7 at 10:33:00", "nothing to hide: user 7 at 10:33:00"),
            ("3 tokens were parsed", "3 tokens were parsed"),
        ] {
            assert_eq!(scrubbed(text), expected, "{text}");
        }
    }

    #[test]
    fn values_under_telling_names_are_replaced_whole() {
        for key in [
            "password",
            "DB_PASSWORD",
            "x-api-key",
            "http.request.header.authorization",
            "user.email",
            "Cookie",
        ] {
            assert_eq!(scrubbed_value(key, "anything"), REDACTED, "{key}");
        }
        assert_eq!(scrubbed_value("http.route", "/cart?token=abc"), "/cart?token={{REDACTED}}");
        assert_eq!(scrubbed_value("http.status", "500"), "500");
    }
}
