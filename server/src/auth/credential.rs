//! Where a request carries its personal API key.

use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use serde_json::Value;

/// Name of the body member and of the query parameter.
const PARAMETER: &str = "personal_api_key";

/// A key as a request carries it; its debug form hides the key.
#[derive(PartialEq, Eq)]
pub(super) struct Credential {
    /// The key in clear.
    pub(super) key: String,
    /// Where it stood.
    pub(super) place: Place,
}

/// The places of a key; those of a request in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Header,
    Body,
    Query,
    /// Outside of HTTP.
    Password,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({:?})", self.place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the Authorization header",
            Self::Body => "the request body",
            Self::Query => "the query string",
            Self::Password => "the password",
        })
    }
}

/// Finds the key: the first place that has one wins, later ones are not tried.
pub(super) fn find(
    headers: &HeaderMap,
    body: Option<&Value>,
    query: &[(String, String)],
) -> Option<Credential> {
    let header = || bearer(headers).map(|key| (key, Place::Header));
    let body = || body.and_then(|body| body.get(PARAMETER)?.as_str()).map(|key| (key, Place::Body));
    let query =
        || query.iter().find(|(name, _)| name == PARAMETER).map(|(_, key)| (key.as_str(), Place::Query));
    let (key, place) = header().or_else(body).or_else(query)?;
    Some(Credential { key: key.to_owned(), place })
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let key = value.strip_prefix("Bearer")?;
    key.starts_with(char::is_whitespace).then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(
        header: Option<&str>,
        body: Option<Value>,
        query: &[(&str, &str)],
        expected: Option<(&str, Place)>,
    ) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        let query: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let found = find(&headers, body.as_ref(), &query);
        let expected = expected.map(|(key, place)| Credential { key: key.to_owned(), place });
        assert_eq!(found, expected, "{header:?}");
    }

    #[test]
    fn places_are_tried_in_order() {
        let body = || Some(json!({ "personal_api_key": "b" }));
        let query = [("a", "x"), ("personal_api_key", "q")];
        check(Some("Bearer h"), body(), &query, Some(("h", Place::Header)));
        check(None, body(), &query, Some(("b", Place::Body)));
        check(None, None, &query, Some(("q", Place::Query)));
        check(None, Some(json!({ "personal_api_key": 5 })), &query, Some(("q", Place::Query)));
        check(None, Some(json!(["personal_api_key"])), &[], None);
    }

    #[test]
    fn the_keyword_is_exactly_bearer() {
        check(Some("Bearer \t h "), None, &[], Some(("h", Place::Header)));
        check(Some("bearer h"), None, &[], None);
        check(Some("Bearerh"), None, &[], None);
        check(Some("Basic aDpo"), None, &[], None);
        check(Some("Bearer"), None, &[], None);
    }

    #[test]
    fn debug_output_hides_the_key() {
        let credential = Credential { key: "phx_secret".into(), place: Place::Body };
        assert_eq!(format!("{credential:?}"), "Credential(Body)");
    }
}
