//! What a question about logs says: the `query` object as the engine's model.
//!
//! Only the shape is checked here: types, words that exist, bounds of numbers. What a filter means is checked
//! by the engine. Members that no question knows are ignored.

use engine::query::DateRange;
use engine::query::model::{FilterNode, LogFilter};
use serde_json::{Map, Value};

use super::{date_range, filter_group, identity};
use crate::api::fields::{Fields, invalid, wrong_type};
use crate::error::ApiError;

const SEVERITY_LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];
/// Most names in `serviceNames`.
const MAX_SERVICE_NAMES: usize = 10_000;

/// The `query` member of a body; none when the body has no such member.
///
/// # Errors
/// 400 when the body is not an object, or its `query` is not one.
pub(super) fn query_object(body: &Value) -> Result<Option<&Map<String, Value>>, ApiError> {
    let body = body.as_object().ok_or_else(|| wrong_type("", "an object", body))?;
    match body.get("query") {
        None => Ok(None),
        Some(Value::Object(query)) => Ok(Some(query)),
        Some(other) => Err(wrong_type("query", "an object", other)),
    }
}

/// The filters and the time of a question that has a default for both.
#[derive(Debug, PartialEq)]
pub(super) struct AggregateRequest {
    /// Which rows.
    pub(super) filter: LogFilter,
    /// Of which time.
    pub(super) date_range: DateRange,
}

impl AggregateRequest {
    /// Reads the `query` object; the last hour when it gives no `dateRange`.
    ///
    /// # Errors
    /// 400 that names the first member that is wrong.
    pub(super) fn parse(query: &Fields<'_>) -> Result<Self, ApiError> {
        Ok(Self { date_range: date_range::or_last_hour(query)?, filter: parse_filter(query)? })
    }
}

/// Reads the filters that every question has.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse_filter(query: &Fields<'_>) -> Result<LogFilter, ApiError> {
    let mut filter = parse_own_filter(query)?;
    filter.properties.extend(parse_identity(query)?);
    Ok(filter)
}

/// Reads whose rows are asked for: those of a person, of a session.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(super) fn parse_identity(query: &Fields<'_>) -> Result<Vec<FilterNode>, ApiError> {
    let person = query.text("personId")?.map(|_| identity::person_filter());
    let session = query.text("sessionId")?.map(identity::session_filter);
    Ok(person.into_iter().chain(session).collect())
}

/// Reads the filters but for whose rows they are.
///
/// # Errors
/// 400 that names the first member that is wrong.
pub(in crate::api) fn parse_own_filter(query: &Fields<'_>) -> Result<LogFilter, ApiError> {
    let properties = filter_group::parse(query.get("filterGroup"), "filterGroup")?;
    Ok(LogFilter {
        severity_levels: parse_severity_levels(query)?,
        service_names: parse_service_names(query)?,
        search_term: query.text("searchTerm")?.unwrap_or_default().to_owned(),
        properties,
        resource_fingerprint: parse_fingerprint(query)?,
    })
}

fn parse_severity_levels(query: &Fields<'_>) -> Result<Vec<String>, ApiError> {
    let levels = query.texts("severityLevels")?;
    match levels.iter().position(|level| !SEVERITY_LEVELS.contains(&level.as_str())) {
        None => Ok(levels),
        Some(index) => Err(invalid(
            &format!("severityLevels[{index}]"),
            &format!("{:?} is not one of {}", levels[index], SEVERITY_LEVELS.join(", ")),
        )),
    }
}

fn parse_service_names(query: &Fields<'_>) -> Result<Vec<String>, ApiError> {
    let names = query.texts("serviceNames")?;
    if names.len() > MAX_SERVICE_NAMES {
        return Err(invalid(
            "serviceNames",
            &format!("{} names are more than {MAX_SERVICE_NAMES}", names.len()),
        ));
    }
    Ok(names)
}

fn parse_fingerprint(query: &Fields<'_>) -> Result<Option<u64>, ApiError> {
    let Some(text) = query.filled_text("resourceFingerprint")? else { return Ok(None) };
    match text.parse() {
        Ok(fingerprint) => Ok(Some(fingerprint)),
        Err(_) => {
            Err(invalid("resourceFingerprint", &format!("{text:?} is not a decimal number of 64 bits")))
        }
    }
}

/// Reads a member that is one of a few words; absent is the default.
///
/// # Errors
/// 400 that names the member and the words.
pub(super) fn one_of<T: Copy + Default>(
    query: &Fields<'_>,
    key: &str,
    words: &[(&str, T)],
) -> Result<T, ApiError> {
    let Some(text) = query.text(key)? else { return Ok(T::default()) };
    match words.iter().find(|(word, _)| *word == text) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Err(invalid(key, &format!("{text:?} is not one of {}", words.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::query::model::Operator;
    use serde_json::json;

    use super::*;

    fn filter(query: Value) -> Result<LogFilter, String> {
        parse_filter(&Fields::of(&query, "").unwrap()).map_err(|error| error.to_string())
    }

    fn rejects(query: Value, expected: &str) {
        assert_eq!(filter(query.clone()), Err(format!("400 parse_error: {expected}")), "{query}");
    }

    #[test]
    fn query_must_be_an_object_when_it_is_there() {
        assert_eq!(query_object(&json!({})).unwrap(), None);
        assert!(query_object(&json!({ "query": {} })).unwrap().is_some());
        for query in [json!("x"), json!([]), json!(1), json!(true), json!(null)] {
            let error = query_object(&json!({ "query": query })).unwrap_err().to_string();
            assert!(error.starts_with("400 parse_error: query: expected an object"), "{error}");
        }
        assert!(query_object(&json!([])).is_err());
    }

    #[test]
    fn nothing_said_is_no_filter() {
        let nulls = json!({
            "severityLevels": null, "serviceNames": null, "searchTerm": null, "filterGroup": null,
            "resourceFingerprint": null, "personId": null, "sessionId": null,
        });
        for query in [json!({}), nulls, json!({ "unknown": 1, "offset": 7, "searchTerm": "" })] {
            assert_eq!(filter(query), Ok(LogFilter::default()));
        }
    }

    #[test]
    fn every_filter_is_read() {
        let filter = filter(json!({
            "severityLevels": ["warn", "fatal"], "serviceNames": ["api", ""], "searchTerm": "50% off",
            "filterGroup": [{ "key": "k", "type": "log_attribute", "operator": "exact", "value": "v" }],
            "resourceFingerprint": "18446744073709551615",
        }))
        .unwrap();
        assert_eq!(filter.severity_levels, ["warn", "fatal"]);
        assert_eq!(filter.service_names, ["api", ""]);
        assert_eq!(filter.search_term, "50% off");
        assert_eq!(filter.properties.len(), 1);
        assert_eq!(filter.resource_fingerprint, Some(u64::MAX));
    }

    #[test]
    fn wrong_values_are_named() {
        let levels = "is not one of trace, debug, info, warn, error, fatal";
        rejects(
            json!({ "severityLevels": ["info", "loud"] }),
            &format!("severityLevels[1]: \"loud\" {levels}"),
        );
        rejects(json!({ "severityLevels": ["ERROR"] }), &format!("severityLevels[0]: \"ERROR\" {levels}"));
        rejects(
            json!({ "severityLevels": "info" }),
            "severityLevels: expected a list of strings, found a string",
        );
        rejects(json!({ "serviceNames": [1] }), "serviceNames[0]: expected a string, found a number");
        rejects(json!({ "searchTerm": 5 }), "searchTerm: expected a string, found a number");
        rejects(
            json!({ "resourceFingerprint": "ab" }),
            "resourceFingerprint: \"ab\" is not a decimal number of 64 bits",
        );
        rejects(
            json!({ "resourceFingerprint": 5 }),
            "resourceFingerprint: expected a string, found a number",
        );
        rejects(json!({ "personId": 5 }), "personId: expected a string, found a number");
        rejects(json!({ "filterGroup": 5 }), "filterGroup: expected an object, found a number");
    }

    #[test]
    fn an_unknown_person_or_a_blank_session_is_never_no_filter() {
        for query in [json!({ "personId": "1" }), json!({ "personId": "" }), json!({ "sessionId": "" })] {
            let properties = filter(query).unwrap().properties;
            assert!(
                matches!(&properties[..], [FilterNode::Leaf(leaf)] if leaf.operator == Operator::IsNotSet)
            );
        }
    }

    #[test]
    fn an_aggregate_is_about_the_last_hour_by_default() {
        let request = AggregateRequest::parse(&Fields::of(&json!({}), "").unwrap()).unwrap();
        assert_eq!(request.date_range.date_from.as_deref(), Some("-1h"));
        assert_eq!(request.filter, LogFilter::default());
    }
}
