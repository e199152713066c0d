//! Durations as text: `[days ]HH:MM:SS[.ffffff]`.

use serde_json::Value;

const US_PER_SECOND: i64 = 1_000_000;
const US_PER_DAY: i64 = 86_400 * US_PER_SECOND;

/// Writes microseconds, not negative: `14 00:00:00`, `01:30:00`, `00:00:00.500000`.
pub(super) fn format(us: i64) -> String {
    let (days, rest) = (us / US_PER_DAY, us % US_PER_DAY);
    let (seconds, fraction) = (rest / US_PER_SECOND, rest % US_PER_SECOND);
    let mut text = if days == 0 { String::new() } else { format!("{days} ") };
    text.push_str(&format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60));
    if fraction != 0 {
        text.push_str(&format!(".{fraction:06}"));
    }
    text
}

/// Reads a duration: as it is written, with `days` spelt out, in seconds, or in ISO 8601 (`P14D`, `PT1H30M`).
/// Microseconds; none when it is no duration, or beyond 64 bits.
pub(super) fn parse(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(seconds) => seconds.checked_mul(US_PER_SECOND),
            None => None,
        },
        Value::String(text) => {
            let text = text.trim();
            seconds(text).or_else(|| clock(text)).or_else(|| iso_8601(text))
        }
        _ => None,
    }
}

/// Seconds with or without a fraction: `5`, `5.25`.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole)?.checked_mul(US_PER_SECOND)?.checked_add(fraction_us(fraction)?)
}

/// `14 00:00:00`, `14 days 00:00:00`, `14 days`, `01:30:00`, `30:00`.
fn clock(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, time) = match words.as_slice() {
        [time] => ("0", *time),
        [days, "day" | "days" | "day," | "days,"] => (*days, "0"),
        [days, time] => (*days, *time),
        [days, "day" | "days" | "day," | "days,", time] => (*days, *time),
        _ => return None,
    };
    let mut us = digits(days)?.checked_mul(US_PER_DAY)?;
    let parts: Vec<&str> = time.split(':').collect();
    let (last, others) = parts.split_last()?;
    if others.len() > 2 || (others.is_empty() && words.len() == 1) {
        return None;
    }
    let mut whole = 0_i64;
    for part in others {
        whole = whole.checked_mul(60)?.checked_add(digits(part)?)?;
    }
    us = us.checked_add(whole.checked_mul(60)?.checked_mul(US_PER_SECOND)?)?;
    us.checked_add(seconds(last)?)
}

/// Weeks, days, hours, minutes and seconds; months and years have no length of their own.
fn iso_8601(text: &str) -> Option<i64> {
    let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) if !time.is_empty() => (date, time),
        Some(_) => return None,
        None => (rest, ""),
    };
    let of_date = units(date, &[('W', 7 * US_PER_DAY), ('D', US_PER_DAY)])?;
    let of_time =
        units(time, &[('H', 3_600 * US_PER_SECOND), ('M', 60 * US_PER_SECOND), ('S', US_PER_SECOND)])?;
    of_date.checked_add(of_time)
}

/// Numbers with letters behind them, each letter once and in order.
fn units(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let (mut rest, mut us) = (text, 0_i64);
    for (letter, unit_us) in units {
        let Some((number, after)) = rest.split_once(*letter) else { continue };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        us = us.checked_add(digits(whole)?.checked_mul(*unit_us)?)?;
        match (*letter, fraction_us(fraction)?) {
            (_, 0) => {}
            ('S', fraction) => us = us.checked_add(fraction)?,
            _ => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(us)
}

fn digits(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// What is behind the point, as microseconds.
fn fraction_us(text: &str) -> Option<i64> {
    const NUM_DIGITS: usize = 6;
    digits(text)?;
    let padded: String = text.chars().chain("000000".chars()).take(NUM_DIGITS).collect();
    digits(&padded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations_are_read_in_every_spelling_and_written_in_one() {
        for (value, expected) in [
            (json!("14 00:00:00"), Some("14 00:00:00")),
            (json!("14 days 00:00:00"), Some("14 00:00:00")),
            (json!("14 days, 01:00:00"), Some("14 01:00:00")),
            (json!("1 day"), Some("1 00:00:00")),
            (json!("01:30:00"), Some("01:30:00")),
            (json!("30:00"), Some("00:30:00")),
            (json!("00:00:00.5"), Some("00:00:00.500000")),
            (json!(3600), Some("01:00:00")),
            (json!("3600"), Some("01:00:00")),
            (json!("90.000001"), Some("00:01:30.000001")),
            (json!("P14D"), Some("14 00:00:00")),
            (json!("P1W"), Some("7 00:00:00")),
            (json!("P1DT2H3M4.5S"), Some("1 02:03:04.500000")),
            (json!("PT36H"), Some("1 12:00:00")),
            (json!(""), None),
            (json!("soon"), None),
            (json!("P"), None),
            (json!("PT"), None),
            (json!("P1Y"), None),
            (json!("P1.5D"), None),
            (json!("-1"), None),
            (json!("1:2:3:4"), None),
            (json!("1 2 3"), None),
            (json!(1.5), None),
            (json!(true), None),
            (json!("99999999999999999999"), None),
            (json!(9_300_000_000_000_i64), None),
        ] {
            assert_eq!(parse(&value).map(format).as_deref(), expected, "{value}");
        }
    }
}
