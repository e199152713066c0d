//! Severities: the six names, their OpenTelemetry numbers, and what senders call them.

/// A record's severity as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Severity {
    /// The normalised name.
    pub text: SeverityText,
    /// The OpenTelemetry number, as sent when it was sent.
    pub number: i32,
}

/// The normalised severity names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SeverityText {
    /// `trace`, numbers 1-4.
    Trace,
    /// `debug`, numbers 5-8.
    Debug,
    /// `info`, numbers 9-12.
    Info,
    /// `warn`, numbers 13-16.
    Warn,
    /// `error`, numbers 17-20.
    Error,
    /// `fatal`, numbers 21-24.
    Fatal,
    /// `unknown`: the sender gave a number above 24.
    Unknown,
}

impl SeverityText {
    /// The stored text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
            Self::Unknown => "unknown",
        }
    }

    /// The name that a word spells exactly, ignoring case; `unknown` is none of them.
    pub fn from_name(word: &str) -> Option<Self> {
        const NAMES: [SeverityText; 6] = [
            SeverityText::Trace,
            SeverityText::Debug,
            SeverityText::Info,
            SeverityText::Warn,
            SeverityText::Error,
            SeverityText::Fatal,
        ];
        NAMES.into_iter().find(|name| name.as_str().eq_ignore_ascii_case(word))
    }

    /// What a sender's word means; a word that means nothing is `info`.
    pub fn from_sender(word: &str) -> Self {
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(word));
        if is(&["critical", "fatal", "crit", "alert", "emerg"]) {
            Self::Fatal
        } else if is(&["error", "err", "eror"]) {
            Self::Error
        } else if is(&["warn", "warning"]) {
            Self::Warn
        } else if is(&["debug", "dbug"]) {
            Self::Debug
        } else if is(&["trace"]) {
            Self::Trace
        } else {
            Self::Info
        }
    }

    /// The name for a positive OpenTelemetry number.
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            ..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            25.. => Self::Unknown,
        }
    }

    /// The lowest OpenTelemetry number of the name.
    fn number(self) -> i32 {
        match self {
            Self::Trace => 1,
            Self::Debug => 5,
            Self::Info => 9,
            Self::Warn => 13,
            Self::Error => 17,
            Self::Fatal => 21,
            Self::Unknown => 0,
        }
    }
}

impl Severity {
    /// Decides a record's severity: a positive number wins, then a level named in a JSON body, then the
    /// sender's word.
    ///
    /// `body_level` is asked only when it can matter, because it has to parse the body.
    pub fn decide(number: i32, word: &str, body_level: impl FnOnce() -> Option<SeverityText>) -> Self {
        if number > 0 {
            return Self { text: SeverityText::from_number(number), number };
        }
        let text = body_level().unwrap_or_else(|| SeverityText::from_sender(word));
        Self { text, number: text.number() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(number: i32, word: &str, body_level: Option<&str>, expected: (&str, i32)) {
        let severity = Severity::decide(number, word, || body_level.and_then(SeverityText::from_name));
        assert_eq!((severity.text.as_str(), severity.number), expected);
    }

    #[test]
    fn severity_follows_number_then_body_then_word() {
        check(0, "Warning", None, ("warn", 13));
        check(10, "ERROR", None, ("info", 10));
        check(0, "", Some("ERROR"), ("error", 17));
        check(0, "debug", Some("Fatal"), ("fatal", 21));
        check(30, "", None, ("unknown", 30));
        check(0, "NOTICE", None, ("info", 9));
        check(0, "emerg", None, ("fatal", 21));
        check(0, "dbug", None, ("debug", 5));
        check(0, "TRACE", None, ("trace", 1));
        check(-3, "eror", None, ("error", 17));
        check(24, "", Some("debug"), ("fatal", 24));
    }
}
