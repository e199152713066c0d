//! Instants as text: ISO 8601, UTC, with microseconds when there are any.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, Utc};

/// Writes microseconds since the epoch: `2025-12-16T10:32:36.184820Z`, `2025-12-16T10:30:00Z`.
///
/// An instant outside the calendar's 262,000 years either way is written as its nearest end.
pub(crate) fn format(timestamp_us: i64) -> String {
    let nearest_end = if timestamp_us < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    let instant = DateTime::from_timestamp_micros(timestamp_us).unwrap_or(nearest_end);
    let fraction =
        if timestamp_us.rem_euclid(1_000_000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    instant.to_rfc3339_opts(fraction, true)
}

/// Reads a date, or a date and time; without an offset it is UTC. None when it is neither.
pub(crate) fn parse(text: &str) -> Option<i64> {
    const OFFSET_FORMATS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
    const NAIVE_FORMATS: [&str; 4] =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let text = text.trim();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    if let Some(instant) = OFFSET_FORMATS.iter().find_map(|form| DateTime::parse_from_str(text, form).ok()) {
        return Some(instant.timestamp_micros());
    }
    let naive = NAIVE_FORMATS.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let midnight =
        || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN));
    naive.or_else(midnight).map(|instant| instant.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microseconds_are_written_when_there_are_any() {
        for (timestamp_us, expected) in [
            (1_765_881_156_184_820, "2025-12-16T10:32:36.184820Z"),
            (1_765_881_000_000_000, "2025-12-16T10:30:00Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(format(timestamp_us), expected);
            assert_eq!(parse(expected), Some(timestamp_us));
        }
    }

    #[test]
    fn every_64_bit_instant_can_be_written() {
        assert!(format(i64::MAX).starts_with('+'));
        assert!(format(i64::MIN).starts_with('-'));
    }

    #[test]
    fn an_offset_is_honoured_and_its_absence_is_utc() {
        let expected = Some(1_765_881_156_184_820);
        for text in [
            "2025-12-16T10:32:36.184820",
            "2025-12-16 10:32:36.184820",
            "2025-12-16T11:32:36.184820+01:00",
            "2025-12-16 12:32:36.184820+0200",
            "2025-12-16T10:32:36.184820Z",
            " 2025-12-16T10:32:36.184820+00:00 ",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
        assert_eq!(parse("2025-12-16T10:30"), Some(1_765_881_000_000_000));
        assert_eq!(parse("1970-01-02"), Some(86_400_000_000));
    }

    #[test]
    fn other_text_is_no_instant() {
        for text in ["", "now", "-1h", "2025-13-01", "2025-12-16T25:00:00Z", "1765881156"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
