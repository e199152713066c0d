//! Several servers on one database: one of them has the trail.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, header};
use engine::clock::ManualClock;
use serde_json::{Value, json};
use server::config::ServerConfig;
use server::state::AppState;
use tower::ServiceExt;

use super::super::harness::{NOW_US, TestServer, new_database_of_several};
use super::{items, things};

const MINUTE_US: i64 = 60 * 1_000_000;

async fn write(state: &AppState, key: &str, item: &str) {
    let entry = json!({ "scope": "Thing", "activity": "created", "item_id": item });
    let request = Request::post(super::INGEST)
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header("content-type", "application/json")
        .body(Body::from(entry.to_string()))
        .unwrap();
    assert_eq!(server::app(state.clone()).oneshot(request).await.unwrap().status(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_delivers_and_another_one_goes_on_when_it_is_gone() {
    let Some(database) = new_database_of_several().await else { return };
    let clock = Arc::new(ManualClock::new(NOW_US));
    let first = TestServer::start_at(Arc::clone(&clock) as Arc<_>, |config| {
        config.metadata_url = Some(database.parse().unwrap())
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let mut config = ServerConfig::new(folder.path().join("data"));
    config.engine.wal_segment_bytes = 1024 * 1024;
    config.metadata_url = first.state.config().metadata_url.clone();
    config.secret_key = first.state.config().secret_key.clone();
    write(&first.state, first.key(), "1").await;
    let (other, _) = AppState::open_with_clock(&config, Arc::clone(&clock) as Arc<_>).await.unwrap();
    let key = first.key().to_owned();
    // Both are told of changes; the first one has the trail.
    write(&other, &key, "2").await;
    write(&first.state, &key, "3").await;
    assert_eq!(items(&things(&first, &[]).await), ["3", "2", "1"]);
    let of = |state: AppState| {
        let key = key.clone();
        async move {
            let path = "/api/projects/1/advanced_activity_logs/?scopes=Thing";
            let request = Request::builder().method(Method::GET).uri(path);
            let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
            let response = server::app(state).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let answer: Value = serde_json::from_slice(&body).unwrap();
            let entries = answer["results"].as_array().unwrap().clone();
            entries.iter().map(|entry| entry["item_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        }
    };
    assert!(of(other.clone()).await.is_empty());
    // What is stopped gives its turn back, and what was killed loses it: here it stops.
    first.state.close().await.unwrap();
    clock.set(NOW_US + MINUTE_US);
    write(&other, &key, "4").await;
    assert_eq!(of(other.clone()).await, ["4"], "nothing is delivered twice");
    other.close().await.unwrap();
}
