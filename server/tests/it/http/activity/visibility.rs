//! Who sees which entries.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::super::harness::{Answer, TestServer};
use super::super::people::{person, person_in};
use super::{INGEST, LIST, address, get, items, things, write};

const ORGANIZATION: &str = "/api/organizations/@current/advanced_activity_logs/";

async fn ok(server: &TestServer, method: Method, path: &str, body: Value) -> Value {
    let answer = server.request(method, path, body.to_string()).await;
    assert!(answer.status.is_success(), "{}", answer.json());
    answer.json()
}

fn scopes(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.json());
    let results = answer.json()["results"].as_array().unwrap().clone();
    results.iter().map(|entry| entry["scope"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_change_is_in_the_trail_with_what_it_was_and_what_it_is() {
    let server = TestServer::start().await;
    ok(&server, Method::PATCH, "/api/projects/1/", json!({ "name": "Shop" })).await;
    ok(&server, Method::PATCH, "/api/projects/1/", json!({ "name": "Shop" })).await;
    let entries = get(&server, LIST, &[("page", "1")]).await.json();
    assert_eq!(entries["count"], 1, "a change that changes nothing leaves nothing: {entries}");
    let entry = &entries["results"][0];
    let change = &entry["detail"]["changes"][0];
    assert_eq!(
        (&change["action"], &change["field"], &change["after"]),
        (&json!("changed"), &json!("name"), &json!("Shop"))
    );
    assert!(change["before"].is_string());
    assert_eq!(
        (&entry["activity"], &entry["item_id"], &entry["team_id"]),
        (&json!("updated"), &json!("1"), &json!(1))
    );
    assert_eq!(
        (&entry["is_system"], &entry["was_impersonated"], &entry["unread"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!(entry["user"]["id"], 1);
    assert_eq!(entry["organization_id"], json!(server.credentials.organization_id.to_string()));
    for key in ["name", "short_id", "type", "changes", "trigger", "context"] {
        assert!(entry["detail"].get(key).is_some(), "{key}");
    }
}

#[tokio::test]
async fn entries_of_other_projects_and_of_the_organization_stay_where_they_belong() {
    let server = TestServer::start().await;
    let second =
        ok(&server, Method::POST, "/api/organizations/@current/projects/", json!({ "name": "Second" })).await;
    let second = second["id"].as_i64().unwrap();
    ok(&server, Method::PATCH, "/api/organizations/@current/", json!({ "name": "Acme & Co" })).await;
    write(&server, &[json!({})]).await;
    let path = format!("/api/projects/{second}/activity_log/");
    ok(
        &server,
        Method::POST,
        &path,
        json!({ "scope": "Thing", "activity": "created", "item_id": "of second" }),
    )
    .await;

    assert_eq!(items(&things(&server, &[]).await), ["0"]);
    assert!(scopes(&get(&server, LIST, &[("scopes", "Organization")]).await).is_empty());
    let of_second = format!("/api/projects/{second}/advanced_activity_logs/");
    assert_eq!(scopes(&get(&server, &of_second, &[("scopes", "Thing")]).await), ["Thing"]);

    ok(&server, Method::PATCH, "/api/projects/1/", json!({ "receive_org_level_activity_logs": true })).await;
    let entry = get(&server, LIST, &[("scopes", "Organization")]).await.json()["results"][0].clone();
    assert_eq!(
        (&entry["team_id"], &entry["detail"]["changes"][0]["field"]),
        (&Value::Null, &json!("organization name"))
    );
    assert_eq!(items(&things(&server, &[]).await), ["0"], "a sibling's entries stay hidden");

    let all = get(&server, ORGANIZATION, &[("scopes", "Thing")]).await;
    assert_eq!(scopes(&all).len(), 2);
    let narrowed =
        get(&server, ORGANIZATION, &[("scopes", "Thing"), ("team_ids", &second.to_string())]).await;
    assert_eq!(items(narrowed.json()["results"].as_array().unwrap()), ["of second"]);
    let filters =
        get(&server, "/api/organizations/@current/advanced_activity_logs/available_filters/", &[]).await;
    assert_eq!(filters.status, 200);
}

#[tokio::test]
async fn the_organizations_trail_is_for_those_who_manage_it() {
    let server = TestServer::start().await;
    let id = server.credentials.organization_id.to_string();
    let admin = person(&server, "admin", Level::ADMIN).await;
    let member = person(&server, "member", Level::MEMBER).await;
    let body = json!({ "name": "Elsewhere" });
    let elsewhere =
        ok(&server, Method::POST, "/api/organizations/", body).await["id"].as_str().unwrap().to_owned();
    let outsider = person_in(&server, &elsewhere, "outsider", Level::OWNER).await;
    let path = format!("/api/organizations/{id}/advanced_activity_logs/");
    for (key, path, expected) in [
        (&admin.key, path.as_str(), 200),
        (&member.key, &path, 403),
        (&outsider.key, &path, 403),
        (&admin.key, "/api/organizations/00000000-0000-0000-0000-000000000000/advanced_activity_logs/", 404),
        (&admin.key, "/api/organizations/x/advanced_activity_logs/", 404),
        (&outsider.key, LIST, 403),
        (&member.key, LIST, 200),
        (&member.key, "/api/projects/77/advanced_activity_logs/", 404),
    ] {
        let answer = server.request_as(key, Method::GET, path, "").await;
        assert_eq!(answer.status.as_u16(), expected, "{path}: {}", answer.json());
    }
    for (scopes, projects, expected) in [
        (&["activity_log:read"][..], None, 200),
        (&["activity_log:write"], None, 200),
        (&["logs:read"], None, 403),
        (&["activity_log:read"], Some(&[1_i64][..]), 200),
        (&["activity_log:read"], Some(&[2]), 403),
    ] {
        let key = server.limited_key(scopes, projects, None).await;
        let answer = server.request_as(&key, Method::GET, LIST, "").await;
        assert_eq!(answer.status.as_u16(), expected, "{scopes:?} {projects:?}");
        let organization = server.request_as(&key, Method::GET, &path, "").await;
        let expected = if projects.is_some() { 403 } else { expected };
        assert_eq!(organization.status.as_u16(), expected, "{scopes:?} {projects:?}");
    }
    assert_eq!(server.call(axum::http::Request::get(LIST).body("".into()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn entries_about_the_installation_are_for_its_staff() {
    let server = TestServer::start().await;
    let admin = person(&server, "admin", Level::ADMIN).await;
    write(
        &server,
        &[
            json!({ "scope": "User", "activity": "updated" }),
            json!({ "scope": "User", "activity": "logged_in", "was_impersonated": true }),
            json!({ "scope": "User", "activity": "logged_in" }),
            json!({ "scope": "Role", "activity": "scim_updated" }),
            json!({ "scope": "Role", "activity": "updated" }),
            json!({ "scope": "InstanceSetting", "activity": "updated" }),
        ],
    )
    .await;
    let path = address(LIST, &[("start_date", "2025-12-16T10:00:00Z"), ("end_date", "2025-12-16T10:00:59Z")]);
    let of = |answer: Answer| {
        let results = answer.json()["results"].as_array().unwrap().clone();
        items(&results).iter().map(|item| (*item).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of(server.request_as(&admin.key, Method::GET, &path, "").await), ["4", "2"]);
    server.change_metadata(&format!("UPDATE users SET is_staff = 1 WHERE id = {}", admin.id)).await;
    assert_eq!(
        of(server.request_as(&admin.key, Method::GET, &path, "").await),
        ["5", "4", "3", "2", "1", "0"]
    );
}

#[tokio::test]
async fn an_entry_outlives_its_user() {
    let server = TestServer::start().await;
    let gone = person(&server, "gone", Level::MEMBER).await;
    let body = json!({ "scope": "Thing", "activity": "created", "item_id": "x" }).to_string();
    let written = server.request_as(&gone.key, Method::POST, INGEST, body).await;
    assert_eq!(written.status, 201, "{}", written.json());
    assert_eq!(things(&server, &[]).await[0]["user"]["uuid"], json!(gone.uuid));
    let id = gone.id;
    server
        .change_metadata(&format!(
            "DELETE FROM personal_api_keys WHERE user_id = {id};
             DELETE FROM memberships WHERE user_id = {id}; DELETE FROM users WHERE id = {id}"
        ))
        .await;
    let entry = things(&server, &[]).await.remove(0);
    assert_eq!((&entry["user"], &entry["is_system"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn a_member_without_access_sees_nothing_of_the_trail() {
    let server = TestServer::start().await;
    let member = person(&server, "member", Level::MEMBER).await;
    let rule = json!({ "resource": "activity_log", "access_level": "none" });
    ok(&server, Method::PUT, "/api/projects/1/access_controls/", rule).await;
    let export = "/api/projects/1/advanced_activity_logs/export/";
    let filters = "/api/projects/1/advanced_activity_logs/available_filters/";
    for (method, path) in
        [(Method::GET, LIST), (Method::GET, INGEST), (Method::GET, filters), (Method::POST, export)]
    {
        let refused = server.request_as(&member.key, method.clone(), path, "{}").await;
        assert_eq!(refused.refusal(), (403, "permission_denied".to_owned(), Value::Null), "{path}");
        let allowed = server.request(method, path, "{}").await;
        assert!(allowed.status.is_success(), "{path}");
    }
}
