//! Filters in a query string: the same that a body has.

use engine::query::model::LogFilter;
use serde_json::{Value, json};

use super::request::parse_filter;
use crate::api::fields::{Fields, invalid};
use crate::api::parameters::Parameters;
use crate::error::ApiError;

/// Texts that are taken as they are, beside those that are JSON.
const TEXTS: [&str; 2] = ["searchTerm", "resourceFingerprint"];
/// Ids of whose rows are meant: an empty one is the id of nobody, never of everybody.
const IDS: [&str; 2] = ["personId", "sessionId"];

/// What becomes of a list of services that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UnreadableServices {
    /// It is as if it was absent, as clients of lists expect.
    Ignored,
    /// It is an error: more rows than were asked for would be worse.
    Refused,
}

/// Reads the filters; an empty parameter says nothing, unless it is an id.
///
/// # Errors
/// 400 that names the first parameter that is wrong.
pub(super) fn parse(
    parameters: Parameters<'_>,
    unreadable: UnreadableServices,
) -> Result<LogFilter, ApiError> {
    let services = match unreadable {
        UnreadableServices::Ignored => json!(parameters.names("serviceNames")),
        UnreadableServices::Refused => names(parameters, "serviceNames")?,
    };
    let mut query = json!({
        "serviceNames": services,
        "severityLevels": names(parameters, "severityLevels")?,
        "filterGroup": json_of(parameters, "filterGroup")?,
    });
    for name in TEXTS {
        query[name] = parameters.filled_text(name).into();
    }
    for name in IDS {
        query[name] = parameters.text(name).into();
    }
    parse_filter(&Fields::of(&query, "")?)
}

/// A JSON list, or the parameter once for every name.
fn names(parameters: Parameters<'_>, name: &str) -> Result<Value, ApiError> {
    let given: Vec<&str> = parameters.all(name).filter(|text| !text.is_empty()).collect();
    match given.as_slice() {
        [text] if text.trim_start().starts_with('[') => read_json(name, text),
        ["null"] => Ok(Value::Null),
        names => Ok(names.iter().copied().map(Value::from).collect()),
    }
}

fn json_of(parameters: Parameters<'_>, name: &str) -> Result<Value, ApiError> {
    parameters.filled_text(name).map_or(Ok(Value::Null), |text| read_json(name, text))
}

fn read_json(name: &str, text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text).map_err(|error| invalid(name, &format!("malformed JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)], unreadable: UnreadableServices) -> Result<LogFilter, String> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        super::parse(Parameters::of(&pairs), unreadable).map_err(|error| error.to_string())
    }

    #[test]
    fn filters_are_read_as_in_a_body() {
        let leaf = r#"{"key":"k","type":"log_attribute","operator":"exact","value":"v"}"#;
        let filter = parse(
            &[
                ("serviceNames", "api"),
                ("serviceNames", "web"),
                ("severityLevels", r#"["info"]"#),
                ("searchTerm", "x"),
                ("resourceFingerprint", "7"),
                ("filterGroup", &format!("[{leaf}]")),
            ],
            UnreadableServices::Refused,
        );
        let filter = filter.unwrap();
        assert_eq!(filter.service_names, ["api", "web"]);
        assert_eq!(filter.severity_levels, ["info"]);
        assert_eq!((filter.search_term.as_str(), filter.resource_fingerprint), ("x", Some(7)));
        assert_eq!(filter.properties.len(), 1);
        let nested = format!(r#"{{"type":"AND","values":[{{"type":"AND","values":[{leaf}]}}]}}"#);
        for (text, expected) in [("", 0), ("null", 0), ("[]", 0), (nested.as_str(), 1)] {
            let filter = parse(&[("filterGroup", text)], UnreadableServices::Refused).unwrap();
            assert_eq!(filter.properties.len(), expected, "{text}");
        }
    }

    #[test]
    fn an_empty_id_is_not_the_absence_of_one() {
        for name in ["personId", "sessionId"] {
            assert_eq!(
                parse(&[(name, "")], UnreadableServices::Ignored).unwrap().properties.len(),
                1,
                "{name}"
            );
        }
        for name in ["searchTerm", "resourceFingerprint", "serviceNames", "severityLevels", "filterGroup"] {
            let filter = parse(&[(name, "")], UnreadableServices::Refused).unwrap();
            assert_eq!(filter, LogFilter::default(), "{name}");
        }
    }

    #[test]
    fn lists_are_json_or_repeated() {
        for pairs in [
            &[("serviceNames", r#"["api","web"]"#)][..],
            &[("serviceNames", "api"), ("serviceNames", ""), ("serviceNames", "web")],
        ] {
            for unreadable in [UnreadableServices::Ignored, UnreadableServices::Refused] {
                assert_eq!(parse(pairs, unreadable).unwrap().service_names, ["api", "web"], "{pairs:?}");
            }
        }
        let levels = [("severityLevels", "error"), ("severityLevels", "warn")];
        assert_eq!(parse(&levels, UnreadableServices::Ignored).unwrap().severity_levels, ["error", "warn"]);
        let unnamed = [("serviceNames", r#"[""]"#)];
        assert_eq!(parse(&unnamed, UnreadableServices::Refused).unwrap().service_names, [""]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text) in [
            ("filterGroup", "{"),
            ("filterGroup", "5"),
            ("filterGroup", "[5]"),
            ("severityLevels", "loud"),
            ("severityLevels", r#"["loud"]"#),
            ("severityLevels", "["),
            ("resourceFingerprint", "x"),
        ] {
            for unreadable in [UnreadableServices::Ignored, UnreadableServices::Refused] {
                let error = parse(&[(name, text)], unreadable).unwrap_err();
                assert!(error.starts_with(&format!("400 parse_error: {name}")), "{error}");
            }
        }
        for text in ["[", "[1]"] {
            let pairs = [("serviceNames", text)];
            assert_eq!(parse(&pairs, UnreadableServices::Ignored).unwrap(), LogFilter::default());
            let error = parse(&pairs, UnreadableServices::Refused).unwrap_err();
            assert!(error.starts_with("400 parse_error: serviceNames"), "{error}");
        }
    }
}
