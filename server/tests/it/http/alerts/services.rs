//! Alerts for each service, and what silence means.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ALERTS, Watched, errors, path};
use crate::http::receiver::{Answers, Receiver};

fn by_service(more: Value) -> Value {
    let mut body = json!({ "filters": errors(), "threshold_count": 2, "group_by": "service_name" });
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

/// What happened, oldest first: the service, the state after, the count.
async fn told(watched: &Watched, alert: &Value) -> Vec<(Value, Value, Value)> {
    let events = watched.call(Method::GET, &path(alert, "events/"), json!(null)).await.json();
    let of = |event: &Value| {
        (event["service_name"].clone(), event["state_after"].clone(), event["result_count"].clone())
    };
    events["results"].as_array().unwrap().iter().rev().map(of).collect()
}

fn moved(service: Value, state: &str, count: u64) -> (Value, Value, Value) {
    (service, json!(state), json!(count))
}

#[tokio::test]
async fn services_fire_and_resolve_by_themselves_and_the_alert_with_them() {
    let watched = Watched::start_with(|config| config.delivery.allow_private_targets = true).await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let alert = watched.create(by_service(json!({ "name": "5xx" }))).await;
    assert_eq!(alert["group_by"], "service_name");
    let destination = json!({ "type": "webhook", "webhook_url": receiver.url });
    assert_eq!(watched.call(Method::POST, &path(&alert, "destinations/"), destination).await.status, 201);
    // In the windows that end at 10:35, 10:40 and 10:45.
    watched.store_at("api", "error", &[61, 62, 63]).await;
    watched.store_at("web", "error", &[61, 62, 121, 122, 123, 124]).await;
    watched.store_at("db", "error", &[430, 431]).await;
    let mut firing = Vec::new();
    for minute in 0..20 {
        watched.check_at(minute).await;
        if minute % 5 == 2 {
            let seen = watched.get(&alert).await;
            firing.push((seen["state"].clone(), seen["firing_services"].clone()));
        }
    }
    let expected = [
        (json!("firing"), json!(["api"])),
        (json!("firing"), json!(["web"])),
        (json!("not_firing"), json!([])),
        (json!("not_firing"), json!([])),
    ];
    assert_eq!(firing, expected);
    let expected = [
        moved(Value::Null, "firing", 5),
        moved(json!("api"), "firing", 3),
        moved(json!("api"), "not_firing", 0),
        moved(json!("web"), "firing", 4),
        moved(Value::Null, "not_firing", 2),
        moved(json!("web"), "not_firing", 0),
    ];
    let mut seen = told(&watched, &alert).await;
    seen.sort_by_key(|(_, state, count)| (state.to_string(), count.to_string()));
    let mut expected = expected.to_vec();
    expected.sort_by_key(|(_, state, count)| (state.to_string(), count.to_string()));
    assert_eq!(seen, expected);

    let mut notices = Vec::new();
    for _ in 0..4 {
        let data = receiver.next().await.body;
        notices.push((data["type"].clone(), data["data"]["service_name"].clone()));
        assert_eq!(data["data"]["service_names"], json!([data["data"]["service_name"]]));
    }
    notices.sort_by_key(|(kind, service)| (service.to_string(), kind.to_string()));
    let (fired, resolved) = (json!("logs_alert.firing"), json!("logs_alert.resolved"));
    let (api, web) = (json!("api"), json!("web"));
    let expected =
        [(fired.clone(), api.clone()), (resolved.clone(), api), (fired, web.clone()), (resolved, web)];
    assert_eq!(notices, expected);
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn each_service_has_its_own_cooldown_and_an_edit_calms_all() {
    let watched = Watched::start().await;
    let alert = watched.create(by_service(json!({ "cooldown_minutes": 60 }))).await;
    watched.store_at("api", "error", &[61, 62, 63, 661, 662, 663]).await;
    watched.store_at("web", "error", &[661, 662, 663]).await;
    let mut notified = Vec::new();
    for minute in 0..14 {
        watched.check_at(minute).await;
        notified.push(watched.get(&alert).await["last_notified_at"].clone());
    }
    notified.dedup();
    // api at 10:35, whose second incident is swallowed; web at 10:45.
    let expected = [Value::Null, json!("2025-12-16T10:35:00Z"), json!("2025-12-16T10:45:00Z")];
    assert_eq!(notified, expected);
    assert_eq!(watched.get(&alert).await["firing_services"], json!(["api", "web"]));
    let calm = watched.patch(&alert, json!({ "threshold_count": 1 })).await;
    assert_eq!((&calm["state"], &calm["firing_services"]), (&json!("not_firing"), &json!([])));
    watched.check_at(14).await;
    let again = watched.get(&alert).await;
    assert_eq!(again["firing_services"], json!(["api", "web"]), "the threshold holds still");
    assert_eq!(again["last_notified_at"], "2025-12-16T10:45:00Z", "both rest");
    let together = watched.patch(&alert, json!({ "group_by": null })).await;
    assert_eq!(together["state"], "not_firing");
    assert!(together.get("firing_services").is_none() && together.get("group_by").is_none(), "{together}");
}

#[tokio::test]
async fn a_service_that_falls_silent_is_missed_until_it_is_forgotten() {
    let watched = Watched::start().await;
    let silent = by_service(json!({ "threshold_operator": "below", "threshold_count": 1 }));
    let alert = watched.create(silent.clone()).await;
    // Of another severity: what a service is goes by all that it logs.
    watched.store_at("api", "info", &[-3_600]).await;
    watched.store_at("web", "info", &[0]).await;
    watched.check_at(0).await;
    assert_eq!(watched.get(&alert).await["firing_services"], json!(["api"]), "web is not an hour old");
    watched.check_at(60).await;
    assert_eq!(watched.get(&alert).await["firing_services"], json!(["api", "web"]));
    watched.check_at(24 * 60).await;
    assert_eq!(watched.get(&alert).await["firing_services"], json!(["web"]));
    watched.check_at(25 * 60).await;
    let forgotten = watched.get(&alert).await;
    assert_eq!((&forgotten["state"], &forgotten["firing_services"]), (&json!("not_firing"), &json!([])));
    let mut named = silent;
    named["filters"]["serviceNames"] = json!(["never"]);
    let named = watched.create(named).await;
    watched.check_at(25 * 60 + 1).await;
    assert_eq!(watched.get(&named).await["firing_services"], json!(["never"]));
}

#[tokio::test]
async fn silence_is_zero_a_reason_to_fire_or_nothing() {
    let watched = Watched::start().await;
    let mut alerts = Vec::new();
    for no_data in ["zero", "fire", "keep"] {
        let body = json!({ "filters": errors(), "threshold_count": 2, "no_data": no_data });
        alerts.push(watched.create(body).await);
    }
    watched.store_at("api", "error", &[61, 62, 63, 421]).await;
    let mut seen = Vec::new();
    for minute in [2, 7, 12] {
        watched.check_at(minute).await;
        for alert in &alerts {
            seen.push(watched.get(alert).await["state"].as_str().unwrap() == "firing");
        }
    }
    let expected = [[true, true, true], [false, true, true], [false, false, false]];
    assert_eq!(seen, expected.concat());
}

#[tokio::test]
async fn more_services_than_an_alert_may_have_are_a_failure_that_says_so() {
    let watched = Watched::start().await;
    let alert = watched.create(by_service(json!({}))).await;
    for index in 0..501 {
        watched.store_at(&format!("service {index}"), "error", &[-200]).await;
    }
    watched.check_at(0).await;
    let seen = watched.get(&alert).await;
    assert_eq!((&seen["state"], &seen["consecutive_failures"]), (&json!("not_firing"), &json!(1)));
    assert!(seen["last_error_message"].as_str().unwrap().contains("501 services"), "{seen}");
    let mut simulated = by_service(json!({ "window_minutes": 5, "date_from": "-1h" }));
    simulated["threshold_operator"] = json!("above");
    let refused = watched.call(Method::POST, &format!("{ALERTS}simulate/"), simulated).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["attr"]), (400, &json!("filters")));
}

#[tokio::test]
async fn a_simulation_says_which_services_would_have_fired() {
    let watched = Watched::start().await;
    watched.store_at("api", "error", &[-1_000, -999, -998]).await;
    watched.store_at("web", "error", &[-1_000, -999]).await;
    let mut body = by_service(json!({ "window_minutes": 5, "date_from": "-1h" }));
    body["threshold_operator"] = json!("above");
    let simulated = watched.call(Method::POST, &format!("{ALERTS}simulate/"), body.clone()).await.json();
    assert_eq!((&simulated["fire_count"], &simulated["resolve_count"]), (&json!(1), &json!(1)));
    let services = json!([{ "service_name": "api", "fire_count": 1, "resolve_count": 1 }]);
    assert_eq!(simulated["services"], services);
    body["group_by"] = json!(null);
    let together = watched.call(Method::POST, &format!("{ALERTS}simulate/"), body).await.json();
    assert!(together.get("services").is_none(), "{together}");
}
