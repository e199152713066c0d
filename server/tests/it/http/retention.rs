//! How long rows are kept: tried out over HTTP, set by the command line, followed by a running server.

use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::{TestServer, document, record};
use super::process::{Running, text_of, timberline};
use crate::waiting::until;

const DAY_SECS: i64 = 86_400;
const PREVIEW: &str = "/api/projects/1/retention/preview";

/// One row of today; of 40 days ago one of each service.
async fn filled() -> TestServer {
    let server = TestServer::start().await;
    server.store("api", &[record(60, "INFO", "new"), record(40 * DAY_SECS, "DEBUG", "old")]).await;
    server.store("web", &[record(41 * DAY_SECS, "INFO", "older")]).await;
    server
}

async fn preview(server: &TestServer, policy: Value) -> Value {
    let answer = server.request(Method::POST, PREVIEW, policy.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()
}

async fn count(server: &TestServer) -> u64 {
    let answer = server.ask("count", json!({ "dateRange": { "date_from": "all" } })).await;
    answer.json()["count"].as_u64().unwrap()
}

fn of_service(service: &str) -> Value {
    json!([{ "key": "service.name", "type": "log_resource_attribute", "operator": "exact", "value": service }])
}

#[tokio::test]
async fn a_preview_tells_what_would_go_and_changes_nothing() {
    let server = filled().await;
    for body in [json!({}), json!({ "days": null }), json!({ "days": 42 })] {
        let answer = preview(&server, body).await;
        assert_eq!((&answer["rows"], &answer["oldest"]), (&json!(0), &Value::Null), "{answer}");
    }
    let answer = preview(&server, json!({ "days": 30 })).await;
    let rest = json!({
        "rows": 2,
        "bytes_uncompressed": answer["bytes_uncompressed"],
        "oldest": "2025-11-05T10:33:00Z",
        "newest": "2025-11-06T10:33:00Z",
    });
    assert!(answer["bytes_uncompressed"].as_u64().unwrap() > 8, "{answer}");
    assert_eq!(answer["rest"], rest);
    assert_eq!(
        (&answer["rows"], &answer["rules"], &answer["files_dropped"]),
        (&json!(2), &json!([]), &json!(0))
    );
    assert_eq!(count(&server).await, 3);
}

#[tokio::test]
async fn rules_decide_in_their_order() {
    let server = filled().await;
    let rule = |name: &str, days: Value, service: &str| json!({ "name": name, "days": days, "filter_group": of_service(service) });
    let answer = preview(
        &server,
        json!({ "days": 30, "rules": [rule("kept", json!(null), "web"), rule("never reached", json!(1), "web")] }),
    )
    .await;
    let rows: Vec<_> = answer["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["name"].clone(), rule["rows"].clone()))
        .collect();
    assert_eq!(rows, [(json!("kept"), json!(0)), (json!("never reached"), json!(0))]);
    assert_eq!((&answer["rows"], &answer["rest"]["rows"]), (&json!(1), &json!(1)));
    let answer = preview(&server, json!({ "rules": [rule("short", json!(1), "web")] })).await;
    assert_eq!((&answer["rules"][0]["rows"], &answer["rest"]["rows"]), (&json!(1), &json!(0)));
}

#[tokio::test]
async fn files_that_would_go_whole_are_counted() {
    let server = filled().await;
    server.state.engine().flush().await.unwrap();
    // Came in today, so that the files of 40 days ago tell it by the time of their rows.
    let answer = preview(&server, json!({ "days": 30 })).await;
    assert_eq!((&answer["rows"], &answer["files_dropped"]), (&json!(2), &json!(2)));
    assert_eq!(preview(&server, json!({ "days": 41 })).await["files_dropped"], json!(0));
}

#[tokio::test]
async fn what_cannot_be_a_policy_is_refused_by_name() {
    let server = TestServer::start().await;
    let rule = |group: Value| json!({ "rules": [{ "name": "r", "days": 1, "filter_group": group }] });
    for (body, attr) in [
        (json!({ "days": 0 }), json!("days")),
        (json!({ "retention_days": 5 }), json!("retention_days")),
        (json!({ "rules": [{ "name": "r", "days": 1, "filter": [] }] }), json!("rules__0__filter")),
        (rule(json!([])), json!("rules__0__filter_group")),
        (
            rule(json!([{ "key": "k", "type": "span", "operator": "exact" }])),
            json!("rules__0__filter_group__0__type"),
        ),
    ] {
        let answer = server.request(Method::POST, PREVIEW, body.to_string()).await;
        assert_eq!(answer.refusal(), (400, "parse_error".into(), attr), "{body}");
    }
    for (value, reason) in
        [(json!("("), "rules[0].filter_group[0]"), (json!(""), "the condition says nothing")]
    {
        let operator = if value == "(" { "regex" } else { "exact" };
        let group = json!([{ "key": "k", "type": "log_attribute", "operator": operator, "value": value }]);
        let answer = server.request(Method::POST, PREVIEW, rule(group).to_string()).await;
        assert_eq!(answer.refusal().0, 400);
        assert!(answer.json()["detail"].as_str().unwrap().contains(reason), "{}", answer.json());
    }
    assert_eq!(server.request(Method::GET, PREVIEW, "").await.status, 405);
}

#[tokio::test]
async fn a_preview_needs_the_scope_and_the_project() {
    let server = TestServer::start().await;
    let alerts_only = server.limited_key(&["alert:read"], None, None).await;
    assert_eq!(server.request_as(&alerts_only, Method::POST, PREVIEW, "{}").await.status, 403);
    let reader = server.limited_key(&["logs:read"], None, None).await;
    assert_eq!(server.request_as(&reader, Method::POST, PREVIEW, "{}").await.status, 200);
    assert_eq!(
        server.request_as(&reader, Method::POST, "/api/projects/9/retention/preview", "{}").await.status,
        404
    );
    assert_eq!(server.request_as("phx_unknown", Method::POST, PREVIEW, "{}").await.status, 401);
}

#[tokio::test]
async fn a_running_server_follows_the_metadata() {
    let server = filled().await;
    for (days, expected) in [("30", 1), ("NULL", 3), ("41", 3), ("40", 2)] {
        server.change_metadata(&format!("UPDATE projects SET retention_days = {days}")).await;
        until(days, async || (count(&server).await == expected).then_some(())).await;
    }
    assert_eq!(preview(&server, json!({ "days": 30 })).await["rows"], json!(1), "of what can be read now");
    let has_logs = server.request(Method::GET, "/api/projects/1/logs/has_logs", "").await;
    assert_eq!(has_logs.json(), json!({ "hasLogs": true }));
}

/// Runs `timberline retention` on the first project: what it printed, or why it failed.
fn retention(data_dir: &Path, command: &str, days: Option<&str>) -> Result<String, String> {
    let mut arguments = vec!["retention", command, "--data-dir", text_of(data_dir), "--project", "1"];
    arguments.extend(days.map(|days| ["--days", days]).iter().flatten());
    let output = timberline(&arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

async fn count_at(server: &Running, key: &str) -> u64 {
    let everything = json!({ "query": { "dateRange": { "date_from": "all" } } });
    let (status, answer) = server.post("/api/projects/1/logs/count", key, everything).await;
    assert_eq!(status, 200, "{answer}");
    answer["count"].as_u64().unwrap()
}

#[tokio::test]
async fn the_command_line_sets_what_the_server_follows() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = Running::start("serve", &data_dir, &[]);
    let (token, key) = (server.secret("phc_"), server.secret("phx_"));
    let old = json!({ "timeUnixNano": "1000000000000000000", "body": { "stringValue": "of 2001" } });
    let new = json!({ "body": { "stringValue": "of now" } });
    assert_eq!(server.post("/v1/logs", &token, document("api", &[old, new])).await.0, 200);
    assert_eq!(count_at(&server, &key).await, 2);

    assert_eq!(retention(&data_dir, "show", None).unwrap(), "project 1 keeps its rows for ever\n");
    let refused = retention(&data_dir, "preview", Some("30")).unwrap_err();
    assert!(refused.contains("in use by another process"), "{refused}");
    let set = retention(&data_dir, "set", Some("30")).unwrap();
    assert_eq!(set, "project 1 keeps its rows for 30 days\n");
    until("the old row is gone", async || (count_at(&server, &key).await == 1).then_some(())).await;
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    assert_eq!(retention(&data_dir, "show", None).unwrap(), "project 1 keeps its rows for 30 days\n");
    let server = Running::start("serve", &data_dir, &[]);
    assert_eq!(count_at(&server, &key).await, 1, "from the first answer on");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));

    assert!(retention(&data_dir, "preview", Some("1")).unwrap().contains("rows that would expire    0\n"));
    retention(&data_dir, "set", Some("forever")).unwrap();
    let tried = retention(&data_dir, "preview", Some("1")).unwrap();
    assert!(tried.contains("rows that would expire    1\n"), "{tried}");
    assert!(tried.contains("2001-09-09T01:46:40Z"), "{tried}");
}

#[test]
fn the_command_line_refuses_what_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let error = retention(&data_dir, "set", Some("30")).unwrap_err();
    assert!(error.contains("is no data folder") && !data_dir.exists(), "{error}");
    assert!(timberline(&["init", "--data-dir", text_of(&data_dir)]).output().unwrap().status.success());
    for days in ["0", "36501", "soon"] {
        let error = retention(&data_dir, "set", Some(days)).unwrap_err();
        assert!(error.contains("a whole number from 1 to 36500, or forever"), "{error}");
    }
    let other =
        timberline(&["retention", "show", "--data-dir", text_of(&data_dir), "--project", "7"]).output();
    assert!(String::from_utf8(other.unwrap().stderr).unwrap().contains("there is no project 7"));
}
