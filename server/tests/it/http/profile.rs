//! What users change of themselves.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::browser::{Browser, PASSWORD, set_password};
use super::harness::TestServer;
use super::people::person;

const ME: &str = "/api/users/@me/";

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

async fn patch(server: &TestServer, key: &str, body: Value) -> super::harness::Answer {
    server.request_as(key, Method::PATCH, ME, body.to_string()).await
}

#[tokio::test]
async fn names_and_roles_are_changed_and_checked() {
    let server = TestServer::start().await;
    let body = json!({ "first_name": " Ann ", "last_name": "", "role_at_organization": "engineering", "email": "x@y" });
    let changed = patch(&server, server.key(), body).await;
    let me = changed.json();
    assert_eq!(changed.status, 200, "{me}");
    assert_eq!(
        (&me["first_name"], &me["role_at_organization"], &me["email"], &me["has_password"]),
        (&json!("Ann"), &json!("engineering"), &json!("admin@localhost"), &json!(false))
    );
    let cleared = patch(&server, server.key(), json!({ "role_at_organization": null })).await.json();
    assert_eq!((&cleared["role_at_organization"], &cleared["first_name"]), (&Value::Null, &json!("Ann")));
    for (body, code, attr) in [
        (json!({ "first_name": "x".repeat(151) }), "max_length", "first_name"),
        (json!({ "last_name": null }), "null", "last_name"),
        (json!({ "role_at_organization": "king" }), "invalid_choice", "role_at_organization"),
        (json!({ "set_current_team": 99 }), "does_not_exist", "set_current_team"),
        (json!({ "set_current_team": 0 }), "min_value", "set_current_team"),
        (json!({ "set_current_organization": "x" }), "invalid_input", "set_current_organization"),
        (
            json!({ "set_current_organization": "0190f6a0-0000-7000-8000-000000000001" }),
            "does_not_exist",
            "set_current_organization",
        ),
    ] {
        assert_eq!(patch(&server, server.key(), body).await.refusal(), refused(400, code, json!(attr)));
    }
    let reader = server.limited_key(&["user:read"], None, None).await;
    assert_eq!(
        patch(&server, &reader, json!({})).await.refusal(),
        refused(403, "permission_denied", Value::Null)
    );
    let other = server.request(Method::PATCH, "/api/users/0190f6a0-0000-7000-8000-000000000001", "{}").await;
    assert_eq!(other.status, 404);
}

#[tokio::test]
async fn the_current_project_and_organization_are_chosen_within_what_a_key_reaches() {
    let server = TestServer::start().await;
    let made = server.request(Method::POST, "/api/organizations", r#"{"name": "Second"}"#).await.json();
    let first = server.credentials.organization_id.to_string();
    let back = patch(&server, server.key(), json!({ "set_current_organization": first })).await.json();
    assert_eq!((&back["organization"]["id"], &back["team"]["id"]), (&json!(first), &json!(1)));
    let project = made["projects"][0]["id"].clone();
    let there = patch(&server, server.key(), json!({ "set_current_team": project })).await.json();
    assert_eq!((&there["organization"]["id"], &there["team"]["id"]), (&made["id"], &project));
    let limited = server.limited_key(&["user:write"], Some(&[1]), None).await;
    let out_of_reach = patch(&server, &limited, json!({ "set_current_team": project })).await;
    assert_eq!(out_of_reach.refusal(), refused(400, "does_not_exist", json!("set_current_team")));
    let limited = server.limited_key(&["user:write"], None, Some(std::slice::from_ref(&first))).await;
    let out_of_reach = patch(&server, &limited, json!({ "set_current_organization": made["id"] })).await;
    assert_eq!(out_of_reach.refusal(), refused(400, "does_not_exist", json!("set_current_organization")));
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it_and_ends_other_sessions() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let first = patch(&server, &member.key, json!({ "password": "new password" })).await;
    assert_eq!(first.refusal(), refused(403, "permission_denied", Value::Null));
    set_password(&server, member.id, PASSWORD).await;
    let mut browser = Browser::of(&server, "ann@example.org").await;
    let mut other = Browser::of(&server, "ann@example.org").await;
    let change = |current: Value| json!({ "password": "new password", "current_password": current });
    for (body, code, attr) in [
        (json!({ "password": "new password" }), "required", "current_password"),
        (change(json!("wrong horse")), "incorrect_password", "current_password"),
        (json!({ "password": "short", "current_password": PASSWORD }), "min_length", "password"),
    ] {
        let answer = browser.call(&server, Method::PATCH, ME, body).await;
        assert_eq!(answer.refusal(), refused(400, code, json!(attr)));
    }
    let changed = browser.call(&server, Method::PATCH, ME, change(json!(PASSWORD))).await;
    assert_eq!(changed.status, 200, "{}", changed.json());
    assert_eq!(browser.call(&server, Method::GET, ME, json!({})).await.status, 200);
    assert_eq!(other.call(&server, Method::GET, ME, json!({})).await.status, 401);
    assert_eq!(Browser::default().log_in(&server, "ann@example.org", PASSWORD).await.status, 401);
    assert_eq!(Browser::default().log_in(&server, "ann@example.org", "new password").await.status, 200);
    for _ in 0..10 {
        let answer = browser.call(&server, Method::PATCH, ME, change(json!("wrong horse"))).await;
        assert_eq!(answer.status, 400);
    }
    let answer = browser.call(&server, Method::PATCH, ME, change(json!("new password"))).await;
    assert_eq!(answer.refusal(), refused(429, "throttled", Value::Null));
}
