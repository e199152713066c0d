//! Access controls: set by administrators, obeyed by every resource.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer, last_day};
use super::people::{Person, person};

const RULES: &str = "/api/projects/1/access_controls/";

async fn get(server: &TestServer, key: &str, path: &str) -> Answer {
    server.request_as(key, Method::GET, path, "").await
}

async fn set(server: &TestServer, key: &str, rule: Value) -> Answer {
    server.request_as(key, Method::PUT, RULES, rule.to_string()).await
}

async fn count(server: &TestServer, who: &Person) -> Answer {
    let question = json!({ "query": { "dateRange": last_day() } }).to_string();
    server.request_as(&who.key, Method::POST, "/api/projects/1/logs/count/", question).await
}

async fn save_view(server: &TestServer, who: &Person) -> Answer {
    let view = json!({ "name": "errors", "filters": {} }).to_string();
    server.request_as(&who.key, Method::POST, "/api/projects/1/logs/views/", view).await
}

async fn membership_of(server: &TestServer, who: &Person) -> Value {
    let members = get(server, server.key(), "/api/organizations/@current/members/").await.json();
    let of_person =
        members["results"].as_array().unwrap().iter().find(|member| member["user"]["uuid"] == who.uuid);
    of_person.unwrap()["id"].clone()
}

fn denied() -> (u16, String, Value) {
    (403, "permission_denied".to_owned(), Value::Null)
}

#[tokio::test]
async fn everyone_has_the_defaults_and_administrators_have_everything() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let of_member = get(&server, &ann.key, RULES).await.json();
    assert_eq!(
        (&of_member["access_controls"], &of_member["user_can_edit_access_levels"]),
        (&json!([]), &json!(false))
    );
    assert_eq!(
        of_member["resources"]["logs"],
        json!({ "available_access_levels": ["none", "viewer", "editor", "manager"],
                "default_access_level": "editor", "user_access_level": "editor" })
    );
    assert_eq!(
        of_member["resources"]["activity_log"],
        json!({ "available_access_levels": ["none", "viewer"], "default_access_level": "viewer",
                "user_access_level": "viewer" })
    );
    let of_owner = get(&server, server.key(), RULES).await.json();
    assert_eq!(of_owner["resources"]["project"]["user_access_level"], "admin");
    assert_eq!(of_owner["user_can_edit_access_levels"], true);
    assert_eq!(set(&server, &ann.key, json!({ "access_level": "admin" })).await.refusal(), denied());
}

#[tokio::test]
async fn a_level_for_everyone_a_role_or_a_member_is_obeyed() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let bob = person(&server, "bob", Level::MEMBER).await;
    let admin = person(&server, "adm", Level::ADMIN).await;
    let made = set(&server, server.key(), json!({ "resource": "logs", "access_level": "viewer" })).await;
    assert_eq!((made.status.as_u16(), &made.json()["access_level"]), (200, &json!("viewer")));
    assert_eq!(count(&server, &ann).await.status, 200);
    let refused = save_view(&server, &ann).await;
    assert_eq!(refused.refusal(), denied());
    assert!(refused.json()["detail"].as_str().unwrap().contains("'editor' for 'logs'"), "{:?}", refused);
    assert_eq!(save_view(&server, &admin).await.status, 201, "administrators are not bound");

    let roles = "/api/organizations/@current/roles";
    let role = server.request(Method::POST, roles, json!({ "name": "On call" }).to_string()).await.json();
    let role_id = role["id"].as_str().unwrap();
    let members = format!("{roles}/{role_id}/role_memberships");
    server.request(Method::POST, &members, json!({ "user_uuid": bob.uuid }).to_string()).await;
    let for_role = json!({ "resource": "logs", "access_level": "editor", "role": role_id });
    assert_eq!(set(&server, server.key(), for_role).await.status, 200);
    assert_eq!(save_view(&server, &bob).await.status, 201);
    assert_eq!(save_view(&server, &ann).await.status, 403);

    let membership = membership_of(&server, &bob).await;
    let for_bob = |level: Value| json!({ "resource": "logs", "access_level": level, "organization_member": membership });
    assert_eq!(set(&server, server.key(), for_bob(json!("none"))).await.status, 200);
    assert_eq!(count(&server, &bob).await.refusal(), denied());
    assert_eq!(set(&server, server.key(), for_bob(Value::Null)).await.json(), Value::Null);
    assert_eq!(count(&server, &bob).await.status, 200);
    assert_eq!(get(&server, &ann.key, RULES).await.json()["access_controls"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_private_project_is_not_there_for_others() {
    let server = TestServer::start().await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let bob = person(&server, "bob", Level::MEMBER).await;
    set(&server, server.key(), json!({ "resource": "project", "access_level": "none" })).await;
    let membership = membership_of(&server, &bob).await;
    let for_bob = json!({ "access_level": "admin", "organization_member": membership });
    assert_eq!(set(&server, server.key(), for_bob).await.status, 200);
    for path in ["/api/projects/1/", "/api/projects/1/tokens/", "/api/projects/1/logs/has_logs", RULES] {
        assert_eq!(get(&server, &ann.key, path).await.refusal(), denied(), "{path}");
        assert_eq!(get(&server, &bob.key, path).await.status, 200, "{path}");
    }
    for path in ["/api/projects/", "/api/organizations/@current/projects/"] {
        assert_eq!(get(&server, &ann.key, path).await.json()["count"], 0, "{path}");
        assert_eq!(get(&server, &bob.key, path).await.json()["count"], 1, "{path}");
    }
    let seen = |answer: Answer| (answer.json()["projects"].clone(), answer.json()["teams"].clone());
    let organization = "/api/organizations/@current/";
    assert_eq!(seen(get(&server, &ann.key, organization).await), (json!([]), json!([])));
    assert_eq!(get(&server, &bob.key, "/api/projects/1/").await.json()["access_control"], true);
    let renamed = json!({ "name": "Bob's" }).to_string();
    let by_bob = server.request_as(&bob.key, Method::PATCH, "/api/projects/1/", renamed).await;
    assert_eq!(by_bob.status, 200, "an administrator of the project changes it");
}

#[tokio::test]
async fn what_is_wrong_with_a_rule_is_named() {
    let server = TestServer::start().await;
    let nobody = "019b0000-0000-7000-8000-000000000000";
    for (rule, code, attr) in [
        (json!({}), "required", json!("access_level")),
        (json!({ "access_level": "viewer" }), "invalid_choice", json!("access_level")),
        (json!({ "access_level": "best" }), "invalid_choice", json!("access_level")),
        (
            json!({ "resource": "activity_log", "access_level": "editor" }),
            "invalid_choice",
            json!("access_level"),
        ),
        (json!({ "resource": "x", "access_level": "none" }), "invalid_choice", json!("resource")),
        (json!({ "access_level": "none", "role": "x" }), "invalid_input", json!("role")),
        (json!({ "access_level": "none", "role": nobody }), "does_not_exist", json!("role")),
        (
            json!({ "access_level": "none", "organization_member": nobody }),
            "does_not_exist",
            json!("organization_member"),
        ),
        (
            json!({ "access_level": "none", "organization_member": nobody, "role": nobody }),
            "invalid_input",
            Value::Null,
        ),
    ] {
        let refusal = set(&server, server.key(), rule.clone()).await.refusal();
        assert_eq!(refusal, (400, code.to_owned(), attr), "{rule}");
    }
}
