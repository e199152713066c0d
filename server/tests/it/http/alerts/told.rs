//! Who is told of what alerts do: over HTTP, to receivers on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, header};
use engine::clock::ManualClock;
use serde_json::{Value, json};
use server::config::ServerConfig;
use server::secret::Secret;
use server::state::AppState;
use tower::ServiceExt;

use super::{MINUTE_US, Watched, errors, path};
use crate::http::harness::{NOW_US, document, new_database_of_several, record};
use crate::http::receiver::{Answers, Receiver};

async fn start() -> Watched {
    Watched::start_with(|config| {
        config.delivery.allow_private_targets = true;
        config.public_url = Some("https://logs.example.org/".to_owned());
    })
    .await
}

async fn attach(watched: &Watched, alert: &Value, receiver: &Receiver) {
    let body = json!({ "type": "webhook", "webhook_url": receiver.url });
    assert_eq!(watched.call(Method::POST, &path(alert, "destinations/"), body).await.status, 201);
}

#[tokio::test]
async fn an_incident_is_told_once_when_it_begins_and_once_when_it_ends() {
    let watched = start().await;
    let (mut first, mut second) =
        (Receiver::start(Answers::Always).await, Receiver::start(Answers::Always).await);
    let filters = json!({ "severityLevels": ["error"], "serviceNames": ["api"] });
    let alert = watched.create(json!({ "name": "5xx", "filters": filters, "threshold_count": 3 })).await;
    attach(&watched, &alert, &first).await;
    attach(&watched, &alert, &second).await;
    watched.store_at("api", "error", &[130, 131, 132, 133, 134, 430, 431, 432, 433]).await;
    for minute in 0..30 {
        watched.check_at(minute).await;
    }
    let fired = first.next().await.body;
    assert_eq!(
        (&fired["type"], &fired["timestamp"]),
        (&json!("logs_alert.firing"), &json!("2025-12-16T10:40:00+00:00"))
    );
    let data = &fired["data"];
    assert_eq!((&data["alert_id"], &data["alert_name"]), (&alert["id"], &json!("5xx")));
    assert_eq!((&data["result_count"], &data["threshold_count"]), (&json!(5), &json!(3)));
    let base = "https://logs.example.org/project/1/logs";
    assert_eq!(data["alert_url"], format!("{base}/alerts/{}", alert["id"].as_str().unwrap()));
    assert!(data["logs_url"].as_str().unwrap().starts_with(&format!("{base}?severityLevels=")), "{data}");
    let resolved = first.next().await.body;
    assert_eq!(
        (&resolved["type"], &resolved["data"]["result_count"]),
        (&json!("logs_alert.resolved"), &json!(0))
    );
    for expected in [&fired, &resolved] {
        assert_eq!(second.next().await.body, *expected, "the same id for every destination");
    }
    assert_ne!(fired["id"], resolved["id"]);
    watched.check_at(60).await;
    let test = watched.call(Method::POST, &path(&alert, "destinations/test/"), json!({})).await.json();
    // Whatever was told before would have come before.
    let tested = first.next().await.body;
    assert_eq!((&tested["type"], &tested["id"]), (&json!("logs_alert.test"), &test["notification_id"]));
}

#[tokio::test]
async fn failures_are_told_at_the_first_and_at_the_last() {
    let watched = start().await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let alert = watched.create(json!({ "filters": errors(), "cooldown_minutes": 600 })).await;
    attach(&watched, &alert, &receiver).await;
    let filters = json!({ "filterGroup": { "type": "AND", "values": [{ "type": "AND", "values": [
        { "key": "message", "type": "log_entry", "operator": "regex", "value": "(" }] }] } });
    watched.server.change_metadata(&format!("UPDATE log_alerts SET filters = '{filters}'")).await;
    for minute in 0..40 {
        watched.check_at(minute).await;
    }
    let errored = receiver.next().await.body;
    assert_eq!(
        (&errored["type"], &errored["data"]["consecutive_failures"]),
        (&json!("logs_alert.errored"), &json!(1))
    );
    assert!(errored["data"]["error_message"].as_str().unwrap().contains("pattern"), "{errored}");
    let broken = receiver.next().await.body;
    assert_eq!(
        (&broken["type"], &broken["data"]["consecutive_failures"]),
        (&json!("logs_alert.auto_disabled"), &json!(5))
    );
    assert_eq!(broken["data"]["last_error_message"], errored["data"]["error_message"]);
    watched.check_at(90).await;
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn what_people_do_is_told_to_nobody() {
    let watched = start().await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let alert = watched
        .create(json!({ "filters": { "serviceNames": ["gone"] }, "threshold_operator": "below", "threshold_count": 1 }))
        .await;
    attach(&watched, &alert, &receiver).await;
    watched.check_at(0).await;
    assert_eq!(receiver.next().await.body["type"], "logs_alert.firing");
    watched.patch(&alert, json!({ "snooze_until": "2025-12-16T10:40:00Z" })).await;
    watched.patch(&alert, json!({ "snooze_until": null })).await;
    watched.patch(&alert, json!({ "enabled": false })).await;
    watched.check_at(9).await;
    let test = watched.call(Method::POST, &path(&alert, "destinations/test/"), json!({})).await.json();
    assert_eq!(receiver.next().await.body["id"], test["notification_id"], "nothing came before it");
}

/// Another server on the same metadata, with a data folder of its own.
async fn beside(config: &ServerConfig, clock: &Arc<ManualClock>) -> (AppState, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut other = ServerConfig::new(folder.path().join("data"));
    other.engine.wal_segment_bytes = 1024 * 1024;
    other.metadata_url = config.metadata_url.clone();
    other.secret_key = config.secret_key.clone();
    other.delivery.allow_private_targets = true;
    let (state, _) = AppState::open_with_clock(&other, Arc::clone(clock) as Arc<_>).await.unwrap();
    (state, folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_never_both_tell() {
    let Some(database) = new_database_of_several().await else { return };
    let watched = Watched::start_with(|config| {
        config.delivery.allow_private_targets = true;
        config.metadata_url = Some(database.parse().unwrap());
        config.secret_key = Some(Secret::new("5a".repeat(32)));
    })
    .await;
    let (other, _folder) = beside(watched.server.state.config(), &watched.clock).await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let mut alerts = Vec::new();
    for index in 0..20 {
        let filters = json!({ "serviceNames": ["api"], "severityLevels": ["error"] });
        let settings =
            json!({ "filters": filters, "threshold_operator": "below", "threshold_count": 1 + index % 3 });
        let alert = watched.create(settings).await;
        attach(&watched, &alert, &receiver).await;
        alerts.push(alert["id"].clone());
    }
    // Rows of some minutes, in both servers: the alerts fire before and after them.
    let records: Vec<Value> = (0..600).map(|second| record(-second - 120, "error", "x")).collect();
    for state in [&watched.server.state, &other] {
        let token = format!("Bearer {}", watched.server.token());
        let sent = Request::post("/v1/logs")
            .header(header::AUTHORIZATION, token)
            .header("content-type", "application/json")
            .body(Body::from(document("api", &records).to_string()))
            .unwrap();
        assert_eq!(server::app(state.clone()).oneshot(sent).await.unwrap().status(), 200);
    }
    for minute in 0..40 {
        watched.clock.set(NOW_US + minute * MINUTE_US);
        let (a, b) = tokio::join!(watched.server.state.check_alerts(), other.check_alerts());
        a.unwrap();
        b.unwrap();
    }
    // What is sent again, because the clock outruns the leases of senders, has the same id.
    let mut told: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    while told.values().map(BTreeMap::len).sum::<usize>() < 3 * alerts.len() {
        let body = receiver.next().await.body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let of_alert = told.entry(text(&body["data"]["alert_id"])).or_default();
        of_alert.insert(text(&body["id"]), text(&body["type"]));
    }
    for alert in &alerts {
        let mut kinds: Vec<String> = told.remove(alert.as_str().unwrap()).unwrap().into_values().collect();
        // Receivers are not told in order.
        kinds.sort_unstable();
        assert_eq!(kinds, ["logs_alert.firing", "logs_alert.firing", "logs_alert.resolved"]);
        assert_eq!(watched.history(&json!({ "id": alert })).await.len(), 3, "and nothing else was decided");
    }
    other.close().await.unwrap();
}
