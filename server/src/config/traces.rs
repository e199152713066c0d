//! Where the server sends traces of its own work.

use std::fmt;

/// Where traces go, and how many.
#[derive(Clone, Debug, PartialEq)]
pub struct TracesConfig {
    /// What takes them over OTLP/HTTP; none are made without it.
    pub endpoint: Option<String>,
    /// What every request to it carries.
    pub headers: SecretHeaders,
    /// The share of traces that begin here which is sent, from 0 to 1. One that began elsewhere is sent when it is
    /// sent there.
    pub sample_ratio: f64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { endpoint: None, headers: SecretHeaders::default(), sample_ratio: 1.0 }
    }
}

/// Headers of HTTP whose values are secrets; the debug form hides them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretHeaders(Vec<(String, String)>);

impl SecretHeaders {
    /// Reads `name=value,name=value`, with `%`-escapes in values, as OpenTelemetry's variables have it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::default());
        }
        let pairs = text.split(',').filter(|pair| !pair.trim().is_empty());
        let header = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            let (name, value) = (name.trim(), value.trim());
            let is_name = !name.is_empty() && name.bytes().all(is_of_name);
            let is_value = !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
        };
        // The text is not repeated: it has secrets.
        let headers = pairs.map(header).collect::<Option<_>>();
        headers.map(Self).ok_or_else(|| "the headers are not name=value,name=value".to_owned())
    }

    /// Names with values.
    pub(crate) fn reveal(&self) -> Vec<(String, String)> {
        self.0.clone()
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

impl fmt::Debug for SecretHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_names_with_values() {
        let headers = SecretHeaders::parse("Authorization=Basic%20eA==, x-team = a ,").unwrap();
        let expected = [("Authorization", "Basic%20eA=="), ("x-team", "a")];
        assert_eq!(headers.reveal(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(format!("{headers:?}"), r#"{"Authorization", "x-team"}"#);
        assert!(["", "none"].iter().all(|text| SecretHeaders::parse(text).unwrap().reveal().is_empty()));
    }

    #[test]
    fn what_is_no_header_is_refused_without_repeating_it() {
        for text in ["hush", "=hush", "a=", "a b=hush", "a=hush\nx", "a=hush,b"] {
            let refused = SecretHeaders::parse(text).unwrap_err();
            assert!(!refused.contains("hush"), "{refused}");
        }
    }
}
