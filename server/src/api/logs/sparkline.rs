//! `POST logs/sparkline`: rows over time, one series per severity or service.

use axum::Json;
use axum::extract::State;
use engine::query::model::{Breakdown, RankBy};
use engine::query::{Rounding, SparklineEntry, SparklineRequest};
use serde_json::{Value, json};

use super::request::{AggregateRequest, one_of};
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

pub(super) async fn sparkline(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Vec<Value>>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = parse(&super::query_or_defaults(&call.into_json()?)?, state.clock().now_us())?;
    let breakdown = request.breakdown;
    let entries = state.engine().sparkline(project, request).await;
    let entries = entries.map_err(|error| ApiError::from(error).simple_if_bad_request())?;
    Ok(Json(entries.iter().map(|entry| written(entry, breakdown)).collect()))
}

fn parse(query: &Value, now_us: i64) -> Result<SparklineRequest, ApiError> {
    let query = Fields::of(query, "")?;
    let breakdowns = [("severity", Breakdown::Severity), ("service", Breakdown::Service)];
    let ranks = [("count", RankBy::Count), ("bytes", RankBy::Bytes)];
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&query)?;
    Ok(SparklineRequest {
        filter,
        range: date_range.resolve(now_us, Rounding::Aggregation),
        breakdown: one_of(&query, "sparklineBreakdownBy", &breakdowns)?,
        rank_by: one_of(&query, "sparklineRankBy", &ranks)?,
    })
}

fn written(entry: &SparklineEntry, breakdown: Breakdown) -> Value {
    let series = match breakdown {
        Breakdown::Severity => "severity",
        Breakdown::Service => "service",
    };
    json!({
        "time": iso_time::format(entry.time_us),
        series: entry.series,
        "count": entry.count,
        "bytes_uncompressed": entry.bytes_uncompressed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breakdown_and_the_rank_are_words() {
        for (query, breakdown, rank_by) in [
            (json!({}), Breakdown::Severity, RankBy::Count),
            (
                json!({ "sparklineBreakdownBy": null, "sparklineRankBy": null }),
                Breakdown::Severity,
                RankBy::Count,
            ),
            (
                json!({ "sparklineBreakdownBy": "service", "sparklineRankBy": "bytes" }),
                Breakdown::Service,
                RankBy::Bytes,
            ),
        ] {
            let request = parse(&query, 0).unwrap();
            assert_eq!((request.breakdown, request.rank_by), (breakdown, rank_by), "{query}");
        }
        for (query, expected) in [
            (
                json!({ "sparklineBreakdownBy": "host" }),
                "sparklineBreakdownBy: \"host\" is not one of severity, service",
            ),
            (json!({ "sparklineRankBy": 5 }), "sparklineRankBy: expected a string, found a number"),
        ] {
            assert_eq!(parse(&query, 0).unwrap_err().to_string(), format!("400 parse_error: {expected}"));
        }
    }

    #[test]
    fn the_series_is_named_after_the_breakdown() {
        let entry = SparklineEntry { time_us: 0, series: "api".into(), count: 2, bytes_uncompressed: 9 };
        assert_eq!(
            written(&entry, Breakdown::Service),
            json!({ "time": "1970-01-01T00:00:00Z", "service": "api", "count": 2, "bytes_uncompressed": 9 })
        );
        assert_eq!(written(&entry, Breakdown::Severity)["severity"], "api");
    }
}
