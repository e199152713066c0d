//! `POST logs/services`: which services log, how much, and when.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use engine::query::model::{FilterLeaf, FilterNode, Namespace, Operand, Operator, Scalar};
use engine::query::{Rounding, ServiceTotals, Services, ServicesRequest};
use serde::Serialize;
use serde_json::Value;

use super::active_rules::{ActiveRule, active_rules};
use super::{date_range, request};
use crate::api::api_call::ApiCall;
use crate::api::fields::{Fields, invalid};
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// Most services of an answer.
const MAX_SERVICES: NonZeroUsize = NonZeroUsize::new(10_000).expect("BUG: the constant is not zero");
/// Most services with a sparkline.
const MAX_SPARKLINES: usize = 25;
/// How many services the summary is about.
const NUM_TOP_SERVICES: usize = 5;
/// Most characters of `serviceNameSearch`.
const MAX_SEARCH_CHARS: usize = 200;
/// What the service of rows without one is called.
const NO_SERVICE: &str = "(no service)";

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    services: Vec<Service>,
    sparkline: Vec<Bucket>,
    total_services: u64,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Service {
    service_name: String,
    log_count: u64,
    error_count: u64,
    error_rate: f64,
    volume_share_pct: f64,
    severity_breakdown: SeverityBreakdown,
    active_rules: Vec<ActiveRule>,
}

#[derive(Debug, Serialize)]
struct SeverityBreakdown {
    debug: u64,
    info: u64,
    warn: u64,
    error: u64,
}

#[derive(Debug, Serialize)]
struct Bucket {
    time: String,
    service_name: String,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Summary {
    top_services_count: usize,
    top_services_volume_share_pct: f64,
}

pub(super) async fn services(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = parse(&super::query_or_defaults(&call.into_json()?)?, state.clock().now_us())?;
    let found = state.engine().services(project, &request).await?;
    let names: Vec<&str> = found.services.iter().map(|service| service.service_name.as_str()).collect();
    let rules = active_rules(&state, project, &names).await?;
    Ok(Json(written(&found, rules)))
}

fn parse(query: &Value, now_us: i64) -> Result<ServicesRequest, ApiError> {
    let query = Fields::of(query, "")?;
    let date_range = date_range::required(&query)?;
    let mut filter = request::parse_filter(&query)?;
    filter.properties.extend(parse_search(&query)?);
    Ok(ServicesRequest {
        filter,
        range: date_range.resolve(now_us, Rounding::Rows),
        limit: MAX_SERVICES,
        max_sparklines: MAX_SPARKLINES,
    })
}

/// The condition that a service's name contains a text, ignoring case.
fn parse_search(query: &Fields<'_>) -> Result<Option<FilterNode>, ApiError> {
    const MEMBER: &str = "serviceNameSearch";
    let Some(text) = query.filled_text(MEMBER)? else { return Ok(None) };
    let num_chars = text.chars().count();
    if num_chars > MAX_SEARCH_CHARS {
        let reason = format!("{num_chars} characters are more than {MAX_SEARCH_CHARS}");
        return Err(invalid(MEMBER, &reason));
    }
    Ok(Some(FilterNode::Leaf(FilterLeaf {
        path: MEMBER.to_owned(),
        key: "service_name".to_owned(),
        namespace: Namespace::Log,
        operator: Operator::Icontains,
        operand: Operand::One(Scalar::Text(text.to_owned())),
    })))
}

fn written(found: &Services, rules: Vec<Vec<ActiveRule>>) -> Answer {
    let total = found.services.iter().map(|service| service.log_count).sum();
    let services: Vec<Service> =
        found.services.iter().zip(rules).map(|(service, rules)| row(service, total, rules)).collect();
    let top = &services[..services.len().min(NUM_TOP_SERVICES)];
    let summary = Summary {
        top_services_count: top.len(),
        top_services_volume_share_pct: rounded(top.iter().map(|service| service.volume_share_pct).sum(), 2),
    };
    let sparkline = found.sparkline.iter().map(|bucket| Bucket {
        time: iso_time::format(bucket.time_us),
        service_name: shown_name(&bucket.service_name),
        count: bucket.count,
    });
    Answer { sparkline: sparkline.collect(), services, total_services: found.total_services, summary }
}

fn row(service: &ServiceTotals, total: u64, active_rules: Vec<ActiveRule>) -> Service {
    let &ServiceTotals { log_count, debug, info, warn, error, .. } = service;
    Service {
        service_name: shown_name(&service.service_name),
        log_count,
        error_count: error,
        error_rate: rounded(ratio(error, log_count), 4),
        volume_share_pct: rounded(100.0 * ratio(log_count, total), 2),
        severity_breakdown: SeverityBreakdown { debug, info, warn, error },
        active_rules,
    }
}

fn shown_name(service_name: &str) -> String {
    if service_name.is_empty() { NO_SERVICE.to_owned() } else { service_name.to_owned() }
}

#[expect(clippy::cast_precision_loss, reason = "the result is shown with a few digits")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The number with so many decimals; a tie goes to the even digit.
fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(name: &str, log_count: u64, error: u64) -> ServiceTotals {
        let service_name = name.to_owned();
        ServiceTotals { service_name, log_count, debug: 1, info: 2, warn: 3, error }
    }

    #[test]
    fn shares_and_rates_are_rounded() {
        let counts = [("a", 40, 1), ("", 30, 10), ("c", 10, 0), ("d", 9, 3), ("e", 8, 0), ("f", 1, 1)];
        let services: Vec<ServiceTotals> =
            counts.iter().map(|(name, log_count, error)| service(name, *log_count, *error)).collect();
        let found = Services { services, total_services: 7, sparkline: Vec::new() };
        let answer = json!(written(&found, vec![Vec::new(); 6]));
        assert_eq!(
            answer["services"][1],
            json!({
                "service_name": "(no service)", "log_count": 30, "error_count": 10, "error_rate": 0.3333,
                "volume_share_pct": 30.61, "severity_breakdown": {"debug": 1, "info": 2, "warn": 3, "error": 10},
                "active_rules": [],
            })
        );
        assert_eq!(answer["services"][0]["error_rate"], 0.025);
        assert_eq!(answer["total_services"], 7);
        let summary = json!({"top_services_count": 5, "top_services_volume_share_pct": 98.97});
        assert_eq!(answer["summary"], summary);
    }

    #[test]
    fn without_rows_there_is_nothing() {
        let expected = json!({
            "services": [], "sparkline": [], "total_services": 0,
            "summary": {"top_services_count": 0, "top_services_volume_share_pct": 0.0},
        });
        assert_eq!(json!(written(&Services::default(), Vec::new())), expected);
    }

    #[test]
    fn the_search_is_bounded() {
        let search = |text: &str| parse(&json!({ "dateRange": {}, "serviceNameSearch": text }), 0);
        assert_eq!(search("").unwrap().filter.properties, []);
        assert_eq!(search(&"ü".repeat(200)).unwrap().filter.properties.len(), 1);
        let error = search(&"ü".repeat(201)).unwrap_err().to_string();
        assert_eq!(error, "400 parse_error: serviceNameSearch: 201 characters are more than 200");
    }
}
