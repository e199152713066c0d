//! What looks like a value: times, ids, addresses, numbers.

use std::net::Ipv6Addr;

/// Kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Timestamp,
    Uuid,
    Ip,
    Hex,
    Number,
}

impl Value {
    pub(super) const ALL: [Self; 5] = [Self::Timestamp, Self::Uuid, Self::Ip, Self::Hex, Self::Number];

    /// What stands for it in a pattern.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Timestamp => "<timestamp>",
            Self::Uuid => "<uuid>",
            Self::Ip => "<ip>",
            Self::Hex => "<hex>",
            Self::Number => "<num>",
        }
    }

    /// A regular expression that every value of the kind matches whole; others may match too.
    pub(super) fn expression(self) -> &'static str {
        match self {
            Self::Timestamp => {
                "[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?|[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?"
            }
            Self::Uuid => "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
            Self::Ip => r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*",
            Self::Hex => "(?:0[xX])?[0-9A-Fa-f]+",
            Self::Number => r"[0-9]+(?:\.[0-9]+)*",
        }
    }
}

/// Shorter words of hexadecimal digits are words.
const MIN_HEX_DIGITS: usize = 6;

/// The value that begins at a place where no word is under way, and where it ends. The digits of a word that is no
/// value as a whole are not one here.
pub(super) fn value_at(text: &str, place: usize) -> Option<(Value, usize)> {
    let rest = &text.as_bytes()[place..];
    if !(rest[0].is_ascii_hexdigit() || rest[0] == b':') {
        return None;
    }
    let found = timestamp(rest)
        .map(|length| (Value::Timestamp, length))
        .or_else(|| uuid(rest).map(|length| (Value::Uuid, length)))
        .or_else(|| ip(&text[place..]).map(|length| (Value::Ip, length)))
        .or_else(|| hex(rest).map(|length| (Value::Hex, length)))
        .or_else(|| number(rest).map(|length| (Value::Number, length)));
    found.map(|(value, length)| (value, place + length))
}

/// Whether a word ends before `rest`.
fn is_word_end(rest: &[u8]) -> bool {
    // Bytes of longer characters count as letters.
    rest.first().is_none_or(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80))
}

/// The length of text that is as `form` says, where `0` is a digit and everything else itself.
fn formed(rest: &[u8], form: &[u8]) -> Option<usize> {
    let is_formed = rest.len() >= form.len()
        && rest.iter().zip(form).all(|(byte, form)| match form {
            b'0' => byte.is_ascii_digit(),
            form => byte == form,
        });
    is_formed.then_some(form.len())
}

fn digits(rest: &[u8]) -> usize {
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn timestamp(rest: &[u8]) -> Option<usize> {
    let date = formed(rest, b"0000-00-00").or_else(|| formed(rest, b"0000/00/00"));
    let Some(date) = date else { return clock_time(rest).filter(|length| is_word_end(&rest[*length..])) };
    let time = match rest.get(date) {
        Some(b'T' | b' ') => clock_time(&rest[date + 1..]).map(|length| date + 1 + length),
        _ => None,
    };
    let with_zone = time.map(|end| end + zone(&rest[end..]));
    let candidates = [with_zone, time, Some(date)];
    candidates.into_iter().flatten().find(|length| is_word_end(&rest[*length..]))
}

/// `10:32:36`, with a fraction.
fn clock_time(rest: &[u8]) -> Option<usize> {
    let seconds = formed(rest, b"00:00:00")?;
    let fraction = match rest.get(seconds) {
        Some(b'.' | b',') => digits(&rest[seconds + 1..]),
        _ => 0,
    };
    Some(if fraction == 0 { seconds } else { seconds + 1 + fraction })
}

/// The length of a zone; 0 without one.
fn zone(rest: &[u8]) -> usize {
    match rest.first() {
        Some(b'Z') => 1,
        Some(b'+' | b'-') => {
            let offset = formed(&rest[1..], b"00:00").or_else(|| formed(&rest[1..], b"0000"));
            offset.map_or(0, |length| 1 + length)
        }
        _ => 0,
    }
}

fn uuid(rest: &[u8]) -> Option<usize> {
    const LENGTH: usize = 36;
    let text = rest.get(..LENGTH)?;
    let is_uuid = text.iter().enumerate().all(|(place, byte)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    });
    (is_uuid && is_word_end(&rest[LENGTH..])).then_some(LENGTH)
}

fn ip(rest: &str) -> Option<usize> {
    ipv4(rest.as_bytes()).or_else(|| ipv6(rest))
}

fn ipv4(rest: &[u8]) -> Option<usize> {
    let mut length = 0;
    for part in 0..4 {
        if part > 0 {
            (rest.get(length) == Some(&b'.')).then_some(())?;
            length += 1;
        }
        let num_digits = digits(&rest[length..]);
        (1..=3).contains(&num_digits).then_some(())?;
        length += num_digits;
    }
    let is_longer = rest.get(length) == Some(&b'.') && digits(&rest[length + 1..]) > 0;
    (is_word_end(&rest[length..]) && !is_longer).then_some(length)
}

fn ipv6(rest: &str) -> Option<usize> {
    const LONGEST: usize = 45;
    let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let length = rest.bytes().take(LONGEST + 1).take_while(is_part).count();
    // What follows it in a sentence is not part of it.
    let text = rest[..length].trim_end_matches('.');
    let has_colons = text.bytes().filter(|byte| *byte == b':').count() >= 2;
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_address = has_colons && has_digit && text.parse::<Ipv6Addr>().is_ok();
    (is_address && is_word_end(&rest.as_bytes()[text.len()..])).then_some(text.len())
}

fn hex(rest: &[u8]) -> Option<usize> {
    let num_hex = |rest: &[u8]| rest.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if let [b'0', b'x' | b'X', prefixed @ ..] = rest {
        let length = num_hex(prefixed);
        return (length > 0 && is_word_end(&prefixed[length..])).then_some(2 + length);
    }
    let length = num_hex(rest);
    let has_both =
        rest[..length].iter().any(u8::is_ascii_digit) && rest[..length].iter().any(u8::is_ascii_alphabetic);
    (length >= MIN_HEX_DIGITS && has_both && is_word_end(&rest[length..])).then_some(length)
}

/// Digits, with dots between digits.
fn number(rest: &[u8]) -> Option<usize> {
    let mut length = digits(rest);
    (length > 0).then_some(())?;
    while rest.get(length) == Some(&b'.') && digits(&rest[length + 1..]) > 0 {
        length += 1 + digits(&rest[length + 1..]);
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn every_value_matches_its_expression() {
        for text in [
            "2025-12-16",
            "2025/12/16 10:32:36",
            "2025-12-16T10:32:36.5Z",
            "2025-12-16 10:32:36,184+0100",
            "10:32:36.000001",
            "019B2651-0f38-7000-bfff-ffffffffffff",
            "10.0.0.1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "0xF",
            "abc123",
            "5",
            "5.6.7.8.9",
        ] {
            let (value, length) = value_at(text, 0).unwrap();
            assert_eq!(length, text.len(), "{text} as {value:?}");
            let expression = Regex::new(&format!("^(?:{})$", value.expression())).unwrap();
            assert!(expression.is_match(text), "{text} as {value:?}");
        }
    }

    #[test]
    fn words_are_no_values() {
        for text in ["", "x", "face", "facade", "decade", "add::face", "::", ":", "-1", "é1"] {
            let found = if text.is_empty() { None } else { value_at(text, 0) };
            assert_eq!(found, None, "{text}");
        }
    }
}
