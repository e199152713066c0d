//! Requests: who sees them, who decides about them, and what then happens.

use axum::http::Method;
use serde_json::{Value, json};

use super::super::people::Person;
use super::{Office, PROJECT, alert};

const ALERTS: &str = "/api/projects/1/logs/alerts/";
const ALL: &str = "/api/projects/1/change_requests/";

async fn asked(office: &Office, by: &Person, name: &str) -> Value {
    office.gated(&by.key, Method::POST, ALERTS, alert(name)).await
}

async fn num_alerts(office: &Office) -> Value {
    office.get(office.server.key(), ALERTS).await.json()["count"].clone()
}

#[tokio::test]
async fn the_last_vote_applies_the_change_as_the_requester() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 2, &[&office.bob, &office.eve]).await;
    let request = asked(&office, &office.ann, "a").await;
    let first = office.decide(&office.bob, PROJECT, &request, "approve", json!({ "reason": "good" })).await;
    let first = first.json();
    assert_eq!(
        (&first["status"], &first["change_request"]["state"]),
        (&json!("approved"), &json!("pending"))
    );
    assert!(first["message"].as_str().unwrap().contains("1/2") && first.get("result").is_none());
    let vote = &first["change_request"]["approvals"][0];
    assert_eq!((&vote["decision"], &vote["reason"]), (&json!("approved"), &json!("good")));
    assert_eq!(vote["created_by"]["email"], "bob@example.org");
    assert_eq!(num_alerts(&office).await, 0);

    // Without any body.
    let second = office.decide(&office.eve, PROJECT, &request, "approve", Value::Null).await.json();
    let after = &second["change_request"];
    assert_eq!((&second["status"], &after["state"]), (&json!("applied"), &json!("applied")));
    assert_eq!(second["result"], after["result_data"]);
    assert_eq!(after["applied_by"]["email"], "ann@example.org");
    assert_eq!((&after["applied_at"], &after["apply_error"]), (&json!("2025-12-16T10:33:00Z"), &json!("")));
    let id = second["result"]["resource_id"].as_str().unwrap();
    let made = office.get(&office.ann.key, &format!("{ALERTS}{id}/")).await.json();
    assert_eq!((&made["name"], &made["created_by"]["email"]), (&json!("a"), &json!("ann@example.org")));

    // The trail has every step, and the write as the requester's.
    let trail = office
        .get(
            office.server.key(),
            &format!("{PROJECT}/advanced_activity_logs/?scopes=ChangeRequest&scopes=LogsAlertConfiguration"),
        )
        .await;
    let trail = trail.json();
    let told = trail["results"].as_array().unwrap().iter();
    let told: Vec<[Value; 3]> = told
        .map(|entry| [&entry["scope"], &entry["activity"], &entry["user"]["email"]].map(Value::clone))
        .collect();
    let expected = [
        ["ChangeRequest", "applied", "ann@example.org"],
        ["LogsAlertConfiguration", "created", "ann@example.org"],
        ["ChangeRequest", "approved", "eve@example.org"],
        ["ChangeRequest", "approved", "bob@example.org"],
        ["ChangeRequest", "created", "ann@example.org"],
    ];
    assert_eq!(told, expected.map(|entry| entry.map(|text| json!(text))));
}

#[tokio::test]
async fn a_rejection_ends_it_and_a_new_request_may_follow() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 2, &[&office.bob, &office.eve]).await;
    let request = asked(&office, &office.ann, "a").await;
    assert_eq!(office.approve(&office.bob, &request).await.status, 200);
    for body in [Value::Null, json!({}), json!({ "reason": "  " })] {
        let refused = office.decide(&office.eve, PROJECT, &request, "reject", body).await;
        assert_eq!(refused.simple_refusal().0, 400);
    }
    let double = office.decide(&office.bob, PROJECT, &request, "reject", json!({ "reason": "x" })).await;
    assert_eq!(double.simple_refusal().0, 400, "one vote is all");
    assert_eq!(office.approve(&office.bob, &request).await.simple_refusal().0, 400);
    let rejected =
        office.decide(&office.eve, PROJECT, &request, "reject", json!({ "reason": "no" })).await.json();
    assert_eq!(
        (&rejected["status"], &rejected["change_request"]["state"]),
        (&json!("rejected"), &json!("rejected"))
    );
    assert_eq!(rejected["change_request"]["user_decision"], "rejected");
    for what in ["approve", "reject", "cancel"] {
        let late = office.decide(&office.eve, PROJECT, &request, what, json!({ "reason": "x" })).await;
        assert_eq!(late.refusal(), (403, "permission_denied".to_owned(), Value::Null), "{what}");
    }
    let again = asked(&office, &office.ann, "a").await;
    assert_ne!(again["change_request_id"], request["change_request_id"]);
    assert_eq!(again["code"], "approval_required");
}

#[tokio::test]
async fn who_may_decide_is_what_the_policy_said() {
    let office = Office::open().await;
    let role = office.role("Approvers", &[&office.eve]).await;
    let policy = json!({
        "action_key": "logs_alert.create",
        "approver_config": { "quorum": 1, "users": [office.ann.id], "roles": [role.to_uppercase()] },
    });
    let policy = office.policy(PROJECT, policy).await;
    let request = asked(&office, &office.ann, "a").await;
    let own = office.approve(&office.ann, &request).await;
    assert!(own.status == 403 && own.json()["detail"].as_str().unwrap().contains("own"));
    let own = office.decide(&office.ann, PROJECT, &request, "reject", json!({})).await;
    assert_eq!(own.status, 403, "before the reason is looked at");
    let other = office.approve(&office.bob, &request).await;
    assert!(other.status == 403 && other.json()["detail"].as_str().unwrap().contains("approver"));
    for (person, can_approve, can_cancel, is_requester) in [
        (&office.ann, false, true, true),
        (&office.bob, false, false, false),
        (&office.eve, true, false, false),
    ] {
        let seen = office.seen(person, &request).await;
        let found =
            (&seen["can_approve"], &seen["can_cancel"], &seen["is_requester"], &seen["user_decision"]);
        assert_eq!(found, (&json!(can_approve), &json!(can_cancel), &json!(is_requester), &Value::Null));
    }

    // The policy may change or go: the request was made under what it said.
    let path = format!("{PROJECT}/approval_policies/{}/", policy["id"].as_str().unwrap());
    let config =
        json!({ "approver_config": { "quorum": 5, "users": [office.bob.id] }, "allow_self_approve": true });
    assert_eq!(office.send(office.server.key(), Method::PATCH, &path, config).await.status, 200);
    assert_eq!(office.approve(&office.bob, &request).await.status, 403);
    assert_eq!(office.approve(&office.ann, &request).await.status, 403);
    office.send(office.server.key(), Method::DELETE, &path, Value::Null).await;
    let applied = office.approve(&office.eve, &request).await.json();
    assert_eq!(
        (&applied["status"], &applied["change_request"]["user_decision"]),
        (&json!("applied"), &json!("approved"))
    );
    assert_eq!(applied["change_request"]["can_approve"], true, "whatever became of it");
}

#[tokio::test]
async fn a_requester_may_approve_where_the_policy_lets_them() {
    let office = Office::open().await;
    office
        .policy(
            PROJECT,
            json!({
                "action_key": "logs_alert.create", "allow_self_approve": true,
                "approver_config": { "quorum": 1, "users": [office.ann.id] },
            }),
        )
        .await;
    let request = asked(&office, &office.ann, "a").await;
    assert_eq!(office.approve(&office.ann, &request).await.json()["status"], "applied");
    let other = asked(&office, &office.bob, "b").await;
    assert_eq!(office.approve(&office.bob, &other).await.status, 403, "only approvers");
}

#[tokio::test]
async fn requesters_cancel_as_long_as_nobody_has_approved() {
    let office = Office::open().await;
    office.needs("project.update", 2, &[&office.bob, &office.eve]).await;
    let project = format!("{PROJECT}/");
    let admin = super::super::people::person(&office.server, "admin2", server::meta::Level::ADMIN).await;
    let days = |days: i64| json!({ "retention_days": days });
    let request = office.gated(&admin.key, Method::PATCH, &project, days(5)).await;
    assert_eq!(office.decide(&office.bob, PROJECT, &request, "cancel", Value::Null).await.status, 403);
    let canceled =
        office.decide(&admin, PROJECT, &request, "cancel", json!({ "reason": "typo" })).await.json();
    assert_eq!(
        (&canceled["status"], &canceled["change_request"]["state"]),
        (&json!("canceled"), &json!("rejected"))
    );
    assert_eq!(canceled["change_request"]["approvals"][0]["reason"], "typo");
    assert_eq!(office.decide(&admin, PROJECT, &request, "cancel", Value::Null).await.status, 403);

    let request = office.gated(&admin.key, Method::PATCH, &project, days(5)).await;
    assert_eq!(office.approve(&office.bob, &request).await.status, 200);
    assert_eq!(office.decide(&admin, PROJECT, &request, "cancel", Value::Null).await.status, 403);
    assert_eq!(office.seen(&admin, &request).await["can_cancel"], false);
    // Once the project is another one, the request can be taken back, and can be approved no more.
    office.server.change_metadata("UPDATE projects SET name = 'Renamed' WHERE id = 1").await;
    office.server.state.look_after_change_requests().await.unwrap();
    let stale = office.seen(&admin, &request).await;
    assert_eq!((&stale["validation_status"], &stale["can_cancel"]), (&json!("stale"), &json!(true)));
    assert!(stale["validation_errors"]["staleness"].is_string() && stale["validated_at"].is_string());
    assert_eq!(stale["state"], "pending", "it can be voted on still");
    assert_eq!(office.decide(&admin, PROJECT, &request, "cancel", Value::Null).await.status, 200);

    let request = office.gated(&admin.key, Method::PATCH, &project, days(5)).await;
    office.server.change_metadata("UPDATE projects SET name = 'Again' WHERE id = 1").await;
    office.approve(&office.bob, &request).await;
    let failed = office.approve(&office.eve, &request).await;
    let body = failed.json();
    assert_eq!((failed.status.as_u16(), &body["status"]), (200, &json!("failed")));
    assert_eq!(
        (&body["change_request"]["state"], &body["change_request"]["validation_status"]),
        (&json!("failed"), &json!("stale"))
    );
    assert!(body["change_request"]["apply_error"].as_str().unwrap().contains("changed since"));
    assert_eq!(office.get(&admin.key, &project).await.json()["retention_days"], Value::Null);
}

#[tokio::test]
async fn requests_are_listed_newest_first_and_filtered() {
    let office = Office::open().await;
    office.needs("logs_alert.create", 1, &[&office.bob]).await;
    office.needs("logs_alert.delete", 1, &[&office.bob]).await;
    let first = asked(&office, &office.ann, "a").await;
    let applied = office.approve(&office.bob, &first).await.json();
    let id = applied["result"]["resource_id"].as_str().unwrap();
    let second = office.gated(&office.eve.key, Method::DELETE, &format!("{ALERTS}{id}/"), Value::Null).await;
    let ids = async |query: &str| {
        let list = office.get(&office.eve.key, &format!("{ALL}?{query}")).await.json();
        let results = list["results"].as_array().unwrap().iter();
        results.map(|request| request["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, second) =
        (first["change_request_id"].as_str().unwrap(), second["change_request_id"].as_str().unwrap());
    assert_eq!(ids("").await, [second, first]);
    for (query, expected) in [
        ("state=pending".to_owned(), vec![second]),
        ("state=pending,applied".to_owned(), vec![second, first]),
        ("state=pending&state=applied".to_owned(), vec![second, first]),
        ("state=canceled".to_owned(), vec![]),
        ("state=canceled,applied".to_owned(), vec![first]),
        ("action_key=logs_alert.delete".to_owned(), vec![second]),
        ("action_type=logs_alert.create".to_owned(), vec![first]),
        (format!("requester={}", office.ann.id), vec![first]),
        ("requester=-5".to_owned(), vec![]),
        (format!("resource_type=logs_alert&resource_id={id}"), vec![second]),
        ("resource_type=other".to_owned(), vec![]),
        ("limit=1".to_owned(), vec![second]),
    ] {
        assert_eq!(ids(&query).await, expected, "{query}");
    }
    let refused = office.get(&office.eve.key, &format!("{ALL}?requester=ann")).await;
    assert_eq!(refused.refusal(), (400, "invalid_input".to_owned(), json!("requester")));
    for (path, expected) in [
        (format!("{ALL}{first}"), 200),
        (format!("/api/environments/@current/change_requests/{first}/"), 200),
        (format!("{}/change_requests/{first}/", office.organization()), 404),
        (format!("{ALL}x/"), 404),
        (format!("{ALL}019b0000-0000-7000-8000-000000000000/"), 404),
    ] {
        assert_eq!(office.get(&office.ann.key, &path).await.status, expected, "{path}");
    }
    let reader = office.server.limited_key(&["approvals:read"], None, None).await;
    let refused = office.send(&reader, Method::POST, &format!("{ALL}{second}/approve/"), json!({})).await;
    assert_eq!(refused.status, 403);
    assert!(refused.json()["detail"].as_str().unwrap().contains("approvals:write"));
    for method in [Method::POST, Method::PATCH, Method::DELETE] {
        let refused = office.send(office.server.key(), method, &format!("{ALL}{second}/"), json!({})).await;
        assert_eq!(refused.status, 405);
    }
    assert_eq!(num_alerts(&office).await, 1);
}
