//! `POST logs/count-ranges`: how many rows, per time bucket.

use axum::Json;
use axum::extract::State;
use engine::query::{CountRanges, CountRangesRequest, Rounding};
use serde::Serialize;
use serde_json::Value;

use super::request::AggregateRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

const DEFAULT_TARGET_BUCKETS: i64 = 10;
const MAX_TARGET_BUCKETS: i64 = 100;

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    ranges: Vec<Range>,
    interval: String,
}

#[derive(Debug, Serialize)]
struct Range {
    date_from: String,
    date_to: String,
    count: u64,
}

pub(super) async fn count_ranges(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = parse(&super::query_or_defaults(&call.into_json()?)?, state.clock().now_us())?;
    let counted = state.engine().count_ranges(project, &request).await?;
    Ok(Json(written(&counted)))
}

fn parse(query: &Value, now_us: i64) -> Result<CountRangesRequest, ApiError> {
    let query = Fields::of(query, "")?;
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&query)?;
    let target_buckets = query.integer("targetBuckets")?.unwrap_or(DEFAULT_TARGET_BUCKETS);
    Ok(CountRangesRequest {
        filter,
        range: date_range.resolve(now_us, Rounding::Aggregation),
        target_buckets: target_buckets.clamp(1, MAX_TARGET_BUCKETS).unsigned_abs(),
    })
}

fn written(counted: &CountRanges) -> Answer {
    let width_us = counted.interval.width_us();
    let ranges = counted.ranges.iter().map(|range| Range {
        date_from: iso_time::format(range.start_us),
        date_to: iso_time::format(range.start_us.saturating_add(width_us)),
        count: range.count,
    });
    Answer { ranges: ranges.collect(), interval: counted.interval.label().to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_number_of_buckets_is_clamped() {
        for (asked, expected) in [
            (json!(null), 10),
            (json!(1), 1),
            (json!(50), 50),
            (json!(999), 100),
            (json!(0), 1),
            (json!(i64::MIN), 1),
        ] {
            let request = parse(&json!({ "targetBuckets": asked }), 0).unwrap();
            assert_eq!(request.target_buckets, expected, "{asked}");
        }
        for (asked, found) in [(json!("10"), "a string"), (json!(1.5), "a number")] {
            let error = parse(&json!({ "targetBuckets": asked }), 0).unwrap_err().to_string();
            let expected = format!("400 parse_error: targetBuckets: expected a whole number, found {found}");
            assert_eq!(error, expected);
        }
    }
}
