//! Policies: who may write them, and what they may say.

use axum::http::Method;
use serde_json::{Value, json};
use server::accounts::organizations;
use server::accounts::roles;
use server::activity::entry::Actor;
use server::meta::Level;
use server::meta::organization::OrganizationSettings;

use super::super::harness::NOW_US;
use super::super::people::{person, person_in};
use super::{Office, PROJECT};

const ALL: &str = "/api/projects/1/approval_policies/";

fn minimal(action_key: &str) -> Value {
    json!({ "action_key": action_key, "approver_config": { "quorum": 1, "users": [1] } })
}

#[tokio::test]
async fn a_policy_is_made_read_changed_and_deleted() {
    let office = Office::open().await;
    let role = office.role("Bypass", &[]).await;
    let made = office
        .policy(
            PROJECT,
            json!({
                "action_key": "logs_alert.create", "conditions": { "type": "any_change", "field": "x" },
                "approver_config": { "quorum": 2, "users": [1], "roles": [], "more": true },
                "allow_self_approve": true, "bypass_org_membership_levels": ["8", 15],
                "bypass_roles": [role], "expires_after": "P2DT1H", "id": "ignored",
            }),
        )
        .await;
    assert_eq!(made["expires_after"], "2 01:00:00");
    assert_eq!(made["bypass_org_membership_levels"], json!([8, 15]));
    assert_eq!(made["approver_config"], json!({ "quorum": 2, "users": [1], "roles": [], "more": true }));
    assert_eq!((&made["enabled"], &made["created_by"]["email"]), (&json!(true), &json!("admin@localhost")));
    let id = made["id"].as_str().unwrap();
    for path in [
        format!("{ALL}{id}"),
        format!("/api/environments/1/approval_policies/{id}/"),
        format!("/api/projects/@current/approval_policies/{id}/"),
        format!("{ALL}{}", id.to_uppercase()),
    ] {
        assert_eq!(office.get(office.server.key(), &path).await.json(), made, "{path}");
    }
    let change = json!({ "bypass_roles": [], "enabled": false });
    let changed =
        office.send(office.server.key(), Method::PATCH, &format!("{ALL}{id}/"), change).await.json();
    assert_eq!((&changed["enabled"], &changed["bypass_roles"]), (&json!(false), &json!([])));
    assert_eq!(
        (&changed["expires_after"], &changed["conditions"]),
        (&json!("2 01:00:00"), &made["conditions"])
    );
    let put =
        office.send(office.server.key(), Method::PUT, &format!("{ALL}{id}/"), minimal("a.b")).await.json();
    assert_eq!((&put["expires_after"], &put["enabled"]), (&json!("14 00:00:00"), &json!(true)));
    assert_eq!((&put["action_key"], &put["conditions"]), (&json!("a.b"), &json!({})));

    let told = office
        .get(office.server.key(), &format!("{PROJECT}/advanced_activity_logs/?scopes=ApprovalPolicy"))
        .await;
    let told: Vec<Value> =
        told.json()["results"].as_array().unwrap().iter().map(|entry| entry["activity"].clone()).collect();
    assert_eq!(told, [json!("updated"), json!("updated"), json!("created")]);
    let gone = office.send(office.server.key(), Method::DELETE, &format!("{ALL}{id}/"), Value::Null).await;
    assert_eq!((gone.status.as_u16(), gone.body.len()), (204, 0));
    assert_eq!(office.get(office.server.key(), &format!("{ALL}{id}/")).await.refusal().0, 404);
}

#[tokio::test]
async fn members_read_policies_and_administrators_write_them() {
    let office = Office::open().await;
    let made = office.policy(PROJECT, minimal("a")).await;
    let one = format!("{ALL}{}/", made["id"].as_str().unwrap());
    assert_eq!(office.get(&office.ann.key, ALL).await.json()["count"], 1);
    assert_eq!(office.get(&office.ann.key, &one).await.status, 200);
    for (method, path) in
        [(Method::POST, ALL), (Method::PATCH, &one), (Method::PUT, &one), (Method::DELETE, &one)]
    {
        let refused = office.send(&office.ann.key, method.clone(), path, json!({ "action_key": 5 })).await;
        let expected = (403, "permission_denied".to_owned(), Value::Null);
        assert_eq!(refused.refusal(), expected, "{method}");
    }
    let admin = person(&office.server, "admin2", Level::ADMIN).await;
    assert_eq!(office.send(&admin.key, Method::POST, ALL, minimal("b")).await.status, 201);
    for (scope, method, expected) in [
        ("approvals:read", Method::GET, 200),
        ("approvals:write", Method::GET, 200),
        ("*", Method::GET, 200),
        ("logs:write", Method::GET, 403),
        ("approvals:read", Method::DELETE, 403),
        ("approvals:write", Method::DELETE, 204),
    ] {
        let key = office.server.limited_key(&[scope], None, None).await;
        let answer = office.send(&key, method.clone(), &one, Value::Null).await;
        assert_eq!(answer.status, expected, "{scope} {method}");
    }
    for path in [
        "/api/projects/1/approval_policies/x",
        "/api/projects/999/approval_policies/",
        "/api/projects/x/approval_policies/",
    ] {
        assert_eq!(office.get(office.server.key(), path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_is_named() {
    let office = Office::open().await;
    office.policy(PROJECT, minimal("taken")).await;
    let (meta, system) = (office.server.state.meta(), Actor::system());
    let other = other_organization(&office).await;
    let foreign = roles::create(meta, &system, &other, "Foreign", NOW_US).await.unwrap().id;
    let unknown = "019b0000-0000-7000-8000-000000000000";
    for (change, code, attr) in [
        (json!({ "action_key": null }), "null", json!("action_key")),
        (json!({ "approver_config": { "quorum": 0 } }), "invalid_input", json!("approver_config")),
        (json!({ "approver_config": { "quorum": -1 } }), "invalid_input", json!("approver_config")),
        (json!({ "approver_config": {} }), "invalid_input", json!("approver_config")),
        (json!({ "approver_config": [] }), "not_a_dict", json!("approver_config")),
        (json!({ "conditions": null }), "null", json!("conditions")),
        (
            json!({ "bypass_org_membership_levels": ["admin"] }),
            "invalid_input",
            json!("bypass_org_membership_levels"),
        ),
        (json!({ "bypass_roles": [unknown] }), "does_not_exist", json!("bypass_roles")),
        (json!({ "bypass_roles": [foreign] }), "does_not_exist", json!("bypass_roles")),
        (json!({ "expires_after": "later" }), "invalid_input", json!("expires_after")),
        // That there is one is told first.
        (json!({ "action_key": " taken ", "approver_config": 5 }), "unique", Value::Null),
    ] {
        let mut body = minimal("new");
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let refused = office.send(office.server.key(), Method::POST, ALL, body).await;
        assert_eq!(refused.refusal(), (400, code.to_owned(), attr), "{change}");
    }
    for missing in ["action_key", "approver_config"] {
        let mut body = minimal("new");
        body.as_object_mut().unwrap().remove(missing);
        let refused = office.send(office.server.key(), Method::POST, ALL, body).await;
        assert_eq!(refused.refusal(), (400, "required".to_owned(), json!(missing)));
    }
    let second = office.policy(PROJECT, minimal("second")).await;
    let path = format!("{ALL}{}/", second["id"].as_str().unwrap());
    let refused =
        office.send(office.server.key(), Method::PATCH, &path, json!({ "action_key": "taken" })).await;
    assert_eq!(refused.refusal(), (400, "unique".to_owned(), json!("action_key")));
}

#[tokio::test]
async fn policies_are_listed_by_place_newest_first_and_filtered() {
    let office = Office::open().await;
    for (key, enabled) in [("a", true), ("b", false), ("c", true)] {
        let mut policy = minimal(key);
        policy["enabled"] = json!(enabled);
        office.policy(PROJECT, policy).await;
    }
    let organization = office.organization();
    office.policy(&organization, minimal("a")).await;
    let keys = async |query: &str| {
        let list = office.get(&office.ann.key, &format!("{ALL}?{query}")).await.json();
        let results = list["results"].as_array().unwrap().iter();
        results.map(|policy| policy["action_key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys("").await, ["c", "b", "a"]);
    assert_eq!(keys("limit=1&offset=1").await, ["b"]);
    assert_eq!(keys("action_key=b").await, ["b"]);
    assert_eq!(keys("enabled=TRUE").await, ["c", "a"]);
    assert_eq!(keys("enabled=0").await, ["b"]);
    assert!(keys("offset=99").await.is_empty());
    let of_organization =
        office.get(&office.ann.key, &format!("{organization}/approval_policies/")).await.json();
    assert_eq!(
        (&of_organization["count"], &of_organization["results"][0]["action_key"]),
        (&json!(1), &json!("a"))
    );
    let id = of_organization["results"][0]["id"].as_str().unwrap();
    assert_eq!(office.get(office.server.key(), &format!("{ALL}{id}/")).await.status, 404);
    let stranger =
        person_in(&office.server, &other_organization(&office).await, "mallory", Level::OWNER).await;
    assert_eq!(office.get(&stranger.key, ALL).await.status, 403);
    assert_eq!(office.get(&stranger.key, &format!("{organization}/approval_policies/")).await.status, 404);
}

async fn other_organization(office: &Office) -> String {
    let (meta, settings) = (office.server.state.meta(), OrganizationSettings::named("Other"));
    organizations::create(meta, &Actor::system(), None, &settings, NOW_US).await.unwrap().id
}
