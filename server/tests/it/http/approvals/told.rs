//! Who is told of requests: whoever subscribes to the trail, and by e-mail the people they are about.

use axum::http::Method;
use serde_json::json;
use server::config::SmtpTls;

use super::super::harness::TestServer;
use super::super::receiver::{Answers, Receiver};
use super::{Office, PROJECT, alert};

#[tokio::test]
async fn a_subscription_to_the_trail_tells_of_every_step() {
    let server = TestServer::start_with(|config| config.delivery.allow_private_targets = true).await;
    let office = Office::of(server).await;
    office.needs("logs_alert.create", 1, &[&office.bob]).await;
    let mut receiver = Receiver::start(Answers::Always).await;
    let destination = json!({ "type": "webhook", "webhook_url": receiver.url });
    let subscription =
        json!({ "name": "Approvals", "scopes": ["ChangeRequest"], "destination": destination });
    let path = format!("{PROJECT}/activity_log/subscriptions/");
    assert_eq!(office.send(office.server.key(), Method::POST, &path, subscription).await.status, 201);
    let alerts = format!("{PROJECT}/logs/alerts/");
    let request = office.gated(&office.ann.key, Method::POST, &alerts, alert("a")).await;
    assert_eq!(office.approve(&office.bob, &request).await.status, 200);
    for activity in ["created", "approved", "applied"] {
        let told = receiver.next().await.body;
        assert_eq!(told["data"]["activity"], activity);
        assert_eq!(told["data"]["item_id"], request["change_request_id"]);
        assert_eq!(told["data"]["detail"]["context"]["action_key"], "logs_alert.create");
    }
}

#[tokio::test]
async fn approvers_and_requesters_get_e_mails() {
    let server = TestServer::start_with(|config| {
        config.smtp.host = Some("127.0.0.1".to_owned());
        // Nobody listens there: what is to be sent waits.
        config.smtp.port = 1;
        config.smtp.tls = SmtpTls::None;
        config.smtp.from = Some("timberline@example.org".to_owned());
    })
    .await;
    let office = Office::of(server).await;
    let role = office.role("Approvers", &[&office.eve]).await;
    let config = json!({ "quorum": 2, "users": [office.bob.id, 9_999], "roles": [role] });
    office.policy(PROJECT, json!({ "action_key": "logs_alert.create", "approver_config": config })).await;
    let waiting =
        async || office.server.state.meta().waiting_notifications().await.unwrap().num_notifications;
    let alerts = format!("{PROJECT}/logs/alerts/");
    let request = office.gated(&office.ann.key, Method::POST, &alerts, alert("a")).await;
    assert_eq!(waiting().await, 1, "one to all approvers");
    office.approve(&office.bob, &request).await;
    assert_eq!(waiting().await, 2, "the requester, of the vote");
    office.approve(&office.eve, &request).await;
    assert_eq!(waiting().await, 4, "and of the second, and that it was applied");
    let request = office.gated(&office.ann.key, Method::POST, &alerts, alert("b")).await;
    assert_eq!(waiting().await, 5);
    office.decide(&office.bob, PROJECT, &request, "reject", json!({ "reason": "no" })).await;
    assert_eq!(waiting().await, 6);
    let request = office.gated(&office.ann.key, Method::POST, &alerts, alert("c")).await;
    office.decide(&office.ann, PROJECT, &request, "cancel", json!({})).await;
    assert_eq!(waiting().await, 7, "nobody is told of a cancellation");
}
