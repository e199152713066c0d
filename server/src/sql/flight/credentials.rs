//! The key and the project that a call names.
//!
//! A key comes as a bearer token, or as the password of whatever user. Drivers that log in get a token, which is the key
//! with the project that the user's name was the number of.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::status_of;
use crate::sql::Asker;
use crate::state::AppState;

/// Headers that say which project is asked about.
const PROJECT_HEADERS: [&str; 2] = ["project", "database"];
/// Some drivers fill the last digits up, others do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Stands between a key and a project; no key has it.
const SEPARATOR: char = '@';

/// What a call shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credentials {
    key: String,
    project: Option<String>,
}

impl Credentials {
    /// Finds them in the headers of a call.
    ///
    /// # Errors
    /// `unauthenticated` when there are none.
    pub(super) fn of(headers: &MetadataMap) -> Result<Self, Status> {
        let missing =
            || Status::unauthenticated("an API key is needed, as a bearer token or as the password");
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header("authorization").ok_or_else(missing)?;
        let (scheme, rest) = authorization.split_once(' ').ok_or_else(missing)?;
        let mut credentials = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Self::of_token(rest.trim()),
            "basic" => Self::of_basic(rest.trim()).ok_or_else(missing)?,
            _ => return Err(missing()),
        };
        if let Some(project) = PROJECT_HEADERS.iter().find_map(|name| header(name)) {
            credentials.project = Some(project.to_owned());
        }
        Ok(credentials)
    }

    fn of_token(token: &str) -> Self {
        match token.split_once(SEPARATOR) {
            Some((key, project)) => Self { key: key.to_owned(), project: Some(project.to_owned()) },
            None => Self { key: token.to_owned(), project: None },
        }
    }

    /// A user whose name is a number names a project; other names mean nothing.
    fn of_basic(encoded: &str) -> Option<Self> {
        let decoded = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
        let (user, key) = decoded.split_once(':')?;
        let is_project = !user.is_empty() && user.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self { key: key.to_owned(), project: is_project.then(|| user.to_owned()) })
    }

    /// What a driver that logs in shows from then on.
    pub(super) fn token(&self) -> String {
        match &self.project {
            Some(project) => format!("{}{SEPARATOR}{project}", self.key),
            None => self.key.clone(),
        }
    }

    /// Whose they are, and what about.
    ///
    /// # Errors
    /// `unauthenticated`, `permission_denied` or `not_found`.
    pub(super) async fn asker(&self, state: &AppState) -> Result<Asker, Status> {
        Asker::of_key(state, &self.key, self.project.as_deref()).await.map_err(status_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)]) -> Option<(String, Option<String>)> {
        let mut map = MetadataMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Credentials::of(&map).ok().map(|found| (found.key, found.project))
    }

    #[test]
    fn keys_are_tokens_or_passwords() {
        let basic = |text: &str| format!("Basic {}", BASE64.encode(text));
        let key = |key: &str, project: Option<&str>| Some((key.to_owned(), project.map(str::to_owned)));
        assert_eq!(found(&[("authorization", "Bearer phx_a")]), key("phx_a", None));
        assert_eq!(found(&[("authorization", "bearer phx_a@7")]), key("phx_a", Some("7")));
        assert_eq!(found(&[("authorization", &basic("ann:phx_a"))]), key("phx_a", None));
        assert_eq!(found(&[("authorization", &basic("7:phx_a"))]), key("phx_a", Some("7")));
        assert_eq!(found(&[("authorization", "Basic YW5uOnBoeF9h")]), key("phx_a", None));
        assert_eq!(found(&[("authorization", "Basic NzpwaHhfYQ==")]), key("phx_a", Some("7")));
        assert_eq!(found(&[("authorization", "Basic NzpwaHhfYQ")]), key("phx_a", Some("7")));
        let both = [("authorization", "Bearer phx_a@7"), ("project", "8")];
        assert_eq!(found(&both), key("phx_a", Some("8")));
        for refused in ["phx_a", "Digest x", "Basic !", &basic("nothing")] {
            assert_eq!(found(&[("authorization", refused)]), None, "{refused}");
        }
        assert_eq!(found(&[]), None);
    }
}
