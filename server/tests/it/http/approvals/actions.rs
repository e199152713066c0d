//! Every action of the registry: its endpoint is gated, nothing is done meanwhile, and an approval does it.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::super::people::{Person, person};
use super::{Office, PROJECT, alert};

/// Has an action of a place approved by bob; what the approval answers.
async fn approved(office: &Office, place: &str, request: &Value) -> Value {
    let applied = office.decide(&office.bob, place, request, "approve", json!({})).await.json();
    assert_eq!(applied["status"], "applied", "{applied}");
    applied
}

async fn make(office: &Office, path: &str, body: Value) -> Value {
    let made = office.send(office.server.key(), Method::POST, path, body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    made.json()
}

async fn read(office: &Office, path: &str) -> (u16, Value) {
    let answer = office.get(office.server.key(), path).await;
    (answer.status.as_u16(), answer.json())
}

#[tokio::test]
async fn alerts_are_changed_switched_off_and_deleted() {
    let office = Office::open().await;
    let made = make(&office, &format!("{PROJECT}/logs/alerts/"), alert("a")).await;
    let path = format!("{PROJECT}/logs/alerts/{}/", made["id"].as_str().unwrap());
    for action in ["update", "disable", "delete"] {
        office.needs(&format!("logs_alert.{action}"), 1, &[&office.bob]).await;
    }
    let change = json!({ "threshold_count": 20, "ignored": 1 });
    let request = office.gated(&office.ann.key, Method::PATCH, &path, change).await;
    let (intent, display) =
        (&request["change_request"]["intent"], &request["change_request"]["intent_display"]);
    assert_eq!(
        (&intent["current_state"], &intent["gated_changes"]),
        (&json!({ "threshold_count": 10 }), &json!({ "threshold_count": 20 }))
    );
    assert_eq!(intent["triggered_paths"], json!(["threshold_count"]));
    assert_eq!(intent["full_request_data"]["change"]["threshold_count"], 20);
    assert!(
        intent["preconditions"]["version"].is_string() && intent["preconditions"]["updated_at"].is_string()
    );
    assert_eq!(display["changes"], json!([{ "field": "threshold_count", "before": 10, "after": 20 }]));
    assert_eq!(display["description"], "Change an alert: a (threshold_count 10 → 20)");
    // What a check writes of the alert is no reason to refuse.
    office.server.state.check_alerts().await.unwrap();
    approved(&office, PROJECT, &request).await;
    let (_, alert) = read(&office, &path).await;
    assert_eq!((&alert["threshold_count"], &alert["name"]), (&json!(20), &json!("a")));

    let request = office.gated(&office.ann.key, Method::PATCH, &path, json!({ "enabled": false })).await;
    assert_eq!(request["change_request"]["action_key"], "logs_alert.disable");
    approved(&office, PROJECT, &request).await;
    assert_eq!(read(&office, &path).await.1["enabled"], false);
    let request = office.gated(&office.ann.key, Method::POST, &format!("{path}enable/"), Value::Null).await;
    assert_eq!(request["change_request"]["action_key"], "logs_alert.update");
    approved(&office, PROJECT, &request).await;

    let request = office.gated(&office.ann.key, Method::DELETE, &path, Value::Null).await;
    assert_eq!(read(&office, &path).await.0, 200);
    approved(&office, PROJECT, &request).await;
    assert_eq!(read(&office, &path).await.0, 404);
}

#[tokio::test]
async fn rules_are_made_changed_ordered_and_deleted() {
    let office = Office::open().await;
    let sampling = json!({ "name": "half", "rule_type": "rate_limit", "config": { "logs_per_second": 5 } });
    let group = json!({ "type": "AND", "values": [{ "key": "service.name", "type": "log_resource_attribute", "operator": "exact", "value": ["api"] }] });
    let retention = json!({ "name": "short", "config": { "retention_days": 5, "filter_group": { "type": "AND", "values": [group] } } });
    for (kind, rule, change) in [
        ("sampling", sampling, json!({ "config": { "logs_per_second": 9 } })),
        ("retention", retention, json!({ "enabled": true })),
    ] {
        let all = format!("{PROJECT}/logs/{kind}_rules/");
        for action in ["create", "update", "delete"] {
            office.needs(&format!("logs_{kind}_rule.{action}"), 1, &[&office.bob]).await;
        }
        let request = office.gated(&office.ann.key, Method::POST, &all, rule).await;
        assert_eq!(request["resource_type"], format!("logs_{kind}_rule"));
        assert_eq!(read(&office, &all).await.1["count"], 0);
        let applied = approved(&office, PROJECT, &request).await;
        let one = format!("{all}{}/", applied["result"]["resource_id"].as_str().unwrap());
        let before = read(&office, &one).await.1;
        let request = office.gated(&office.ann.key, Method::PATCH, &one, change.clone()).await;
        assert_eq!(read(&office, &one).await.1, before);
        approved(&office, PROJECT, &request).await;
        let after = read(&office, &one).await.1;
        for (member, value) in change.as_object().unwrap() {
            assert_eq!(&after[member], value, "{kind}");
        }
        // An order that is the order already changes nothing, and needs nobody.
        let order = json!({ "ordered_ids": [after["id"]] });
        let same = office.send(&office.ann.key, Method::POST, &format!("{all}reorder/"), order).await;
        assert_eq!(same.status, 200, "{}", same.json());
        let request = office.gated(&office.ann.key, Method::DELETE, &one, Value::Null).await;
        approved(&office, PROJECT, &request).await;
        assert_eq!(read(&office, &one).await.0, 404);
    }
    // Rules that only measure are never gated.
    let metrics = read(&office, &format!("{PROJECT}/logs/metric_rules/")).await;
    assert_eq!(metrics.0, 200);
}

#[tokio::test]
async fn an_order_of_rules_is_a_change_of_them() {
    let office = Office::open().await;
    let all = format!("{PROJECT}/logs/sampling_rules/");
    let mut ids = Vec::new();
    for name in ["a", "b"] {
        let rule = json!({ "name": name, "rule_type": "rate_limit", "config": { "logs_per_second": 5 } });
        ids.push(make(&office, &all, rule).await["id"].clone());
    }
    office.needs("logs_sampling_rule.update", 1, &[&office.bob]).await;
    ids.reverse();
    let order = json!({ "ordered_ids": ids });
    let request = office.gated(&office.ann.key, Method::POST, &format!("{all}reorder/"), order).await;
    assert_eq!(read(&office, &all).await.1["results"][0]["name"], "a");
    approved(&office, PROJECT, &request).await;
    assert_eq!(read(&office, &all).await.1["results"][0]["name"], "b");
}

#[tokio::test]
async fn a_rule_that_is_not_valid_any_more_is_told_from_one_that_changed() {
    let office = Office::open().await;
    office.needs("logs_sampling_rule.create", 1, &[&office.bob]).await;
    let all = format!("{PROJECT}/logs/sampling_rules/");
    let rule = json!({ "name": "a", "rule_type": "rate_limit", "config": { "logs_per_second": 5 } });
    let request = office.gated(&office.ann.key, Method::POST, &all, rule).await;
    // As if a later version were stricter.
    let id = request["change_request_id"].as_str().unwrap();
    office
        .server
        .change_metadata(&format!(
            "UPDATE change_requests SET intent = REPLACE(intent, '\"logs_per_second\":5', '\"logs_per_second\":-5') WHERE id = '{id}'"
        ))
        .await;
    office.server.state.look_after_change_requests().await.unwrap();
    let invalid = office.seen(&office.ann, &request).await;
    assert_eq!((&invalid["validation_status"], &invalid["state"]), (&json!("invalid"), &json!("pending")));
    assert!(
        invalid["validation_errors"].as_object().unwrap().keys().any(|key| key.starts_with("config")),
        "{invalid}"
    );
    let failed = office.approve(&office.bob, &request).await.json();
    assert_eq!(
        (&failed["status"], &failed["change_request"]["validation_status"]),
        (&json!("failed"), &json!("invalid"))
    );
    assert_eq!(read(&office, &all).await.1["count"], 0);
}

#[tokio::test]
async fn views_are_deleted_and_projects_changed() {
    let office = Office::open().await;
    let view = make(&office, &format!("{PROJECT}/logs/views/"), json!({ "name": "v" })).await;
    office.needs("logs_view.delete", 1, &[&office.bob]).await;
    office.needs("project.update", 1, &[&office.bob]).await;
    let path = format!("{PROJECT}/logs/views/{}/", view["short_id"].as_str().unwrap());
    let request = office.gated(&office.ann.key, Method::DELETE, &path, Value::Null).await;
    assert_eq!(request["resource_id"], view["short_id"]);
    approved(&office, PROJECT, &request).await;
    assert_eq!(read(&office, &path).await.0, 404);

    let change = json!({ "retention_days": 30, "name": "New" });
    let request = office.gated(office.server.key(), Method::PATCH, &format!("{PROJECT}/"), change).await;
    let changes = json!({ "name": "New", "retention_days": 30 });
    assert_eq!(request["change_request"]["intent"]["gated_changes"], changes);
    approved(&office, PROJECT, &request).await;
    let project = read(&office, &format!("{PROJECT}/")).await.1;
    assert_eq!((&project["name"], &project["retention_days"]), (&json!("New"), &json!(30)));
    // Taking it back to null is a change, too.
    let request = office
        .gated(office.server.key(), Method::PUT, &format!("{PROJECT}/"), json!({ "retention_days": null }))
        .await;
    approved(&office, PROJECT, &request).await;
    assert_eq!(read(&office, &format!("{PROJECT}/")).await.1["retention_days"], Value::Null);
    let nothing = office
        .send(office.server.key(), Method::PATCH, &format!("{PROJECT}/"), json!({ "name": "New" }))
        .await;
    assert_eq!(nothing.status, 200, "what changes nothing needs nobody");
}

#[tokio::test]
async fn exports_of_the_trail_are_made_for_who_asked() {
    let office = Office::open().await;
    office.needs("activity_log.export", 1, &[&office.bob]).await;
    let path = format!("{PROJECT}/advanced_activity_logs/export/");
    let body = json!({ "format": "ndjson", "filters": { "scopes": ["Role"] } });
    let request = office.gated(&office.ann.key, Method::POST, &path, body.clone()).await;
    assert_eq!(request["change_request"]["intent"]["gated_changes"], body);
    let other = office.gated(&office.eve.key, Method::POST, &path, body).await;
    assert_eq!(other["code"], "approval_required", "each for themselves");
    let applied = approved(&office, PROJECT, &request).await;
    let id = applied["result"]["resource_id"].as_str().unwrap();
    let export = format!("{PROJECT}/exports/{id}/");
    assert_eq!(office.get(&office.ann.key, &export).await.status, 200);
    assert_eq!(office.get(&office.bob.key, &export).await.status, 404, "only who asked may have it");

    let organization = office.organization();
    let config = json!({ "quorum": 1, "users": [office.bob.id] });
    office
        .policy(&organization, json!({ "action_key": "activity_log.export", "approver_config": config }))
        .await;
    let path = format!("{organization}/advanced_activity_logs/export/");
    let request = office.gated(office.server.key(), Method::POST, &path, json!({})).await;
    let applied = approved(&office, &organization, &request).await;
    let export = format!("{organization}/exports/{}/", applied["result"]["resource_id"].as_str().unwrap());
    assert_eq!(read(&office, &export).await.0, 200);
}

#[tokio::test]
async fn organizations_and_levels_are_changed() {
    let office = Office::open().await;
    let organization = office.organization();
    for action in ["organization.update", "organization_member.update"] {
        let config = json!({ "quorum": 1, "users": [office.bob.id] });
        office.policy(&organization, json!({ "action_key": action, "approver_config": config })).await;
        // A policy of a project is about nothing of the organization.
        office.needs(action, 1, &[&office.eve]).await;
    }
    let change = json!({ "enforce_2fa": true, "members_can_invite": null });
    let request = office.gated(office.server.key(), Method::PATCH, &format!("{organization}/"), change).await;
    assert_eq!(read(&office, &format!("{organization}/")).await.1["enforce_2fa"], Value::Null);
    approved(&office, &organization, &request).await;
    let after = read(&office, &format!("{organization}/")).await.1;
    assert_eq!((&after["enforce_2fa"], &after["members_can_invite"]), (&json!(true), &Value::Null));

    let admin = person(&office.server, "admin2", Level::ADMIN).await;
    let path = |person: &Person| format!("{organization}/members/{}/", person.uuid);
    let refused = office.send(&admin.key, Method::PATCH, &path(&office.eve), json!({ "level": 15 })).await;
    assert_eq!(refused.status, 403, "what one may not do is not asked for");
    let request = office.gated(&admin.key, Method::PATCH, &path(&office.eve), json!({ "level": 8 })).await;
    assert_eq!(request["change_request"]["intent"]["gated_changes"], json!({ "level": 8 }));
    approved(&office, &organization, &request).await;
    assert_eq!(read(&office, &path(&office.eve)).await.1["level"], 8);

    // Who has lost the level meanwhile grants it no more.
    let request = office.gated(&admin.key, Method::PATCH, &path(&office.eve), json!({ "level": 1 })).await;
    office
        .server
        .change_metadata(&format!("UPDATE memberships SET level = 1 WHERE user_id = {}", admin.id))
        .await;
    let failed = office.decide(&office.bob, &organization, &request, "approve", json!({})).await.json();
    assert_eq!(
        (&failed["status"], &failed["change_request"]["validation_status"]),
        (&json!("failed"), &json!("invalid"))
    );
    assert_eq!(read(&office, &path(&office.eve)).await.1["level"], 8);
}

#[tokio::test]
async fn a_key_is_made_without_being_shown_and_replaced_by_its_owner() {
    let office = Office::open().await;
    let organization = office.organization();
    let config = json!({ "quorum": 1, "users": [office.bob.id] });
    office
        .policy(&organization, json!({ "action_key": "personal_api_key.create", "approver_config": config }))
        .await;
    let keys = "/api/personal_api_keys/";
    let body = json!({ "label": "ci", "scopes": ["logs:read"], "scoped_teams": [1] });
    let request = office.gated(&office.ann.key, Method::POST, keys, body.clone()).await;
    assert!(!request.to_string().contains("phx_"), "nothing secret is in a request");
    let of_eve = office.gated(&office.eve.key, Method::POST, keys, body).await;
    assert_eq!(of_eve["code"], "approval_required");
    let applied = approved(&office, &organization, &request).await;
    assert!(!applied.to_string().contains("phx_"));
    let one = format!("{keys}{}/", applied["result"]["resource_id"].as_str().unwrap());
    assert_eq!(office.get(&office.ann.key, &one).await.json()["label"], "ci");
    assert_eq!(office.get(&office.bob.key, &one).await.status, 404);
    let rolled = office.send(&office.ann.key, Method::POST, &format!("{one}roll/"), Value::Null).await.json();
    let key = rolled["value"].as_str().unwrap();
    assert_eq!(office.get(key, &format!("{PROJECT}/logs/has_logs/")).await.status, 200);

    // To do more with a key is as good as a new one; less is everybody's own business.
    let less = json!({ "label": "renamed" });
    assert_eq!(office.send(&office.ann.key, Method::PATCH, &one, less).await.status, 200);
    let request = office.gated(&office.ann.key, Method::PATCH, &one, json!({ "scopes": ["*"] })).await;
    assert_eq!(office.get(&office.ann.key, &one).await.json()["scopes"], json!(["logs:read"]));
    approved(&office, &organization, &request).await;
    assert_eq!(office.get(&office.ann.key, &one).await.json()["scopes"], json!(["*"]));
    let less = json!({ "scopes": ["*"], "scoped_teams": [1], "scoped_organizations": null });
    assert_eq!(office.send(&office.ann.key, Method::PATCH, &one, less).await.status, 200);
}

#[tokio::test]
async fn a_requester_who_has_left_has_nothing_applied() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 1, &[&office.bob]).await;
    let request =
        office.gated(&office.ann.key, Method::POST, &format!("{PROJECT}/logs/alerts/"), alert("a")).await;
    let path = format!("{}/members/{}/", office.organization(), office.ann.uuid);
    assert_eq!(office.send(office.server.key(), Method::DELETE, &path, Value::Null).await.status, 204);
    let failed = office.approve(&office.bob, &request).await.json();
    assert_eq!((&failed["status"], &failed["change_request"]["state"]), (&json!("failed"), &json!("failed")));
    assert_eq!(read(&office, &format!("{PROJECT}/logs/alerts/")).await.1["count"], 0);
}
