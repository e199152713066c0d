//! `POST logs/group-by`: rows by the values of attributes or columns.

use std::num::NonZeroUsize;

use axum::Json;
use axum::extract::State;
use engine::query::{Dimension, Group, GroupOrder, Groups, GroupsRequest, Rounding};
use serde::Serialize;
use serde_json::Value;

use super::request::{AggregateRequest, one_of};
use crate::api::api_call::ApiCall;
use crate::api::fields::{Fields, invalid, wrong_type};
use crate::api::iso_time;
use crate::auth::Scope;
use crate::error::ApiError;
use crate::state::AppState;

const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 500;
/// Most dimensions: more leave hardly two rows together.
const MAX_DIMENSIONS: usize = 10;
/// What joins the values of several dimensions to the one text `value`.
const SEPARATOR: &str = ", ";

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    groups: Vec<Row>,
    total_groups: u64,
    total_logs: u64,
    truncated: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    value: String,
    values: Vec<String>,
    log_count: u64,
    error_count: u64,
    last_seen: String,
}

pub(super) async fn group_by(State(state): State<AppState>, call: ApiCall) -> Result<Json<Answer>, ApiError> {
    let project = call.authorize(&state, Scope::LOGS_READ).await?;
    let request = parse(&super::query_or_defaults(&call.into_json()?)?, state.clock().now_us())?;
    let groups = state.engine().groups(project, &request).await?;
    Ok(Json(written(groups)))
}

fn parse(query: &Value, now_us: i64) -> Result<GroupsRequest, ApiError> {
    let query = Fields::of(query, "")?;
    let AggregateRequest { filter, date_range } = AggregateRequest::parse(&query)?;
    let arguments = parse_arguments(&query).map_err(ApiError::simple)?;
    let (dimensions, order, limit) = arguments;
    Ok(GroupsRequest {
        filter,
        range: date_range.resolve(now_us, Rounding::Aggregation),
        dimensions,
        order,
        limit,
    })
}

/// What the endpoint asks for beyond rows.
fn parse_arguments(query: &Fields<'_>) -> Result<(Vec<Dimension>, GroupOrder, NonZeroUsize), ApiError> {
    const ORDERS: [(&str, GroupOrder); 3] = [
        ("log_count", GroupOrder::LogCount),
        ("error_count", GroupOrder::ErrorCount),
        ("last_seen", GroupOrder::LastSeen),
    ];
    let order = one_of(query, "orderGroupsBy", &ORDERS)?;
    let limit = query.integer("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let limit = usize::try_from(limit).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MIN);
    Ok((parse_dimensions(query)?, order, limit))
}

/// `groupBys`, or the one of `groupBy`.
fn parse_dimensions(query: &Fields<'_>) -> Result<Vec<Dimension>, ApiError> {
    const LIST: &str = "groupBys";
    let Some(list) = query.get(LIST) else {
        return Ok(vec![parse_dimension(query, "groupBy", "groupBySource")?]);
    };
    if query.get("groupBy").is_some() {
        return Err(invalid(LIST, "it cannot be given beside groupBy"));
    }
    let list = list.as_array().ok_or_else(|| wrong_type(LIST, "a list of objects", list))?;
    if list.is_empty() || list.len() > MAX_DIMENSIONS {
        let num = list.len();
        return Err(invalid(LIST, &format!("{num} entries are not from 1 to {MAX_DIMENSIONS}")));
    }
    let dimension =
        |(index, entry)| parse_dimension(&Fields::of(entry, &format!("{LIST}[{index}]"))?, "key", "source");
    list.iter().enumerate().map(dimension).collect()
}

/// Where a dimension's key is looked for.
#[derive(Clone, Copy, Default)]
enum Source {
    #[default]
    Log,
    Resource,
    Column,
}

fn parse_dimension(
    fields: &Fields<'_>,
    key_member: &str,
    source_member: &str,
) -> Result<Dimension, ApiError> {
    const SOURCES: [(&str, Source); 3] =
        [("log", Source::Log), ("resource", Source::Resource), ("column", Source::Column)];
    let path = fields.path_of(key_member);
    let key = fields.filled_text(key_member)?.ok_or_else(|| invalid(&path, "a key is needed"))?;
    match one_of(fields, source_member, &SOURCES)? {
        Source::Log => Ok(Dimension::Attribute(key.to_owned())),
        Source::Resource => Ok(Dimension::ResourceAttribute(key.to_owned())),
        Source::Column => match key {
            "severity_level" => Ok(Dimension::Severity),
            "trace_id" => Ok(Dimension::TraceId),
            "span_id" => Ok(Dimension::SpanId),
            other => {
                Err(invalid(&path, &format!("{other:?} is not one of severity_level, trace_id, span_id")))
            }
        },
    }
}

fn written(groups: Groups) -> Answer {
    let row = |group: Group| Row {
        value: group.values.join(SEPARATOR),
        values: group.values,
        log_count: group.log_count,
        error_count: group.error_count,
        last_seen: iso_time::format(group.last_seen_us),
    };
    let Groups { groups, total_groups, total_logs } = groups;
    Answer {
        truncated: total_groups > groups.len() as u64,
        groups: groups.into_iter().map(row).collect(),
        total_groups,
        total_logs,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(query: Value, expected: &[Dimension], order: GroupOrder, limit: usize) {
        let request = parse(&query, 0).unwrap();
        assert_eq!((request.dimensions.as_slice(), request.order), (expected, order), "{query}");
        assert_eq!(request.limit.get(), limit, "{query}");
    }

    #[test]
    fn dimensions_are_a_list_or_a_single_one() {
        let (count, errors, seen) = (GroupOrder::LogCount, GroupOrder::ErrorCount, GroupOrder::LastSeen);
        let log = Dimension::Attribute("k".into());
        check(json!({"groupBy": "k"}), std::slice::from_ref(&log), count, 100);
        check(
            json!({"groupBy": "k", "groupBySource": "log", "groupBys": null, "orderGroupsBy": "log_count"}),
            std::slice::from_ref(&log),
            count,
            100,
        );
        let resource = Dimension::ResourceAttribute("service.name".into());
        let severity = json!({"key": "severity_level", "source": "column"});
        let list = json!([{"key": "k"}, {"key": "service.name", "source": "resource"}, severity]);
        check(
            json!({"groupBys": list, "orderGroupsBy": "error_count", "limit": 9999}),
            &[log, resource, Dimension::Severity],
            errors,
            500,
        );
        let trace = json!({"groupBy": "trace_id", "groupBySource": "column", "orderGroupsBy": "last_seen", "limit": -3});
        check(trace, &[Dimension::TraceId], seen, 1);
        check(json!({"groupBy": "span_id", "groupBySource": "column"}), &[Dimension::SpanId], count, 100);
    }

    #[test]
    fn arguments_that_cannot_be_used_are_named() {
        let columns = "is not one of severity_level, trace_id, span_id";
        for (query, expected) in [
            (json!({}), "groupBy: a key is needed".to_owned()),
            (json!({"groupBy": ""}), "groupBy: a key is needed".to_owned()),
            (json!({"groupBy": 5}), "groupBy: expected a string, found a number".to_owned()),
            (json!({"groupBys": []}), "groupBys: 0 entries are not from 1 to 10".to_owned()),
            (json!({"groupBys": {}}), "groupBys: expected a list of objects, found an object".to_owned()),
            (json!({"groupBys": ["k"]}), "groupBys[0]: expected an object, found a string".to_owned()),
            (json!({"groupBys": [{}]}), "groupBys[0].key: a key is needed".to_owned()),
            (
                json!({"groupBys": [{"key": "k"}], "groupBy": "k"}),
                "groupBys: it cannot be given beside groupBy".to_owned(),
            ),
            (
                json!({"groupBy": "k", "groupBySource": "body"}),
                "groupBySource: \"body\" is not one of log, resource, column".to_owned(),
            ),
            (json!({"groupBy": "body", "groupBySource": "column"}), format!("groupBy: \"body\" {columns}")),
            (
                json!({"groupBy": "k", "orderGroupsBy": "value"}),
                "orderGroupsBy: \"value\" is not one of log_count, error_count, last_seen".to_owned(),
            ),
            (
                json!({"groupBy": "k", "limit": "5"}),
                "limit: expected a whole number, found a string".to_owned(),
            ),
        ] {
            let error = parse(&query, 0).unwrap_err();
            assert_eq!((error.status().as_u16(), error.detail()), (400, expected.as_str()), "{query}");
        }
    }

    #[test]
    fn the_one_value_of_several_dimensions_joins_them() {
        let values = vec!["a".to_owned(), "b".to_owned()];
        let group = Group { values, log_count: 3, error_count: 1, last_seen_us: 1_500_000 };
        let answer = json!(written(Groups { groups: vec![group], total_groups: 2, total_logs: 4 }));
        let expected = json!({
            "groups": [{
                "value": "a, b", "values": ["a", "b"], "log_count": 3, "error_count": 1,
                "last_seen": "1970-01-01T00:00:01.500000Z",
            }],
            "total_groups": 2, "total_logs": 4, "truncated": true,
        });
        assert_eq!(answer, expected);
    }
}
