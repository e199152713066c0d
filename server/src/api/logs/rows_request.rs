//! What a request for rows says beyond filters: order, page, live tail, columns.

use engine::query::model::{AttributeMaps, Cursor, LogFilter, LogQuery, Order};
use engine::query::{DateRange, ResolvedRange};
use serde_json::{Map, Value, json};

use super::custom_columns::{self, CustomColumn};
use super::{cursor, date_range, request};
use crate::api::fields::{Fields, invalid};
use crate::api::iso_time;
use crate::error::ApiError;

const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 2_000;

/// A request for rows.
#[derive(Debug, PartialEq)]
pub(super) struct RowsRequest {
    /// Which rows.
    pub(super) filter: LogFilter,
    /// Of which time.
    pub(super) date_range: DateRange,
    /// In which order.
    pub(super) order: Order,
    /// At most how many.
    pub(super) limit: usize,
    /// Where the page begins.
    pub(super) after: Option<Cursor>,
    /// Only what came in since, microseconds.
    pub(super) ingested_from_us: Option<i64>,
    /// Whether the attribute maps are written.
    pub(super) attributes: AttributeMaps,
    /// Extra members of each row.
    pub(super) custom_columns: Vec<CustomColumn>,
}

impl RowsRequest {
    /// Reads the `query` object.
    ///
    /// # Errors
    /// 400 that names the first member that is wrong.
    pub(super) fn parse(query: &Fields<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            date_range: date_range::required(query)?,
            filter: request::parse_filter(query)?,
            order: parse_order(query),
            limit: parse_limit(query)?,
            after: parse_after(query)?,
            ingested_from_us: parse_live_checkpoint(query)?,
            attributes: match query.boolean("excludeAttributes")? {
                Some(true) => AttributeMaps::Excluded,
                _ => AttributeMaps::Included,
            },
            custom_columns: custom_columns::parse(query)?,
        })
    }

    /// The engine's question about what the date range was resolved to; `earliest_us` is the project's first row.
    pub(super) fn to_query(&self, range: &ResolvedRange, earliest_us: Option<i64>) -> LogQuery {
        let mut range = range.closed(earliest_us);
        // The cursor replaces the bound that the pages move along, so that a relative bound cannot slide past it.
        match (self.after, self.order) {
            (Some(after), Order::Latest) => range.end_us = after.timestamp_us.saturating_add(1),
            (Some(after), Order::Earliest) => range.start_us = after.timestamp_us,
            (None, _) => {}
        }
        let needs_attributes = self.custom_columns.iter().any(CustomColumn::reads_attributes);
        LogQuery {
            filter: self.filter.clone(),
            range,
            order: self.order,
            limit: self.limit,
            after: self.after,
            ingested_from_us: self.ingested_from_us,
            attributes: if needs_attributes { AttributeMaps::Included } else { self.attributes },
        }
    }

    /// The query as it was understood, for the answer: what was sent, with the effective range and defaults.
    pub(super) fn echo(&self, sent: &Map<String, Value>, query: &LogQuery) -> Value {
        const AS_SENT: [&str; 10] = [
            "severityLevels",
            "serviceNames",
            "searchTerm",
            "filterGroup",
            "resourceFingerprint",
            "personId",
            "sessionId",
            "after",
            "liveLogsCheckpoint",
            "customColumns",
        ];
        let mut echo = json!({
            "kind": "LogsQuery",
            "dateRange": {
                "date_from": iso_time::format(query.range.start_us),
                "date_to": iso_time::format(query.range.end_us.saturating_sub(1)),
                "explicitDate": self.date_range.explicit_date,
            },
            "orderBy": match self.order { Order::Latest => "latest", Order::Earliest => "earliest" },
            "limit": self.limit + 1,
            "excludeAttributes": self.attributes == AttributeMaps::Excluded,
        });
        for key in AS_SENT {
            echo[key] = sent.get(key).cloned().unwrap_or(Value::Null);
        }
        echo
    }
}

/// Any word but `earliest` means latest.
fn parse_order(query: &Fields<'_>) -> Order {
    match query.get("orderBy").and_then(Value::as_str) {
        Some("earliest") => Order::Earliest,
        _ => Order::Latest,
    }
}

fn parse_limit(query: &Fields<'_>) -> Result<usize, ApiError> {
    match query.integer("limit")? {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if limit < 1 => Err(invalid("limit", &format!("{limit} is less than 1"))),
        Some(limit) => Ok(usize::try_from(limit).map_or(MAX_LIMIT, |limit| limit.min(MAX_LIMIT))),
    }
}

fn parse_after(query: &Fields<'_>) -> Result<Option<Cursor>, ApiError> {
    let Some(text) = query.filled_text("after")? else { return Ok(None) };
    let cursor = cursor::decode(text)
        .ok_or_else(|| invalid("after", "it is not a cursor that this server has given"))?;
    Ok(Some(cursor))
}

fn parse_live_checkpoint(query: &Fields<'_>) -> Result<Option<i64>, ApiError> {
    const MEMBER: &str = "liveLogsCheckpoint";
    let Some(text) = query.filled_text(MEMBER)? else { return Ok(None) };
    match iso_time::parse(text) {
        Some(checkpoint_us) => Ok(Some(checkpoint_us)),
        None => Err(invalid(MEMBER, &format!("{text:?} is not an ISO 8601 date and time"))),
    }
}

#[cfg(test)]
mod tests {
    use engine::query::{Rounding, TimeRange};
    use uuid::Uuid;

    use super::*;

    const NOW_US: i64 = 1_765_881_180_000_000;

    fn parse(mut query: Value) -> Result<RowsRequest, String> {
        if query.get("dateRange").is_none() {
            query["dateRange"] = json!({ "date_from": "-1h" });
        }
        RowsRequest::parse(&Fields::of(&query, "").unwrap()).map_err(|error| error.to_string())
    }

    fn to_query(request: &RowsRequest) -> LogQuery {
        request.to_query(&request.date_range.resolve(NOW_US, Rounding::Rows), None)
    }

    fn rejects(query: Value, expected: &str) {
        assert_eq!(parse(query.clone()), Err(format!("400 parse_error: {expected}")), "{query}");
    }

    #[test]
    fn the_limit_has_a_default_a_cap_and_a_least_value() {
        for (limit, expected) in [
            (json!(null), 1000),
            (json!(1), 1),
            (json!(2000), 2000),
            (json!(2001), 2000),
            (json!(i64::MAX), 2000),
        ] {
            assert_eq!(parse(json!({ "limit": limit })).unwrap().limit, expected);
        }
        rejects(json!({ "limit": 0 }), "limit: 0 is less than 1");
        rejects(json!({ "limit": -5 }), "limit: -5 is less than 1");
        rejects(json!({ "limit": "10" }), "limit: expected a whole number, found a string");
        rejects(json!({ "limit": 1.5 }), "limit: expected a whole number, found a number");
    }

    #[test]
    fn any_order_but_earliest_is_latest() {
        for (order, expected) in [
            (json!("earliest"), Order::Earliest),
            (json!("latest"), Order::Latest),
            (json!("EARLIEST"), Order::Latest),
            (json!(5), Order::Latest),
            (json!(null), Order::Latest),
        ] {
            assert_eq!(parse(json!({ "orderBy": order })).unwrap().order, expected);
        }
    }

    #[test]
    fn what_cannot_be_decoded_is_named() {
        rejects(json!({ "after": "zzz" }), "after: it is not a cursor that this server has given");
        rejects(json!({ "after": 5 }), "after: expected a string, found a number");
        rejects(
            json!({ "liveLogsCheckpoint": "soon" }),
            "liveLogsCheckpoint: \"soon\" is not an ISO 8601 date and time",
        );
        rejects(
            json!({ "excludeAttributes": 1 }),
            "excludeAttributes: expected true or false, found a number",
        );
        rejects(json!({ "customColumns": "a" }), "customColumns: expected a list of strings, found a string");
        rejects(json!({ "dateRange": null }), "dateRange: the query needs it");
    }

    #[test]
    fn a_naive_checkpoint_is_utc() {
        let request = parse(json!({ "liveLogsCheckpoint": "1970-01-01T00:00:01" })).unwrap();
        assert_eq!(to_query(&request).ingested_from_us, Some(1_000_000));
    }

    #[test]
    fn rows_are_asked_for_with_both_ends() {
        let query = to_query(&parse(json!({})).unwrap());
        assert_eq!(query.range, TimeRange { start_us: NOW_US - 3_600_000_000, end_us: NOW_US + 1 });
    }

    #[test]
    fn a_cursor_replaces_the_bound_that_pages_move_along() {
        let after = Cursor { timestamp_us: NOW_US - 7_200_000_000, uuid: Uuid::from_u128(1) };
        let mut request = RowsRequest { after: Some(after), ..parse(json!({})).unwrap() };
        let query = to_query(&request);
        assert_eq!((query.range.end_us, query.after), (after.timestamp_us + 1, Some(after)));
        request.order = Order::Earliest;
        let query = to_query(&request);
        assert_eq!(query.range, TimeRange { start_us: after.timestamp_us, end_us: NOW_US + 1 });
    }

    #[test]
    fn maps_are_read_when_a_custom_column_needs_them() {
        for (column, expected) in [
            ("attributes.a", AttributeMaps::Included),
            ("service_name", AttributeMaps::Included),
            ("body", AttributeMaps::Excluded),
        ] {
            let request = parse(json!({ "excludeAttributes": true, "customColumns": [column] })).unwrap();
            assert_eq!(request.attributes, AttributeMaps::Excluded);
            assert_eq!(to_query(&request).attributes, expected, "{column}");
        }
    }

    #[test]
    fn the_echo_has_the_effective_range_and_one_more_row() {
        let sent = json!({ "dateRange": { "date_from": "-1h" }, "limit": 50, "searchTerm": "x" });
        let request = parse(sent.clone()).unwrap();
        let echo = request.echo(sent.as_object().unwrap(), &to_query(&request));
        assert_eq!(echo["kind"], "LogsQuery");
        assert_eq!(echo["limit"], 51);
        assert_eq!(echo["searchTerm"], "x");
        assert_eq!(echo["after"], Value::Null);
        assert_eq!(echo["dateRange"]["date_to"], iso_time::format(NOW_US));
    }
}
