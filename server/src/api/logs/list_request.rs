//! What a question in a query string says: the parameters that `attributes` and `values` share.

use engine::query::model::LogFilter;
use engine::query::{AttributeSource, DateRange, ListRange};
use serde_json::{Value, json};

use super::query_filters::UnreadableServices;
use super::{date_range, query_filters};
use crate::api::parameters::Parameters;
use crate::error::ApiError;

const DEFAULT_LIMIT: usize = 100;
/// Most entries of one answer; more are reached by `offset`.
const MAX_LIMIT: usize = 10_000;

/// Which rows are looked at, and which part of the answer is given.
#[derive(Debug, PartialEq)]
pub(super) struct ListRequest {
    pub(super) filter: LogFilter,
    pub(super) date_range: DateRange,
    pub(super) source: AttributeSource,
    pub(super) list: ListRange,
}

impl ListRequest {
    /// Reads the parameters. A number, a type or a list of services that cannot be read is as if it was absent, a
    /// range of time that is no JSON is the last hour.
    ///
    /// # Errors
    /// 400 that names the first parameter that is wrong.
    pub(super) fn parse(parameters: Parameters<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            date_range: parse_date_range(parameters)?,
            filter: query_filters::parse(parameters, UnreadableServices::Ignored)?,
            source: match parameters.text("attribute_type") {
                Some("resource") => AttributeSource::Resource,
                _ => AttributeSource::Record,
            },
            list: ListRange {
                offset: parameters.number_or("offset", 0, usize::MAX),
                limit: parameters.number_or("limit", DEFAULT_LIMIT, MAX_LIMIT),
            },
        })
    }
}

fn parse_date_range(parameters: Parameters<'_>) -> Result<DateRange, ApiError> {
    let written = match parameters.text("dateRange") {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!({ "date_from": "-1h" })),
        None => Value::Null,
    };
    if !written.is_null() {
        return date_range::parse(&written, "dateRange");
    }
    let bound = |name| parameters.filled_text(name).map(str::to_owned);
    Ok(DateRange { date_from: bound("date_from"), date_to: bound("date_to"), explicit_date: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<ListRequest, String> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ListRequest::parse(Parameters::of(&pairs)).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_range(pairs: &[(&str, &str)], from: Option<&str>, to: Option<&str>) {
        let range = parse(pairs).unwrap().date_range;
        assert_eq!((range.date_from.as_deref(), range.date_to.as_deref()), (from, to), "{pairs:?}");
    }

    #[test]
    fn the_range_is_json_or_two_parameters() {
        check_range(&[], None, None);
        check_range(&[("dateRange", "{}")], None, None);
        check_range(&[("dateRange", r#"{"date_from":"-2h","date_to":"-1h"}"#)], Some("-2h"), Some("-1h"));
        check_range(&[("date_from", "-2h"), ("date_to", "")], Some("-2h"), None);
        check_range(&[("dateRange", "null"), ("date_from", "-2h")], Some("-2h"), None);
        check_range(&[("dateRange", r#"{"date_to":"-1h"}"#), ("date_from", "-2h")], None, Some("-1h"));
        for malformed in ["", "{", "-3h", "{'date_from': '-3h'}"] {
            check_range(&[("dateRange", malformed), ("date_from", "-2h")], Some("-1h"), None);
        }
        for wrong in ["[]", "5", "\"-1h\"", r#"{"date_from":5}"#] {
            let error = parse(&[("dateRange", wrong)]).unwrap_err();
            assert!(error.starts_with("400 parse_error: dateRange"), "{error}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_the_default() {
        let request =
            parse(&[("attribute_type", "span"), ("limit", "x"), ("offset", "-1"), ("serviceNames", "[")]);
        let request = request.unwrap();
        assert_eq!(request.source, AttributeSource::Record);
        assert_eq!(request.list, ListRange { offset: 0, limit: 100 });
        assert_eq!(request.filter, LogFilter::default());
        let request =
            parse(&[("attribute_type", "resource"), ("limit", "1000000"), ("offset", "5")]).unwrap();
        assert_eq!(request.source, AttributeSource::Resource);
        assert_eq!(request.list, ListRange { offset: 5, limit: 10_000 });
    }
}
