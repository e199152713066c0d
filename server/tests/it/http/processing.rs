//! A project's settings, and what they have done with records as they come in, through every door.

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, last_day, record};
use crate::waiting::until;

const PROJECT: &str = "/api/projects/1/";

async fn set(server: &TestServer, settings: Value) -> Value {
    let answer = server.request(Method::PATCH, PROJECT, settings.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn only_row(server: &TestServer) -> Value {
    let rows = server.rows(json!({ "dateRange": last_day() })).await;
    assert_eq!(rows.len(), 1);
    rows[0].clone()
}

#[tokio::test]
async fn a_project_is_shown_and_changed() {
    let server = TestServer::start().await;
    let project = server.request(Method::GET, PROJECT, "").await.json();
    assert_eq!((&project["id"], &project["name"]), (&json!(1), &json!("Default project")));
    assert_eq!(project["organization"], json!(server.credentials.organization_id.to_string()));
    assert_eq!(project["created_at"], json!("2025-12-16T10:33:00Z"));
    assert_eq!(project["uuid"].as_str().unwrap().len(), 36);
    let settings = |project: &Value| {
        let member = |name: &str| project[name].clone();
        [member("retention_days"), member("json_parse_logs"), member("pii_scrub_logs")]
    };
    assert_eq!(settings(&project), [json!(null), json!(false), json!(false)]);
    let changed =
        set(&server, json!({ "name": " Mine ", "retention_days": 30, "json_parse_logs": true, "id": 7 }))
            .await;
    assert_eq!((&changed["id"], &changed["name"]), (&json!(1), &json!("Mine")));
    assert_eq!(settings(&changed), [json!(30), json!(true), json!(false)]);
    let changed = set(&server, json!({ "retention_days": null, "pii_scrub_logs": true })).await;
    assert_eq!(settings(&changed), [json!(null), json!(true), json!(true)]);
    assert_eq!(set(&server, json!({})).await, changed);
    assert_eq!(server.request(Method::GET, "/api/environments/@current", "").await.json(), changed);
}

#[tokio::test]
async fn what_a_project_cannot_be_is_refused_by_name() {
    let server = TestServer::start().await;
    for (change, code, attr) in [
        (json!({ "name": "" }), "blank", "name"),
        (json!({ "name": " " }), "blank", "name"),
        (json!({ "name": null }), "null", "name"),
        (json!({ "name": "x".repeat(201) }), "max_length", "name"),
        (json!({ "name": 5 }), "invalid_input", "name"),
        (json!({ "json_parse_logs": null }), "null", "json_parse_logs"),
        (json!({ "pii_scrub_logs": "yes" }), "invalid_input", "pii_scrub_logs"),
        (json!({ "retention_days": 0 }), "min_value", "retention_days"),
        (json!({ "retention_days": 36_501 }), "max_value", "retention_days"),
        (json!({ "retention_days": 1.5 }), "invalid_input", "retention_days"),
    ] {
        let answer = server.request(Method::PATCH, PROJECT, change.to_string()).await;
        assert_eq!(answer.refusal(), (400, code.into(), json!(attr)), "{change}");
        assert_eq!(answer.json()["type"], "validation_error");
    }
    assert_eq!(server.request(Method::PATCH, PROJECT, "[]").await.refusal().0, 400);
    let reader = server.limited_key(&["project:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::GET, PROJECT, "").await.status, 200);
    assert_eq!(server.request_as(&reader, Method::PATCH, PROJECT, "{}").await.status, 403);
    let logs_only = server.limited_key(&["logs:write"], None, None).await;
    assert_eq!(server.request_as(&logs_only, Method::GET, PROJECT, "").await.status, 403);
    assert_eq!(server.request(Method::GET, "/api/projects/9", "").await.status, 404);
    assert_eq!(server.request(Method::POST, PROJECT, "").await.status, 405);
}

#[tokio::test]
async fn a_changed_retention_holds_for_rows_that_are_there() {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "new"), record(40 * 86_400, "INFO", "old")]).await;
    let everything = json!({ "dateRange": { "date_from": "all" } });
    for (days, expected) in [(json!(30), 1), (json!(null), 2), (json!(41), 2), (json!(39), 1)] {
        set(&server, json!({ "retention_days": days })).await;
        let answer = server.ask("count", everything.clone()).await;
        assert_eq!(answer.json(), json!({ "count": expected }), "{days}");
    }
}

#[tokio::test]
async fn secrets_are_taken_out_before_json_is_parsed() {
    let server = TestServer::start().await;
    set(&server, json!({ "json_parse_logs": true, "pii_scrub_logs": true })).await;
    let mut sent =
        record(60, "INFO", r#"{"user":{"mail":"joe@ex.org"},"token":5,"list":[1,"x"],"kept":"body"}"#);
    sent["attributes"] = json!([
        { "key": "kept", "value": { "stringValue": "sent" } },
        { "key": "Authorization", "value": { "stringValue": "Basic abc" } },
        { "key": "note", "value": { "stringValue": "use sk_live_1234567890" } },
    ]);
    server.store("svc", &[sent]).await;
    let row = only_row(&server).await;
    assert_eq!(row["body"], r#"{"user":{"mail":"{{REDACTED}}"},"token":5,"list":[1,"x"],"kept":"body"}"#);
    assert_eq!(
        row["attributes"],
        json!({
            "Authorization": "{{REDACTED}}", "kept": "sent", "note": "use {{REDACTED}}", "user.mail": "{{REDACTED}}",
            "token": "{{REDACTED}}", "list.0": "1", "list.1": "x",
        })
    );
    let filter = json!([{ "key": "list.0", "type": "log_attribute", "operator": "gte", "value": 1 }]);
    let query = json!({ "dateRange": last_day(), "filterGroup": filter });
    assert_eq!(server.ask("count", query).await.json(), json!({ "count": 1 }));
}

#[tokio::test]
async fn a_secret_never_reaches_the_disk() {
    let server = TestServer::start().await;
    set(&server, json!({ "pii_scrub_logs": true })).await;
    server.store("svc", &[record(60, "INFO", "mail to joe.doe.unique@ex.org please")]).await;
    server.store("svc-joe.doe.unique@ex.org", &[record(60, "INFO", "x")]).await;
    server.state.engine().flush().await.unwrap();
    for entry in walk(&server.state.config().engine.data_dir) {
        let bytes = std::fs::read(&entry).unwrap();
        let found = bytes.windows(14).any(|window| window == b"joe.doe.unique");
        assert!(!found, "{}", entry.display());
    }
}

/// Every file below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn settings_hold_for_datadogs_records_as_well() {
    let server = TestServer::start().await;
    set(&server, json!({ "pii_scrub_logs": true })).await;
    let path = format!("/i/v1/logs/datadog/{}", server.token());
    let body = json!([{ "message": "Bearer abc", "ddtags": "owner:joe@ex.org" }]).to_string();
    assert_eq!(server.request(Method::POST, &path, body).await.status, 200);
    let row = only_row(&server).await;
    assert_eq!(row["body"], "{{REDACTED}}");
    assert_eq!(row["resource_attributes"]["owner"], "{{REDACTED}}");
}

#[tokio::test]
async fn a_running_server_follows_settings_that_others_change() {
    let server = TestServer::start().await;
    server.change_metadata("UPDATE projects SET pii_scrub_logs = 1, rules_version = rules_version + 1").await;
    until("the setting holds", async || {
        server.store("svc", &[record(60, "INFO", "joe@ex.org")]).await;
        let rows = server.rows(json!({ "dateRange": last_day() })).await;
        rows.iter().any(|row| row["body"] == "{{REDACTED}}").then_some(())
    })
    .await;
}
