//! What is told of patterns.

use std::cmp::Reverse;

use datafusion::common::Result;

use super::super::model::Cursor;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::examples::read_examples;
use super::tally::{Tally, TemplateTally};
use crate::pattern::{Templates, match_literal, match_regex};

/// Services of a pattern that are named, those with most rows.
const MAX_SERVICES: usize = 4;

/// Masked bodies of a pattern that are listed; of a pattern with more, none are.
const MAX_MATCH_PATTERNS: usize = 20;

/// The severities of errors.
const ERRORS: [&str; 2] = ["error", "fatal"];

/// The patterns of some rows. Each row has at most one pattern.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternsAnswer {
    /// The most frequent patterns, by number of rows and then by text.
    pub patterns: Vec<PatternSummary>,
    /// All rows that pass the filter.
    pub total_rows: u64,
    /// Those of them that have a pattern, returned or not: all of them, unless their distinct masked bodies are more
    /// than can be looked at together.
    pub rows_with_patterns: u64,
    /// Patterns that are not returned.
    pub omitted_patterns: u64,
    /// The parts of the time that the numbers of a sparkline are of.
    pub buckets: Vec<TimeRange>,
}

/// One pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PatternSummary {
    /// Its text, with markers like `<num>` for values and `<*>` for words that differ.
    pub pattern: String,
    /// Rows that have it.
    pub num_rows: u64,
    /// Those of them that are errors or fatal.
    pub error_rows: u64,
    /// Its first `timestamp`, microseconds; none without rows.
    pub first_seen_us: Option<i64>,
    /// Its last `timestamp`, microseconds.
    pub last_seen_us: Option<i64>,
    /// Its newest rows, at most ten, newest first.
    pub examples: Vec<PatternExample>,
    /// The services with most rows of it, at most four.
    pub services: Vec<String>,
    /// Rows per bucket.
    pub sparkline: Vec<u64>,
    /// Rows per severity, by name.
    pub severity_counts: Vec<(String, u64)>,
    /// A regular expression that each of its bodies matches; none when it would be too large.
    pub match_regex: Option<String>,
    /// A text that each of its bodies contains.
    pub match_literal: Option<String>,
    /// The masked bodies that it is made of, by number of rows; empty when they are more than twenty.
    pub match_patterns: Vec<String>,
}

/// A row that has a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternExample {
    /// The body, or the first 4 KiB of it.
    pub body: String,
    /// Its severity.
    pub severity_text: String,
    /// Its service.
    pub service_name: String,
    /// Its `timestamp`, microseconds.
    pub timestamp_us: i64,
}

impl PatternsAnswer {
    pub(super) fn of(
        mut patterns: Vec<PatternSummary>,
        tally: &Tally,
        templates: &Templates,
        range: TimeRange,
    ) -> Self {
        patterns.sort_by(|left, right| {
            right.num_rows.cmp(&left.num_rows).then_with(|| left.pattern.cmp(&right.pattern))
        });
        let num_omitted = templates.as_slice().len() - patterns.len();
        Self {
            patterns,
            total_rows: tally.total_rows,
            rows_with_patterns: tally.rows_of_templates,
            omitted_patterns: num_omitted as u64,
            buckets: if range.is_empty() { Vec::new() } else { tally.buckets.ranges() },
        }
    }
}

/// What a tally says of each template that it is of, in their order.
pub(super) async fn summaries(
    session: &QuerySession,
    templates: &Templates,
    tally: &Tally,
) -> Result<Vec<PatternSummary>> {
    let newest: Vec<Vec<Cursor>> = tally.templates.iter().map(TemplateTally::newest).collect();
    let mut found = read_examples(session, &newest.concat()).await?;
    let tallies = templates.as_slice().iter().zip(&tally.templates).zip(newest);
    let summaries = tallies.map(|((template, tally), newest)| {
        let examples: Vec<_> = newest.iter().filter_map(|key| found.remove(&key.uuid)).collect();
        let errors = ERRORS.iter().filter_map(|name| tally.by_severity.get(*name));
        let bodies = &template.bodies;
        PatternSummary {
            num_rows: tally.num_rows,
            error_rows: errors.sum(),
            first_seen_us: tally.seen_us.map(|(first, _)| first),
            last_seen_us: tally.seen_us.map(|(_, last)| last),
            services: top_services(tally),
            sparkline: tally.sparkline.clone(),
            severity_counts: tally.by_severity.iter().map(|(name, rows)| (name.clone(), *rows)).collect(),
            match_regex: match_regex(&template.pattern, examples.iter().map(|example| example.body.as_str())),
            match_literal: match_literal(&template.pattern),
            match_patterns: if bodies.len() > MAX_MATCH_PATTERNS { Vec::new() } else { bodies.clone() },
            examples,
            pattern: template.pattern.clone(),
        }
    });
    Ok(summaries.collect())
}

fn top_services(tally: &TemplateTally) -> Vec<String> {
    let mut services: Vec<(&String, u64)> =
        tally.by_service.iter().map(|(name, rows)| (name, *rows)).collect();
    services.sort_by_key(|(name, rows)| (Reverse(*rows), *name));
    services.into_iter().take(MAX_SERVICES).map(|(name, _)| name.clone()).collect()
}
