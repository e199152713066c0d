//! Subscriptions to the audit trail: who may have them, what they may say, and who is told of what.

use axum::http::Method;
use serde_json::{Value, json};
use server::meta::Level;

use super::harness::{Answer, TestServer};
use super::people::person;
use super::receiver::{Answers, Receiver};
use crate::waiting::until;

const ALL: &str = "/api/projects/1/activity_log/subscriptions/";

async fn send(server: &TestServer, method: Method, path: &str, body: Value) -> Answer {
    server.request(method, path, body.to_string()).await
}

/// A server that calls receivers on this machine.
async fn start() -> TestServer {
    TestServer::start_with(|config| config.delivery.allow_private_targets = true).await
}

fn webhook(url: &str) -> Value {
    json!({ "type": "webhook", "webhook_url": url })
}

async fn subscribe(server: &TestServer, body: Value) -> Value {
    let made = send(server, Method::POST, ALL, body).await;
    assert_eq!(made.status, 201, "{}", made.json());
    made.json()
}

async fn write(server: &TestServer, project: i64, entries: Value) -> Value {
    let path = format!("/api/projects/{project}/activity_log/");
    let written = send(server, Method::POST, &path, entries).await;
    assert_eq!(written.status, 201, "{}", written.json());
    written.json()
}

#[tokio::test]
async fn a_new_entry_is_told_as_the_list_has_it() {
    let server = start().await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let body = json!({ "name": "Things", "scopes": ["Thing"], "destination": webhook(&receiver.url) });
    subscribe(&server, body).await;
    let thing =
        json!({ "scope": "Thing", "activity": "created", "item_id": "7", "detail": { "name": "One" } });
    let id = write(&server, 1, thing).await["id"].clone();
    let told = receiver.next().await;
    assert_eq!(told.headers["idempotency-key"], id.as_str().unwrap());
    assert_eq!((&told.body["id"], &told.body["type"]), (&id, &json!("activity_log.entry_created")));
    assert_eq!(told.body["timestamp"], "2025-12-16T10:33:00+00:00");
    let list = server.request(Method::GET, "/api/projects/1/advanced_activity_logs/?scopes=Thing", "").await;
    assert_eq!(told.body["data"], list.json()["results"][0]);
    assert_eq!(told.body["data"]["user"]["email"], "admin@localhost");
}

#[tokio::test]
async fn changes_of_the_product_are_told_and_what_was_before_is_not() {
    let server = start().await;
    let view = |name: &str| json!({ "name": name }).to_string();
    let views = "/api/projects/1/logs/views";
    assert_eq!(server.request(Method::POST, views, view("before")).await.status, 201);
    let mut receiver = Receiver::start(Answers::Always).await;
    let body = json!({ "name": "All", "destination": webhook(&receiver.url) });
    let subscription = subscribe(&server, body).await;
    assert_eq!(server.request(Method::POST, views, view("first")).await.status, 201);
    let told = receiver.next().await;
    assert_eq!(told.body["data"]["detail"]["name"], "first", "not of itself either");

    // Nobody is told while it is disabled, nor of that time later.
    let path = format!("{ALL}{}/", subscription["id"].as_str().unwrap());
    for (name, enabled) in [("second", false), ("third", true)] {
        let changed = send(&server, Method::PATCH, &path, json!({ "enabled": enabled })).await;
        assert_eq!((changed.status.as_u16(), &changed.json()["enabled"]), (200, &json!(enabled)));
        // Who reads the trail sees all that was done before: the entry has left the outbox.
        assert_eq!(server.request(Method::POST, views, view(name)).await.status, 201);
        server.request(Method::GET, "/api/projects/1/advanced_activity_logs/", "").await;
    }
    assert_eq!(receiver.next().await.body["data"]["detail"]["name"], "third");
    assert_eq!(server.request(Method::DELETE, &path, "").await.status, 204);
    assert_eq!(server.request(Method::POST, views, view("fourth")).await.status, 201);
    server.request(Method::GET, "/api/projects/1/advanced_activity_logs/", "").await;
    assert_eq!(server.state.meta().waiting_notifications().await.unwrap().num_notifications, 0);
    assert!(receiver.is_empty());
}

#[tokio::test]
async fn filters_and_the_visibility_of_the_trail_decide_who_is_told() {
    let server = start().await;
    let organization = server.credentials.organization_id.to_string();
    let sibling = format!("/api/organizations/{organization}/projects/");
    let sibling = send(&server, Method::POST, &sibling, json!({ "name": "Sibling" })).await;
    assert_eq!(sibling.status, 201);
    let sibling = sibling.json()["id"].as_i64().unwrap();
    let (mut own, mut all) = (Receiver::start(Answers::Always).await, Receiver::start(Answers::Always).await);
    let filters = json!({
        "name": "Some", "scopes": ["Thing", "Role"], "activities": ["created"], "item_ids": ["1", "2"],
        "destination": webhook(&own.url),
    });
    subscribe(&server, filters).await;
    let of_sibling = json!({ "name": "All", "destination": webhook(&all.url) }).to_string();
    let path = format!("/api/projects/{sibling}/activity_log/subscriptions");
    assert_eq!(server.request(Method::POST, &path, of_sibling).await.status, 201);
    let opted_in = json!({ "receive_org_level_activity_logs": true });
    let changed = send(&server, Method::PATCH, &format!("/api/projects/{sibling}/"), opted_in).await;
    assert_eq!(changed.status, 200);
    assert_eq!(all.next().await.body["data"]["scope"], "Project", "the setting itself");

    let entry = |scope: &str, activity: &str, item: &str| json!({ "scope": scope, "activity": activity, "item_id": item });
    let entries = json!([
        entry("Thing", "created", "3"),
        entry("Thing", "deleted", "1"),
        entry("Other", "created", "1"),
        entry("Thing", "created", "2"),
    ]);
    write(&server, 1, entries).await;
    let told = own.next().await;
    assert_eq!((&told.body["data"]["scope"], &told.body["data"]["item_id"]), (&json!("Thing"), &json!("2")));

    // Entries of the organization are for projects that want them, and entries for the staff for nobody.
    person(&server, "ann", Level::MEMBER).await;
    let role = json!({ "name": "Auditors" });
    let role = send(&server, Method::POST, &format!("/api/organizations/{organization}/roles/"), role).await;
    assert_eq!(role.status, 201);
    loop {
        let told = all.next().await;
        assert!(told.body["data"]["team_id"].is_null(), "{}", told.body);
        assert_ne!(told.body["data"]["scope"], "User", "{}", told.body);
        if told.body["data"]["scope"] == "Role" {
            assert_eq!(told.body["data"]["detail"]["name"], "Auditors");
            break;
        }
    }
    assert!(own.is_empty());
}

#[tokio::test]
async fn how_sending_goes_is_shown_and_where_is_not() {
    let server = start().await;
    let mut receiver = Receiver::start(Answers::With(410)).await;
    let mut destination = webhook(&receiver.url);
    destination["signing_secret"] = json!("signed-with-this-hush");
    let made = subscribe(&server, json!({ "name": "Gone", "destination": destination })).await;
    let shown = &made["destination"];
    assert_eq!((&shown["type"], &shown["consecutive_failures"]), (&json!("webhook"), &json!(0)));
    assert!(shown["label"].as_str().unwrap().starts_with("Activity subscription \"Gone\""), "{shown}");
    write(&server, 1, json!({ "scope": "Thing", "activity": "created" })).await;
    let told = receiver.next().await;
    assert!(told.headers["x-timberline-signature"].to_str().unwrap().starts_with("sha256="));
    let path = format!("{ALL}{}/", made["id"].as_str().unwrap());
    let failed = "timberline_notifications_total{outcome=\"failed\"} 1";
    let numbers = until("the notification fails", async || {
        let numbers = server.request(Method::GET, "/metrics", "").await;
        let numbers = String::from_utf8(numbers.body.to_vec()).unwrap();
        numbers.lines().any(|number| number == failed).then_some(numbers)
    })
    .await;
    assert!(numbers.contains("\ntimberline_notifications_waiting 0\n"), "{numbers}");
    let shown = server.request(Method::GET, &path, "").await;
    assert_eq!(shown.json()["destination"]["consecutive_failures"], 1);
    assert_eq!(shown.json()["destination"]["last_failure"], "the receiver answered with status 410");
    let list = server.request(Method::GET, ALL, "").await;
    let trail = server.request(Method::GET, "/api/projects/1/advanced_activity_logs/", "").await;
    for answer in [&shown, &list, &trail] {
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("very-secret") && !text.contains("hush"), "{text}");
    }
}

#[tokio::test]
async fn a_subscription_is_changed_in_parts_replaced_and_listed() {
    let server = start().await;
    let first = json!({ "name": " One ", "scopes": ["A"], "destination": webhook("https://example.org/a") });
    let first = subscribe(&server, first).await;
    assert_eq!(
        (&first["name"], &first["enabled"], &first["item_ids"]),
        (&json!("One"), &json!(true), &json!([]))
    );
    assert_eq!(first["created_by"]["email"], "admin@localhost");
    let second = subscribe(&server, json!({ "name": "Two", "destination": webhook("https://b.org") })).await;
    let path = format!("{ALL}{}/", first["id"].as_str().unwrap());
    let patch = json!({ "activities": ["created"], "destination": webhook("https://c.example.org/x") });
    let patched = send(&server, Method::PATCH, &path, patch).await.json();
    assert_eq!((&patched["scopes"], &patched["activities"]), (&json!(["A"]), &json!(["created"])));
    assert_ne!(patched["destination"]["id"], first["destination"]["id"], "another one in its place");
    let label = patched["destination"]["label"].as_str().unwrap();
    assert!(label.ends_with("webhook at https://c.example.org"), "{label}");
    let replaced = send(&server, Method::PUT, &path, json!({ "name": "Three" })).await.json();
    assert_eq!((&replaced["name"], &replaced["scopes"]), (&json!("Three"), &json!([])));
    assert_eq!(replaced["destination"], patched["destination"]);
    let list = server.request(Method::GET, &format!("{ALL}?limit=1"), "").await.json();
    assert_eq!((&list["count"], list["results"].as_array().unwrap().len()), (&json!(2), 1));
    assert!(list["next"].as_str().unwrap().contains("offset=1"));
    let rest = server.request(Method::GET, &format!("{ALL}?offset=1"), "").await.json();
    let ids = [&list["results"][0]["id"], &rest["results"][0]["id"]];
    assert!(ids.contains(&&second["id"]) && ids.contains(&&first["id"]));
    let trail = "/api/projects/1/advanced_activity_logs/?scopes=ActivitySubscription&ordering=created_at";
    let trail = server.request(Method::GET, trail, "").await.json();
    let told: Vec<_> = trail["results"].as_array().unwrap().iter().map(|told| &told["activity"]).collect();
    assert_eq!(told, ["created", "created", "updated", "updated"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_subscription_is_named() {
    let server = start().await;
    let with = |destination: Value| json!({ "name": "n", "destination": destination });
    let good = || webhook("https://example.org");
    for (body, code, attr) in [
        (json!({}), "required", "name"),
        (json!({ "name": "" , "destination": good() }), "blank", "name"),
        (json!({ "name": "n" }), "required", "destination"),
        (with(json!(null)), "not_a_dict", "destination"),
        (with(json!({})), "required", "destination__type"),
        (with(json!({ "type": "pigeon" })), "invalid_choice", "destination__type"),
        (with(json!({ "type": "webhook" })), "required", "destination__webhook_url"),
        (with(webhook("nowhere")), "invalid_input", "destination__webhook_url"),
        (with(webhook("ftp://example.org")), "invalid_input", "destination__webhook_url"),
        (with(webhook("https://u:p4ss@example.org")), "invalid_input", "destination__webhook_url"),
        (with(json!({ "type": "slack" })), "required", "destination__slack_workspace_id"),
        (
            with(json!({ "type": "slack", "slack_workspace_id": 0 })),
            "min_value",
            "destination__slack_workspace_id",
        ),
        (
            with(json!({ "type": "slack", "slack_workspace_id": 1 })),
            "required",
            "destination__slack_channel_id",
        ),
        (
            with(json!({ "type": "slack", "slack_workspace_id": 1, "slack_channel_id": "C1" })),
            "does_not_exist",
            "destination__slack_workspace_id",
        ),
        (
            with(json!({ "type": "email", "email_addresses": ["a@b.org"] })),
            "invalid_choice",
            "destination__type",
        ),
        (with(json!({ "type": "pagerduty" })), "required", "destination__routing_key"),
        (json!({ "name": "n", "destination": good(), "scopes": "Role" }), "not_a_list", "scopes"),
        (json!({ "name": "n", "destination": good(), "activities": [1] }), "invalid_input", "activities__0"),
        (
            json!({ "name": "n", "destination": good(), "item_ids": ["x".repeat(73)] }),
            "max_length",
            "item_ids__0",
        ),
        (json!({ "name": "n", "destination": good(), "enabled": "yes" }), "invalid_input", "enabled"),
    ] {
        let refused = send(&server, Method::POST, ALL, body.clone()).await;
        assert_eq!(refused.refusal(), (400, code.to_owned(), json!(attr)), "{body}");
        assert!(!String::from_utf8_lossy(&refused.body).contains("p4ss"));
    }
    assert_eq!(server.request(Method::GET, ALL, "").await.json()["count"], 0);
}

#[tokio::test]
async fn every_type_of_destination_is_taken() {
    let server = TestServer::start_with(|config| {
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.tls = server::config::SmtpTls::None;
        config.smtp.from = Some("alerts@example.org".to_owned());
    })
    .await;
    let integration = json!({ "kind": "slack", "name": "Acme", "config": { "access_token": "xoxb" } });
    let integration = send(&server, Method::POST, "/api/projects/1/integrations/", integration).await.json();
    let workspace = &integration["id"];
    for (destination, kind) in [
        (json!({ "type": "slack", "slack_workspace_id": workspace, "slack_channel_id": "C1" }), "slack"),
        (json!({ "type": "slack", "slack_webhook_url": "https://hooks.example.org/T/B" }), "slack"),
        (json!({ "type": "email", "email_addresses": ["a@example.org", "b@example.org"] }), "email"),
        (json!({ "type": "pagerduty", "routing_key": "R1" }), "pagerduty"),
    ] {
        let made = subscribe(&server, json!({ "name": kind, "destination": destination })).await;
        assert_eq!(made["destination"]["type"], kind);
    }
    let bad = json!({ "type": "email", "email_addresses": ["a@example.org", "nobody"] });
    let refused = send(&server, Method::POST, ALL, json!({ "name": "n", "destination": bad })).await;
    let attr = json!("destination__email_addresses__1");
    assert_eq!(refused.refusal(), (400, "invalid_input".to_owned(), attr));
}

#[tokio::test]
async fn scopes_decide_who_may_subscribe() {
    let server = start().await;
    let body = json!({ "name": "n", "destination": webhook("https://example.org") });
    let id = subscribe(&server, body.clone()).await["id"].as_str().unwrap().to_owned();
    let one = format!("{ALL}{id}/");
    let reader = server.limited_key(&["activity_log:read"], None, None).await;
    let stranger = server.limited_key(&["logs:write"], None, None).await;
    for (method, path) in [
        (Method::POST, ALL),
        (Method::PATCH, one.as_str()),
        (Method::PUT, one.as_str()),
        (Method::DELETE, one.as_str()),
    ] {
        let refused = server.request_as(&reader, method, path, body.to_string()).await;
        assert_eq!(refused.refusal().0, 403, "{path}");
    }
    for path in [ALL, one.as_str()] {
        assert_eq!(server.request_as(&reader, Method::GET, path, "").await.status, 200);
        assert_eq!(server.request_as(&stranger, Method::GET, path, "").await.status, 403);
    }
    for path in [format!("{ALL}x"), format!("{ALL}019b0000-0000-7000-8000-000000000000")] {
        for method in [Method::GET, Method::PATCH, Method::PUT, Method::DELETE] {
            assert_eq!(server.request(method, &path, body.to_string()).await.status, 404, "{path}");
        }
    }
}
