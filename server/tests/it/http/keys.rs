//! Personal API keys, projects and tokens over HTTP, and made by the command line.

use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer};
use super::people::person;
use super::process::{Running, text_of, timberline};

const KEYS: &str = "/api/personal_api_keys";

async fn call(server: &TestServer, key: &str, method: Method, path: &str, body: Value) -> Answer {
    server.request_as(key, method, path, body.to_string()).await
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

#[tokio::test]
async fn a_key_is_shown_once_and_lives_until_it_is_taken_away() {
    let server = TestServer::start().await;
    let body = json!({ "label": "ci", "scopes": ["logs:read"], "scoped_teams": [1] });
    let made = call(&server, server.key(), Method::POST, KEYS, body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let made = made.json();
    let (id, value) = (made["id"].as_str().unwrap(), made["value"].as_str().unwrap());
    assert!(value.starts_with("phx_"));
    let has_logs = "/api/projects/1/logs/has_logs";
    assert_eq!(call(&server, value, Method::GET, has_logs, json!({})).await.status, 200);
    assert_eq!(call(&server, value, Method::GET, KEYS, json!({})).await.status, 403);

    let list = call(&server, server.key(), Method::GET, KEYS, json!({})).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(value));
    let path = format!("{KEYS}/{id}");
    let rolled = call(&server, server.key(), Method::POST, &format!("{path}/roll"), json!({})).await.json();
    assert_eq!(call(&server, value, Method::GET, has_logs, json!({})).await.status, 401);
    let value = rolled["value"].as_str().unwrap();
    assert_eq!(call(&server, value, Method::GET, has_logs, json!({})).await.status, 200);
    let narrowed = json!({ "scopes": ["export:read"], "label": "x" });
    let narrowed = call(&server, server.key(), Method::PATCH, &path, narrowed).await.json();
    assert_eq!((&narrowed["scopes"], &narrowed["value"]), (&json!(["export:read"]), &Value::Null));
    assert_eq!(call(&server, value, Method::GET, has_logs, json!({})).await.status, 403);
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(call(&server, value, Method::GET, has_logs, json!({})).await.status, 401);
}

#[tokio::test]
async fn a_key_ends_when_it_says_so() {
    let server = TestServer::start().await;
    let body = json!({ "label": "ci", "scopes": ["*"], "expires_at": "2025-12-16T10:33:01Z" });
    let made = call(&server, server.key(), Method::POST, KEYS, body).await.json();
    assert_eq!(made["expires_at"], "2025-12-16T10:33:01Z");
    let value = made["value"].as_str().unwrap();
    assert_eq!(call(&server, value, Method::GET, "/api/users/@me", json!({})).await.status, 200);
    server.change_metadata("UPDATE personal_api_keys SET expires_at = 5 WHERE label = 'ci'").await;
    let ended = call(&server, value, Method::GET, "/api/users/@me", json!({})).await;
    assert_eq!(ended.refusal(), refused(401, "authentication_failed", Value::Null));
}

#[tokio::test]
async fn nobody_makes_a_key_that_may_more_than_the_own() {
    let server = TestServer::start().await;
    let limited = server.limited_key(&["user:write", "logs:write"], Some(&[1]), None).await;
    for (body, status) in [
        (json!({ "label": "a", "scopes": ["logs:read"], "scoped_teams": [1] }), 201),
        (json!({ "label": "a", "scopes": ["logs:read"] }), 403),
        (json!({ "label": "a", "scopes": ["*"], "scoped_teams": [1] }), 403),
        (json!({ "label": "a", "scopes": ["organization:read"], "scoped_teams": [1] }), 403),
    ] {
        let answer = call(&server, &limited, Method::POST, KEYS, body.clone()).await;
        assert_eq!(answer.status, status, "{body}");
    }
    let first = call(&server, server.key(), Method::GET, KEYS, json!({})).await.json();
    let all = first["results"].as_array().unwrap();
    let full = all.iter().find(|key| key["label"] == "First key").unwrap()["id"].as_str().unwrap();
    for (method, path) in
        [(Method::POST, format!("{KEYS}/{full}/roll")), (Method::PATCH, format!("{KEYS}/{full}"))]
    {
        assert_eq!(call(&server, &limited, method, &path, json!({})).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn keys_are_their_owners_alone() {
    let server = TestServer::start().await;
    let admin = person(&server, "ann", Level::OWNER).await;
    let first = call(&server, server.key(), Method::GET, KEYS, json!({})).await.json();
    let path = format!("{KEYS}/{}", first["results"][0]["id"].as_str().unwrap());
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let answer = call(&server, &admin.key, method, &path, json!({})).await;
        assert_eq!(answer.refusal(), refused(404, "not_found", Value::Null));
    }
    for (body, code, attr) in [
        (json!({ "scopes": ["*"] }), "required", json!("label")),
        (json!({ "label": "a" }), "required", json!("scopes")),
        (json!({ "label": "a", "scopes": ["logs:fly"] }), "invalid_choice", json!("scopes")),
        (
            json!({ "label": "a", "scopes": ["*"], "scoped_teams": [99] }),
            "does_not_exist",
            json!("scoped_teams"),
        ),
        (
            json!({ "label": "a", "scopes": ["*"], "expires_at": "soon" }),
            "invalid_input",
            json!("expires_at"),
        ),
        (json!({ "label": "x".repeat(41), "scopes": ["*"] }), "max_length", json!("label")),
    ] {
        let answer = call(&server, &admin.key, Method::POST, KEYS, body).await;
        assert_eq!(answer.refusal(), refused(400, code, attr));
    }
}

#[tokio::test]
async fn a_project_has_tokens_that_can_be_rotated() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let made = call(
        &server,
        server.key(),
        Method::POST,
        "/api/organizations/@current/projects",
        json!({ "name": "Two" }),
    )
    .await;
    assert_eq!((made.status.as_u16(), &made.json()["id"]), (201, &json!(2)));
    let tokens = "/api/projects/2/tokens";
    let second = call(&server, server.key(), Method::POST, tokens, json!({ "label": "new" })).await.json();
    let list = call(&server, &member.key, Method::GET, tokens, json!({})).await.json();
    assert_eq!((&list["count"], &list["results"][1]["token"]), (&json!(2), &second["token"]));
    let denied = call(&server, &member.key, Method::POST, tokens, json!({ "label": "mine" })).await;
    assert_eq!(denied.refusal(), refused(403, "permission_denied", Value::Null));
    let path = format!("{tokens}/{}", second["id"].as_str().unwrap());
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 404);
    let all = call(&server, &member.key, Method::GET, "/api/projects", json!({})).await.json();
    assert_eq!(all["count"], 2);
    let limited = server.limited_key(&["project:read"], Some(&[2]), None).await;
    let all = call(&server, &limited, Method::GET, "/api/projects", json!({})).await.json();
    assert_eq!((&all["count"], &all["results"][0]["name"]), (&json!(1), &json!("Two")));
}

/// Runs the program and reads the JSON that it prints.
fn printed(data_dir: &Path, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--data-dir", text_of(data_dir), "--json"]].concat();
    let output = timberline(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_command_line_makes_people_and_keys_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let organization = printed(&data_dir, &["organization", "create", "--name", "Second"]);
    let id = organization["id"].as_str().unwrap();
    let project = printed(&data_dir, &["project", "create", "--name", "Web", "--organization", id]);
    let user = ["user", "create", "--organization", id, "--email", "ann@example.org", "--level", "admin"];
    let user = printed(&data_dir, &user);
    let project_id = project["id"].to_string();
    let key = [
        "key",
        "create",
        "--user",
        "ann@example.org",
        "--scopes",
        "logs:read,user:read",
        "--projects",
        &project_id,
    ];
    let key = printed(&data_dir, &key);
    let mut members: Vec<&String> = key.as_object().unwrap().keys().collect();
    members.sort_unstable();
    assert_eq!(members, ["id", "key"]);
    let key = key["key"].as_str().unwrap();

    let token = project["ingest_token"].as_str().unwrap();
    let record = super::harness::document("api", &[json!({ "body": { "stringValue": "hello" } })]);
    assert_eq!(server.post("/v1/logs", token, record).await.0, 200);
    let (status, answer) =
        server.post(&format!("/api/projects/{project_id}/logs/count"), key, json!({})).await;
    assert_eq!((status, answer), (200, json!({ "count": 1 })));
    assert_eq!(server.post("/api/projects/1/logs/count", key, json!({})).await.0, 403);
    let listed = printed(&data_dir, &["key", "list", "--user", "ann@example.org"]);
    let listed = &listed["keys"][0];
    assert_eq!(
        (&listed["scopes"], &listed["label"]),
        (&json!(["logs:read", "user:read"]), &json!("Command line"))
    );
    assert!(!listed.to_string().contains(key), "the text of a key is shown once");
    printed(&data_dir, &["key", "revoke", listed["id"].as_str().unwrap(), "--user", "ann@example.org"]);
    assert_eq!(server.post(&format!("/api/projects/{project_id}/logs/count"), key, json!({})).await.0, 401);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!((&user["level"], &user["email"]), (&json!(8), &json!("ann@example.org")));
}

#[test]
fn the_command_line_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    assert!(timberline(&["init", "--data-dir", text_of(&data_dir)]).output().unwrap().status.success());
    for (arguments, expected) in [
        (&["key", "create", "--user", "nobody@example.org", "--scopes", "*"][..], "user not found"),
        (&["key", "create", "--user", "1", "--scopes", "logs:fly"][..], "is no scope"),
        (&["key", "revoke", "x", "--user", "1"][..], "personal API key not found"),
        (&["user", "create", "--organization", "x", "--email", "a@b"][..], "organization not found"),
        (&["project", "create", "--organization", "x", "--name", "a"][..], "organization not found"),
    ] {
        let output = timberline(&[arguments, &["--data-dir", text_of(&data_dir)]].concat()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}");
    }
}
