//! Members, roles and invitations over HTTP.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer};
use super::people::person;

const BASE: &str = "/api/organizations/@current";

async fn call(server: &TestServer, key: &str, method: Method, path: &str, body: Value) -> Answer {
    server.request_as(key, method, &format!("{BASE}/{path}"), body.to_string()).await
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

#[tokio::test]
async fn members_are_listed_and_their_levels_changed() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let admin = person(&server, "bob", Level::ADMIN).await;
    let list = call(&server, &member.key, Method::GET, "members", json!({})).await.json();
    let found: Vec<_> = list["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| (member["user"]["email"].as_str().unwrap(), member["level"].as_i64().unwrap()))
        .collect();
    assert_eq!(found, [("admin@localhost", 15), ("ann@example.org", 1), ("bob@example.org", 8)]);

    let of_member = format!("members/{}", member.uuid);
    let raised = call(&server, &admin.key, Method::PATCH, &of_member, json!({ "level": 8 })).await;
    assert_eq!((raised.status.as_u16(), &raised.json()["level"]), (200, &json!(8)));
    let too_high = call(&server, &admin.key, Method::PATCH, &of_member, json!({ "level": 15 })).await;
    assert_eq!(too_high.refusal(), refused(403, "permission_denied", Value::Null));
    let no_level = call(&server, &admin.key, Method::PATCH, &of_member, json!({ "level": 9 })).await;
    assert_eq!(no_level.refusal(), refused(400, "invalid_choice", json!("level")));
    let own = call(&server, &admin.key, Method::PATCH, "members/@me", json!({ "level": 1 })).await;
    assert_eq!(own.status, 403);
    let unknown = call(&server, &admin.key, Method::PATCH, "members/x", json!({ "level": 1 })).await;
    assert_eq!(unknown.refusal(), refused(404, "not_found", Value::Null));
    assert!(member.id > 1);
}

#[tokio::test]
async fn roles_have_names_that_differ_in_more_than_case() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let made = call(&server, server.key(), Method::POST, "roles", json!({ "name": "On call" })).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let role = made.json();
    assert_eq!((&role["members"], &role["is_default"]), (&json!([]), &json!(false)));
    let again = call(&server, server.key(), Method::POST, "roles", json!({ "name": "ON CALL" })).await;
    assert_eq!(again.refusal(), refused(400, "unique", json!("name")));
    let denied = call(&server, &member.key, Method::POST, "roles", json!({ "name": "Mine" })).await;
    assert_eq!(denied.refusal(), refused(403, "permission_denied", Value::Null));

    let path = format!("roles/{}", role["id"].as_str().unwrap());
    let renamed = call(&server, server.key(), Method::PATCH, &path, json!({ "name": "on Call" })).await;
    assert_eq!(renamed.json()["name"], "on Call");
    let memberships = format!("{path}/role_memberships");
    let added =
        call(&server, server.key(), Method::POST, &memberships, json!({ "user_uuid": member.uuid })).await;
    assert_eq!(added.status, 201, "{}", added.json());
    let twice =
        call(&server, server.key(), Method::POST, &memberships, json!({ "user_uuid": member.uuid })).await;
    assert_eq!(twice.refusal(), refused(400, "unique", json!("user_uuid")));
    let stranger = json!({ "user_uuid": "0190f6a0-0000-7000-8000-000000000001" });
    let stranger = call(&server, server.key(), Method::POST, &memberships, stranger).await;
    assert_eq!(stranger.refusal(), refused(400, "does_not_exist", json!("user_uuid")));
    let seen = call(&server, &member.key, Method::GET, &path, json!({})).await.json();
    assert_eq!(seen["members"][0]["user"]["email"], "ann@example.org");

    let one = format!("{memberships}/{}", added.json()["id"].as_str().unwrap());
    assert_eq!(call(&server, server.key(), Method::DELETE, &one, json!({})).await.status, 204);
    assert_eq!(call(&server, server.key(), Method::DELETE, &one, json!({})).await.status, 404);
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(call(&server, server.key(), Method::GET, &path, json!({})).await.status, 404);
}

#[tokio::test]
async fn a_default_role_is_given_to_who_joins() {
    let server = TestServer::start().await;
    let role = call(&server, server.key(), Method::POST, "roles", json!({ "name": "All" })).await.json();
    let set = json!({ "default_role_id": role["id"] });
    assert_eq!(call(&server, server.key(), Method::PATCH, "", set).await.status, 200);
    let joined = person(&server, "ann", Level::MEMBER).await;
    let path = format!("roles/{}", role["id"].as_str().unwrap());
    let seen = call(&server, &joined.key, Method::GET, &path, json!({})).await.json();
    assert_eq!((&seen["members"][0]["user"]["id"], &seen["is_default"]), (&json!(joined.id), &json!(true)));
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 204);
    let organization = call(&server, server.key(), Method::GET, "", json!({})).await.json();
    assert_eq!(organization["default_role_id"], Value::Null);
}

#[tokio::test]
async fn invitations_grant_no_more_than_the_inviter_has() {
    let server = TestServer::start().await;
    let member = person(&server, "ann", Level::MEMBER).await;
    let invite = |level: i64| json!({ "target_email": "new@example.org", "level": level });
    let made = call(&server, &member.key, Method::POST, "invites", invite(1)).await;
    assert_eq!(made.status, 201, "{}", made.json());
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    let above = call(&server, &member.key, Method::POST, "invites", invite(8)).await;
    assert_eq!(above.refusal(), refused(403, "permission_denied", Value::Null));
    let known = json!({ "target_email": "ANN@example.org" });
    let known = call(&server, server.key(), Method::POST, "invites", known).await;
    assert_eq!(known.refusal(), refused(400, "unique", json!("target_email")));
    let none = call(&server, server.key(), Method::POST, "invites", json!({ "target_email": "x" })).await;
    assert_eq!(none.refusal(), refused(400, "invalid_input", json!("target_email")));

    let list = call(&server, &member.key, Method::GET, "invites", json!({})).await;
    assert!(!String::from_utf8_lossy(&list.body).contains(&secret), "the secret is shown once");
    assert_eq!(list.json()["count"], 1);
    let off = json!({ "members_can_invite": false });
    assert_eq!(call(&server, server.key(), Method::PATCH, "", off).await.status, 200);
    let denied = call(&server, &member.key, Method::POST, "invites", invite(1)).await;
    assert_eq!(denied.refusal(), refused(403, "permission_denied", Value::Null));
    let path = format!("invites/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(call(&server, &member.key, Method::DELETE, &path, json!({})).await.status, 403);
    assert_eq!(call(&server, server.key(), Method::DELETE, &path, json!({})).await.status, 204);
    assert_eq!(call(&server, server.key(), Method::GET, &path, json!({})).await.status, 404);
}
