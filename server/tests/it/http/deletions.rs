//! Deleted projects and organizations: gone at once, and their data soon after, whatever happens in between.

use std::path::{Path, PathBuf};

use axum::http::Method;
use serde_json::{Value, json};
use server::accounts::organizations;
use server::activity::entry::Actor;
use server::meta::Level;
use server::meta::organization::OrganizationSettings;

use super::harness::{Answer, TestServer, last_day, record};
use super::people::person;

/// Longer than any request takes.
const LATER_SECS: i64 = 600;

async fn get(server: &TestServer, path: &str) -> Answer {
    server.request(Method::GET, path, "").await
}

fn gone() -> (u16, String, Value) {
    (404, "not_found".to_owned(), Value::Null)
}

/// The data files of logs and the exports below a folder. The audit trail outlives what it tells of.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("activity") {
                continue;
            }
            let ending = path.extension().and_then(|ending| ending.to_str());
            match ending {
                _ if path.is_dir() => folders.push(path),
                Some("parquet" | "csv") => found.push(path),
                _ => {}
            }
        }
    }
    found
}

/// Rows in files and in memory, a view, a rule and an export.
async fn fill(server: &TestServer) {
    server.store("shop", &[record(60, "info", "in a file")]).await;
    server.state.engine().flush().await.unwrap();
    server.store("shop", &[record(50, "info", "in memory")]).await;
    let view = json!({ "name": "errors", "filters": {} });
    let export = json!({ "query": { "dateRange": last_day() } });
    for (path, body) in [("logs/views", view), ("logs/export", export)] {
        let made = server.request(Method::POST, &format!("/api/projects/1/{path}"), body.to_string()).await;
        assert_eq!(made.status, 201, "{}", made.json());
    }
    let integration = json!({ "kind": "slack", "name": "n", "config": { "access_token": "t" } });
    let made = server.request(Method::POST, "/api/projects/1/integrations", integration.to_string()).await;
    assert_eq!(made.status, 201);
    assert!(!files(&server.data_dir()).is_empty());
}

#[tokio::test]
async fn a_deleted_project_is_gone_at_once_and_its_data_after_a_restart_too() {
    let server = TestServer::start().await;
    fill(&server).await;
    let ann = person(&server, "ann", Level::MEMBER).await;
    let refused = server.request_as(&ann.key, Method::DELETE, "/api/projects/1/", "").await;
    assert_eq!(refused.refusal(), (403, "permission_denied".to_owned(), Value::Null));

    assert_eq!(server.request(Method::DELETE, "/api/projects/1/", "").await.status, 204);
    for path in ["", "tokens", "logs/views", "logs/has_logs", "integrations", "exports", "access_controls"] {
        assert_eq!(get(&server, &format!("/api/projects/1/{path}")).await.refusal(), gone(), "{path}");
    }
    assert_eq!(get(&server, "/api/projects/@current/").await.refusal(), gone());
    assert_eq!(get(&server, "/api/projects/").await.json()["count"], 0);
    assert_eq!(server.send(&[], "{}").await.status, 401);

    // What ends a process may come at any time: the next life goes on with it.
    let server = server.restart_after(LATER_SECS).await;
    server.state.remove_deleted().await.unwrap();
    assert_eq!(files(&server.data_dir()), Vec::<PathBuf>::new());
    assert_eq!(server.state.meta().deletions().await.unwrap(), []);
    let server = server.restart_after(2 * LATER_SECS).await;
    assert!(!server.state.engine().has_logs(engine::schema::ProjectId(1)).await.unwrap());
    let trail =
        get(&server, "/api/organizations/@current/advanced_activity_logs?scopes=Project").await.json();
    assert_eq!(trail["results"][0]["activity"], "deleted", "{trail}");
}

#[tokio::test]
async fn rows_that_come_in_late_are_removed_as_well() {
    let server = TestServer::start().await;
    fill(&server).await;
    assert_eq!(server.request(Method::DELETE, "/api/projects/1/", "").await.status, 204);
    server.state.remove_deleted().await.unwrap();
    assert_eq!(server.state.meta().deletions().await.unwrap().len(), 1, "requests may still be under way");
    let table = engine::schema::TableId::logs(engine::schema::ProjectId(1));
    let late = super::harness::document("shop", &[record(10, "info", "late")]).to_string();
    let limits = server.state.record_limits();
    let rows = engine::ingest::decode_otlp_json(late.as_bytes(), super::harness::NOW_US, &limits).unwrap();
    server.state.engine().ingest(table, rows).await.unwrap();
    let server = server.restart_after(LATER_SECS).await;
    server.state.remove_deleted().await.unwrap();
    assert!(!server.state.engine().has_logs(engine::schema::ProjectId(1)).await.unwrap());
    assert_eq!(files(&server.data_dir()), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_deleted_organization_takes_its_projects_and_people_with_it() {
    let server = TestServer::start().await;
    fill(&server).await;
    let id = server.credentials.organization_id.to_string();
    let (actor, settings) = (Actor::system(), OrganizationSettings::named("Other"));
    let other = organizations::create(server.state.meta(), &actor, Some(1), &settings, 5).await.unwrap();
    let path = format!("/api/organizations/{id}/");
    assert_eq!(server.request(Method::DELETE, &path, "").await.status, 204);
    assert_eq!(get(&server, &format!("{path}members/")).await.status, 403, "it is being deleted");
    server.state.remove_deleted().await.unwrap();
    assert_eq!(get(&server, "/api/projects/1/").await.status, 403);
    assert!(!server.state.engine().has_logs(engine::schema::ProjectId(1)).await.unwrap());

    let server = server.restart_after(LATER_SECS).await;
    server.state.remove_deleted().await.unwrap();
    assert_eq!(server.state.meta().organization(&id).await.unwrap(), None);
    assert_eq!(server.state.meta().deletions().await.unwrap(), []);
    assert_eq!(files(&server.data_dir()), Vec::<PathBuf>::new());
    assert_eq!(get(&server, &path).await.refusal(), gone());
    let left = get(&server, "/api/organizations/").await.json();
    assert_eq!((&left["count"], &left["results"][0]["id"]), (&json!(1), &json!(other.id)));
}
