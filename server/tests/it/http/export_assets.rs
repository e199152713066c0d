//! Exports that are made in the background.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer, last_day, record};
use super::people::person;
use crate::waiting::until;

const EXPORT: &str = "/api/projects/1/logs/export";
const ASSETS: &str = "/api/projects/1/exports";

async fn create(server: &TestServer, body: Value) -> Value {
    let answer = server.request(Method::POST, EXPORT, body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.json());
    answer.json()
}

/// The answer that is no 409, asked for until there is one.
async fn content(server: &TestServer, asset: &Value, suffix: &str) -> Answer {
    let path = format!("{ASSETS}/{}/content/{suffix}", asset["id"]);
    until("the export has an end", async || {
        let answer = server.request(Method::GET, &path, "").await;
        if answer.status != 409 {
            return Some(answer);
        }
        assert_eq!((answer.refusal().1.as_str(), answer.header("retry-after")), ("conflict", "5"));
        None
    })
    .await
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn an_export_is_made_and_fetched() {
    let server = TestServer::start().await;
    let mut sent = record(60, "ERROR", "boom");
    sent["attributes"] = json!([{ "key": "a.b", "value": { "intValue": "5" } }]);
    server.store("api", &[sent, record(50, "INFO", "=ok")]).await;
    let query =
        json!({ "dateRange": last_day(), "serviceNames": ["api"], "limit": 1, "orderBy": "earliest" });
    let columns = json!(["timestamp", "level", "body", "attributes"]);
    let created = create(&server, json!({ "query": query, "columns": columns, "format": "xml" })).await;
    assert_eq!(
        created,
        json!({ "id": 1, "export_format": "text/csv", "created_at": "2025-12-16T10:33:00Z", "has_content": false,
                "filename": "logs-api-from--24h.csv" })
    );
    let answer = content(&server, &created, "?download=true").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/csv"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"logs-api-from--24h.csv\"");
    assert_eq!(
        text(&answer),
        "timestamp,level,body,attributes.a.b\r\n2025-12-16T10:32:00Z,error,boom,5\r\n2025-12-16T10:32:10Z,info,'=ok,\r\n"
    );
    let asset = server.request(Method::GET, &format!("{ASSETS}/1/"), "").await.json();
    assert_eq!((&asset["has_content"], &asset["exception"]), (&json!(true), &Value::Null));
    assert_eq!(asset["expires_after"], "2025-12-23T10:33:00Z");
    let list = server.request(Method::GET, ASSETS, "").await.json();
    assert_eq!((&list["count"], &list["results"][0]), (&json!(1), &asset));
}

#[tokio::test]
async fn all_members_of_a_row_are_there_without_columns() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "ERROR", "boom")]).await;
    let created = create(&server, json!({ "query": { "dateRange": last_day() } })).await;
    let text = text(&content(&server, &created, "").await);
    assert_eq!(
        text.lines().next().unwrap(),
        "uuid,trace_id,span_id,body,timestamp,observed_timestamp,severity_text,severity_number,level,\
         resource_attributes.service.name,resource_fingerprint,instrumentation_scope,event_name,live_logs_checkpoint"
    );
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn nothing_found_is_said_in_words() {
    let server = TestServer::start().await;
    let created = create(&server, json!({ "query": { "dateRange": last_day() } })).await;
    assert_eq!(text(&content(&server, &created, "").await), "error\r\nNo logs match the query.\r\n");
}

#[tokio::test]
async fn an_export_has_at_most_ten_thousand_rows() {
    let server = TestServer::start().await;
    for part in 0..3 {
        let records: Vec<Value> = (0..3_500).map(|index| record(part * 3_500 + index, "INFO", "x")).collect();
        server.store("api", &records).await;
    }
    let query = json!({ "dateRange": last_day(), "orderBy": "latest" });
    let created = create(&server, json!({ "query": query, "columns": ["timestamp"] })).await;
    let text = text(&content(&server, &created, "").await);
    assert_eq!(text.lines().count(), 10_001);
    assert_eq!(text.lines().nth(1), Some("2025-12-16T10:33:00Z"), "the newest ones");
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_told_in_place_of_the_content() {
    let server = TestServer::start().await;
    let leaf = json!([{ "key": "k", "type": "log_attribute", "operator": "regex", "value": "(" }]);
    for query in
        [json!({ "severityLevels": ["loud"] }), json!({ "dateRange": last_day(), "filterGroup": leaf })]
    {
        let created = create(&server, json!({ "query": query })).await;
        let answer = content(&server, &created, "").await;
        assert_eq!(answer.refusal().0, 400);
        let asset = server.request(Method::GET, &format!("{ASSETS}/{}", created["id"]), "").await.json();
        assert!(asset["exception"].is_string() && asset["has_content"] == false, "{asset}");
    }
    for (body, simple) in [
        (json!({}), true),
        (json!({ "query": [] }), false),
        (json!({ "query": { "customColumns": vec!["body"; 51] } }), true),
        (json!({ "query": {}, "columns": ["nothing"] }), false),
    ] {
        let answer = server.request(Method::POST, EXPORT, body.to_string()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json().get("error").is_some(), simple, "{body}");
    }
}

#[tokio::test]
async fn a_file_that_would_be_too_large_is_refused() {
    let server = TestServer::start_with(|config| config.export.max_file_bytes = 1_000).await;
    server.store("api", &[record(60, "INFO", &"x".repeat(2_000))]).await;
    let created = create(&server, json!({ "query": { "dateRange": last_day() } })).await;
    let answer = content(&server, &created, "").await;
    assert_eq!(answer.refusal().0, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains("1000 bytes"));
    assert_eq!(std::fs::read_dir(server.data_dir().join("exports")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_was_asked_for_is_made_after_a_restart_and_expires() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "one")]).await;
    let body = json!({ "query": { "dateRange": { "date_from": "-5M" } }, "columns": ["body"] });
    let created = create(&server, body).await;
    let before = text(&content(&server, &created, "").await);
    // As if the server had ended in the middle of it.
    server.change_metadata("UPDATE export_assets SET state = 'pending', attempts = 1").await;
    let folder = server.data_dir().join("exports");
    std::fs::write(folder.join("1.part"), "half").unwrap();
    std::fs::write(folder.join("77.csv"), "of nobody").unwrap();
    let server = server.restart_after(3_600).await;
    assert_eq!(
        text(&content(&server, &created, "").await),
        before,
        "relative times count from when it was asked"
    );
    let names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["1.csv"]);

    let server = server.restart_after(8 * 86_400).await;
    let path = format!("{ASSETS}/1/content");
    until("the export has expired", async || {
        let is_gone = server.request(Method::GET, &path, "").await.status == 404;
        (is_gone && !folder.join("1.csv").exists()).then_some(())
    })
    .await;
    let again = create(&server, json!({ "query": {} })).await;
    assert_eq!(again["id"], 2, "a number is not used twice");
}

#[tokio::test]
async fn exports_are_seen_by_who_asked_and_who_may_read_them() {
    let server = TestServer::start().await;
    let created = create(&server, json!({ "query": { "dateRange": last_day() } })).await;
    content(&server, &created, "").await;
    let other = person(&server, "ann", Level::MEMBER).await;
    server.change_metadata(&format!("UPDATE export_assets SET created_by = {}", other.id)).await;
    let path = format!("{ASSETS}/1");
    let logs_only = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&logs_only, Method::GET, &path, "").await.refusal().0, 404);
    assert_eq!(server.request_as(&logs_only, Method::GET, ASSETS, "").await.json()["count"], 0);
    let exports = server.limited_key(&["export:read"], None, None).await;
    assert_eq!(server.request_as(&exports, Method::GET, &path, "").await.status, 200);
    assert_eq!(server.request_as(&exports, Method::GET, ASSETS, "").await.json()["count"], 1);
    assert_eq!(server.request_as(&exports, Method::POST, EXPORT, "{}").await.refusal().0, 403);
    let neither = server.limited_key(&["alert:read"], None, None).await;
    assert_eq!(server.request_as(&neither, Method::GET, &path, "").await.refusal().0, 403);
    for id in ["2", "x", "-1", "99999999999999999999"] {
        assert_eq!(server.request(Method::GET, &format!("{ASSETS}/{id}"), "").await.refusal().0, 404, "{id}");
    }
}
