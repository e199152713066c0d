//! What a tail is asked for, in its query string and its headers.

use axum::http::{HeaderMap, HeaderName};
use engine::query::model::{AttributeMaps, LogFilter};
use uuid::Uuid;

use super::super::query_filters::{self, UnreadableServices};
use crate::api::fields::invalid;
use crate::api::parameters::Parameters;
use crate::error::ApiError;

/// What a browser sends when it connects again.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

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
    /// Reads the parameters. An empty one says nothing, and one that is not known is ignored.
    ///
    /// # Errors
    /// 400 that names the first parameter that is wrong.
    pub(super) fn parse(parameters: Parameters<'_>, headers: &HeaderMap) -> Result<Self, ApiError> {
        Ok(Self {
            filter: query_filters::parse(parameters, UnreadableServices::Refused)?,
            after: checkpoint(parameters.filled_text("checkpoint"), headers)?,
            attributes: match parameters.filled_text("excludeAttributes") {
                None | Some("false") => AttributeMaps::Included,
                Some("true") => AttributeMaps::Excluded,
                Some(other) => {
                    return Err(invalid("excludeAttributes", &format!("{other:?} is not true or false")));
                }
            },
        })
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
    use super::*;

    fn parse(pairs: &[(&str, &str)], headers: &HeaderMap) -> Result<TailParameters, String> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        TailParameters::parse(Parameters::of(&pairs), headers).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_asked_for_is_every_row_from_now_on() {
        let empty = [("searchTerm", ""), ("filterGroup", ""), ("serviceNames", ""), ("checkpoint", "")];
        for pairs in [&[][..], &empty, &[("unknown", "1")]] {
            let everything = TailParameters {
                filter: LogFilter::default(),
                after: None,
                attributes: AttributeMaps::Included,
            };
            assert_eq!(parse(pairs, &HeaderMap::new()), Ok(everything), "{pairs:?}");
        }
    }

    #[test]
    fn the_header_of_a_client_that_comes_again_wins() {
        let (old, new) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let headers = HeaderMap::from_iter([(LAST_EVENT_ID, new.to_string().parse().unwrap())]);
        let old_text = old.to_string();
        let pairs = [("checkpoint", old_text.as_str()), ("excludeAttributes", "true")];
        assert_eq!(parse(&pairs, &HeaderMap::new()).unwrap().after, Some(old));
        let parameters = parse(&pairs, &headers).unwrap();
        assert_eq!((parameters.after, parameters.attributes), (Some(new), AttributeMaps::Excluded));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, text, expected) in [
            ("serviceNames", "[1]", "serviceNames[0]: expected a string"),
            ("serviceNames", "[", "serviceNames: malformed JSON"),
            ("checkpoint", "yesterday", "checkpoint: \"yesterday\" is not the id"),
            ("excludeAttributes", "1", "excludeAttributes: \"1\" is not true or false"),
        ] {
            let error = parse(&[(name, text)], &HeaderMap::new()).unwrap_err();
            assert!(error.starts_with(&format!("400 parse_error: {expected}")), "{error}");
        }
    }
}
