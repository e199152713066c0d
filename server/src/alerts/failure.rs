//! Why a check could not count, and what people are told of it.
//!
//! Nothing of an engine's error reaches people but texts that were written for callers.

use engine::{Error, ErrorKind};

use super::machine::Finding;
use super::services::MAX_SERVICES;

/// Longest text of an error that is kept, characters.
pub const MAX_TEXT_CHARS: usize = 500;

/// A class of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureClass {
    /// The engine has too much to do.
    ServerBusy,
    /// All else that is not the alert's fault.
    Unknown,
    /// The question is over a limit of time, memory or bytes.
    QueryPerformance,
    /// The question makes no sense.
    InvalidQuery,
}

/// A check that could not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub class: FailureClass,
    /// For people.
    pub text: String,
}

impl Failure {
    /// A question that ran out of its time.
    pub fn out_of_time() -> Self {
        Self::of(
            FailureClass::QueryPerformance,
            "the query took too long: narrow the filters or shorten the window",
        )
    }

    /// An alert for each service that looks at more of them than it may.
    pub fn too_many_services(num_services: usize) -> Self {
        let text = format!(
            "the alert looks at {num_services} services, more than {MAX_SERVICES}: name services in its filters"
        );
        Self::of(FailureClass::QueryPerformance, &text)
    }

    /// What an error of the engine means for the alert.
    pub fn of_engine(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Unavailable => {
                Self::of(FailureClass::ServerBusy, "the server is busy; the check is repeated by itself")
            }
            ErrorKind::DeadlineExceeded => Self::out_of_time(),
            ErrorKind::ResourcesExhausted => Self::of(
                FailureClass::QueryPerformance,
                "the query needs too much memory: narrow the filters or shorten the window",
            ),
            ErrorKind::LimitExceeded => Self::of(FailureClass::QueryPerformance, error.message()),
            ErrorKind::InvalidRequest => Self::of(FailureClass::InvalidQuery, error.message()),
            ErrorKind::NotFound | ErrorKind::CorruptData | ErrorKind::Internal => Self::of(
                FailureClass::Unknown,
                "the check failed unexpectedly; the operators of the server were told, and it is repeated by itself",
            ),
        }
    }

    fn of(class: FailureClass, text: &str) -> Self {
        Self { class, text: text.chars().take(MAX_TEXT_CHARS).collect() }
    }

    /// What the state machine makes of it.
    pub fn finding(&self) -> Finding {
        match self.class {
            FailureClass::ServerBusy | FailureClass::Unknown => Finding::TransientFailure,
            FailureClass::QueryPerformance | FailureClass::InvalidQuery => Finding::PermanentFailure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_alert_can_mend_counts_against_it() {
        for (kind, class, finding) in [
            (ErrorKind::Unavailable, FailureClass::ServerBusy, Finding::TransientFailure),
            (ErrorKind::Internal, FailureClass::Unknown, Finding::TransientFailure),
            (ErrorKind::CorruptData, FailureClass::Unknown, Finding::TransientFailure),
            (ErrorKind::NotFound, FailureClass::Unknown, Finding::TransientFailure),
            (ErrorKind::DeadlineExceeded, FailureClass::QueryPerformance, Finding::PermanentFailure),
            (ErrorKind::ResourcesExhausted, FailureClass::QueryPerformance, Finding::PermanentFailure),
            (ErrorKind::LimitExceeded, FailureClass::QueryPerformance, Finding::PermanentFailure),
            (ErrorKind::InvalidRequest, FailureClass::InvalidQuery, Finding::PermanentFailure),
        ] {
            let failure = Failure::of_engine(&Error::new(kind, "x"));
            assert_eq!((failure.class, failure.finding()), (class, finding), "{kind:?}");
        }
    }

    #[test]
    fn only_texts_for_callers_are_passed_on_and_not_without_end() {
        let secret = "s3://bucket/file.parquet";
        for kind in [ErrorKind::Unavailable, ErrorKind::Internal, ErrorKind::CorruptData, ErrorKind::NotFound]
        {
            assert!(!Failure::of_engine(&Error::new(kind, secret)).text.contains(secret), "{kind:?}");
        }
        let long = Failure::of_engine(&Error::invalid_request("ü".repeat(900)));
        assert_eq!(long.text.chars().count(), MAX_TEXT_CHARS);
    }
}
