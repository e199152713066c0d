//! Entries as files.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::super::harness::{Answer, TestServer};
use super::super::people::person;
use super::write;
use crate::waiting::until;

pub(super) const EXPORT: &str = "/api/projects/1/advanced_activity_logs/export/";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

pub(super) async fn create(server: &TestServer, path: &str, body: Value) -> i64 {
    let answer = server.request(Method::POST, path, body.to_string()).await;
    assert_eq!(answer.status, 202, "{}", answer.json());
    answer.json()["id"].as_i64().unwrap()
}

pub(super) async fn content(server: &TestServer, owner: &str, id: i64) -> Answer {
    let path = format!("/api/{owner}/exports/{id}/content/?download=true");
    until("the export has an end", async || {
        let answer = server.request(Method::GET, &path, "").await;
        (answer.status != 409).then_some(answer)
    })
    .await
}

pub(super) fn text(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.json());
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_table_has_the_columns_and_every_filter_is_honoured() {
    let server = TestServer::start().await;
    write(
        &server,
        &[
            json!({ "detail": { "name": "a, \"b\"" }, "client": "=cmd" }),
            json!({ "user": null, "activity": "deleted" }),
            json!({ "activity": "created" }),
        ],
    )
    .await;
    let filters = json!({ "scopes": ["Thing", "Other"], "activities": ["updated", "deleted"] });
    let answer = server.request(Method::POST, EXPORT, json!({ "filters": filters }).to_string()).await;
    assert_eq!(answer.json(), json!({ "id": 1, "export_format": "csv" }));
    let file = content(&server, "projects/1", 1).await;
    assert_eq!(file.header("content-type"), "text/csv");
    assert!(file.header("content-disposition").starts_with("attachment; filename=\"activity_logs_"));
    let table = text(&file);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(
        lines[0],
        "id,organization_id,project_id,user_first_name,user_last_name,user_email,activity,scope,item_id,detail,client,ip_address,created_at"
    );
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].contains(",1,,,,deleted,Thing,1,,,,2025-12-16T10:00:01Z"), "{}", lines[1]);
    assert!(
        lines[2].contains(r#",updated,Thing,0,"{""name"": ""a, \""b\""""}",'=cmd,,2025-12-16T10:00:00Z"#),
        "{}",
        lines[2]
    );
    let asset = server.request(Method::GET, "/api/projects/1/exports/1/", "").await.json();
    assert_eq!(
        (&asset["has_content"], &asset["exception"], &asset["export_format"]),
        (&json!(true), &Value::Null, &json!("text/csv"))
    );
    assert_eq!((&asset["dashboard"], &asset["insight"]), (&Value::Null, &Value::Null));
    assert!(asset["export_context"]["filters"].is_object(), "what was asked for: {asset}");
    // Two false truth values are filters too.
    let id = create(&server, EXPORT, json!({ "filters": { "is_system": false, "scopes": ["Thing"] } })).await;
    assert_eq!(text(&content(&server, "projects/1", id).await).lines().count(), 3);
    let id = create(&server, EXPORT, json!({ "filters": { "scopes": ["Nothing"] } })).await;
    assert_eq!(
        text(&content(&server, "projects/1", id).await),
        "error\r\nNo activity matches the filters.\r\n"
    );
}

#[tokio::test]
async fn workbooks_and_lines_are_made_too() {
    let server = TestServer::start().await;
    write(
        &server,
        &[json!({ "detail": { "name": "=1+1" } }), json!({ "detail": { "long": "x".repeat(40_000) } })],
    )
    .await;
    let id = create(&server, EXPORT, json!({ "format": "xlsx", "filters": { "scopes": ["Thing"] } })).await;
    let file = content(&server, "projects/1", id).await;
    assert_eq!((file.status.as_u16(), file.header("content-type")), (200, XLSX));
    assert!(file.body.starts_with(b"PK"));
    let id = create(&server, EXPORT, json!({ "format": "ndjson", "filters": { "scopes": ["Thing"] } })).await;
    let lines = text(&content(&server, "projects/1", id).await);
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), 2);
    assert_eq!((&entries[1]["detail"]["name"], &entries[1]["is_system"]), (&json!("=1+1"), &json!(false)));
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused_at_once() {
    let server = TestServer::start().await;
    for (body, part) in [
        (json!({ "format": "pdf" }), "pdf"),
        (json!({ "filters": { "users": ["x"] } }), "UUID"),
        (json!({ "filters": { "scopes": "Thing" } }), "list"),
        (json!({ "filters": [] }), "filters"),
        (json!([]), "object"),
    ] {
        let (status, text) = server.request(Method::POST, EXPORT, body.to_string()).await.simple_refusal();
        assert!(status == 400 && text.contains(part), "{body}: {text}");
    }
    let key = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&key, Method::POST, EXPORT, "{}").await.refusal().0, 403);
}

#[tokio::test]
async fn only_who_asked_gets_the_file() {
    let server = TestServer::start().await;
    write(&server, &[json!({})]).await;
    let id = create(&server, EXPORT, json!({})).await;
    assert_eq!(content(&server, "projects/1", id).await.status, 200);
    let other = person(&server, "other", Level::ADMIN).await;
    for path in [format!("/api/projects/1/exports/{id}/"), format!("/api/projects/1/exports/{id}/content/")] {
        assert_eq!(server.request_as(&other.key, Method::GET, &path, "").await.status, 404, "{path}");
    }
    let list = |answer: Answer| answer.json()["count"].as_i64().unwrap();
    assert_eq!(list(server.request(Method::GET, "/api/projects/1/exports/", "").await), 1);
    assert_eq!(list(server.request_as(&other.key, Method::GET, "/api/projects/1/exports/", "").await), 0);
    let own = server.limited_key(&["activity_log:read"], None, None).await;
    let path = format!("/api/projects/1/exports/{id}/content/");
    assert_eq!(server.request_as(&own, Method::GET, &path, "").await.status, 200);
    let logs = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&logs, Method::GET, &path, "").await.status, 404);
}

#[tokio::test]
async fn a_whole_organization_is_exported_by_those_who_manage_it() {
    let server = TestServer::start().await;
    write(&server, &[json!({})]).await;
    let path = "/api/organizations/@current/advanced_activity_logs/export/";
    let id =
        create(&server, path, json!({ "filters": { "scopes": ["Thing", "OrganizationMembership"] } })).await;
    let file = content(&server, "organizations/@current", id).await;
    assert!(text(&file).lines().count() >= 2);
    assert_eq!(server.request(Method::GET, &format!("/api/projects/1/exports/{id}/"), "").await.status, 404);
    let member = person(&server, "member", Level::MEMBER).await;
    let id = server.credentials.organization_id.to_string();
    let path = format!("/api/organizations/{id}/advanced_activity_logs/export/");
    assert_eq!(server.request_as(&member.key, Method::POST, &path, "{}").await.status, 403);
}
