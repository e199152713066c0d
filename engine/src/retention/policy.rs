//! What a project asks for: how long its rows are kept.

use crate::error::{Error, Result};
use crate::query::model::LogFilter;

/// Rows can be kept for this many days at most, a hundred years; without a number of days they are kept for ever.
pub const MAX_RETENTION_DAYS: u32 = 36_500;

/// A policy with more rules than this is refused: a row may have to be tested against each.
pub const MAX_RETENTION_RULES: usize = 100;

/// Longest name of a rule, characters.
const MAX_NAME_CHARS: usize = 255;

/// How long the rows of a table are kept. The default is for ever.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetentionPolicy {
    /// Days that rows are kept which no rule is for; `None` is for ever.
    pub days: Option<u32>,
    /// In order: the first one that is for a row decides.
    pub rules: Vec<RetentionRule>,
    /// In the place of days: rows older than this instant have expired, microseconds. For whoever moves the instant
    /// on; it is never taken for a later one than now.
    pub kept_from_us: Option<i64>,
}

/// How long some of the rows of a table are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct RetentionRule {
    /// What people call it.
    pub name: String,
    /// Which rows it is for.
    pub filter: LogFilter,
    /// Days that these rows are kept; `None` is for ever.
    pub days: Option<u32>,
}

impl RetentionPolicy {
    /// A policy without rules.
    pub fn of_days(days: Option<u32>) -> Self {
        Self { days, ..Self::default() }
    }

    /// A policy by which rows older than an instant have expired, microseconds.
    pub fn kept_from(instant_us: i64) -> Self {
        Self { kept_from_us: Some(instant_us), ..Self::default() }
    }

    /// Whether no row ever expires.
    pub fn keeps_all(&self) -> bool {
        self.kept_from_us.is_none()
            && self.days.is_none()
            && self.rules.iter().all(|rule| rule.days.is_none())
    }

    /// Refuses numbers and names out of their bounds. What the rules' filters mean is checked when they are
    /// compiled.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` naming the member.
    pub(super) fn check_bounds(&self) -> Result<()> {
        check_days("days", self.days)?;
        if self.kept_from_us.is_some() && (self.days.is_some() || !self.rules.is_empty()) {
            return Err(Error::invalid_request(
                "kept_from_us: rows expire by an instant or by days, not by both",
            ));
        }
        if self.rules.len() > MAX_RETENTION_RULES {
            let message = format!("{} retention rules are more than {MAX_RETENTION_RULES}", self.rules.len());
            return Err(Error::new(crate::error::ErrorKind::LimitExceeded, message));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            check_days(&format!("rules[{index}].days"), rule.days)?;
            if rule.name.is_empty() || rule.name.chars().count() > MAX_NAME_CHARS {
                let message = format!(
                    "rules[{index}].name: a name has at least one character and at most {MAX_NAME_CHARS}"
                );
                return Err(Error::invalid_request(message));
            }
        }
        Ok(())
    }
}

fn check_days(path: &str, days: Option<u32>) -> Result<()> {
    match days {
        Some(days) if !(1..=MAX_RETENTION_DAYS).contains(&days) => Err(Error::invalid_request(format!(
            "{path}: {days} is not a number of days from 1 to {MAX_RETENTION_DAYS}"
        ))),
        _ => Ok(()),
    }
}
