//! The history of alerts.

use axum::http::Method;
use serde_json::{Value, json};

use super::{MINUTE_US, Watched, errors, path};
use crate::http::harness::NOW_US;

/// Writes a row of history as a scheduler would have.
async fn insert(watched: &Watched, alert: &Value, minute: i64, rest: &str) {
    let alert = alert["id"].as_str().unwrap();
    let (id, at) = (uuid::Uuid::now_v7(), NOW_US + minute * MINUTE_US);
    watched
        .server
        .change_metadata(&format!(
            "INSERT INTO log_alert_events (id, alert_id, project_id, created_at, threshold_breached, kind,
               state_before, state_after, error_message) VALUES ('{id}', '{alert}', 1, {at}, 0, {rest})"
        ))
        .await;
}

#[tokio::test]
async fn checks_that_changed_nothing_and_went_well_are_not_shown() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    insert(&watched, &alert, -9, "'check', 'not_firing', 'not_firing', NULL").await;
    insert(&watched, &alert, -8, "'check', 'not_firing', 'firing', NULL").await;
    insert(&watched, &alert, -7, "'check', 'firing', 'firing', 'too slow'").await;
    let events = watched.call(Method::GET, &path(&alert, "events/"), json!(null)).await.json();
    assert_eq!(events["count"], 2);
    assert_eq!(events["results"][0]["error_message"], "too slow");
    assert_eq!(events["results"][1]["state_after"], "firing");
    let mut first = events["results"][0].clone();
    first["id"].take();
    assert_eq!(
        first,
        json!({ "id": null, "created_at": "2025-12-16T10:26:00Z", "kind": "check", "state_before": "firing",
                "state_after": "firing", "threshold_breached": false, "result_count": null,
                "error_message": "too slow", "query_duration_ms": null })
    );
    assert_eq!(watched.get(&alert).await["last_error_message"], "too slow");
    insert(&watched, &alert, -6, "'check', 'firing', 'not_firing', NULL").await;
    insert(&watched, &alert, -5, "'broken_config', 'not_firing', 'broken', 'no object'").await;
    assert_eq!(
        watched.get(&alert).await["last_error_message"],
        "too slow",
        "the last of a check, not the last"
    );
}

#[tokio::test]
async fn history_has_kinds_and_parts() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    for (minute, kind) in [(-9, "enable"), (-8, "disable"), (-7, "enable")] {
        insert(&watched, &alert, minute, &format!("'{kind}', 'not_firing', 'not_firing', NULL")).await;
    }
    let events = async |query: &str| {
        watched.call(Method::GET, &path(&alert, &format!("events/{query}")), json!(null)).await
    };
    let switched_on = events("?kind=enable").await.json();
    assert_eq!((&switched_on["count"], switched_on["results"].as_array().unwrap().len()), (&json!(2), 2));
    let part = events("?limit=1&offset=1").await.json();
    assert_eq!((&part["count"], &part["results"][0]["kind"]), (&json!(3), &json!("disable")));
    for word in ["other", ""] {
        let refused = events(&format!("?kind={word}")).await;
        assert_eq!(refused.refusal(), (400, "invalid_choice".into(), json!("kind")));
        assert!(refused.json()["detail"].as_str().unwrap().contains("threshold_change"));
    }
}

#[tokio::test]
async fn a_timeline_is_the_last_day_without_a_gap() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    insert(&watched, &alert, -60 * 30, "'disable', 'not_firing', 'not_firing', NULL").await;
    insert(&watched, &alert, -60, "'enable', 'not_firing', 'not_firing', NULL").await;
    insert(&watched, &alert, -30, "'check', 'not_firing', 'firing', NULL").await;
    insert(&watched, &alert, -20, "'check', 'firing', 'firing', 'busy'").await;
    insert(&watched, &alert, -10, "'check', 'firing', 'not_firing', NULL").await;
    let interval = |start: &str, end: &str, state: &str, enabled: bool| json!({ "start": start, "end": end, "state": state, "enabled": enabled });
    let expected = json!([
        interval("2025-12-15T10:33:00Z", "2025-12-16T09:33:00Z", "not_firing", false),
        interval("2025-12-16T09:33:00Z", "2025-12-16T10:03:00Z", "not_firing", true),
        interval("2025-12-16T10:03:00Z", "2025-12-16T10:23:00Z", "firing", true),
        interval("2025-12-16T10:23:00Z", "2025-12-16T10:33:00Z", "not_firing", true),
    ]);
    assert_eq!(watched.get(&alert).await["state_timeline"], expected);
    let listed = watched.call(Method::GET, super::ALERTS, json!(null)).await.json();
    assert_eq!(listed["results"][0]["state_timeline"], expected);
}
