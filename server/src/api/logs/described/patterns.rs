//! What the endpoints of patterns take and answer.

use serde_json::Value;

use super::asks;
use crate::api::openapi::Operation;
use crate::api::openapi::schema::{
    boolean, integer, list, map, moment, nullable, number, object, one_of, reference, text, with_required,
};
use crate::api::openapi::shared::question;

fn pattern() -> Value {
    let example = object(&[
        ("body", text()),
        ("severity_text", text()),
        ("service_name", text()),
        ("timestamp", moment()),
    ]);
    object(&[
        ("pattern", text()),
        ("count", integer()),
        ("estimated_count", integer()),
        ("volume_share_pct", number()),
        ("error_count", integer()),
        ("estimated_error_count", integer()),
        ("first_seen", moment()),
        ("last_seen", moment()),
        ("examples", list(example)),
        ("services", list(text())),
        ("severity_counts", map(integer())),
        ("sparkline", list(integer())),
        ("match_regex", nullable(text())),
        ("match_literal", nullable(text())),
        ("match_patterns", list(text())),
    ])
}

/// How much of the rows has patterns.
fn coverage() -> Vec<(&'static str, Value)> {
    vec![
        ("scanned_count", integer()),
        ("total_count", integer()),
        ("sampled", boolean()),
        ("sample_coverage_pct", number()),
    ]
}

/// How an answer was made.
fn origin() -> Vec<(&'static str, Value)> {
    vec![("omitted_pattern_count", integer()), ("source", text()), ("pattern_version", integer())]
}

pub(in crate::api::logs) fn patterns() -> Operation {
    let bucket = object(&[("start", moment()), ("end", moment())]);
    let mut answer = vec![("patterns", list(pattern())), ("sparkline_buckets", list(bucket))];
    answer.extend(coverage());
    answer.extend(origin());
    answer.push(("fallback_reason", nullable(text())));
    asks("What bodies have in common")
        .body(question(&[("limit", nullable(integer()))]))
        .answers(200, object(&answer))
}

pub(in crate::api::logs) fn patterns_diff() -> Operation {
    let body = with_required(
        &[("query", reference("LogsFilter")), ("baselineDateRange", nullable(reference("DateRange")))],
        &["query"],
    );
    let entry = object(&[
        ("classification", one_of(&["new", "gone", "rate_shift", "unchanged"])),
        ("rate_ratio", nullable(number())),
        ("pattern", pattern()),
        ("baseline_estimated_count", nullable(integer())),
        ("baseline_volume_share_pct", nullable(number())),
    ]);
    let mut answer =
        vec![("entries", list(entry)), ("current", object(&coverage())), ("baseline", object(&coverage()))];
    answer.extend(origin());
    asks("How what bodies have in common has changed").body(body).answers(200, object(&answer))
}
