//! Cookies of a session: the secret that scripts cannot read, and the token that they send back with what they write.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::secret::{self, Secret};

/// Name of the cookie with the secret of a session.
pub(crate) const SESSION: &str = "timberline_session";
/// Name of the cookie with the token against forged requests.
pub(crate) const CSRF: &str = "csrftoken";
/// Name of the cookie that a sign-on leaves with the browser that has begun it.
pub(crate) const SIGN_ON: &str = "timberline_sign_on";
/// How long somebody may take to sign on.
const SIGN_ON_SECS: u64 = 600;
/// Header in which that token comes back.
pub(crate) const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrftoken");

/// A cookie of a request, the first of its name.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// The token that belongs to a session: another site knows neither, and it tells nothing of the secret.
pub(crate) fn csrf_token(session: &str) -> String {
    secret::hash(&format!("csrf:{session}"))
}

/// How long cookies live, and how they travel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CookieJar {
    /// Whether browsers send them by HTTPS only.
    pub(crate) is_secure: bool,
}

impl CookieJar {
    /// The cookies that begin a session.
    pub(crate) fn begin(self, secret: &Secret, lifetime_secs: u64) -> [HeaderValue; 2] {
        let secret = secret.reveal();
        [
            self.cookie(SESSION, secret, lifetime_secs, "; HttpOnly"),
            self.cookie(CSRF, &csrf_token(secret), lifetime_secs, ""),
        ]
    }

    /// The cookies that end one.
    pub(crate) fn end(self) -> [HeaderValue; 2] {
        [self.cookie(SESSION, "", 0, "; HttpOnly"), self.cookie(CSRF, "", 0, "")]
    }

    /// The cookie that is kept during a sign-on.
    pub(crate) fn sign_on(self, kept: &str) -> HeaderValue {
        self.cookie(SIGN_ON, kept, SIGN_ON_SECS, "; HttpOnly")
    }

    /// The cookie that ends a sign-on.
    pub(crate) fn end_sign_on(self) -> HeaderValue {
        self.cookie(SIGN_ON, "", 0, "; HttpOnly")
    }

    fn cookie(self, name: &str, value: &str, max_age_secs: u64, more: &str) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={max_age_secs}; SameSite=Lax{more}{secure}");
        HeaderValue::try_from(text).expect("BUG: a cookie is plain text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_in_several_headers() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=1; timberline_session2=x;timberline_session = s=1 ; b".parse().unwrap());
        headers.append(COOKIE, "csrftoken=c; timberline_session=later".parse().unwrap());
        assert_eq!(find(&headers, SESSION), Some("s=1"));
        assert_eq!(find(&headers, CSRF), Some("c"));
        assert_eq!(find(&headers, "b"), None);
    }

    #[test]
    fn the_secret_is_out_of_the_reach_of_scripts() {
        let secret = Secret::new("tls_1".to_owned());
        let [session, csrf] = CookieJar { is_secure: true }.begin(&secret, 60);
        assert_eq!(session, "timberline_session=tls_1; Path=/; Max-Age=60; SameSite=Lax; HttpOnly; Secure");
        let csrf = csrf.to_str().unwrap();
        assert!(
            csrf.ends_with("; Path=/; Max-Age=60; SameSite=Lax; Secure") && !csrf.contains("tls_1"),
            "{csrf}"
        );
        let [session, _] = CookieJar { is_secure: false }.end();
        assert_eq!(session, "timberline_session=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly");
    }
}
