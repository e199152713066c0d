//! A browser as the server sees it: it keeps cookies and sends them back, with the token against forged requests.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use server::accounts::users::{self, UserChange, hash_chosen_password};
use server::activity::entry::Actor;
use server::secret::Secret;

use super::harness::{Answer, NOW_US, TestServer};

/// What the users of these tests log in with.
pub(super) const PASSWORD: &str = "correct horse";

/// Gives a user a password, as the command line does.
pub(super) async fn set_password(server: &TestServer, user_id: i64, password: &str) {
    let hash = hash_chosen_password(&Secret::new(password.to_owned())).await.unwrap();
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    let meta = server.state.meta();
    users::update(meta, &Actor::system(), user_id, change, None, NOW_US).await.unwrap();
}

#[derive(Clone, Debug, Default)]
pub(super) struct Browser {
    pub(super) cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Logs in as a user who has the password.
    pub(super) async fn of(server: &TestServer, email: &str) -> Self {
        let mut browser = Self::default();
        let answer = browser.log_in(server, email, PASSWORD).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({ "success": true })));
        browser
    }

    pub(super) async fn log_in(&mut self, server: &TestServer, email: &str, password: &str) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.call(server, Method::POST, "/api/login/", body).await
    }

    /// Calls with every cookie and, when it writes, with the token.
    pub(super) async fn call(
        &mut self,
        server: &TestServer,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let token = self.cookies.get("csrftoken").cloned().unwrap_or_default();
        let headers = if method == Method::GET { vec![] } else { vec![("x-csrftoken", token.as_str())] };
        self.call_with(server, method, path, body, &headers).await
    }

    /// Calls with every cookie and these headers.
    pub(super) async fn call_with(
        &mut self,
        server: &TestServer,
        method: Method,
        path: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = server.call(request.body(Body::from(body.to_string())).unwrap()).await;
        self.take_cookies(&answer);
        answer
    }

    fn take_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let (pair, attributes) = cookie.to_str().unwrap().split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
