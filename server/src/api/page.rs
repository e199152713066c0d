//! Lists in parts: `limit` and `offset`, and links to the parts before and after.

use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::api_call::ApiCall;
use crate::meta::log_view::Window;

/// Entries of a part when the caller does not say how many.
const DEFAULT_LIMIT: i64 = 100;
/// Most entries of a part, so that no answer is larger than memory allows.
const MAX_LIMIT: i64 = 1_000;

/// What says which part is wanted; what cannot be read, is not positive or is too much falls back to a default.
pub(crate) fn window(call: &ApiCall) -> Window {
    let number = |name: &str| call.parameter(name).and_then(|text| text.trim().parse::<i64>().ok());
    Window {
        limit: number("limit").filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
        offset: number("offset").filter(|offset| *offset >= 0).unwrap_or(0),
    }
}

/// One part of a list of `count` entries.
pub(crate) fn page(address: &CalledAddress<'_>, window: Window, count: i64, results: Vec<Value>) -> Value {
    let Window { limit, offset } = window;
    let following = offset.saturating_add(limit);
    let next = (following < count).then(|| address.link(limit, following));
    let previous = (offset > 0).then(|| address.link(limit, offset.saturating_sub(limit).max(0)));
    json!({ "count": count, "next": next, "previous": previous, "results": results })
}

/// The entries of one part of a list that is in memory whole.
pub(crate) fn part_of<T>(entries: Vec<T>, window: Window) -> Vec<T> {
    let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    entries.into_iter().skip(number(window.offset)).take(number(window.limit)).collect()
}

/// The part of a list that is in memory whole which a call asks for, each entry as it is written.
pub(crate) fn page_of<T>(call: &ApiCall, entries: Vec<T>, written: impl Fn(&T) -> Value) -> Value {
    let window = window(call);
    let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
    let results = part_of(entries, window).iter().map(written).collect();
    page(&call.address(), window, count, results)
}

/// The address of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalledAddress<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) uri: &'a Uri,
    pub(super) parameters: &'a [(String, String)],
}

impl CalledAddress<'_> {
    /// The same address for another part of the list; the first part has no offset. Other parameters are kept,
    /// but never a key.
    fn link(&self, limit: i64, offset: i64) -> String {
        let mut link = format!("{}://{}{}?limit={limit}", self.scheme(), self.host(), self.uri.path());
        if offset > 0 {
            link.push_str(&format!("&offset={offset}"));
        }
        let of_ours = ["limit", "offset", "personal_api_key"];
        for (name, value) in self.parameters.iter().filter(|(name, _)| !of_ours.contains(&name.as_str())) {
            link.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        link
    }

    /// The same address with one parameter of another value. Other parameters are kept, but never a key.
    pub(super) fn link_with(&self, name: &str, value: &str) -> String {
        let mut link = format!(
            "{}://{}{}?{}={}",
            self.scheme(),
            self.host(),
            self.uri.path(),
            encoded(name),
            encoded(value)
        );
        let others = self.parameters.iter().filter(|(other, _)| other != name && other != "personal_api_key");
        for (name, value) in others {
            link.push_str(&format!("&{}={}", encoded(name), encoded(value)));
        }
        link
    }

    /// A proxy that ends TLS says so.
    pub(super) fn scheme(&self) -> &'static str {
        let forwarded = self.headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
        match forwarded {
            Some("https") => "https",
            _ => "http",
        }
    }

    pub(super) fn host(&self) -> &str {
        let authority = || self.uri.authority().map(axum::http::uri::Authority::as_str);
        self.headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(authority).unwrap_or("localhost")
    }
}

/// Percent-encoded, but for letters, digits and what never needs it.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(window: Window, count: i64, headers: &[(&'static str, &str)]) -> (Value, Value) {
        let headers = headers
            .iter()
            .map(|(name, value)| (axum::http::HeaderName::from_static(name), value.parse().unwrap()));
        let headers: HeaderMap = headers.collect();
        let uri: Uri = "/api/projects/1/logs/views?x=a%20b".parse().unwrap();
        let parameters =
            [("x".to_owned(), "a b&".to_owned()), ("personal_api_key".to_owned(), "phx".to_owned())];
        let address = CalledAddress { headers: &headers, uri: &uri, parameters: &parameters };
        let mut page = page(&address, window, count, Vec::new());
        (page["next"].take(), page["previous"].take())
    }

    #[test]
    fn links_are_absolute_and_null_at_the_ends() {
        let window = |limit, offset| Window { limit, offset };
        assert_eq!(links(window(10, 0), 10, &[]), (Value::Null, Value::Null));
        let base = "http://h:1/api/projects/1/logs/views";
        assert_eq!(
            links(window(10, 10), 25, &[("host", "h:1")]),
            (
                json!(format!("{base}?limit=10&offset=20&x=a%20b%26")),
                json!(format!("{base}?limit=10&x=a%20b%26"))
            )
        );
        let (_, previous) = links(window(10, 25), 5, &[("host", "h"), ("x-forwarded-proto", "https")]);
        assert_eq!(previous, json!("https://h/api/projects/1/logs/views?limit=10&offset=15&x=a%20b%26"));
    }

    #[test]
    fn a_window_beyond_every_number_has_no_next() {
        let window = Window { limit: 1_000, offset: i64::MAX };
        assert_eq!(links(window, 5, &[]).0, Value::Null);
    }
}
