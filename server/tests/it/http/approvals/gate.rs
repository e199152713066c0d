//! The gate: which writes need approval, of whom, and what their answer says.

use axum::http::Method;
use serde_json::{Value, json};
use server::accounts::{organizations, roles};
use server::activity::entry::Actor;
use server::meta::Level;
use server::meta::organization::OrganizationSettings;

use super::super::harness::NOW_US;
use super::super::people::person;
use super::{Office, PROJECT, alert};

const ALERTS: &str = "/api/projects/1/logs/alerts/";

async fn made(office: &Office, name: &str) -> String {
    let made = office.send(office.server.key(), Method::POST, ALERTS, alert(name)).await;
    assert_eq!(made.status, 201, "{}", made.json());
    format!("{ALERTS}{}/", made.json()["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_gated_write_answers_409_and_does_nothing() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 2, &[&office.bob, &office.eve]).await;
    let gated = office.gated(&office.ann.key, Method::POST, ALERTS, alert("Errors")).await;
    assert_eq!(
        (&gated["code"], &gated["status"]),
        (&json!("approval_required"), &json!("approval_required"))
    );
    assert_eq!(gated["required_approvers"], json!({ "quorum": 2, "users": [office.bob.id, office.eve.id] }));
    assert_eq!((&gated["resource_type"], &gated["resource_id"]), (&json!("logs_alert"), &Value::Null));
    let request = &gated["change_request"];
    assert_eq!((&request["id"], &request["state"]), (&gated["change_request_id"], &json!("pending")));
    assert_eq!(request["created_by"]["email"], "ann@example.org");
    for said in ["can_approve", "can_cancel", "is_requester"] {
        assert_eq!(request[said], json!(false), "rendered for nobody: {said}");
    }
    let intent = &request["intent"];
    assert_eq!((&intent["http_method"], &intent["resource_name"]), (&json!("POST"), &json!("Errors")));
    assert_eq!(
        (&intent["current_state"], &intent["gated_changes"]["threshold_count"]),
        (&json!({}), &json!(10))
    );
    assert_eq!(intent["preconditions"], json!({ "version": null, "updated_at": null }));
    assert_eq!(request["intent_display"]["description"], "Create an alert: Errors");
    let snapshot = json!({
        "quorum": 2, "users": [office.bob.id, office.eve.id], "roles": [], "allow_self_approve": false,
        "conditions": {}, "bypass_org_membership_levels": [], "bypass_roles": [],
    });
    assert_eq!(request["policy_snapshot"], snapshot);
    assert_eq!(request["expires_at"], "2025-12-30T10:33:00Z", "14 days");
    assert_eq!(office.get(&office.ann.key, ALERTS).await.json()["count"], 0);

    // The same again waits already; another one does not.
    let again = office.gated(&office.eve.key, Method::POST, ALERTS, alert("Errors")).await;
    assert_eq!(
        (&again["code"], &again["status"]),
        (&json!("change_request_pending"), &json!("approval_required"))
    );
    assert_eq!(again["existing_change_request"]["id"], gated["change_request_id"]);
    assert_eq!(
        (&again["required_approvers"], &again["change_request"]),
        (&json!({}), &again["existing_change_request"])
    );
    let other = office.gated(&office.ann.key, Method::POST, ALERTS, alert("Other")).await;
    assert_eq!(other["code"], "approval_required");

    // What is not valid is told so at once, and stored nowhere.
    let wrong = office.send(&office.ann.key, Method::POST, ALERTS, json!({ "threshold_count": 0 })).await;
    assert_eq!(wrong.refusal(), (400, "min_value".to_owned(), json!("threshold_count")));
    let list = office.get(&office.ann.key, &format!("{PROJECT}/change_requests/")).await.json();
    assert_eq!(list["count"], 2);
}

#[tokio::test]
async fn a_policy_that_is_disabled_or_not_known_gates_nothing() {
    let office = Office::open().await;
    let policy = office.needs("logs_alert.create", 1, &[&office.bob]).await;
    office.needs("logs_alert.unknown", 1, &[&office.bob]).await;
    let path = format!("{PROJECT}/approval_policies/{}/", policy["id"].as_str().unwrap());
    office.gated(&office.ann.key, Method::POST, ALERTS, alert("a")).await;
    office.send(office.server.key(), Method::PATCH, &path, json!({ "enabled": false })).await;
    assert_eq!(office.send(&office.ann.key, Method::POST, ALERTS, alert("a")).await.status, 201);
    office.send(office.server.key(), Method::PATCH, &path, json!({ "enabled": true })).await;
    office.send(office.server.key(), Method::DELETE, &path, Value::Null).await;
    assert_eq!(office.send(&office.ann.key, Method::POST, ALERTS, alert("b")).await.status, 201);
}

#[tokio::test]
async fn some_levels_and_roles_need_no_approval() {
    let office = Office::open().await;
    let bypass = office.role("Bypass", &[&office.ann]).await;
    let meta = office.server.state.meta();
    let other = OrganizationSettings::named("Other");
    let other =
        organizations::create(meta, &Actor::system(), Some(office.eve.id), &other, NOW_US).await.unwrap();
    let foreign = roles::create(meta, &Actor::system(), &other.id, "Bypass", NOW_US).await.unwrap();
    roles::add_member(meta, &Actor::system(), &foreign, &office.eve.uuid, NOW_US).await.unwrap();
    office
        .policy(
            PROJECT,
            json!({
                "action_key": "logs_alert.create", "approver_config": { "quorum": 1, "users": [office.bob.id] },
                "bypass_org_membership_levels": ["8"], "bypass_roles": [bypass],
            }),
        )
        .await;
    let admin = person(&office.server, "admin2", Level::ADMIN).await;
    for (key, who, expected) in [
        (admin.key.as_str(), "level 8", 201),
        (office.server.key(), "level 15 is not 8", 409),
        (&office.ann.key, "the role", 201),
        (&office.bob.key, "an approver", 409),
        (&office.eve.key, "a role of that name elsewhere", 409),
    ] {
        let answer = office.send(key, Method::POST, ALERTS, alert(who)).await;
        assert_eq!(answer.status, expected, "{who}");
    }
}

#[tokio::test]
async fn who_may_not_approve_alone_is_told_that_others_must() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 1, &[&office.bob]).await;
    let message = async |key: &str, name: &str| {
        let gated = office.gated(key, Method::POST, ALERTS, alert(name)).await;
        gated["message"].as_str().unwrap().to_owned()
    };
    assert!(message(&office.bob.key, "a").await.contains("others"));
    assert!(!message(&office.ann.key, "b").await.contains("others"));
}

#[tokio::test]
async fn conditions_say_which_changes_need_approval() {
    let office = Office::open().await;
    let path = made(&office, "a").await;
    for (conditions, change, expected) in [
        (
            json!({ "type": "before_after", "field": "threshold_count", "operator": ">", "value": 50 }),
            json!({ "threshold_count": 50 }),
            200,
        ),
        (
            json!({ "type": "before_after", "field": "threshold_count", "operator": ">", "value": 50 }),
            json!({ "threshold_count": 51 }),
            409,
        ),
        (
            json!({ "type": "before_after", "field": "threshold_count", "operator": ">", "value": 5 }),
            json!({ "name": "b" }),
            200,
        ),
        (
            json!({ "type": "change_amount", "field": "threshold_count", "operator": ">=", "value": 100 }),
            json!({ "threshold_count": 149 }),
            200,
        ),
        (
            json!({ "type": "change_amount", "field": "threshold_count", "operator": "<=", "value": -10 }),
            json!({ "threshold_count": 100 }),
            409,
        ),
        (json!({ "type": "any_change", "field": "window_minutes" }), json!({ "threshold_count": 7 }), 200),
        (json!({ "type": "any_change", "field": "window_minutes" }), json!({ "window_minutes": 60 }), 409),
        (json!({ "type": "sometimes" }), json!({ "name": "c" }), 409),
        (json!({}), json!({ "name": "a changed name" }), 409),
        (json!({}), json!({}), 200),
    ] {
        let policy = json!({
            "action_key": "logs_alert.update", "approver_config": { "quorum": 1, "users": [office.bob.id] },
            "conditions": conditions,
        });
        let policy = office.policy(PROJECT, policy).await;
        let answer = office.send(&office.ann.key, Method::PATCH, &path, change.clone()).await;
        assert_eq!(answer.status, expected, "{conditions} {change}: {}", answer.json());
        if expected == 409 {
            let canceled = office.decide(&office.ann, PROJECT, &answer.json(), "cancel", Value::Null).await;
            assert_eq!(canceled.status, 200);
        }
        let policy = format!("{PROJECT}/approval_policies/{}/", policy["id"].as_str().unwrap());
        office.send(office.server.key(), Method::DELETE, &policy, Value::Null).await;
    }
}

#[tokio::test]
async fn a_change_under_several_policies_must_be_split() {
    let office = Office::open().await;
    let path = made(&office, "a").await;
    let update = office.needs("logs_alert.update", 1, &[&office.bob]).await;
    let disable = office.needs("logs_alert.disable", 1, &[&office.bob]).await;
    let both = json!({ "enabled": false, "name": "b" });
    let conflict = office.send(&office.ann.key, Method::PATCH, &path, both).await;
    let body = conflict.json();
    assert_eq!((conflict.status.as_u16(), &body["code"]), (400, &json!("policy_conflict")));
    let mut ids: Vec<&str> = body["conflicting_policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["id"].as_str().unwrap())
        .collect();
    let mut expected = vec![update["id"].as_str().unwrap(), disable["id"].as_str().unwrap()];
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert!(body["error"].is_string() && body["guidance"].is_string());
    let off = office.gated(&office.ann.key, Method::POST, &format!("{path}disable/"), Value::Null).await;
    assert_eq!(off["change_request"]["action_key"], "logs_alert.disable");
    let renamed = office.gated(&office.ann.key, Method::PATCH, &path, json!({ "name": "b" })).await;
    assert_eq!(renamed["change_request"]["action_key"], "logs_alert.update");
    let snoozed =
        office.send(&office.ann.key, Method::POST, &format!("{path}snooze/"), json!({ "minutes": 5 })).await;
    assert_eq!(snoozed.json()["code"], "change_request_pending");
    assert_eq!(office.get(&office.ann.key, &path).await.json()["name"], "a");
}

#[tokio::test]
async fn a_policy_of_the_organization_gates_its_projects_too() {
    let office = Office::open().await;
    let organization = office.organization();
    let condition = |value: i64| json!({ "type": "before_after", "field": "threshold_count", "operator": ">", "value": value });
    let policy = |value: i64| json!({ "action_key": "logs_alert.create", "conditions": condition(value), "approver_config": { "quorum": 1, "users": [office.bob.id] } });
    office.policy(&organization, policy(100)).await;
    assert_eq!(office.send(&office.ann.key, Method::POST, ALERTS, alert("a")).await.status, 201);
    let mut loud = alert("b");
    loud["threshold_count"] = json!(101);
    let gated = office.gated(&office.ann.key, Method::POST, ALERTS, loud.clone()).await;
    assert_eq!(office.seen(&office.bob, &gated).await["state"], "pending", "it belongs to the project");
    let list = office.get(&office.ann.key, &format!("{organization}/change_requests/")).await.json();
    assert_eq!(list["count"], 0);
    assert_eq!(office.approve(&office.bob, &gated).await.json()["status"], "applied");

    // The project's own policy decides where there is one, and both together are a conflict.
    office.policy(PROJECT, policy(1_000)).await;
    assert_eq!(office.send(&office.ann.key, Method::POST, ALERTS, loud.clone()).await.status, 201);
    loud["threshold_count"] = json!(1_001);
    let conflict = office.send(&office.ann.key, Method::POST, ALERTS, loud).await;
    assert_eq!((conflict.status.as_u16(), &conflict.json()["code"]), (400, &json!("policy_conflict")));
}
