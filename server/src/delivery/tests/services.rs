//! Slack and PagerDuty, played by the tests.

use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::*;
use crate::accounts::integrations::{self, Connection};
use crate::meta::testing::on_every_backend;

/// Connects the project to Slack, and makes a destination of a channel there.
async fn channel(bench: &Bench) -> (i64, Uuid) {
    let project = bench.meta.project(FIRST_PROJECT).await.unwrap().unwrap();
    let connection = Connection::Slack { access_token: secret("xoxb-hush") };
    let (key, actor) = (key(), Actor::system());
    let made = integrations::create(&bench.meta, &key, &actor, &project, ("Acme", &connection), NOW_US)
        .await
        .unwrap();
    let target = Target::SlackChannel {
        integration_id: made.id,
        channel_id: "C042".to_owned(),
        channel_name: "ops".to_owned(),
    };
    (made.id, bench.add(&target).await)
}

async fn bench_with_slack(meta: Meta, slack: &Receiver) -> Bench {
    let url = format!("http://127.0.0.1:{}/api", slack.port);
    Bench::with(meta, |config| {
        // The address of Slack is the operator's, and needs no leave.
        config.delivery.allow_private_targets = false;
        config.delivery.slack_url = url;
    })
    .await
}

#[tokio::test]
async fn a_channel_gets_a_message_by_the_token_of_the_integration() {
    on_every_backend(|meta| async move {
        let ok = Reply::Body(json!({ "ok": true, "ts": "1" }).to_string());
        let slack = Receiver::answering([ok]).await;
        let bench = bench_with_slack(meta, &slack).await;
        let (_, id) = channel(&bench).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        let got = slack.got().remove(0);
        assert_eq!(got.path, "/api/chat.postMessage");
        assert_eq!(got.header("authorization"), "Bearer xoxb-hush");
        let body = got.json();
        assert_eq!((&body["channel"], &body["text"]), (&json!("C042"), &json!("Errors is firing")));
        assert_eq!(body["blocks"].as_array().unwrap().len(), 5);
        assert_eq!(bench.destination(id).await.health.last_success_us, Some(NOW_US));
    })
    .await;
}

#[tokio::test]
async fn what_slack_refuses_is_told_by_its_word() {
    on_every_backend(|meta| async move {
        let no = |word: &str| Reply::Body(json!({ "ok": false, "error": word }).to_string());
        let slack = Receiver::answering([no("ratelimited"), no("channel_not_found")]).await;
        let bench = bench_with_slack(meta, &slack).await;
        let (_, id) = channel(&bench).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        assert_eq!(bench.num_waiting().await, 1, "too many messages are fewer later");
        bench.pass(32);
        bench.courier.deliver_due().await;
        assert_eq!(bench.num_waiting().await, 0);
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(reason, "Slack refuses: channel_not_found");
    })
    .await;
}

#[tokio::test]
async fn an_integration_that_is_gone_is_said_to_be_gone() {
    on_every_backend(|meta| async move {
        let slack = Receiver::new().await;
        let bench = bench_with_slack(meta, &slack).await;
        let (integration, id) = channel(&bench).await;
        let project = bench.meta.project(FIRST_PROJECT).await.unwrap().unwrap();
        integrations::delete(&bench.meta, &Actor::system(), &project, integration, NOW_US).await.unwrap();
        bench.tell().await;
        bench.courier.deliver_due().await;
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(reason, "the project is not integrated with this workspace any more");
        assert_eq!(slack.got().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn an_incoming_webhook_gets_the_same_message() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        bench.add(&Target::SlackWebhook { url: secret(&receiver.url) }).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        let got = receiver.got().remove(0);
        assert_eq!(got.json()["blocks"][0]["text"]["text"], "Errors is firing");
        assert_eq!((got.json().get("channel"), got.header("authorization")), (None, ""));
    })
    .await;
}

#[tokio::test]
async fn an_incident_is_opened_and_resolved_under_one_key() {
    on_every_backend(|meta| async move {
        let pagerduty = Receiver::answering([202, 202].map(Reply::Status)).await;
        let url = format!("http://127.0.0.1:{}/v2/enqueue", pagerduty.port);
        let bench = Bench::with(meta, |config| {
            config.delivery.allow_private_targets = false;
            config.delivery.pagerduty_url = url;
        })
        .await;
        let target = Target::PagerDuty { routing_key: secret("R-hush") };
        bench.add(&target).await;
        bench.add_for(&target, EventKind::AlertResolved).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        bench.tell_of(EventKind::AlertResolved).await;
        bench.courier.deliver_due().await;
        let got: Vec<_> = pagerduty.got().iter().map(super::receiver::Got::json).collect();
        let alert = json!(bench.owner.id());
        assert_eq!((&got[0]["event_action"], &got[0]["dedup_key"]), (&json!("trigger"), &alert));
        assert_eq!(
            (&got[0]["routing_key"], &got[0]["payload"]["source"]),
            (&json!("R-hush"), &json!("timberline"))
        );
        let resolved = json!({ "event_action": "resolve", "dedup_key": alert, "routing_key": "R-hush" });
        assert_eq!((&got[1], bench.num_waiting().await), (&resolved, 0));
    })
    .await;
}
