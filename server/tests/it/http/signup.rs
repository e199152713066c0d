//! Accepting invitations.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::browser::{Browser, PASSWORD, set_password};
use super::harness::{Answer, TestServer};
use super::people::person;

/// Invites an address as an administrator, and returns the path of the invitation.
async fn invite(server: &TestServer, email: &str) -> String {
    let body = json!({ "target_email": email, "first_name": "New", "level": 8, "message": "Welcome" });
    let made = server.request(Method::POST, "/api/organizations/@current/invites", body.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json());
    format!("/api/signup/{}/", made.json()["secret"].as_str().unwrap())
}

async fn post(browser: &mut Browser, server: &TestServer, path: &str, body: Value) -> Answer {
    browser.call(server, Method::POST, path, body).await
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

#[tokio::test]
async fn a_new_user_accepts_an_invitation_and_is_logged_in() {
    let server = TestServer::start().await;
    let path = invite(&server, "New@example.org").await;
    let mut browser = Browser::default();
    let seen = browser.call(&server, Method::GET, &path, json!({})).await.json();
    assert_eq!((&seen["target_email"], &seen["level"]), (&json!("New@example.org"), &json!(8)));
    assert_eq!(
        (&seen["organization_name"], &seen["message"], &seen["is_user"]),
        (&json!("My organization"), &json!("Welcome"), &json!(false))
    );
    for (body, code, attr) in [
        (json!({ "password": PASSWORD }), "required", "first_name"),
        (json!({ "first_name": "New" }), "required", "password"),
        (json!({ "first_name": "New", "password": "1234567" }), "min_length", "password"),
    ] {
        let answer = post(&mut browser, &server, &path, body).await;
        assert_eq!(answer.refusal(), refused(400, code, json!(attr)));
    }
    let body = json!({ "first_name": "New", "last_name": "User", "password": PASSWORD });
    let joined = post(&mut browser, &server, &path, body.clone()).await;
    assert_eq!(joined.status, 201, "{}", joined.json());
    assert_eq!(
        (&joined.json()["email"], &joined.json()["team"]["id"]),
        (&json!("New@example.org"), &json!(1))
    );
    let me = browser.call(&server, Method::GET, "/api/users/@me", json!({})).await.json();
    assert_eq!((&me["first_name"], &me["last_name"]), (&json!("New"), &json!("User")));
    let organization = browser.call(&server, Method::GET, "/api/organizations/@current", json!({})).await;
    assert_eq!(organization.json()["membership_level"], 8);
    let again = post(&mut Browser::default(), &server, &path, body).await;
    assert_eq!(again.refusal(), refused(404, "not_found", Value::Null));
    assert_eq!(Browser::default().log_in(&server, "new@example.org", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_known_user_accepts_when_logged_in() {
    let server = TestServer::start().await;
    let second = server.request(Method::POST, "/api/organizations", r#"{"name": "Second"}"#).await.json();
    let member = {
        let first = server.credentials.organization_id.to_string();
        super::people::person_in(&server, &first, "ann", Level::MEMBER).await
    };
    set_password(&server, member.id, PASSWORD).await;
    let path = invite(&server, "ann@example.org").await;
    let seen = Browser::default().call(&server, Method::GET, &path, json!({})).await.json();
    assert_eq!((&seen["is_user"], &seen["organization_id"]), (&json!(true), &second["id"]));
    let body = json!({ "first_name": "Ann", "password": PASSWORD });
    let as_new = post(&mut Browser::default(), &server, &path, body).await;
    assert_eq!(as_new.refusal(), refused(400, "unique", json!("email")));
    let as_other = server.request(Method::POST, &path, "{}").await;
    assert_eq!(as_other.refusal(), refused(403, "permission_denied", Value::Null));
    let mut browser = Browser::of(&server, "ann@example.org").await;
    let forged = browser.call_with(&server, Method::POST, &path, json!({}), &[]).await;
    assert_eq!(forged.refusal(), refused(403, "permission_denied", Value::Null));
    let joined = post(&mut browser, &server, &path, json!({})).await;
    assert_eq!((joined.status.as_u16(), &joined.json()["organization"]["id"]), (200, &second["id"]));
}

#[tokio::test]
async fn what_opens_nothing_is_not_found() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let path = invite(&server, "new@example.org").await;
    let mut browser = Browser::default();
    let body = json!({ "first_name": "New", "password": PASSWORD });
    let nothing = "/api/signup/tli_nothing";
    for answer in [
        browser.call(&server, Method::GET, nothing, json!({})).await,
        post(&mut browser, &server, nothing, body.clone()).await,
        server.request_as(&member.key, Method::POST, nothing, "{}").await,
    ] {
        assert_eq!(answer.refusal(), refused(404, "not_found", Value::Null));
    }
    let headers = [("sec-fetch-site", "cross-site")];
    let forged = browser.call_with(&server, Method::POST, &path, body.clone(), &headers).await;
    assert_eq!(forged.refusal(), refused(403, "permission_denied", Value::Null));
    let server = server.restart_after(3 * 86_400).await;
    assert_eq!(browser.call(&server, Method::GET, &path, json!({})).await.status, 404);
    assert_eq!(post(&mut browser, &server, &path, body).await.status, 404);
}
