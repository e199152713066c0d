//! `filters` of an alert: which rows it counts. As in questions, but strict, and never all rows by accident.

use std::fmt::Display;

use engine::query::model::LogFilter;
use serde_json::Value;

use crate::api::fields::Fields;
use crate::api::logs::request::parse_own_filter;
use crate::error::ApiError;

const MEMBER: &str = "filters";
const KEYS: [&str; 3] = ["severityLevels", "serviceNames", "filterGroup"];

/// Reads them.
///
/// # Errors
/// 400 about `filters`, saying where the first problem is: no object, a member that there is not, a wrong shape, or
/// nothing in any of them.
pub(super) fn parse(value: Option<&Value>) -> Result<LogFilter, ApiError> {
    let Some(value) = value else { return Err(refused("required", "this field is required")) };
    let filter = parse_shape(value)?;
    if !is_filled(value) {
        return Err(invalid(nothing_in_them()));
    }
    Ok(filter)
}

/// Reads them where they may be empty, as those of a draft.
///
/// # Errors
/// As [`parse`], but for nothing in any of them.
pub(super) fn parse_shape(value: &Value) -> Result<LogFilter, ApiError> {
    let Some(members) = value.as_object() else { return Err(invalid("expected an object")) };
    if let Some(unknown) = members.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(invalid(format!("{unknown:?} is not one of {}", KEYS.join(", "))));
    }
    Fields::of(value, "")
        .and_then(|fields| parse_own_filter(&fields))
        .map_err(|error| invalid(error.detail()))
}

/// Whether anything is in them, also a group without conditions, which somebody has asked for.
pub(super) fn is_filled(filters: &Value) -> bool {
    let is_filled = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => false,
    };
    filters.as_object().is_some_and(|members| members.values().any(is_filled))
}

/// What is wrong with filters that have nothing in them.
pub(super) fn nothing_in_them() -> String {
    format!("at least one of {} is needed", KEYS.join(", "))
}

/// The filters of a stored alert.
///
/// # Errors
/// A text for people that says why they cannot be read.
pub(crate) fn of_stored(filters: &str) -> Result<LogFilter, String> {
    let value: Value = serde_json::from_str(filters).map_err(|_| "filters: expected an object".to_owned())?;
    parse_shape(&value).map_err(|error| error.detail().to_owned())
}

pub(super) fn invalid(reason: impl Display) -> ApiError {
    refused("invalid_input", reason)
}

fn refused(code: &'static str, reason: impl Display) -> ApiError {
    ApiError::validation(code, Some(MEMBER.to_owned()), format!("{MEMBER}: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_are_those_of_questions() {
        let condition = json!({"key": "message", "type": "log_entry", "operator": "icontains", "value": "x"});
        let group = json!({"type": "AND", "values": [{"type": "OR", "values": [condition]}]});
        let value = json!({"severityLevels": ["error"], "serviceNames": ["api"], "filterGroup": group});
        let filter = parse(Some(&value)).unwrap();
        assert_eq!(
            (filter.severity_levels, filter.service_names),
            (vec!["error".into()], vec!["api".into()])
        );
        assert_eq!(filter.properties.len(), 1);
        let everything = json!({"filterGroup": {"type": "AND", "values": []}, "serviceNames": null});
        assert_eq!(parse(Some(&everything)).unwrap(), LogFilter::default(), "which somebody has asked for");
    }

    #[test]
    fn what_is_wrong_is_about_filters() {
        for (value, reason) in [
            (json!([]), "expected an object"),
            (json!("error"), "expected an object"),
            (json!(null), "expected an object"),
            (json!({}), "at least one"),
            (json!({"severityLevels": [], "serviceNames": null, "filterGroup": null}), "at least one"),
            (json!({"severityLevels": ["error"], "filterGroup": {}}), "filterGroup.values"),
            (json!({"severityLevels": ["loud"]}), "severityLevels[0]"),
            (json!({"serviceNames": [1]}), "serviceNames[0]"),
            (json!({"filterGroup": {"values": [7]}}), "filterGroup.values[0]"),
            (json!({"severityLevels": ["error"], "dateRange": {}}), "dateRange"),
        ] {
            let error = parse(Some(&value)).expect_err(&value.to_string());
            assert_eq!((error.status().as_u16(), error.attr()), (400, Some("filters")), "{value}");
            assert!(error.detail().contains(reason), "{value}: {}", error.detail());
        }
        assert_eq!(parse(None).unwrap_err().code(), "required");
    }
}
