//! `POST logs/patterns_diff`: how the patterns of rows differ between two stretches of time.

use axum::Json;
use axum::extract::State;
use engine::pattern::PATTERN_VERSION;
use engine::query::{
    Classification, DateRange, PatternChange, PatternsDiff, PatternsDiffRequest, Rounding, TimeRange,
    WindowStats,
};
use engine::schema::ProjectId;
use serde_json::{Value, json};

use super::date_range;
use super::patterns::{parse_limit, percent, written_pattern, written_stats};
use super::request::AggregateRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// How much earlier the baseline is when none is given.
const WEEK_US: i64 = 7 * 86_400_000_000;

const BASELINE: &str = "baselineDateRange";

pub(super) async fn patterns_diff(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let body = call.into_json()?;
    let query = super::query_or_defaults(&body)?;
    let query = Fields::of(&query, "")?;
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&query)?;
    let limit = parse_limit(&query)?;
    let baseline = Fields::of(&body, "")?.get(BASELINE);
    let baseline = baseline.map(|value| date_range::parse(value, BASELINE)).transpose()?;

    let range = resolved(&state, project, &date_range).await?;
    let baseline = match baseline {
        Some(baseline) => resolved(&state, project, &baseline).await?,
        None => TimeRange {
            start_us: range.start_us.saturating_sub(WEEK_US),
            end_us: range.end_us.saturating_sub(WEEK_US),
        },
    };
    let diff =
        state.engine().patterns_diff(project, PatternsDiffRequest { filter, range, baseline, limit }).await?;
    Ok(Json(written(&diff)))
}

async fn resolved(state: &AppState, project: ProjectId, range: &DateRange) -> Result<TimeRange, ApiError> {
    let range = range.resolve(state.clock().now_us(), Rounding::Aggregation);
    Ok(range.half_open(state.engine().earliest_of(project, &range).await?))
}

fn written(diff: &PatternsDiff) -> Value {
    json!({
        "entries": diff.changes.iter().map(|change| written_change(change, diff)).collect::<Vec<Value>>(),
        "current": written_stats(&diff.current),
        "baseline": written_stats(&diff.baseline),
        "source": "computed",
        "pattern_version": PATTERN_VERSION,
        "omitted_pattern_count": diff.omitted_patterns,
    })
}

fn written_change(change: &PatternChange, diff: &PatternsDiff) -> Value {
    // A pattern that has no rows now is told as it was.
    let stats: &WindowStats = if change.num_rows > 0 { &diff.current } else { &diff.baseline };
    let had_rows = change.baseline_rows > 0;
    let share_pct = percent(change.baseline_rows, diff.baseline.total_rows);
    json!({
        "classification": name(change.classification),
        "rate_ratio": change.rate_ratio,
        "pattern": written_pattern(&change.summary, stats),
        "baseline_estimated_count": had_rows.then_some(change.baseline_rows),
        "baseline_volume_share_pct": had_rows.then_some(share_pct),
    })
}

fn name(classification: Classification) -> &'static str {
    match classification {
        Classification::New => "new",
        Classification::Gone => "gone",
        Classification::RateShift => "rate_shift",
        Classification::Unchanged => "unchanged",
    }
}
