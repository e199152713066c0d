//! `POST logs/impact`: how many sessions and users rows are about.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use engine::query::{Groups, Impact, ImpactRequest, Rounding};
use serde::Serialize;
use serde_json::Value;

use super::identity;
use super::request::AggregateRequest;
use crate::api::api_call::ApiCall;
use crate::api::fields::Fields;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// How many of the sessions and users with the most rows are named.
const NUM_TOP: NonZeroUsize = NonZeroUsize::new(5).expect("BUG: the constant is not zero");

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    total: u64,
    logs_with_session_id: u64,
    sessions: u64,
    logs_with_distinct_id: u64,
    users: u64,
    top_sessions: Vec<Top>,
    top_users: Vec<Top>,
}

#[derive(Debug, Serialize)]
struct Top {
    value: String,
    count: u64,
}

pub(super) async fn impact(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = parse(&super::query_or_defaults(&call.into_json()?)?, state.clock().now_us())?;
    let impact = state.engine().impact(project, &request).await?;
    Ok(Json(written(impact)))
}

fn parse(query: &Value, now_us: i64) -> Result<ImpactRequest, ApiError> {
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&Fields::of(query, "")?)?;
    Ok(ImpactRequest {
        filter,
        range: date_range.resolve(now_us, Rounding::Aggregation),
        session: identity::session(),
        user: identity::distinct_id(),
        limit: NUM_TOP,
    })
}

fn written(impact: Impact) -> Answer {
    let Impact { num_rows, sessions, users } = impact;
    Answer {
        total: num_rows,
        logs_with_session_id: sessions.total_logs,
        sessions: sessions.total_groups,
        logs_with_distinct_id: users.total_logs,
        users: users.total_groups,
        top_sessions: top(sessions),
        top_users: top(users),
    }
}

fn top(groups: Groups) -> Vec<Top> {
    let groups = groups.groups.into_iter();
    groups.map(|group| Top { value: group.values.concat(), count: group.log_count }).collect()
}
