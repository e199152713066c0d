//! What people do to alerts.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ALERTS, MINUTE_US, Watched, errors, event, path};
use crate::http::harness::NOW_US;

#[tokio::test]
async fn an_alert_has_the_members_of_the_contract() {
    let watched = Watched::start().await;
    let mut alert = watched.create(json!({ "filters": errors(), "state": "firing", "x": 1 })).await;
    assert!(uuid::Uuid::parse_str(alert["id"].take().as_str().unwrap()).is_ok());
    assert_eq!(alert["created_by"].take()["email"], "admin@localhost");
    assert_eq!(
        alert,
        json!({
            "id": null, "name": "Untitled alert", "enabled": true, "filters": errors(), "threshold_count": 100,
            "threshold_operator": "above", "window_minutes": 5, "check_interval_minutes": 5, "state": "not_firing",
            "evaluation_periods": 1, "datapoints_to_alarm": 1, "cooldown_minutes": 0, "snooze_until": null,
            "next_check_at": null, "last_notified_at": null, "last_checked_at": null, "consecutive_failures": 0,
            "last_error_message": null, "destination_types": [], "first_enabled_at": "2025-12-16T10:33:00Z",
            "created_at": "2025-12-16T10:33:00Z", "created_by": null, "updated_at": "2025-12-16T10:33:00Z",
            "state_timeline": [{ "start": "2025-12-15T10:33:00Z", "end": "2025-12-16T10:33:00Z",
                                 "state": "not_firing", "enabled": true }],
        })
    );
}

#[tokio::test]
async fn a_draft_needs_nothing_until_it_is_switched_on() {
    let watched = Watched::start().await;
    let draft = watched.create(json!({ "enabled": false })).await;
    assert_eq!((&draft["first_enabled_at"], &draft["threshold_count"]), (&Value::Null, &json!(100)));
    let refused = watched.call(Method::PATCH, &path(&draft, ""), json!({ "enabled": true })).await;
    assert_eq!(refused.refusal(), (400, "invalid_input".into(), json!("filters")));
    watched.clock.set(NOW_US + MINUTE_US);
    let on = watched.patch(&draft, json!({ "enabled": true, "filters": errors() })).await;
    assert_eq!(on["first_enabled_at"], "2025-12-16T10:34:00Z");
    watched.clock.set(NOW_US + 2 * MINUTE_US);
    let off = watched.call(Method::POST, &path(&draft, "disable/"), json!({})).await.json();
    assert_eq!((&off["enabled"], &off["first_enabled_at"]), (&json!(false), &json!("2025-12-16T10:34:00Z")));
    let again = watched.call(Method::POST, &path(&draft, "enable/"), json!({})).await.json();
    assert_eq!(again["first_enabled_at"], "2025-12-16T10:34:00Z", "it never moves");
    let switched = ["enable", "disable", "enable"].map(|kind| event(kind, "not_firing", "not_firing"));
    assert_eq!(watched.history(&draft).await, switched);
    let timeline = &again["state_timeline"];
    let seen: Vec<_> = timeline
        .as_array()
        .unwrap()
        .iter()
        .map(|interval| (&interval["end"], &interval["enabled"]))
        .collect();
    let (first, second) = (json!("2025-12-16T10:34:00Z"), json!("2025-12-16T10:35:00Z"));
    assert_eq!(seen, [(&first, &json!(false)), (&second, &json!(true))], "before it was the opposite");
}

#[tokio::test]
async fn what_changes_decides_what_becomes_of_the_state() {
    let watched = Watched::start().await;
    let fire =
        "UPDATE log_alerts SET state = 'firing', consecutive_failures = 2, next_check_at = 1765881300000000";
    let alert = watched.create(json!({ "filters": errors() })).await;
    let due = json!("2025-12-16T10:35:00Z");

    watched.server.change_metadata(fire).await;
    let before = watched.get(&alert).await;
    let mut renamed = watched.patch(&alert, json!({ "name": "b" })).await;
    assert_eq!((&renamed["name"], &renamed["next_check_at"]), (&json!("b"), &due));
    renamed["name"] = before["name"].clone();
    assert_eq!(renamed, before, "nothing else");
    assert_eq!(watched.patch(&alert, json!({ "cooldown_minutes": 9 })).await["next_check_at"], due);

    let wider = watched.patch(&alert, json!({ "window_minutes": 15 })).await;
    assert_eq!((&wider["state"], &wider["next_check_at"]), (&json!("firing"), &Value::Null));
    assert_eq!(watched.history(&alert).await, []);

    watched.server.change_metadata(fire).await;
    let other = watched.patch(&alert, json!({ "threshold_count": 7 })).await;
    assert_eq!((&other["state"], &other["next_check_at"]), (&json!("not_firing"), &Value::Null));
    assert_eq!(other["consecutive_failures"], 0);
    assert_eq!(watched.history(&alert).await, [event("threshold_change", "firing", "not_firing")]);
}

#[tokio::test]
async fn a_snooze_is_set_kept_and_ended() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    let until = json!("2025-12-16T12:00:00Z");
    let both = json!({ "snooze_until": until, "threshold_count": 7 });
    let snoozed = watched.patch(&alert, both).await;
    assert_eq!((&snoozed["state"], &snoozed["snooze_until"]), (&json!("snoozed"), &until));
    assert_eq!(snoozed["next_check_at"], Value::Null);
    assert_eq!(watched.history(&alert).await, [event("snooze", "not_firing", "snoozed")]);
    let edited = watched.patch(&alert, json!({ "threshold_count": 8 })).await;
    assert_eq!(edited["state"], "snoozed");
    let cleared = watched.patch(&alert, json!({ "snooze_until": null })).await;
    assert_eq!((&cleared["state"], &cleared["snooze_until"]), (&json!("not_firing"), &Value::Null));
    for past in ["2025-12-16T10:33:00Z", "2020-01-01"] {
        let refused = watched.call(Method::PATCH, &path(&alert, ""), json!({ "snooze_until": past })).await;
        assert_eq!(refused.refusal(), (400, "invalid_input".into(), json!("snooze_until")));
    }
    let born = watched.create(json!({ "filters": errors(), "snooze_until": until })).await;
    assert_eq!(born["state"], "snoozed", "a snooze is one from the beginning");
}

#[tokio::test]
async fn actions_snooze_and_wake() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    let post = async |below: &str, body: Value| watched.call(Method::POST, &path(&alert, below), body).await;
    let snoozed = post("snooze/", json!({ "minutes": 90 })).await.json();
    assert_eq!(
        (&snoozed["state"], &snoozed["snooze_until"]),
        (&json!("snoozed"), &json!("2025-12-16T12:03:00Z"))
    );
    let until = json!({ "snooze_until": "2025-12-17T00:00:00Z" });
    assert_eq!(post("snooze/", until.clone()).await.json()["snooze_until"], "2025-12-17T00:00:00Z");
    assert_eq!(post("unsnooze/", json!({})).await.json()["state"], "not_firing");
    assert_eq!(post("unsnooze/", json!({})).await.refusal().2, "state");
    let both = json!({ "snooze_until": "2025-12-17T00:00:00Z", "minutes": 5 });
    for (body, attr) in [
        (json!({}), "snooze_until"),
        (json!({ "snooze_until": null }), "snooze_until"),
        (json!({ "minutes": 0 }), "minutes"),
        (both, "minutes"),
    ] {
        assert_eq!(post("snooze/", body.clone()).await.refusal().2, attr, "{body}");
    }
}

#[tokio::test]
async fn only_a_broken_alert_is_reset() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "name": "a" })).await;
    let reset = async || watched.call(Method::POST, &path(&alert, "reset/"), json!({})).await;
    assert_eq!(reset().await.refusal(), (400, "invalid_input".into(), json!("state")));
    let broken =
        "UPDATE log_alerts SET state = 'broken', consecutive_failures = 5, last_notified_at = 1000000,
                  next_check_at = 1765881300000000";
    watched.server.change_metadata(broken).await;
    let healed = reset().await.json();
    assert_eq!((&healed["state"], &healed["consecutive_failures"]), (&json!("not_firing"), &json!(0)));
    assert_eq!((&healed["next_check_at"], &healed["enabled"]), (&Value::Null, &json!(true)));
    assert_eq!(healed["last_notified_at"], "1970-01-01T00:00:01Z");
    assert_eq!(watched.history(&alert).await, [event("reset", "broken", "not_firing")]);

    let told = watched.server.state.meta().waiting_entries(99).await.unwrap();
    let mut told: Vec<_> =
        told.iter().map(|told| &told.entry).filter(|told| told.scope == "LogsAlertConfiguration").collect();
    let last = told.pop();
    let Some(last) = last else { return assert_trail(&watched).await };
    assert_eq!((last.activity.as_str(), last.detail.name.as_deref()), ("reset", Some("a")));
}

/// The trail has been told already.
async fn assert_trail(watched: &Watched) {
    let path = "/api/projects/1/advanced_activity_logs/?scopes=LogsAlertConfiguration&activities=reset";
    let entries = watched.server.request(Method::GET, path, "").await.json();
    assert_eq!(entries["results"][0]["detail"]["changes"].as_array().unwrap().len(), 2, "{entries}");
}

#[tokio::test]
async fn the_cap_holds_for_those_who_come_together() {
    let watched = Watched::start_with(|config| config.alerts.max_per_project = 20).await;
    for _ in 0..18 {
        watched.create(json!({ "enabled": false })).await;
    }
    let create = || watched.call(Method::POST, ALERTS, json!({ "enabled": false }));
    let answers = futures::future::join_all((0..6).map(|_| create())).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 2);
    for refused in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(refused.refusal(), (400, "max_length".into(), Value::Null));
        assert!(refused.json()["detail"].as_str().unwrap().contains("20"));
    }
}

#[tokio::test]
async fn a_put_resets_what_has_a_default_and_keeps_the_rest() {
    let watched = Watched::start().await;
    let settings = json!({
        "name": "a", "enabled": false, "filters": errors(), "threshold_count": 5, "window_minutes": 60,
        "evaluation_periods": 3, "datapoints_to_alarm": 2, "cooldown_minutes": 9, "threshold_operator": "below",
    });
    let alert = watched.create(settings).await;
    let replaced = watched.call(Method::PUT, &path(&alert, ""), json!({ "threshold_count": 7 })).await.json();
    for (member, expected) in [
        ("name", json!("a")),
        ("filters", errors()),
        ("enabled", json!(true)),
        ("threshold_count", json!(7)),
        ("threshold_operator", json!("above")),
        ("window_minutes", json!(5)),
        ("evaluation_periods", json!(1)),
        ("datapoints_to_alarm", json!(1)),
        ("cooldown_minutes", json!(0)),
    ] {
        assert_eq!(replaced[member], expected, "{member}");
    }
}

#[tokio::test]
async fn a_deleted_alert_is_gone_with_its_history() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    watched.patch(&alert, json!({ "threshold_count": 7 })).await;
    let deleted = watched.call(Method::DELETE, &path(&alert, ""), json!(null)).await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
    for (method, below) in [
        (Method::GET, ""),
        (Method::DELETE, ""),
        (Method::PATCH, ""),
        (Method::GET, "events/"),
        (Method::POST, "reset/"),
        (Method::POST, "enable/"),
        (Method::GET, "destinations/"),
    ] {
        let answer = watched.call(method, &path(&alert, below), json!({})).await;
        assert_eq!(answer.refusal(), (404, "not_found".into(), Value::Null), "{below}");
    }
}

#[tokio::test]
async fn alerts_are_listed_newest_first_and_by_who_made_them() {
    let watched = Watched::start().await;
    let mut ids = Vec::new();
    for minute in 0..3 {
        watched.clock.set(NOW_US + minute * MINUTE_US);
        ids.push(watched.create(json!({ "enabled": false })).await["id"].clone());
    }
    ids.reverse();
    let list = async |query: &str| watched.call(Method::GET, &format!("{ALERTS}{query}"), json!(null)).await;
    let of = |page: &Value| -> Vec<Value> {
        page["results"].as_array().unwrap().iter().map(|alert| alert["id"].clone()).collect()
    };
    let all = list("").await.json();
    assert_eq!((of(&all), &all["count"], &all["next"]), (ids.clone(), &json!(3), &Value::Null));
    let part = list("?limit=1&offset=1").await.json();
    assert_eq!((of(&part), &part["count"]), (vec![ids[1].clone()], &json!(3)));
    assert!(part["next"].as_str().unwrap().contains("offset=2"));
    let user = all["results"][0]["created_by"]["uuid"].as_str().unwrap().to_owned();
    assert_eq!(list(&format!("?created_by={user}")).await.json()["count"], 3);
    assert_eq!(list("?created_by=019b0000-0000-7000-8000-000000000000").await.json()["count"], 0);
    assert_eq!(list("?created_by=x").await.refusal(), (400, "invalid_input".into(), json!("created_by")));
}

#[tokio::test]
async fn it_takes_the_scopes_and_a_known_id() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    let reader = watched.server.limited_key(&["logs:read"], None, None).await;
    let stranger = watched.server.limited_key(&["export:read"], None, None).await;
    let ask = async |key: &str, method: Method, path: &str| {
        watched.server.request_as(key, method, path, "{}").await.status.as_u16()
    };
    for (method, below, needs_write) in [
        (Method::GET, "", false),
        (Method::GET, "events/", false),
        (Method::GET, "destinations/", false),
        (Method::PATCH, "", true),
        (Method::PUT, "", true),
        (Method::DELETE, "", true),
        (Method::POST, "reset/", true),
        (Method::POST, "enable/", true),
        (Method::POST, "disable/", true),
        (Method::POST, "snooze/", true),
        (Method::POST, "unsnooze/", true),
        (Method::POST, "destinations/", true),
        (Method::POST, "destinations/delete/", true),
        (Method::POST, "destinations/test/", true),
    ] {
        let path = path(&alert, below);
        let expected = if needs_write { 403 } else { 200 };
        assert_eq!(ask(&reader, method.clone(), &path).await, expected, "{method} {below}");
        assert_eq!(ask(&stranger, method, &path).await, 403, "{below}");
    }
    assert_eq!(ask(&reader, Method::GET, ALERTS).await, 200);
    assert_eq!(ask(&reader, Method::POST, ALERTS).await, 403);
    assert_eq!(ask("phx_wrong", Method::GET, ALERTS).await, 401);
    for id in ["x", "019b0000-0000-7000-8000-000000000000"] {
        assert_eq!(ask(&reader, Method::GET, &format!("{ALERTS}{id}/")).await, 404);
    }
    let elsewhere = path(&alert, "").replace("projects", "environments");
    assert_eq!(ask(&reader, Method::GET, &elsewhere).await, 200);
}

#[tokio::test]
async fn what_an_alert_may_not_be_is_named() {
    let watched = Watched::start().await;
    let condition = |operator: &str, value: &str| {
        json!({ "filterGroup": { "type": "AND", "values": [{ "type": "AND", "values": [
            { "key": "message", "type": "log_entry", "operator": operator, "value": value }] }] } })
    };
    for (body, attr) in [
        (json!({}), "filters"),
        (json!({ "filters": [] }), "filters"),
        (json!({ "filters": condition("regex", "(") }), "filters"),
        (json!({ "filters": errors(), "window_minutes": 1 }), "window_minutes"),
        (json!({ "filters": errors(), "datapoints_to_alarm": 2 }), "datapoints_to_alarm"),
        (json!({ "filters": errors(), "name": null }), "name"),
    ] {
        let refused = watched.call(Method::POST, ALERTS, body.clone()).await.refusal();
        assert_eq!((refused.0, refused.2), (400, json!(attr)), "{body}");
    }
    let alert =
        watched.create(json!({ "filters": condition("regex", "a|b"), "evaluation_periods": 3 })).await;
    let stored = watched.call(Method::PATCH, &path(&alert, ""), json!({ "datapoints_to_alarm": 4 })).await;
    assert_eq!(stored.refusal().2, "datapoints_to_alarm");
    assert_eq!(
        watched.patch(&alert, json!({ "datapoints_to_alarm": 3 })).await["filters"],
        condition("regex", "a|b")
    );
}

#[tokio::test]
async fn links_of_notifications_lead_somewhere() {
    let watched = Watched::start().await;
    for path in [
        "/project/1/logs?dateRange=%7B%7D",
        "/project/1/logs/alerts/019b",
        "/project/7/logs/",
        "/project/1/activity?scopes=Role&item_ids=7",
    ] {
        let request = axum::http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let page = watched.server.call(request).await;
        assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    }
}
