//! The token that says into which project records are sent.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::secret::PERSONAL_API_KEY_PREFIX;

/// Longest token.
const MAX_TOKEN_BYTES: usize = 64;

/// Finds a token of the right shape; the error says what is wrong, without the token.
///
/// When there is an `Authorization` header only it counts: the token is what follows the last `Bearer `, so
/// that a bare token works as well. Else the query parameter `token`.
pub(super) fn find(headers: &HeaderMap, parameters: &[(String, String)]) -> Result<String, &'static str> {
    let token = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let text = value.to_str().map_err(|_| "the token is not ASCII text")?;
            text.rsplit("Bearer ").next().unwrap_or_default()
        }
        None => parameters.iter().find(|(name, _)| name == "token").map(|(_, token)| token.as_str()).ok_or(
            "no project token: send it as Authorization: Bearer <token> or as the query parameter token",
        )?,
    };
    check(token.trim())
}

/// The token, if it has the shape of one; the error says what is wrong, without the token.
pub(super) fn check(token: &str) -> Result<String, &'static str> {
    if token.is_empty() || token == "Bearer" {
        Err("the project token is empty")
    } else if token.len() > MAX_TOKEN_BYTES {
        Err("the project token is longer than 64 bytes")
    } else if !token.is_ascii() || token.contains('\0') {
        Err("the project token is not ASCII text")
    } else if token.starts_with(PERSONAL_API_KEY_PREFIX) {
        Err("this is a personal API key: records are sent with a project token")
    } else {
        Ok(token.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_find(header: Option<&str>, parameter: Option<&str>, expected: Result<&str, &str>) {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        let parameters: Vec<_> =
            parameter.iter().map(|token| ("token".to_owned(), (*token).to_owned())).collect();
        let found = find(&headers, &parameters);
        match (&found, expected) {
            (Ok(token), Ok(expected)) => assert_eq!(token, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            _ => panic!("{header:?} {parameter:?}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn the_header_wins_and_the_parameter_follows() {
        check_find(Some("Bearer phc_a"), Some("phc_b"), Ok("phc_a"));
        check_find(Some("phc_a"), None, Ok("phc_a"));
        check_find(Some("Bearer Bearer  phc_a "), None, Ok("phc_a"));
        check_find(None, Some(" phc_b "), Ok("phc_b"));
    }

    #[test]
    fn an_empty_header_is_not_made_up_for_by_the_parameter() {
        check_find(Some(""), Some("phc_b"), Err("empty"));
        check_find(Some("Bearer "), Some("phc_b"), Err("empty"));
        check_find(Some("Bearer"), Some("phc_b"), Err("empty"));
    }

    #[test]
    fn tokens_of_a_wrong_shape_are_refused() {
        check_find(None, None, Err("no project token"));
        check_find(None, Some(""), Err("empty"));
        check_find(None, Some(&"a".repeat(64)), Ok(&"a".repeat(64)));
        check_find(None, Some(&"a".repeat(65)), Err("longer than 64 bytes"));
        check_find(None, Some("phc_ü"), Err("not ASCII"));
        check_find(None, Some("phc\0a"), Err("not ASCII"));
        check_find(Some("Bearer phx_a"), None, Err("personal API key"));
    }
}
