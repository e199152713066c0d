//! How much one key and one project may ask for and send, where settings limit it.
//!
//! Requests are counted after the caller's permissions have been checked and before the endpoint looks at the body.
//! What is limited in other ways, like explanations by a model, uses the same [`Windows`].

mod questions;
mod windows;

use engine::schema::ProjectId;

pub(crate) use self::questions::{QuestionSlots, answer_question};
pub(crate) use self::windows::{Limit, Windows};
use crate::config::RateLimitConfig;
use crate::error::ApiError;

const MINUTE_SECS: i64 = 60;
const HOUR_SECS: i64 = 3_600;

/// What a request is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestClass {
    /// Any that is not named here.
    Usual,
    /// Comparing patterns, which reads two ranges.
    PatternsDiff,
}

/// Counts of all keys and projects. They are of this process and begin anew with it.
#[derive(Debug)]
pub(crate) struct RateLimits {
    keys: Windows<String>,
    patterns_diff: Windows<String>,
    projects: Windows<ProjectId>,
    ingest_bytes: Windows<ProjectId>,
}

impl RateLimits {
    pub(crate) fn new(config: &RateLimitConfig) -> Self {
        let bytes = Limit { secs: MINUTE_SECS, amount: config.ingest_bytes_per_minute.unwrap_or(u64::MAX) };
        let ingest = config.ingest_bytes_per_minute.map(|_| bytes);
        Self {
            keys: Windows::new(limits(config.key_per_minute, config.key_per_hour)),
            patterns_diff: Windows::new(limits(
                config.patterns_diff_per_minute,
                config.patterns_diff_per_hour,
            )),
            projects: Windows::new(limits(config.project_per_minute, config.project_per_hour)),
            ingest_bytes: Windows::new(ingest.into_iter().collect()),
        }
    }

    /// Counts a request that was made with a key, about a project if it is about one.
    ///
    /// # Errors
    /// 429 when the key or the project has had all that it may have for now; the request is not counted.
    pub(crate) fn take(
        &self,
        class: RequestClass,
        key_id: &str,
        project: Option<ProjectId>,
        now_us: i64,
    ) -> Result<(), ApiError> {
        let keys = match class {
            RequestClass::Usual => &self.keys,
            RequestClass::PatternsDiff => &self.patterns_diff,
        };
        if let Some(project) = project {
            self.projects.check(project, now_us).map_err(ApiError::throttled)?;
        }
        keys.take(key_id.to_owned(), now_us).map_err(ApiError::throttled)?;
        if let Some(project) = project {
            self.projects.add(project, 1, now_us);
        }
        Ok(())
    }

    /// Whether a project may send records.
    ///
    /// # Errors
    /// 429 when it has sent all that it may for now.
    pub(crate) fn check_ingest(&self, project: ProjectId, now_us: i64) -> Result<(), ApiError> {
        self.ingest_bytes.check(project, now_us).map_err(ApiError::throttled)
    }

    /// Counts a body that a project has sent.
    pub(crate) fn add_ingest(&self, project: ProjectId, num_bytes: usize, now_us: i64) {
        self.ingest_bytes.add(project, num_bytes as u64, now_us);
    }
}

fn limits(per_minute: Option<u32>, per_hour: Option<u32>) -> Vec<Limit> {
    let limit = |secs, amount: Option<u32>| amount.map(|amount| Limit { secs, amount: amount.into() });
    [limit(MINUTE_SECS, per_minute), limit(HOUR_SECS, per_hour)].into_iter().flatten().collect()
}
