//! `dateRange`: which time a question is about.

use engine::query::DateRange;
use serde_json::Value;

use crate::api::fields::{Fields, invalid};
use crate::error::ApiError;

const MEMBER: &str = "dateRange";

/// Reads the range of a question that cannot do without one; `{}` is one.
pub(super) fn required(query: &Fields<'_>) -> Result<DateRange, ApiError> {
    match query.get(MEMBER) {
        Some(value) => parse(value, MEMBER),
        None => Err(invalid(MEMBER, "the query needs it")),
    }
}

/// Reads the range of a question that is about the last hour when it says nothing; `{}` says nothing.
pub(in crate::api) fn or_last_hour(query: &Fields<'_>) -> Result<DateRange, ApiError> {
    match query.get(MEMBER) {
        Some(value) if !value.as_object().is_some_and(serde_json::Map::is_empty) => parse(value, MEMBER),
        _ => Ok(DateRange { date_from: Some("-1h".to_owned()), ..DateRange::default() }),
    }
}

/// Reads a range that stands at `path` in the request.
pub(super) fn parse(value: &Value, path: &str) -> Result<DateRange, ApiError> {
    let fields = Fields::of(value, path)?;
    Ok(DateRange {
        date_from: fields.text("date_from")?.map(str::to_owned),
        date_to: fields.text("date_to")?.map(str::to_owned),
        explicit_date: fields.boolean("explicitDate")?.unwrap_or(false),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Read = fn(&Fields<'_>) -> Result<DateRange, ApiError>;

    fn check(read: Read, query: &Value, expected: Result<(Option<&str>, Option<&str>, bool), &str>) {
        let found = read(&Fields::of(query, "").unwrap());
        match (found, expected) {
            (Ok(range), Ok((from, to, explicit))) => {
                let expected = DateRange {
                    date_from: from.map(str::to_owned),
                    date_to: to.map(str::to_owned),
                    explicit_date: explicit,
                };
                assert_eq!(range, expected, "{query}");
            }
            (Err(error), Err(text)) => {
                assert_eq!(error.to_string(), format!("400 parse_error: {text}"), "{query}")
            }
            (found, expected) => panic!("{query}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn bounds_are_taken_as_they_are_written() {
        for read in [required as Read, or_last_hour] {
            let query = json!({ "dateRange": { "date_from": "-7d", "date_to": "nonsense", "explicitDate": true, "x": 1 } });
            check(read, &query, Ok((Some("-7d"), Some("nonsense"), true)));
            let query = json!({ "dateRange": { "date_from": null } });
            check(read, &query, Ok((None, None, false)));
        }
    }

    #[test]
    fn an_absent_range_is_an_error_or_the_last_hour() {
        for query in [json!({}), json!({ "dateRange": null })] {
            check(required, &query, Err("dateRange: the query needs it"));
            check(or_last_hour, &query, Ok((Some("-1h"), None, false)));
        }
        let query = json!({ "dateRange": {} });
        check(required, &query, Ok((None, None, false)));
        check(or_last_hour, &query, Ok((Some("-1h"), None, false)));
    }

    #[test]
    fn members_of_the_wrong_type_are_named() {
        for read in [required as Read, or_last_hour] {
            for (range, error) in [
                (json!("-1h"), "dateRange: expected an object, found a string"),
                (json!([]), "dateRange: expected an object, found a list"),
                (json!({ "date_from": 5 }), "dateRange.date_from: expected a string, found a number"),
                (json!({ "date_to": {} }), "dateRange.date_to: expected a string, found an object"),
                (
                    json!({ "explicitDate": "yes" }),
                    "dateRange.explicitDate: expected true or false, found a string",
                ),
            ] {
                check(read, &json!({ "dateRange": range }), Err(error));
            }
        }
    }
}
