//! `POST logs/explainLogWithAI`: what a model makes of one log.

use axum::Json;
use axum::extract::State;
use engine::query::model::{
    AttributeMaps, Cursor, FilterLeaf, FilterNode, LogFilter, LogQuery, Namespace, Operand, Operator, Order,
    Scalar,
};
use engine::query::{LogRow, TimeRange};
use engine::schema::ProjectId;
use serde_json::Value;
use uuid::Uuid;

use crate::ai::{Explanation, Subject};
use crate::api::api_call::ApiCall;
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

/// How far the time that was asked for may be off.
const TOLERANCE_US: i64 = 1_000_000;
/// Lines on each side that the model is shown, and how far away they may be.
const LINES_AROUND: usize = 5;
const AROUND_US: i64 = 3_600 * 1_000_000;

pub(super) async fn explain_log(
    State(state): State<AppState>,
    call: ApiCall,
) -> Result<Json<Explanation>, ApiError> {
    let (project, caller) = call.authorize_caller(&state, &[Scope::LOGS_WRITE]).await?;
    let (explainer, now_us) = (state.explainer(), state.clock().now_us());
    explainer.throttle(caller.user_id(), now_us)?;
    if !state.meta().ai_is_approved(project).await? {
        return Err(ApiError::permission_denied(
            "the organization has not approved that AI processes its data",
        ));
    }
    let asked = Asked::parse(&call.into_json()?)?;
    explainer.require_model()?;
    let key = (project, asked.uuid, asked.timestamp_us);
    if !asked.force_refresh
        && let Some(explanation) = explainer.cached(&key, now_us)
    {
        return Ok(Json(explanation));
    }
    let row =
        find(&state, project, &asked).await?.ok_or_else(|| ApiError::not_found("log not found").simple())?;
    let before = around(&state, project, &row, Order::Latest).await?;
    let after = around(&state, project, &row, Order::Earliest).await?;
    let subject = Subject { row, before, after };
    Ok(Json(explainer.explain(key, subject, now_us).await?))
}

/// What a body asks for.
#[derive(Debug)]
struct Asked {
    uuid: Uuid,
    timestamp_us: i64,
    force_refresh: bool,
}

impl Asked {
    fn parse(body: &Value) -> Result<Self, ApiError> {
        let required = |name: &str| match body.get(name) {
            None => Err(ApiError::field(name, "This field is required.")),
            Some(Value::Null) => Err(ApiError::field(name, "This field may not be null.")),
            Some(value) => value.as_str().ok_or_else(|| ApiError::field(name, "Not a valid string.")),
        };
        if !body.is_object() {
            return Err(ApiError::field("non_field_errors", "Expected an object."));
        }
        let uuid = required("uuid")?;
        let uuid =
            Uuid::parse_str(uuid.trim()).map_err(|_| ApiError::field("uuid", "Must be a valid UUID."))?;
        let timestamp = iso_time::parse(required("timestamp")?);
        let timestamp_us =
            timestamp.ok_or_else(|| ApiError::field("timestamp", "Must be an ISO 8601 date and time."))?;
        let force_refresh = match body.get("force_refresh") {
            None => false,
            Some(Value::Bool(refresh)) => *refresh,
            Some(_) => return Err(ApiError::field("force_refresh", "Must be a valid boolean.")),
        };
        Ok(Self { uuid, timestamp_us, force_refresh })
    }
}

/// The log with the uuid, near the time.
async fn find(state: &AppState, project: ProjectId, asked: &Asked) -> Result<Option<LogRow>, ApiError> {
    let time = asked.timestamp_us;
    let range = TimeRange {
        start_us: time.saturating_sub(TOLERANCE_US),
        end_us: time.saturating_add(TOLERANCE_US).saturating_add(1),
    };
    let has_uuid = FilterNode::Leaf(FilterLeaf {
        path: "uuid".to_owned(),
        key: "uuid".to_owned(),
        namespace: Namespace::Log,
        operator: Operator::Exact,
        operand: Operand::One(Scalar::Text(asked.uuid.to_string())),
    });
    let filter = LogFilter { properties: vec![has_uuid], ..LogFilter::default() };
    let found = state.engine().query_logs(project, query(range, filter, Order::Earliest, 1)).await?;
    Ok(found.rows.into_iter().next())
}

/// The lines of the same resource next to a row, oldest first.
async fn around(
    state: &AppState,
    project: ProjectId,
    row: &LogRow,
    order: Order,
) -> Result<Vec<LogRow>, ApiError> {
    let time = row.timestamp_us;
    let range = match order {
        Order::Latest => {
            TimeRange { start_us: time.saturating_sub(AROUND_US), end_us: time.saturating_add(1) }
        }
        Order::Earliest => TimeRange { start_us: time, end_us: time.saturating_add(AROUND_US) },
    };
    let filter = LogFilter { resource_fingerprint: Some(row.resource_fingerprint), ..LogFilter::default() };
    let mut neighbours = query(range, filter, order, LINES_AROUND);
    neighbours.after = Some(Cursor { timestamp_us: time, uuid: row.uuid });
    neighbours.attributes = AttributeMaps::Excluded;
    let mut rows = state.engine().query_logs(project, neighbours).await?.rows;
    if order == Order::Latest {
        rows.reverse();
    }
    Ok(rows)
}

fn query(range: TimeRange, filter: LogFilter, order: Order, limit: usize) -> LogQuery {
    let attributes = AttributeMaps::Included;
    LogQuery { filter, range, order, limit, after: None, ingested_from_us: None, attributes }
}
