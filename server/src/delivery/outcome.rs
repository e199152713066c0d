//! How a try ends, and when the next one is.

use std::time::Duration;

use chrono::DateTime;
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Most tries of one notification.
const MAX_TRIES: i64 = 6;
/// Longest wait that a receiver can ask for.
const MAX_ASKED_WAIT: Duration = Duration::from_secs(300);
/// Longest wait otherwise.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// What may be better after a while: timeouts, too many requests, and faults of servers and what is before them.
const RETRIED: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// How a try ends. Reasons are read by everybody in the project: they have no address, no secret and nothing that the
/// receiver says beyond a status or a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Taken,
    /// It may be taken later.
    Later {
        reason: String,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// It will never be taken.
    Refused { reason: String },
}

impl Outcome {
    pub(super) fn later(reason: impl Into<String>) -> Self {
        Self::Later { reason: reason.into(), after: None }
    }

    pub(super) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// What an answer over HTTP means.
    pub(super) fn of_status(status: u16, after: Option<Duration>) -> Self {
        match status {
            200..300 => Self::Taken,
            300..400 => Self::refused(format!("the receiver redirects ({status}), which is not followed")),
            _ => {
                let reason = format!("the receiver answered with status {status}");
                if RETRIED.contains(&status) {
                    Self::Later { reason, after }
                } else {
                    Self::Refused { reason }
                }
            }
        }
    }
}

/// How long to wait after a try, if there is to be another one. Each wait is about twice the one before, or what the
/// receiver asks for; `jitter`, below a second, keeps receivers from being asked by everybody at once.
pub(super) fn wait_after(num_tries: i64, asked: Option<Duration>, jitter: Duration) -> Option<Duration> {
    if num_tries >= MAX_TRIES {
        return None;
    }
    let doublings = u32::try_from(num_tries.saturating_sub(1)).unwrap_or(0).min(16);
    let own = Duration::from_secs(1 << doublings).min(MAX_WAIT);
    let wait = asked.map_or(own, |asked| asked.clamp(own, MAX_ASKED_WAIT));
    Some(wait + jitter)
}

/// What a receiver asks for in `Retry-After`: seconds, or a date.
pub(super) fn asked_wait(headers: &HeaderMap, now_us: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(secs) = text.parse() {
        return Some(Duration::from_secs(secs));
    }
    let date = DateTime::parse_from_rfc2822(text).ok()?;
    let wait_us = date.timestamp_micros().saturating_sub(now_us);
    Some(Duration::from_micros(u64::try_from(wait_us).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_better_later_is_tried_again() {
        for status in [200, 201, 204, 299] {
            assert_eq!(Outcome::of_status(status, None), Outcome::Taken);
        }
        for status in RETRIED {
            assert!(matches!(Outcome::of_status(status, None), Outcome::Later { .. }), "{status}");
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 410, 422, 501, 505] {
            assert!(matches!(Outcome::of_status(status, None), Outcome::Refused { .. }), "{status}");
        }
    }

    #[test]
    fn waits_grow_and_end() {
        let secs = |tries| wait_after(tries, None, Duration::ZERO).map(|wait| wait.as_secs());
        let waits: Vec<_> = (1..=6).map(secs).collect();
        assert_eq!(waits, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
        assert_eq!(wait_after(1, None, Duration::from_millis(250)).unwrap().as_millis(), 1_250);
    }

    #[test]
    fn what_a_receiver_asks_for_counts_up_to_five_minutes() {
        let asked = |secs, tries| wait_after(tries, Some(Duration::from_secs(secs)), Duration::ZERO);
        assert_eq!(asked(30, 1), Some(Duration::from_secs(30)));
        assert_eq!(asked(0, 3), Some(Duration::from_secs(4)), "never sooner than otherwise");
        assert_eq!(asked(86_400, 1), Some(Duration::from_secs(300)));
        assert_eq!(asked(1, 6), None);
    }

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let asked = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            asked_wait(&headers, 1_445_412_000_000_000)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(480)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked_wait(&HeaderMap::new(), 0), None);
    }
}
