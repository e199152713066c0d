//! `POST logs/sampling_rules/:id/simulate`: what a drop rule would have done to stored rows.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use engine::query::{KeptAndDropped, Rounding, SampledRows};
use engine::rules::SamplingAction;
use serde_json::{Value, json};

use super::resource::{find, rule_id};
use super::sampling::model;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::api::iso_time;
use crate::api::logs::date_range;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::meta::rule::RuleKind;
use crate::state::AppState;

pub(super) async fn simulate(State(state): State<AppState>, call: ApiCall) -> Result<Json<Value>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let rule = model(&find(&state, project, RuleKind::Sampling, rule_id(&call)).await?)?;
    let body = call.into_json()?;
    let fields = Fields::of(&body, "")?;
    let fields = match fields.get("query") {
        Some(query) => Fields::of(query, "query")?,
        None => fields,
    };
    let range = date_range::or_last_hour(&fields)?.resolve(state.clock().now_us(), Rounding::Aggregation);
    let range = range.half_open(state.engine().earliest_of(project, &range).await?);
    let is_rate_limit = matches!(rule.action, SamplingAction::RateLimit { .. });
    let sampled = state.engine().simulate_sampling(project, rule, range).await?;
    let mut answer = written(&sampled);
    answer["approximate"] = json!(is_rate_limit || sampled.rows_by_chance > 0);
    answer["date_from"] = json!(iso_time::format(range.start_us));
    answer["date_to"] = json!(iso_time::format(range.end_us));
    Ok(Json(answer))
}

fn written(sampled: &SampledRows) -> Value {
    let mut answer = numbers(&sampled.total);
    answer["rows"] = json!(sampled.total.kept_rows + sampled.total.dropped_rows);
    answer["severities"] = groups(&sampled.severities, "severity");
    answer["services"] = groups(&sampled.services, "service_name");
    answer["services_truncated"] = json!(sampled.services_truncated);
    answer["rows_by_chance"] = json!(sampled.rows_by_chance);
    answer
}

/// Those that lose most come first.
fn groups(groups: &BTreeMap<String, KeptAndDropped>, member: &str) -> Value {
    let mut groups: Vec<_> = groups.iter().collect();
    groups.sort_by_key(|(_, counts)| std::cmp::Reverse(counts.dropped_rows));
    let written = groups.into_iter().map(|(name, counts)| {
        let mut group = numbers(counts);
        group[member] = json!(name);
        group
    });
    written.collect()
}

fn numbers(counts: &KeptAndDropped) -> Value {
    json!({ "kept": counts.kept_rows, "dropped": counts.dropped_rows, "dropped_bytes": counts.dropped_bytes })
}
