//! What a tail is asked for, in its query string and its headers.

use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, Uri};
use engine::query::model::{AttributeMaps, LogFilter};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::request;
use crate::api::fields::{Fields, invalid};
use crate::error::ApiError;

/// What a browser sends when it connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Filters that are text as it stands.
const TEXTS: [&str; 4] = ["searchTerm", "resourceFingerprint", "personId", "sessionId"];
/// Filters that are a JSON list of names, or a name for each time the parameter is given.
const LISTS: [&str; 2] = ["severityLevels", "serviceNames"];
/// The conditions, as JSON.
const FILTER_GROUP: &str = "filterGroup";

/// What a tail is asked for.
#[derive(Debug, PartialEq)]
pub(super) struct TailParameters {
    /// Which rows.
    pub(super) filter: LogFilter,
    /// The checkpoint after which to begin.
    pub(super) after: Option<Uuid>,
    /// Whether the attribute maps are written.
    pub(super) attributes: AttributeMaps,
}

impl TailParameters {
    /// Reads a query string. An empty parameter says nothing, and one that is not known is ignored.
    ///
    /// # Errors
    /// 400 that names the first parameter that is wrong.
    pub(super) fn parse(query_string: &str, headers: &HeaderMap) -> Result<Self, ApiError> {
        let parameters = decode(query_string)?;
        let last = |name: &str| {
            let of_name = parameters.iter().rev().find(|(key, _)| key == name);
            of_name.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let mut query = Map::new();
        for name in TEXTS {
            query.extend(last(name).map(|text| (name.to_owned(), text.into())));
        }
        for name in LISTS {
            query.insert(name.to_owned(), list(name, &parameters)?);
        }
        if let Some(text) = last(FILTER_GROUP) {
            query.insert(FILTER_GROUP.to_owned(), json(FILTER_GROUP, text)?);
        }
        let query = Value::Object(query);
        Ok(Self {
            filter: request::parse_filter(&Fields::of(&query, "")?)?,
            after: checkpoint(last("checkpoint"), headers)?,
            attributes: match last("excludeAttributes") {
                None | Some("false") => AttributeMaps::Included,
                Some("true") => AttributeMaps::Excluded,
                Some(other) => {
                    return Err(invalid("excludeAttributes", &format!("{other:?} is not true or false")));
                }
            },
        })
    }
}

fn decode(query_string: &str) -> Result<Vec<(String, String)>, ApiError> {
    let uri = Uri::builder().path_and_query(format!("/?{query_string}")).build();
    let parameters = uri.ok().and_then(|uri| Query::<Vec<(String, String)>>::try_from_uri(&uri).ok());
    match parameters {
        Some(Query(parameters)) => Ok(parameters),
        None => Err(ApiError::parse_error(None, "the query string cannot be read")),
    }
}

fn json(name: &str, text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text).map_err(|error| invalid(name, &format!("it is not JSON: {error}")))
}

/// A JSON list, or the value of each time the parameter is given.
fn list(name: &str, parameters: &[(String, String)]) -> Result<Value, ApiError> {
    let given = parameters.iter().filter(|(key, value)| key == name && !value.is_empty());
    let given: Vec<&str> = given.map(|(_, value)| value.as_str()).collect();
    match given.as_slice() {
        [text] if text.trim_start().starts_with('[') => json(name, text),
        names => Ok(names.iter().copied().map(Value::from).collect()),
    }
}

/// A client that connects again repeats its address, so that its header knows better.
fn checkpoint(parameter: Option<&str>, headers: &HeaderMap) -> Result<Option<Uuid>, ApiError> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    let (name, text) = match (header.filter(|text| !text.is_empty()), parameter) {
        (Some(text), _) => ("Last-Event-ID", text),
        (None, Some(text)) => ("checkpoint", text),
        (None, None) => return Ok(None),
    };
    let id = Uuid::parse_str(text)
        .map_err(|_| invalid(name, &format!("{text:?} is not the id of an event of this server")))?;
    Ok(Some(id))
}

#[cfg(test)]
mod tests {
    use engine::query::model::FilterNode;

    use super::*;

    fn parse(query_string: &str) -> Result<TailParameters, String> {
        TailParameters::parse(query_string, &HeaderMap::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_asked_for_is_every_row_from_now_on() {
        let everything =
            TailParameters { filter: LogFilter::default(), after: None, attributes: AttributeMaps::Included };
        for query_string in ["", "searchTerm=&filterGroup=&serviceNames=&checkpoint=", "unknown=1&a"] {
            assert_eq!(parse(query_string), Ok(TailParameters { ..clone(&everything) }), "{query_string}");
        }
    }

    fn clone(parameters: &TailParameters) -> TailParameters {
        let TailParameters { filter, after, attributes } = parameters;
        TailParameters { filter: filter.clone(), after: *after, attributes: *attributes }
    }

    #[test]
    fn lists_are_json_or_repeated() {
        for query_string in [
            "serviceNames=%5B%22api%22,%22web%22%5D",
            "serviceNames=api&serviceNames=web",
            "serviceNames=api&serviceNames=&serviceNames=web",
        ] {
            assert_eq!(parse(query_string).unwrap().filter.service_names, ["api", "web"], "{query_string}");
        }
        assert_eq!(
            parse("severityLevels=error&severityLevels=warn").unwrap().filter.severity_levels.len(),
            2
        );
        assert_eq!(parse("serviceNames=%5B%22%22%5D").unwrap().filter.service_names, [""]);
    }

    #[test]
    fn conditions_are_json_in_every_form() {
        let leaf = r#"{"key":"k","type":"log_attribute","operator":"exact","value":"v"}"#;
        for group in [
            format!("[{leaf}]"),
            format!(r#"{{"type":"AND","values":[{leaf}]}}"#),
            format!(r#"{{"type":"AND","values":[{{"type":"AND","values":[{leaf}]}}]}}"#),
        ] {
            let encoded: String = group.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let filter = parse(&format!("filterGroup={encoded}&searchTerm=a+b%25")).unwrap().filter;
            assert!(matches!(&filter.properties[..], [FilterNode::Leaf(leaf)] if leaf.key == "k"), "{group}");
            assert_eq!(filter.search_term, "a b%");
        }
    }

    #[test]
    fn the_header_of_a_client_that_comes_again_wins() {
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let headers = HeaderMap::from_iter([(LAST_EVENT_ID, new.to_string().parse().unwrap())]);
        let query_string = format!("checkpoint={old}&excludeAttributes=true");
        assert_eq!(parse(&query_string).unwrap().after, Some(old));
        let parameters = TailParameters::parse(&query_string, &headers).unwrap();
        assert_eq!((parameters.after, parameters.attributes), (Some(new), AttributeMaps::Excluded));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query_string, expected) in [
            ("filterGroup=%7B", "filterGroup: it is not JSON"),
            ("filterGroup=5", "filterGroup: expected an object"),
            ("serviceNames=%5B1%5D", "serviceNames[0]: expected a string"),
            ("serviceNames=%5B", "serviceNames: it is not JSON"),
            ("severityLevels=loud", "severityLevels[0]: \"loud\" is not one of"),
            ("checkpoint=yesterday", "checkpoint: \"yesterday\" is not the id"),
            ("excludeAttributes=1", "excludeAttributes: \"1\" is not true or false"),
            ("resourceFingerprint=ab", "resourceFingerprint: "),
        ] {
            let error = parse(query_string).unwrap_err();
            assert!(error.starts_with(&format!("400 parse_error: {expected}")), "{error}");
        }
    }
}
