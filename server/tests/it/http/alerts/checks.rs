//! What checks make of alerts as time goes on. The clock begins at 10:33; the first project's alerts are checked at
//! 10:35, 10:40 and so on, and at once after they were made.

use axum::http::Method;
use serde_json::{Value, json};

use super::{MINUTE_US, Watched, errors, event, path};
use crate::http::harness::NOW_US;

async fn newest_event(watched: &Watched, alert: &Value) -> Value {
    watched.call(Method::GET, &path(alert, "events/"), json!(null)).await.json()["results"][0].clone()
}

#[tokio::test]
async fn an_incident_fires_once_and_resolves_once() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "threshold_count": 3 })).await;
    watched.store_at("api", "error", &[61, 62, 63, 64, 65, 200, 201, 202, 203]).await;
    watched.store_at("api", "info", &(0..1_000).collect::<Vec<_>>()).await;
    for minute in 0..30 {
        watched.check_at(minute).await;
        if minute == 3 {
            let firing = watched.get(&alert).await;
            assert_eq!(
                (&firing["state"], &firing["last_checked_at"]),
                (&json!("firing"), &json!("2025-12-16T10:35:00Z"))
            );
            assert_eq!(
                (&firing["next_check_at"], &firing["last_notified_at"]),
                (&json!("2025-12-16T10:40:00Z"), &json!("2025-12-16T10:35:00Z"))
            );
        }
    }
    let expected = [event("check", "firing", "not_firing"), event("check", "not_firing", "firing")];
    assert_eq!(watched.history(&alert).await, expected);
    // What checks note of an alert is nothing that anybody did to it.
    let trail = "/api/projects/1/advanced_activity_logs/?scopes=LogsAlertConfiguration";
    let trail = watched.call(Method::GET, trail, json!(null)).await.json();
    let activities: Vec<&Value> =
        trail["results"].as_array().unwrap().iter().map(|entry| &entry["activity"]).collect();
    assert_eq!(activities, ["created"], "{trail}");
    let resolved = newest_event(&watched, &alert).await;
    assert_eq!(
        (&resolved["created_at"], &resolved["result_count"]),
        (&json!("2025-12-16T10:45:00Z"), &json!(0))
    );
    assert!(resolved["query_duration_ms"].is_i64());
    assert_eq!(watched.get(&alert).await["last_checked_at"], "2025-12-16T11:00:00Z");
}

#[tokio::test]
async fn a_window_has_its_first_instant_and_not_its_end() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "threshold_count": 1 })).await;
    watched.check_at(0).await;
    // At 10:30:00, at 10:35:00 and just before.
    watched.store_at("api", "error", &[-180, -180, 120, 120, 120]).await;
    watched.check_at(2).await;
    assert_eq!(newest_event(&watched, &alert).await["result_count"], 2);
    watched.check_at(7).await;
    watched.check_at(12).await;
    assert_eq!(watched.history(&alert).await.len(), 2, "10:35:00 is in the next window");
    assert_eq!(newest_event(&watched, &alert).await["created_at"], "2025-12-16T10:45:00Z");
}

#[tokio::test]
async fn as_many_windows_as_are_set_are_looked_at_also_those_before_the_alert_was() {
    let watched = Watched::start().await;
    watched.store_at("api", "error", &[-290, -289, -10, -9]).await;
    let settings = |datapoints: u32| json!({ "filters": errors(), "threshold_count": 1, "evaluation_periods": 3, "datapoints_to_alarm": datapoints });
    let two = watched.create(settings(2)).await;
    let three = watched.create(settings(3)).await;
    watched.store_at("api", "error", &[-590, -589]).await;
    watched.check_at(0).await;
    assert_eq!(watched.get(&two).await["state"], "firing", "[10:28, 10:33) and [10:23, 10:28)");
    assert_eq!(watched.get(&three).await["state"], "not_firing");
}

#[tokio::test]
async fn fewer_than_a_threshold_is_silence_too() {
    let watched = Watched::start().await;
    let settings = json!({ "filters": { "serviceNames": ["gone"] }, "threshold_count": 1, "threshold_operator": "below" });
    let alert = watched.create(settings).await;
    watched.check_at(0).await;
    assert_eq!(watched.get(&alert).await["state"], "firing");
}

#[tokio::test]
async fn a_cooldown_swallows_notices_and_a_snooze_checks() {
    let watched = Watched::start().await;
    let settings = json!({ "filters": errors(), "threshold_count": 1, "cooldown_minutes": 15 });
    let alert = watched.create(settings).await;
    // In the windows that end at 10:40 and 10:50.
    watched.store_at("api", "error", &[130, 131, 730, 731]).await;
    let mut notified = Vec::new();
    for minute in 0..40 {
        watched.check_at(minute).await;
        notified.push(watched.get(&alert).await["last_notified_at"].clone());
    }
    notified.dedup();
    let fired = json!("2025-12-16T10:40:00Z");
    // Resolved at 10:45, fired at 10:50, both swallowed; resolved at 10:55.
    assert_eq!(notified, [Value::Null, fired, json!("2025-12-16T10:55:00Z")]);
    assert_eq!(watched.history(&alert).await.len(), 4);

    watched.store_at("api", "error", &[2_600, 2_601, 2_900, 2_901, 3_200, 3_201]).await;
    let until = json!({ "snooze_until": "2025-12-16T11:23:30Z" });
    watched.patch(&alert, until).await;
    for minute in 40..60 {
        watched.check_at(minute).await;
    }
    let expected = [event("check", "snoozed", "firing"), event("snooze", "not_firing", "snoozed")];
    assert_eq!(watched.history(&alert).await[..2], expected);
    let woken = newest_event(&watched, &alert).await;
    assert_eq!(woken["created_at"], "2025-12-16T11:24:00Z", "in the first minute after the snooze");
}

#[tokio::test]
async fn an_alert_that_cannot_be_counted_breaks_at_last_and_no_other() {
    let watched = Watched::start().await;
    let bad = watched.create(json!({ "filters": errors(), "name": "bad" })).await;
    let good = watched.create(json!({ "filters": errors(), "threshold_count": 1 })).await;
    watched.store_at("api", "error", &(0..3_000).collect::<Vec<_>>()).await;
    let filters = json!({ "filterGroup": { "type": "AND", "values": [{ "type": "AND", "values": [
        { "key": "message", "type": "log_entry", "operator": "regex", "value": "(" }] }] } });
    let id = bad["id"].as_str().unwrap();
    watched
        .server
        .change_metadata(&format!("UPDATE log_alerts SET filters = '{filters}' WHERE id = '{id}'"))
        .await;
    let mut failures = Vec::new();
    for minute in 0..40 {
        watched.check_at(minute).await;
        let seen = watched.get(&bad).await;
        failures.push((
            seen["consecutive_failures"].as_i64().unwrap(),
            seen["state"].as_str().unwrap().to_owned(),
        ));
    }
    failures.dedup();
    let expected =
        [(1, "not_firing"), (2, "not_firing"), (3, "not_firing"), (4, "not_firing"), (5, "broken")];
    assert_eq!(failures, expected.map(|(failures, state)| (failures, state.to_owned())));
    let broken = watched.get(&bad).await;
    assert!(broken["last_error_message"].as_str().unwrap().contains("pattern"), "{broken}");
    assert_eq!((&broken["enabled"], &broken["last_notified_at"]), (&json!(true), &Value::Null));
    assert_eq!(watched.history(&bad).await.len(), 5, "one for each failure");
    assert_eq!(newest_event(&watched, &bad).await["result_count"], Value::Null);
    assert_eq!(watched.get(&good).await["state"], "firing");
}

#[tokio::test]
async fn filters_that_cannot_be_read_break_an_alert_at_once() {
    let watched = Watched::start().await;
    let bad = watched.create(json!({ "filters": errors() })).await;
    watched.server.change_metadata("UPDATE log_alerts SET filters = '[]', consecutive_failures = 2").await;
    watched.check_at(0).await;
    let broken = watched.get(&bad).await;
    assert_eq!((&broken["state"], &broken["consecutive_failures"]), (&json!("broken"), &json!(2)));
    assert_eq!(broken["last_error_message"], Value::Null);
    let told = newest_event(&watched, &bad).await;
    assert_eq!((&told["kind"], &told["state_before"]), (&json!("broken_config"), &json!("not_firing")));
    assert!(told["error_message"].as_str().unwrap().contains("object"), "{told}");
}

#[tokio::test]
async fn missed_checks_are_left_out_and_counted_up_to_now() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "threshold_count": 1 })).await;
    watched.check_at(0).await;
    // Due at 10:35 and checked at 10:52: in the window that was due then, and in the newest.
    watched.store_at("api", "error", &[10, 11, 900, 901, 902]).await;
    watched.check_at(19).await;
    let fired = newest_event(&watched, &alert).await;
    assert_eq!((&fired["created_at"], &fired["result_count"]), (&json!("2025-12-16T10:52:00Z"), &json!(3)));
    assert_eq!(watched.get(&alert).await["next_check_at"], "2025-12-16T10:55:00Z");
    assert_eq!(watched.history(&alert).await.len(), 1);
}

#[tokio::test]
async fn a_clock_that_ran_ahead_stops_nothing() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "threshold_count": 1 })).await;
    watched.check_at(60 * 24 * 3).await;
    assert_eq!(watched.get(&alert).await["next_check_at"], "2025-12-19T10:35:00Z");
    watched.store_at("api", "error", &[10, 11]).await;
    watched.check_at(3).await;
    let checked = watched.get(&alert).await;
    assert_eq!(
        (&checked["state"], &checked["next_check_at"]),
        (&json!("firing"), &json!("2025-12-16T10:40:00Z"))
    );
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "threshold_count": 1 })).await;
    watched.store_at("api", "error", &[10, 11]).await;
    watched.check_at(2).await;
    let Watched { server, .. } = watched;
    let server = server.restart_after(7 * 60).await;
    server.state.check_alerts().await.unwrap();
    let watched = Watched { server, clock: std::sync::Arc::new(engine::clock::ManualClock::new(NOW_US)) };
    let events = watched.history(&alert).await;
    assert_eq!(events, [event("check", "firing", "not_firing"), event("check", "not_firing", "firing")]);
}

#[tokio::test]
async fn only_alerts_that_are_on_are_checked_and_how_late_is_seen() {
    let watched = Watched::start().await;
    let off = watched.create(json!({ "filters": errors(), "enabled": false })).await;
    let on = watched.create(json!({ "filters": errors() })).await;
    watched.check_at(1).await;
    assert_eq!(watched.get(&off).await["last_checked_at"], Value::Null);
    assert_eq!(watched.get(&on).await["last_checked_at"], "2025-12-16T10:34:00Z");
    assert_eq!(watched.metric("timberline_alerts_lag_seconds").await, 0.0);
    watched.clock.set(NOW_US + 4 * MINUTE_US);
    let lag = watched.metric("timberline_alerts_lag_seconds").await;
    // The server may have found out by itself that it is time.
    let is_checked = watched.get(&on).await["last_checked_at"] == "2025-12-16T10:37:00Z";
    assert!(lag == 120.0 || is_checked, "{lag}");
}
