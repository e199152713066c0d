//! `POST logs/patterns`: what the bodies of rows have in common.

use axum::Json;
use axum::extract::State;
use engine::pattern::PATTERN_VERSION;
use engine::query::{
    MAX_PATTERNS, PatternExample, PatternSummary, PatternsAnswer, PatternsRequest, Rounding, WindowStats,
};
use serde_json::{Map, Value, json};

use super::request::AggregateRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::{Fields, invalid};
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn patterns(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let query = super::query_or_defaults(&call.into_json()?)?;
    let query = Fields::of(&query, "")?;
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&query)?;
    let limit = parse_limit(&query)?;
    let range = date_range.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let answer = state.engine().patterns(project, PatternsRequest { filter, range, limit }).await?;
    Ok(Json(written(&answer)))
}

/// Reads how many patterns are wanted; all there may be without a word.
///
/// # Errors
/// 400 that names the member when it is below 1 or no whole number.
pub(super) fn parse_limit(query: &Fields<'_>) -> Result<usize, ApiError> {
    const MEMBER: &str = "limit";
    match query.integer(MEMBER)? {
        None => Ok(MAX_PATTERNS),
        Some(limit) if limit < 1 => Err(invalid(MEMBER, &format!("{limit} is less than 1"))),
        Some(limit) => Ok(usize::try_from(limit).map_or(MAX_PATTERNS, |limit| limit.min(MAX_PATTERNS))),
    }
}

fn written(answer: &PatternsAnswer) -> Value {
    let stats = answer.stats();
    let patterns = answer.patterns.iter().map(|pattern| written_pattern(pattern, &stats));
    let buckets = answer.buckets.iter().map(
        |bucket| json!({ "start": iso_time::format(bucket.start_us), "end": iso_time::format(bucket.end_us) }),
    );
    let mut written = json!({
        "patterns": patterns.collect::<Vec<Value>>(),
        "sparkline_buckets": buckets.collect::<Vec<Value>>(),
        "source": "computed",
        "pattern_version": PATTERN_VERSION,
        "fallback_reason": null,
        "omitted_pattern_count": answer.omitted_patterns,
    });
    if let Value::Object(members) = &mut written {
        members.extend(written_stats(&stats));
    }
    written
}

/// How many rows were looked at, and how many of them the patterns tell about.
pub(super) fn written_stats(stats: &WindowStats) -> Map<String, Value> {
    let WindowStats { total_rows, rows_with_patterns } = *stats;
    let coverage_pct = if total_rows == 0 { 100.0 } else { percent(rows_with_patterns, total_rows) };
    let members = [
        ("scanned_count", json!(rows_with_patterns)),
        ("total_count", json!(total_rows)),
        ("sampled", json!(rows_with_patterns < total_rows)),
        ("sample_coverage_pct", json!(coverage_pct)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One pattern. Its numbers are counted, so that the estimates are the counts.
pub(super) fn written_pattern(pattern: &PatternSummary, stats: &WindowStats) -> Value {
    let severities: Map<String, Value> =
        pattern.severity_counts.iter().map(|(name, count)| (name.clone(), json!(count))).collect();
    json!({
        "pattern": pattern.pattern,
        "count": pattern.num_rows,
        "estimated_count": pattern.num_rows,
        "volume_share_pct": percent(pattern.num_rows, stats.total_rows),
        "error_count": pattern.error_rows,
        "estimated_error_count": pattern.error_rows,
        "first_seen": pattern.first_seen_us.map(iso_time::format),
        "last_seen": pattern.last_seen_us.map(iso_time::format),
        "examples": pattern.examples.iter().map(written_example).collect::<Vec<Value>>(),
        "services": pattern.services,
        "sparkline": pattern.sparkline,
        "severity_counts": severities,
        "match_regex": pattern.match_regex,
        "match_literal": pattern.match_literal,
        "match_patterns": pattern.match_patterns,
    })
}

fn written_example(example: &PatternExample) -> Value {
    json!({
        "body": example.body,
        "severity_text": example.severity_text,
        "service_name": example.service_name,
        "timestamp": iso_time::format(example.timestamp_us),
    })
}

/// A share with two decimals; that of less than everything is never 100, and that of nothing 0.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let rounded = (10_000.0 * part as f64 / whole as f64).round() / 100.0;
    if part < whole { rounded.min(99.99) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_has_a_least_value_and_a_cap() {
        let limit = |query: Value| {
            let limit = parse_limit(&Fields::of(&query, "").unwrap());
            limit.map_err(|error| error.to_string())
        };
        assert_eq!(limit(json!({})), Ok(200));
        assert_eq!(limit(json!({ "limit": 7 })), Ok(7));
        assert_eq!(limit(json!({ "limit": 100_000 })), Ok(200));
        assert_eq!(limit(json!({ "limit": 0 })), Err("400 parse_error: limit: 0 is less than 1".into()));
        assert!(limit(json!({ "limit": "5" })).is_err());
    }

    #[test]
    fn what_is_left_out_is_said() {
        let stats = |total_rows, rows_with_patterns| {
            Value::Object(written_stats(&WindowStats { total_rows, rows_with_patterns }))
        };
        assert_eq!(
            stats(100_000, 99_999),
            json!({ "scanned_count": 99_999, "total_count": 100_000, "sampled": true, "sample_coverage_pct": 99.99 })
        );
        assert_eq!(stats(7, 7)["sampled"], false);
        assert_eq!(
            (&stats(7, 7)["sample_coverage_pct"], &stats(0, 0)["sample_coverage_pct"]),
            (&json!(100.0), &json!(100.0))
        );
    }
}
