//! Where notifications of alerts go.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ALERTS, Watched, errors, path};

const HOOK: &str = "https://hooks.example.org/secret-path";

async fn attach(watched: &Watched, alert: &Value) -> Vec<Value> {
    let body = json!({ "type": "webhook", "webhook_url": HOOK });
    let made = watched.call(Method::POST, &path(alert, "destinations/"), body).await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    made.json()["hog_function_ids"].as_array().unwrap().clone()
}

async fn listed(watched: &Watched, alert: &Value) -> Vec<Value> {
    let found = watched.call(Method::GET, &path(alert, "destinations/"), json!(null)).await.json();
    found["results"].as_array().unwrap().clone()
}

async fn detach(watched: &Watched, alert: &Value, ids: Value) -> u16 {
    let body = json!({ "hog_function_ids": ids });
    watched.call(Method::POST, &path(alert, "destinations/delete/"), body).await.status.as_u16()
}

#[tokio::test]
async fn a_destination_is_told_of_all_four_kinds_and_never_shows_its_address() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors(), "name": "5xx", "enabled": true })).await;
    let ids = attach(&watched, &alert).await;
    let found = listed(&watched, &alert).await;
    let of = |member: &str| -> Vec<Value> { found.iter().map(|one| one[member].clone()).collect() };
    assert_eq!(of("id"), ids);
    assert_eq!(of("event"), ["firing", "resolved", "broken", "errored"].map(|word| json!(word)));
    assert!(of("group_id").iter().all(|group| *group == found[0]["group_id"]));
    assert!(found[0]["label"].as_str().unwrap().contains("5xx"), "{found:?}");
    assert!(!json!(found).to_string().contains("secret-path"));
    assert_eq!(watched.get(&alert).await["destination_types"], json!(["webhook"]));
    let again = attach(&watched, &alert).await;
    assert!(again.iter().all(|id| !ids.contains(id)), "each call makes a group of its own");
    assert_eq!(listed(&watched, &alert).await.len(), 8);
}

#[tokio::test]
async fn only_what_is_of_the_alert_is_taken_away() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    let other = watched.create(json!({ "enabled": false })).await;
    let (ids, foreign) = (attach(&watched, &alert).await, attach(&watched, &other).await);
    for bad in [json!([ids[0], foreign[0]]), json!([]), json!(["x"]), json!("x"), json!(null)] {
        assert_eq!(detach(&watched, &alert, bad.clone()).await, 400, "{bad}");
        assert_eq!(listed(&watched, &alert).await.len(), 4, "none is gone");
    }
    assert_eq!(detach(&watched, &alert, json!([ids[3], ids[3]])).await, 204);
    assert_eq!(listed(&watched, &alert).await.len(), 3, "one kind is not told any more");
    assert_eq!(detach(&watched, &alert, json!(ids)).await, 204, "what is gone is gone");
    assert_eq!(watched.get(&alert).await["destination_types"], json!([]));
    assert_eq!(listed(&watched, &other).await.len(), 4);
}

#[tokio::test]
async fn what_is_no_destination_is_named() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    for (body, attr) in [
        (json!({}), "type"),
        (json!({ "type": "pigeon" }), "type"),
        (json!({ "type": "webhook" }), "webhook_url"),
        (json!({ "type": "webhook", "webhook_url": "hooks" }), "webhook_url"),
        (json!({ "type": "slack" }), "slack_workspace_id"),
        (json!({ "type": "slack", "slack_workspace_id": 7, "slack_channel_id": "C1" }), "slack_workspace_id"),
    ] {
        let refused =
            watched.call(Method::POST, &path(&alert, "destinations/"), body.clone()).await.refusal();
        assert_eq!((refused.0, refused.2), (400, json!(attr)), "{body}");
    }
}

#[tokio::test]
async fn destinations_go_with_their_alert() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    attach(&watched, &alert).await;
    assert_eq!(watched.call(Method::DELETE, &path(&alert, ""), json!(null)).await.status, 204);
    let trail = "/api/projects/1/advanced_activity_logs/?scopes=HogFunction&activities=updated";
    let deleted = watched.server.request(Method::GET, trail, "").await.json();
    assert_eq!(deleted["results"].as_array().unwrap().len(), 4, "{deleted}");
}

#[tokio::test]
async fn a_test_takes_a_destination() {
    let watched = Watched::start().await;
    let alert = watched.create(json!({ "filters": errors() })).await;
    let test =
        async |body: Value| watched.call(Method::POST, &path(&alert, "destinations/test/"), body).await;
    assert_eq!(test(json!({})).await.status, 400);
    let (first, second) = (attach(&watched, &alert).await, attach(&watched, &alert).await);
    let tested = test(json!({})).await;
    assert_eq!(
        (tested.status.as_u16(), &tested.json()["hog_function_ids"]),
        (202, &json!([first[0], second[0]]))
    );
    let one = test(json!({ "hog_function_ids": [first[2]] })).await.json();
    assert_eq!(one["hog_function_ids"], json!([first[2]]));
    let unknown = json!({ "hog_function_ids": ["019b0000-0000-7000-8000-000000000000"] });
    assert_eq!(test(unknown).await.refusal().0, 400);
    let alerts = watched.call(Method::GET, ALERTS, json!(null)).await.json();
    assert_eq!(alerts["results"][0]["last_notified_at"], Value::Null);
}
