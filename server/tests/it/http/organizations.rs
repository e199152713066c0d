//! Organizations over HTTP.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer};
use super::people::{person, person_in};

const ALL: &str = "/api/organizations";
const CURRENT: &str = "/api/organizations/@current";

async fn get(server: &TestServer, key: &str, path: &str) -> Answer {
    server.request_as(key, Method::GET, path, "").await
}

async fn call(server: &TestServer, key: &str, method: Method, path: &str, body: Value) -> Answer {
    server.request_as(key, method, path, body.to_string()).await
}

fn refused(status: u16, code: &str, attr: Value) -> (u16, String, Value) {
    (status, code.to_owned(), attr)
}

#[tokio::test]
async fn an_organization_has_the_members_of_the_contract() {
    let server = TestServer::start().await;
    let organization = get(&server, server.key(), &format!("{CURRENT}/")).await.json();
    let mut members: Vec<&str> = organization.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let mut expected = vec![
        "id",
        "name",
        "slug",
        "logo_media_id",
        "created_at",
        "updated_at",
        "membership_level",
        "plugins_access_level",
        "teams",
        "projects",
        "available_product_features",
        "is_member_join_email_enabled",
        "metadata",
        "customer_id",
        "enforce_2fa",
        "members_can_invite",
        "members_can_create_projects",
        "members_can_use_personal_api_keys",
        "allow_publicly_shared_resources",
        "member_count",
        "is_ai_data_processing_approved",
        "is_ai_training_opted_in",
        "is_ai_training_locked",
        "is_ai_training_cta_shown",
        "is_hipaa",
        "default_experiment_stats_method",
        "default_anonymize_ips",
        "default_role_id",
        "is_active",
        "is_not_active_reason",
        "is_pending_deletion",
    ];
    expected.sort_unstable();
    assert_eq!(members, expected);
    assert_eq!(organization["id"], server.credentials.organization_id.to_string());
    assert_eq!(organization["membership_level"], 15);
    assert_eq!(
        (&organization["member_count"], &organization["slug"]),
        (&json!(1), &json!("my-organization"))
    );
    assert_eq!(organization["projects"][0]["id"], 1);
    assert_eq!(organization["teams"][0]["api_token"], server.token());
}

#[tokio::test]
async fn whoever_makes_an_organization_owns_it() {
    let server = TestServer::start().await;
    let made =
        call(&server, server.key(), Method::POST, ALL, json!({ "name": " Second ", "enforce_2fa": true }))
            .await;
    assert_eq!(made.status, 201, "{}", made.json());
    let made = made.json();
    assert_eq!((&made["name"], &made["membership_level"]), (&json!("Second"), &json!(15)));
    assert_eq!((&made["enforce_2fa"], made["projects"].as_array().unwrap().len()), (&json!(true), 1));
    let current = get(&server, server.key(), CURRENT).await.json();
    assert_eq!(current["id"], made["id"]);
    let all = get(&server, server.key(), ALL).await.json();
    assert_eq!((&all["count"], &all["next"]), (&json!(2), &Value::Null));
    let page = get(&server, server.key(), &format!("{ALL}?limit=1&offset=1")).await.json();
    assert_eq!((&page["results"][0]["id"], page["results"].as_array().unwrap().len()), (&made["id"], 1));
}

#[tokio::test]
async fn levels_decide_who_may_change_and_delete() {
    let server = TestServer::start().await;
    let member = person(&server, "member", Level::MEMBER).await;
    let admin = person(&server, "admin", Level::ADMIN).await;
    for (key, patched, deleted) in [(&member.key, 403, 403), (&admin.key, 200, 403)] {
        let answer =
            call(&server, key, Method::PATCH, CURRENT, json!({ "default_anonymize_ips": true })).await;
        assert_eq!(answer.status, patched, "{}", answer.json());
        let answer = call(&server, key, Method::DELETE, CURRENT, json!({})).await;
        assert_eq!(answer.refusal(), refused(deleted, "permission_denied", Value::Null));
        assert_eq!(get(&server, key, CURRENT).await.status, 200);
    }
    let put =
        call(&server, &admin.key, Method::PUT, CURRENT, json!({ "default_anonymize_ips": false })).await;
    assert_eq!(put.refusal(), refused(400, "required", json!("name")));
    let renamed =
        call(&server, &admin.key, Method::PATCH, CURRENT, json!({ "name": "New", "slug": "x" })).await;
    assert_eq!(
        (&renamed.json()["name"], &renamed.json()["slug"]),
        (&json!("New"), &json!("my-organization"))
    );

    let deleted = server.request(Method::DELETE, CURRENT, "").await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
    let seen = get(&server, &admin.key, CURRENT).await.json();
    assert_eq!(seen["is_pending_deletion"], true);
    let count = call(&server, &admin.key, Method::POST, "/api/projects/1/logs/count", json!({})).await;
    assert_eq!(count.refusal(), refused(403, "permission_denied", Value::Null));
    let sent = server.send(&[], "{}").await;
    assert_eq!(sent.status, 401, "its tokens are gone");
}

#[tokio::test]
async fn what_is_wrong_is_400_and_names_the_member() {
    let server = TestServer::start().await;
    for (body, code, attr) in [
        (json!({}), "required", json!("name")),
        (json!({ "name": "" }), "blank", json!("name")),
        (json!({ "name": "x".repeat(65) }), "max_length", json!("name")),
        (json!([]), "invalid_input", Value::Null),
    ] {
        let answer = call(&server, server.key(), Method::POST, ALL, body).await;
        assert_eq!(answer.refusal(), refused(400, code, attr));
    }
    let role = json!({ "default_role_id": "0190f6a0-0000-7000-8000-000000000001" });
    let answer = call(&server, server.key(), Method::PATCH, CURRENT, role).await;
    assert_eq!(answer.refusal(), refused(400, "does_not_exist", json!("default_role_id")));
    let malformed = server.request(Method::PATCH, CURRENT, "{").await;
    assert_eq!(malformed.refusal(), refused(400, "parse_error", Value::Null));
}

#[tokio::test]
async fn a_foreign_organization_is_as_unknown_as_one_that_is_not_there() {
    let server = TestServer::start().await;
    let made = call(&server, server.key(), Method::POST, ALL, json!({ "name": "Second" })).await.json();
    let second = made["id"].as_str().unwrap();
    let outsider = person(&server, "outsider", Level::OWNER).await;
    for id in [second, "0190f6a0-0000-7000-8000-000000000001", "not-a-uuid", "1"] {
        for (method, body) in [(Method::GET, ""), (Method::PATCH, "{}"), (Method::DELETE, "")] {
            let answer = server.request_as(&outsider.key, method, &format!("{ALL}/{id}/"), body).await;
            assert_eq!(answer.refusal(), refused(404, "not_found", Value::Null), "{id}");
        }
    }
    let in_capitals = format!("{ALL}/{}", second.to_uppercase());
    assert_eq!(get(&server, server.key(), &in_capitals).await.status, 200);
}

#[tokio::test]
async fn keys_are_held_to_their_scopes_and_restrictions() {
    let server = TestServer::start().await;
    let own = server.credentials.organization_id.to_string();
    let second = call(&server, server.key(), Method::POST, ALL, json!({ "name": "Second" })).await.json();
    let second = second["id"].as_str().unwrap().to_owned();
    let reader = server.limited_key(&["organization:read"], None, None).await;
    assert_eq!(get(&server, &reader, CURRENT).await.status, 200);
    let answer = call(&server, &reader, Method::PATCH, CURRENT, json!({})).await;
    assert_eq!(answer.status, 403);
    assert!(answer.json()["detail"].as_str().unwrap().contains("organization:write"));
    let of_project = server.limited_key(&["*"], Some(&[1]), None).await;
    for path in [ALL.to_owned(), CURRENT.to_owned(), format!("{ALL}/{own}/members")] {
        let answer = get(&server, &of_project, &path).await;
        assert_eq!(answer.refusal(), refused(403, "permission_denied", Value::Null), "{path}");
    }
    let of_second = server.limited_key(&["*"], None, Some(std::slice::from_ref(&second))).await;
    assert_eq!(get(&server, &of_second, &format!("{ALL}/{own}")).await.status, 403);
    let list = get(&server, &of_second, ALL).await.json();
    assert_eq!((&list["count"], &list["results"][0]["id"]), (&json!(1), &json!(second)));
}

#[tokio::test]
async fn members_of_a_deactivated_organization_learn_why() {
    let server = TestServer::start().await;
    server.change_metadata("UPDATE organizations SET is_active = 0, is_not_active_reason = 'not paid'").await;
    for path in ["/api/projects/1/logs/has_logs", "/api/organizations/@current/members"] {
        let answer = get(&server, server.key(), path).await;
        assert_eq!(answer.refusal(), refused(403, "permission_denied", Value::Null));
        assert!(answer.json()["detail"].as_str().unwrap().contains("deactivated: not paid"));
    }
    assert_eq!(get(&server, server.key(), CURRENT).await.json()["is_active"], false);
    assert_eq!(get(&server, server.key(), "/api/users/@me").await.status, 200);
}

#[tokio::test]
async fn keys_of_members_can_be_switched_off() {
    let server = TestServer::start().await;
    let member = person(&server, "member", Level::MEMBER).await;
    let admin = person(&server, "admin", Level::ADMIN).await;
    let off = json!({ "members_can_use_personal_api_keys": false });
    assert_eq!(call(&server, &admin.key, Method::PATCH, CURRENT, off).await.status, 200);
    for (key, status) in [(&member.key, 403), (&admin.key, 200)] {
        assert_eq!(get(&server, key, "/api/projects/1/logs/has_logs").await.status, status);
    }
}

#[tokio::test]
async fn somebody_in_no_organization_is_told_so() {
    let server = TestServer::start().await;
    let leaving = person(&server, "leaving", Level::MEMBER).await;
    let left = server.request_as(&leaving.key, Method::DELETE, &format!("{CURRENT}/members/@me/"), "").await;
    assert_eq!(left.status, 204);
    let list = get(&server, &leaving.key, ALL).await;
    assert_eq!(list.refusal(), refused(404, "not_found", Value::Null));
    assert_eq!(get(&server, &leaving.key, CURRENT).await.status, 404);
    let made = call(&server, &leaving.key, Method::POST, ALL, json!({ "name": "Own" })).await;
    assert_eq!(made.status, 201);
    let second = made.json()["id"].as_str().unwrap().to_owned();
    person_in(&server, &second, "joining", Level::MEMBER).await;
    assert_eq!(get(&server, &leaving.key, CURRENT).await.json()["member_count"], 2);
}
