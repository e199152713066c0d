//! Sessions over HTTP: log-in, log-out, forged requests, and what needs a recent log-in.

use axum::http::{Method, header};
use serde_json::{Value, json};
use server::meta::Level;

use super::browser::{Browser, PASSWORD, set_password};
use super::harness::{Answer, TestServer, last_day};
use super::people::person;

const ME: &str = "/api/users/@me/";
const ADMIN: &str = "admin@localhost";

async fn start() -> TestServer {
    let server = TestServer::start().await;
    set_password(&server, 1, PASSWORD).await;
    server
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

fn cookies(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all(header::SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_session_is_begun_by_a_password_and_ended_by_its_user() {
    let server = start().await;
    let mut browser = Browser::default();
    assert_eq!(browser.call(&server, Method::GET, ME, json!({})).await.refusal().0, 401);
    let answer = browser.log_in(&server, " ADMIN@localhost ", PASSWORD).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    assert_eq!(answer.header("cache-control"), "no-store");
    let [session, csrf] = cookies(&answer)[..] else { panic!("{:?}", answer.headers) };
    assert!(session.starts_with("timberline_session=tls_"), "{session}");
    assert!(session.ends_with("; Path=/; Max-Age=1209600; SameSite=Lax; HttpOnly"), "{session}");
    assert!(csrf.starts_with("csrftoken=") && !csrf.contains("HttpOnly"), "{csrf}");

    let me = browser.call(&server, Method::GET, ME, json!({})).await.json();
    assert_eq!((&me["email"], &me["has_password"]), (&json!(ADMIN), &json!(true)));
    let query = json!({ "query": last_day() });
    let asked = browser.call(&server, Method::POST, "/api/projects/@current/logs/count/", query).await;
    assert_eq!(asked.status, 200, "{}", asked.json());

    let ended = browser.clone();
    let out = browser.call(&server, Method::POST, "/api/logout/", json!({})).await;
    assert_eq!((out.status.as_u16(), cookies(&out).len(), browser.cookies.len()), (204, 2, 0));
    assert_eq!(
        ended.clone().call(&server, Method::GET, ME, json!({})).await.refusal(),
        refused(401, "not_authenticated", Value::Null)
    );
    assert_eq!(browser.call(&server, Method::POST, "/api/logout/", json!({})).await.status, 401);
    let by_key = server.request(Method::POST, "/api/logout/", "{}").await;
    assert_eq!(by_key.refusal(), refused(403, "permission_denied", Value::Null));
}

#[tokio::test]
async fn whoever_is_not_known_learns_nothing() {
    let server = start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let mut details = Vec::new();
    for (email, password) in [(ADMIN, "wrong horse"), ("nobody@localhost", PASSWORD), ("ann@example.org", "")]
    {
        let answer = Browser::default().log_in(&server, email, password).await;
        if password.is_empty() {
            assert_eq!(answer.refusal(), refused(400, "blank", json!("password")));
            continue;
        }
        assert_eq!(answer.refusal(), refused(401, "authentication_failed", Value::Null));
        details.push(answer.json()["detail"].clone());
    }
    assert_eq!(details[0], details[1]);
    set_password(&server, member.id, PASSWORD).await;
    let mut ann = Browser::of(&server, "ann@example.org").await;
    server.change_metadata("UPDATE users SET is_active = 0 WHERE email_key = 'ann@example.org'").await;
    assert_eq!(ann.call(&server, Method::GET, ME, json!({})).await.status, 401);
    let answer = Browser::default().log_in(&server, "ann@example.org", PASSWORD).await;
    assert_eq!(answer.refusal(), refused(401, "authentication_failed", Value::Null));
}

#[tokio::test]
async fn a_log_in_says_what_is_wrong_with_it() {
    let server = start().await;
    for (body, code, attr) in [
        (json!([]), "invalid_input", Value::Null),
        (json!({ "password": "x" }), "required", json!("email")),
        (json!({ "email": ADMIN }), "required", json!("password")),
        (json!({ "email": ADMIN, "password": 5 }), "invalid_input", json!("password")),
        (json!({ "email": ADMIN, "password": null }), "null", json!("password")),
        (json!({ "email": ADMIN, "password": "x".repeat(513) }), "max_length", json!("password")),
        (json!({ "email": "x".repeat(255), "password": "x" }), "max_length", json!("email")),
    ] {
        let answer = Browser::default().call(&server, Method::POST, "/api/login", body).await;
        assert_eq!(answer.refusal(), refused(400, code, attr));
    }
    let wrong_method = Browser::default().call(&server, Method::GET, "/api/login", json!({})).await;
    assert_eq!(wrong_method.status, 405);
    let body = json!({ "email": ADMIN, "password": PASSWORD });
    let headers = [("sec-fetch-site", "cross-site")];
    let forged = Browser::default().call_with(&server, Method::POST, "/api/login", body, &headers).await;
    assert_eq!(forged.refusal(), refused(403, "permission_denied", Value::Null));
}

#[tokio::test]
async fn failed_log_ins_are_throttled_by_account() {
    let server = start().await;
    for _ in 0..10 {
        let answer = Browser::default().log_in(&server, ADMIN, "wrong horse").await;
        assert_eq!(answer.status, 401);
    }
    let answer = Browser::default().log_in(&server, "Admin@localhost", PASSWORD).await;
    assert_eq!(answer.refusal(), refused(429, "throttled", Value::Null));
    assert_eq!(answer.header("retry-after"), "300");
    let other = Browser::default().log_in(&server, "nobody@localhost", PASSWORD).await;
    assert_eq!(other.status, 401, "another account is not throttled");
    let server = server.restart_after(301).await;
    assert_eq!(Browser::default().log_in(&server, ADMIN, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_session_that_writes_needs_its_token() {
    let server = start().await;
    let mut browser = Browser::of(&server, ADMIN).await;
    let mut other = Browser::of(&server, ADMIN).await;
    let name = || json!({ "first_name": "Ann" });
    let without = browser.call_with(&server, Method::PATCH, ME, name(), &[]).await;
    assert_eq!(without.refusal(), refused(403, "permission_denied", Value::Null));
    let foreign = other.cookies["csrftoken"].clone();
    let wrong = browser.call_with(&server, Method::PATCH, ME, name(), &[("x-csrftoken", &foreign)]).await;
    assert_eq!(wrong.refusal(), refused(403, "permission_denied", Value::Null));
    let own = browser.cookies.remove("csrftoken").unwrap();
    let no_cookie = browser.call_with(&server, Method::PATCH, ME, name(), &[("x-csrftoken", &own)]).await;
    assert_eq!(no_cookie.status, 403);
    assert_eq!(browser.call(&server, Method::GET, ME, json!({})).await.json()["first_name"], "Admin");
    let right = other.call(&server, Method::PATCH, ME, name()).await;
    assert_eq!((right.status.as_u16(), &right.json()["first_name"]), (200, &json!("Ann")));
}

#[tokio::test]
async fn a_key_decides_before_a_session() {
    let server = start().await;
    let mut browser = Browser::of(&server, ADMIN).await;
    let headers = [("authorization", "Bearer phx_wrong")];
    let answer = browser.call_with(&server, Method::GET, ME, json!({}), &headers).await;
    assert_eq!(answer.refusal(), refused(401, "authentication_failed", Value::Null));
    let limited = server.limited_key(&["logs:read"], None, None).await;
    let bearer = format!("Bearer {limited}");
    let answer = browser.call_with(&server, Method::GET, ME, json!({}), &[("authorization", &bearer)]).await;
    assert_eq!(answer.refusal(), refused(403, "permission_denied", Value::Null));
}

#[tokio::test]
async fn a_session_ends_with_time_and_everywhere_at_once() {
    let server = start().await;
    let mut one = Browser::of(&server, ADMIN).await;
    let mut two = Browser::of(&server, ADMIN).await;
    let mut three = one.clone();
    assert_eq!(three.log_in(&server, ADMIN, PASSWORD).await.status, 200);
    assert_eq!(one.call(&server, Method::GET, ME, json!({})).await.status, 401, "it was taken over");
    let body = json!({ "everywhere": true });
    assert_eq!(two.call(&server, Method::POST, "/api/logout", body).await.status, 204);
    assert_eq!(three.call(&server, Method::GET, ME, json!({})).await.status, 401);

    let mut browser = Browser::of(&server, ADMIN).await;
    let server = server.restart_after(14 * 86_400 - 1).await;
    assert_eq!(browser.call(&server, Method::GET, ME, json!({})).await.status, 200);
    let server = server.restart_after(14 * 86_400).await;
    assert_eq!(browser.call(&server, Method::GET, ME, json!({})).await.status, 401);
}

#[tokio::test]
async fn who_may_do_what_is_changed_after_a_recent_log_in_only() {
    let server = start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let mut browser = Browser::of(&server, ADMIN).await;
    let of_member = format!("/api/organizations/@current/members/{}", member.uuid);
    let key = json!({ "label": "ci", "scopes": ["*"] });
    let writes = [
        (Method::PATCH, "/api/organizations/@current/", json!({ "name": "Acme" })),
        (Method::POST, "/api/organizations/@current/roles", json!({ "name": "On call" })),
        (Method::PATCH, of_member.as_str(), json!({ "level": 8 })),
        (Method::POST, "/api/organizations/@current/invites", json!({ "target_email": "new@example.org" })),
        (Method::POST, "/api/personal_api_keys", key),
        (Method::POST, "/api/organizations", json!({ "name": "Second" })),
    ];
    let server = server.restart_after(120 * 60 + 1).await;
    for (method, path, body) in &writes {
        let answer = browser.call(&server, method.clone(), path, body.clone()).await;
        assert_eq!(answer.refusal(), refused(403, "sensitive_action_required_reauth", Value::Null), "{path}");
    }
    for path in ["/api/organizations/@current/roles", "/api/personal_api_keys", "/api/organizations"] {
        assert_eq!(browser.call(&server, Method::GET, path, json!({})).await.status, 200, "{path}");
    }
    let by_key = server.request(Method::PATCH, "/api/organizations/@current", r#"{"name": "Key"}"#).await;
    assert_eq!(by_key.status, 200);
    assert_eq!(browser.log_in(&server, ADMIN, PASSWORD).await.status, 200);
    for (method, path, body) in writes {
        let answer = browser.call(&server, method, path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.json());
    }
}

#[tokio::test]
async fn cookies_travel_by_https_only_where_it_came_so_or_is_set() {
    let server = start().await;
    let body = || json!({ "email": ADMIN, "password": PASSWORD });
    let https = [("x-forwarded-proto", "https")];
    let answer = Browser::default().call_with(&server, Method::POST, "/api/login", body(), &https).await;
    assert!(cookies(&answer).iter().all(|cookie| cookie.ends_with("; Secure")), "{:?}", answer.headers);
    let server = TestServer::start_with(|config| config.auth.secure_cookies = true).await;
    set_password(&server, 1, PASSWORD).await;
    let answer = Browser::default().call(&server, Method::POST, "/api/login", body()).await;
    assert!(cookies(&answer).iter().all(|cookie| cookie.ends_with("; Secure")), "{:?}", answer.headers);
}

#[tokio::test]
async fn members_who_may_not_use_keys_still_have_sessions() {
    let server = start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    set_password(&server, member.id, PASSWORD).await;
    let off = r#"{"members_can_use_personal_api_keys": false}"#;
    assert_eq!(server.request(Method::PATCH, "/api/organizations/@current", off).await.status, 200);
    let path = "/api/projects/1/logs/has_logs";
    assert_eq!(server.request_as(&member.key, Method::GET, path, "").await.status, 403);
    let mut browser = Browser::of(&server, "ann@example.org").await;
    assert_eq!(browser.call(&server, Method::GET, path, json!({})).await.status, 200);
}

#[tokio::test]
async fn neither_passwords_nor_secrets_of_sessions_are_in_the_database() {
    let server = start().await;
    let browser = Browser::of(&server, ADMIN).await;
    let secret = &browser.cookies["timberline_session"];
    let server = server.restart_after(1).await;
    for entry in std::fs::read_dir(server.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            for text in [secret.as_str(), PASSWORD] {
                let is_there = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!is_there, "{}", path.display());
            }
        }
    }
}
