//! What people look for in an audit trail, from the change to the answer.

use axum::http::{Method, Request, header};
use serde_json::{Value, json};
use server::meta::Level;

use super::super::harness::TestServer;
use super::super::people::person;
use super::exports::{EXPORT, content, create, text};
use super::{INGEST, LIST, get, items};

async fn ok(server: &TestServer, key: &str, method: Method, path: &str, body: Value) -> Value {
    let answer = server.request_as(key, method, path, body.to_string()).await;
    assert!(answer.status.is_success(), "{path}: {}", String::from_utf8_lossy(&answer.body));
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

async fn entries(server: &TestServer, parameters: &[(&str, &str)]) -> Vec<Value> {
    let answer = get(server, LIST, parameters).await;
    assert_eq!(answer.status, 200, "{}", answer.json());
    answer.json()["results"].as_array().unwrap().clone()
}

/// Somebody finds an alert changed, and wants to know who it was, when, and what it had been.
#[tokio::test]
async fn an_unexpected_change_is_traced_by_the_history_of_its_item() {
    let server = TestServer::start().await;
    let colleague = person(&server, "colleague", Level::MEMBER).await;
    let alerts = "/api/projects/1/logs/alerts/";
    let body = json!({ "name": "5xx burst", "filters": { "serviceNames": ["api"] }, "threshold_count": 5 });
    let alert = ok(&server, server.key(), Method::POST, alerts, body).await;
    let (id, path) =
        (alert["id"].as_str().unwrap().to_owned(), format!("{alerts}{}/", alert["id"].as_str().unwrap()));
    let other = json!({ "name": "another", "filters": { "serviceNames": ["web"] } });
    ok(&server, server.key(), Method::POST, alerts, other).await;
    ok(&server, &colleague.key, Method::PATCH, &path, json!({ "threshold_count": 500 })).await;
    ok(&server, &colleague.key, Method::PATCH, &path, json!({ "threshold_count": 500 })).await;

    let history =
        [("scopes", "LogsAlertConfiguration"), ("item_ids", id.as_str()), ("ordering", "created_at")];
    let history = entries(&server, &history).await;
    let activities: Vec<&str> = history.iter().map(|entry| entry["activity"].as_str().unwrap()).collect();
    assert_eq!(activities, ["created", "updated"], "a write that changes nothing is no entry");
    assert_eq!(history[0]["detail"]["changes"], json!([]));
    let culprit = &history[1];
    assert_eq!(culprit["user"]["uuid"], json!(colleague.uuid));
    assert_eq!(culprit["detail"]["name"], "5xx burst");
    let change = &culprit["detail"]["changes"][0];
    assert_eq!(
        (&change["action"], &change["field"], &change["before"], &change["after"]),
        (&json!("changed"), &json!("threshold_count"), &json!(5), &json!(500)),
        "{change}"
    );
    // The same, from the other end: who ever set a threshold to this.
    let filter = json!({
        "changes[].field": { "operation": "exact", "value": "threshold_count" },
        "changes[].after": { "operation": "exact", "value": 500 },
    });
    let found = entries(&server, &[("detail_filters", &filter.to_string())]).await;
    assert_eq!(found.iter().map(|entry| &entry["id"]).collect::<Vec<_>>(), [&culprit["id"]]);
}

/// An auditor wants everything that concerned the organization in a quarter, as a table.
#[tokio::test]
async fn an_audit_exports_what_concerned_the_organization_in_a_range_of_dates() {
    let server = TestServer::start().await;
    let member = person(&server, "member", Level::MEMBER).await;
    let key = server.key();
    ok(&server, key, Method::PATCH, "/api/projects/1/", json!({ "receive_org_level_activity_logs": true }))
        .await;
    ok(&server, key, Method::PATCH, "/api/organizations/@current/", json!({ "name": "Acme & Co" })).await;
    let members = format!("/api/organizations/@current/members/{}/", member.uuid);
    ok(&server, key, Method::PATCH, &members, json!({ "level": 8 })).await;
    ok(&server, key, Method::POST, "/api/organizations/@current/roles/", json!({ "name": "Auditors" })).await;
    // What was done before the range, and what is of the project alone.
    super::write(&server, &[json!({ "scope": "Organization", "created_at": "2024-12-31T23:59:59.999999Z" })])
        .await;
    super::write(&server, &[json!({})]).await;

    let scopes = ["Organization", "OrganizationMembership", "Role"];
    let mut parameters: Vec<(&str, &str)> = scopes.iter().map(|scope| ("scopes", *scope)).collect();
    parameters.extend([("start_date", "2025-10-01T00:00:00Z"), ("end_date", "2026-01-01T00:00:00Z")]);
    let listed = entries(&server, &parameters).await;
    let met = |scope: &str, activity: &str| {
        listed.iter().any(|entry| entry["scope"] == scope && entry["activity"] == activity)
    };
    assert!(met("Organization", "updated") && met("OrganizationMembership", "updated"), "{listed:#?}");
    assert!(met("Role", "created") && !listed.iter().any(|entry| entry["scope"] == "Thing"));
    assert!(listed.iter().all(|entry| entry["team_id"].is_null()), "of the organization itself");

    let filters =
        json!({ "scopes": scopes, "start_date": "2025-10-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z" });
    let id = create(&server, EXPORT, json!({ "format": "csv", "filters": filters })).await;
    let table = text(&content(&server, "projects/1", id).await);
    let ids = |lines: &mut dyn Iterator<Item = &str>| {
        let mut ids: Vec<String> = lines.map(|line| line.split(',').next().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let mut expected: Vec<String> =
        listed.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect();
    expected.sort_unstable();
    assert_eq!(ids(&mut table.lines().skip(1)), expected, "{table}");
    assert!(table.contains("Acme & Co") && table.contains("Auditors"));
    let id = create(&server, EXPORT, json!({ "format": "xlsx", "filters": filters })).await;
    let workbook = content(&server, "projects/1", id).await;
    assert_eq!((workbook.status.as_u16(), &workbook.body[..4]), (200, &b"PK\x03\x04"[..]));
}

/// A rollout of a flag in another system is told to the trail, and followed there.
#[tokio::test]
async fn a_rollout_is_tracked_step_by_step() {
    let server = TestServer::start().await;
    let step = |minute: u32, before: u32, after: u32| {
        json!({
            "scope": "FeatureFlag", "activity": "updated", "item_id": "42",
            "created_at": format!("2025-12-16T09:{minute:02}:00Z"),
            "detail": { "name": "new-checkout", "changes": [{ "type": "FeatureFlag", "action": "changed",
                "field": "rollout_percentage", "before": before, "after": after }] },
        })
    };
    let renamed = json!({
        "scope": "FeatureFlag", "activity": "updated", "item_id": "42", "created_at": "2025-12-16T09:02:30Z",
        "detail": { "name": "new-checkout", "changes": [{ "field": "name", "before": "old", "after": "new-checkout" }] },
    });
    let other = json!({
        "scope": "FeatureFlag", "activity": "updated", "item_id": "43", "created_at": "2025-12-16T09:02:40Z",
        "detail": { "changes": [{ "field": "rollout_percentage", "before": 0, "after": 50 }] },
    });
    let sent = json!([step(1, 0, 5), step(2, 5, 50), renamed, other, step(9, 50, 100)]);
    ok(&server, server.key(), Method::POST, INGEST, sent).await;

    let filter =
        json!({ "changes[].field": { "operation": "exact", "value": "rollout_percentage" } }).to_string();
    let parameters = [
        ("scopes", "FeatureFlag"),
        ("item_ids", "42"),
        ("detail_filters", &filter),
        ("ordering", "created_at"),
    ];
    let steps: Vec<Value> = entries(&server, &parameters)
        .await
        .iter()
        .map(|entry| entry["detail"]["changes"][0]["after"].clone())
        .collect();
    assert_eq!(steps, [json!(5), json!(50), json!(100)]);
    // When it went beyond half, within the hour of an incident.
    let half = json!({ "changes[].after": { "operation": "in", "value": ["50", "100"] } }).to_string();
    let parameters = [
        ("item_ids", "42"),
        ("detail_filters", &half),
        ("start_date", "2025-12-16T09:02:00Z"),
        ("end_date", "2025-12-16T09:03:00Z"),
    ];
    let found = entries(&server, &parameters).await;
    assert_eq!(
        found.iter().map(|entry| &entry["created_at"]).collect::<Vec<_>>(),
        [&json!("2025-12-16T09:02:00Z")]
    );
}

/// A key has leaked: what was made with it, and what became of the key itself.
#[tokio::test]
async fn the_use_of_a_key_is_found_by_its_owner_and_its_client() {
    let server = TestServer::start().await;
    let bot = person(&server, "bot", Level::ADMIN).await;
    let keys = "/api/personal_api_keys/";
    let made =
        json!({ "label": "deploy", "scopes": ["project:write", "activity_log:read"], "scoped_teams": [1] });
    let made = ok(&server, &bot.key, Method::POST, keys, made).await;
    let (id, value) = (made["id"].as_str().unwrap(), made["value"].as_str().unwrap());
    let used = Request::builder()
        .method(Method::PATCH)
        .uri("/api/projects/1/")
        .header(header::AUTHORIZATION, format!("Bearer {value}"))
        .header("x-posthog-client", "deploy-script")
        .header("content-type", "application/json")
        .body(json!({ "name": "Renamed by a script" }).to_string().into())
        .unwrap();
    assert_eq!(server.call(used).await.status, 200);
    ok(&server, &bot.key, Method::DELETE, &format!("{keys}{id}/"), json!({})).await;

    let by_client = entries(&server, &[("clients", "deploy-script")]).await;
    assert_eq!(by_client.len(), 1, "{by_client:#?}");
    assert_eq!(by_client[0]["user"]["uuid"], json!(bot.uuid));
    assert_eq!(by_client[0]["detail"]["changes"][0]["after"], "Renamed by a script");
    let of_key = [("scopes", "PersonalAPIKey"), ("item_ids", id), ("ordering", "created_at")];
    let of_key = entries(&server, &of_key).await;
    let activities: Vec<&str> = of_key.iter().map(|entry| entry["activity"].as_str().unwrap()).collect();
    assert_eq!(activities, ["created", "deleted"], "{of_key:#?}");
    let whole = Value::from(of_key).to_string();
    assert!(!whole.contains(value), "a key is in no entry");
    let by_owner = entries(&server, &[("users", &bot.uuid), ("scopes", "Project"), ("scopes", "Team")]).await;
    assert_eq!(items(&by_owner), ["1"]);
    let filters = get(&server, &format!("{LIST}available_filters/"), &[]).await.json();
    let clients = filters["static_filters"]["clients"].as_array().unwrap();
    assert!(clients.contains(&json!({ "value": "deploy-script" })), "{filters}");
}
