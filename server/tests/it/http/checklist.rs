//! Rows of the platform's contract that no other test has: who may change whom, lists at their edges, and what every
//! detail route says to an id that is none.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer};
use super::people::person;

const CURRENT: &str = "/api/organizations/@current";

async fn call(server: &TestServer, key: &str, method: Method, path: &str, body: Value) -> Answer {
    server.request_as(key, method, path, body.to_string()).await
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

const LEVELS: [Level; 3] = [Level::MEMBER, Level::ADMIN, Level::OWNER];

#[tokio::test]
async fn nobody_grants_or_touches_what_is_above() {
    let server = TestServer::start().await;
    let mut number = 0;
    for caller_level in LEVELS {
        let caller = person(&server, &format!("caller{}", caller_level.0), caller_level).await;
        for target_level in LEVELS {
            for new_level in LEVELS {
                number += 1;
                let target = person(&server, &format!("target{number}"), target_level).await;
                let path = format!("{CURRENT}/members/{}/", target.uuid);
                let answer =
                    call(&server, &caller.key, Method::PATCH, &path, json!({ "level": new_level.0 })).await;
                let may =
                    caller_level >= Level::ADMIN && target_level <= caller_level && new_level <= caller_level;
                let place = format!("{caller_level:?} sets {target_level:?} to {new_level:?}");
                if may {
                    assert_eq!(
                        (answer.status.as_u16(), &answer.json()["level"]),
                        (200, &json!(new_level.0)),
                        "{place}"
                    );
                } else {
                    assert_eq!(answer.refusal(), refused(403, "permission_denied", Value::Null), "{place}");
                }
            }
            number += 1;
            let target = person(&server, &format!("target{number}"), target_level).await;
            let path = format!("{CURRENT}/members/{}/", target.uuid);
            let removed = call(&server, &caller.key, Method::DELETE, &path, json!({})).await.status;
            let may = caller_level >= Level::ADMIN && target_level <= caller_level;
            assert_eq!(removed, if may { 204 } else { 403 }, "{caller_level:?} removes {target_level:?}");
        }
        let own = call(
            &server,
            &caller.key,
            Method::PATCH,
            &format!("{CURRENT}/members/@me"),
            json!({ "level": 1 }),
        )
        .await;
        assert_eq!(own.refusal(), refused(403, "permission_denied", Value::Null));
        let left =
            call(&server, &caller.key, Method::DELETE, &format!("{CURRENT}/members/@me"), json!({})).await;
        assert_eq!(left.status, 204, "everybody may leave");
    }
}

#[tokio::test]
async fn what_may_not_be_set_is_ignored() {
    let server = TestServer::start().await;
    let fixed = json!({ "id": "x", "slug": "x", "plugins_access_level": 0, "member_count": 99, "is_active": false,
        "is_pending_deletion": true, "membership_level": 1, "created_at": "2000-01-01", "nobody_knows": [1] });
    let before = call(&server, server.key(), Method::GET, CURRENT, json!({})).await.json();
    let answer = call(&server, server.key(), Method::PATCH, CURRENT, fixed.clone()).await;
    assert_eq!(answer.status, 200);
    for member in fixed.as_object().unwrap().keys() {
        assert_eq!(answer.json().get(member), before.get(member), "{member}");
    }
    let mut new = fixed;
    new["name"] = json!(" New ");
    let made = call(&server, server.key(), Method::POST, "/api/organizations/", new).await;
    assert_eq!((made.status.as_u16(), &made.json()["name"]), (201, &json!("New")));
    assert_eq!(
        (&made.json()["plugins_access_level"], &made.json()["membership_level"]),
        (&json!(9), &json!(15))
    );
    let own = call(&server, server.key(), Method::GET, "/api/users/@me/", json!({})).await.json();
    assert_eq!(own["organization"]["id"], made.json()["id"], "it is the current one now");
}

#[tokio::test]
async fn only_active_members_have_roles() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let role = call(&server, server.key(), Method::POST, &format!("{CURRENT}/roles"), json!({ "name": "R" }))
        .await
        .json();
    let members = format!("{CURRENT}/roles/{}/role_memberships", role["id"].as_str().unwrap());
    let stranger = json!({ "user_uuid": "0190f6a0-0000-7000-8000-000000000001" });
    let answer = call(&server, server.key(), Method::POST, &members, stranger).await;
    assert_eq!(answer.refusal(), refused(400, "does_not_exist", json!("user_uuid")));
    server.change_metadata(&format!("UPDATE users SET is_active = 0 WHERE id = {}", ann.id)).await;
    let inactive =
        call(&server, server.key(), Method::POST, &members, json!({ "user_uuid": ann.uuid })).await;
    assert_eq!(inactive.refusal(), refused(400, "does_not_exist", json!("user_uuid")));
    let long = json!({ "name": "x".repeat(201) });
    let answer = call(&server, server.key(), Method::POST, &format!("{CURRENT}/roles"), long).await;
    assert_eq!(answer.refusal(), refused(400, "max_length", json!("name")));
}

#[tokio::test]
async fn members_make_projects_when_they_may() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let path = format!("{CURRENT}/projects/");
    let new = || json!({ "name": "Second" });
    let refusal = call(&server, &ann.key, Method::POST, &path, new()).await.refusal();
    assert_eq!(refusal, refused(403, "permission_denied", Value::Null));
    call(&server, server.key(), Method::PATCH, CURRENT, json!({ "members_can_create_projects": true })).await;
    assert_eq!(call(&server, &ann.key, Method::POST, &path, new()).await.status, 201);
    let changed = call(&server, &ann.key, Method::PATCH, "/api/projects/1/", new()).await;
    assert_eq!(changed.refusal(), refused(403, "permission_denied", Value::Null));
}

#[tokio::test]
async fn lists_come_in_parts_whatever_is_asked_for() {
    let server = TestServer::start().await;
    for number in 0..5 {
        let role = json!({ "name": format!("role {number}") });
        call(&server, server.key(), Method::POST, &format!("{CURRENT}/roles"), role).await;
    }
    let list = async |query: &str| {
        let answer = server.request(Method::GET, &format!("{CURRENT}/roles/{query}"), "").await;
        assert_eq!(answer.status, 200, "{query}");
        let answer = answer.json();
        let names: Vec<String> = answer["results"]
            .as_array()
            .unwrap()
            .iter()
            .map(|role| role["name"].as_str().unwrap().replace("role ", ""))
            .collect();
        assert_eq!(answer["count"], 5);
        (names.concat(), answer["next"].clone(), answer["previous"].clone())
    };
    for query in ["", "?limit=0", "?limit=-1", "?limit=x", "?offset=-3", "?offset=x", "?limit=100000"] {
        assert_eq!(list(query).await, ("01234".to_owned(), Value::Null, Value::Null), "{query}");
    }
    assert_eq!(list("?offset=9&limit=2").await.0, "", "beyond the end");
    let (names, next, previous) = list("?limit=2&offset=2&kept=a+b").await;
    let link = |query: &str| json!(format!("http://localhost{CURRENT}/roles/{query}"));
    assert_eq!(names, "23");
    assert_eq!(next, link("?limit=2&offset=4&kept=a%20b"));
    assert_eq!(previous, link("?limit=2&kept=a%20b"), "the first part has no offset");
}

#[tokio::test]
async fn an_id_that_is_none_is_404_everywhere() {
    let server = TestServer::start().await;
    for path in [
        "/api/organizations/@current/roles/x",
        "/api/organizations/@current/roles/x/role_memberships",
        "/api/organizations/@current/members/x",
        "/api/organizations/@current/invites/x",
        "/api/projects/x",
        "/api/projects/1.5",
        "/api/projects/-1",
        "/api/projects/99999999999999999999",
        "/api/projects/1/logs/views/x",
        "/api/projects/1/logs/sampling_rules/x",
        "/api/projects/1/exports/x",
        "/api/projects/1/integrations/x",
        "/api/personal_api_keys/x",
        "/api/users/x",
        "/api/signup/x",
    ] {
        for slash in ["", "/"] {
            let answer = server.request(Method::GET, &format!("{path}{slash}"), "").await;
            assert_eq!(answer.refusal(), refused(404, "not_found", Value::Null), "{path}");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_kind_is_no_key() {
    let server = TestServer::start().await;
    let with_key = format!("{CURRENT}/?personal_api_key={}", server.key());
    let answer = server.request_as("pha_0123456789", Method::GET, &with_key, "").await;
    assert_eq!(answer.refusal(), refused(401, "authentication_failed", Value::Null));
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
    let too_large = "x".repeat(3 * 1024 * 1024);
    let answer = server.request(Method::PATCH, CURRENT, format!("{{\"name\": \"{too_large}\"}}")).await;
    assert_eq!(answer.refusal(), refused(413, "request_too_large", Value::Null));
}
