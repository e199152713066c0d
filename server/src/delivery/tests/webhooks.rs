//! Webhooks: what is sent, what is sent again, and where nothing is sent.

use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::receiver::{Receiver, Reply};
use super::*;
use crate::meta::testing::on_every_backend;

#[tokio::test]
async fn a_webhook_has_the_body_and_headers_of_the_contract() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        let id = bench.add(&webhook(&receiver.url)).await;
        let (told, noted) = bench.tell().await;
        assert_eq!((noted, bench.courier.deliver_due().await), (1, 1));
        let [got] = &receiver.got()[..] else { panic!("{:?}", receiver.got()) };
        assert_eq!(
            got.json(),
            json!({
                "id": told, "type": "logs_alert.firing", "timestamp": "2025-12-16T10:33:00+00:00",
                "data": { "alert_name": "Errors", "result_count": 120, "service_names": [] },
            })
        );
        assert_eq!(got.path, "/hooks/hush");
        for (name, value) in [
            ("content-type", "application/json"),
            ("x-posthog-webhook-version", "1"),
            ("x-timberline-webhook-version", "1"),
            ("idempotency-key", told.to_string().as_str()),
            ("x-timberline-signature", ""),
        ] {
            assert_eq!(got.header(name), value, "{name}");
        }
        let health = bench.destination(id).await.health;
        assert_eq!((health.last_success_us, health.consecutive_failures), (Some(NOW_US), 0));
        assert_eq!((bench.num_waiting().await, bench.courier.deliver_due().await), (0, 0), "once");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_with_a_secret_can_tell_who_calls() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        let signing_secret = Some(secret("between us"));
        bench.add(&Target::Webhook { url: secret(&receiver.url), signing_secret }).await;
        bench.tell().await;
        bench.courier.deliver_due().await;
        let got = receiver.got().remove(0);
        let timestamp = got.header("x-timberline-timestamp");
        assert_eq!(timestamp, (NOW_US / SECOND_US).to_string());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, b"between us");
        let signature = got.header("x-timberline-signature").strip_prefix("sha256=").unwrap();
        let bytes: Vec<u8> =
            (0..64).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap()).collect();
        let signed = format!("{timestamp}.{}", got.text);
        ring::hmac::verify(&key, signed.as_bytes(), &bytes).unwrap();
    })
    .await;
}

#[tokio::test]
async fn what_fails_for_a_while_is_sent_again_with_the_same_id() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::answering([503, 408, 500].map(Reply::Status)).await;
        let id = bench.add(&webhook(&receiver.url)).await;
        let (told, _) = bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!(bench.courier.deliver_due().await, 0, "a wait comes first");
        let health = bench.destination(id).await.health;
        assert_eq!(health.last_failure.as_deref(), Some("the receiver answered with status 503"));
        assert_eq!(bench.exhaust().await, 3);
        let got = receiver.got();
        assert_eq!(got.len(), 4);
        assert!(got.iter().all(|got| got.header("idempotency-key") == told.to_string()));
        assert!(got.iter().all(|other| other.text == got[0].text));
        let health = bench.destination(id).await.health;
        assert_eq!((health.consecutive_failures, health.last_success_us.is_some()), (0, true));
    })
    .await;
}

#[tokio::test]
async fn what_never_gets_better_is_given_up_after_six_tries() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::answering(vec![Reply::Status(500); 20]).await;
        let id = bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        assert_eq!((bench.exhaust().await, receiver.got().len()), (6, 6));
        let health = bench.destination(id).await.health;
        assert_eq!((health.consecutive_failures, health.last_success_us), (6, None));
        assert_eq!(bench.num_waiting().await, 0);
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again_and_holds_nothing_up() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::answering([400, 404, 410, 501].map(Reply::Status)).await;
        let id = bench.add(&webhook(&receiver.url)).await;
        for _ in 0..5 {
            bench.tell().await;
        }
        for status in [400, 404, 410, 501] {
            assert_eq!(bench.courier.deliver_due().await, 1);
            let reason = bench.destination(id).await.health.last_failure.unwrap();
            assert_eq!(reason, format!("the receiver answered with status {status}"));
        }
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!((bench.num_waiting().await, receiver.got().len()), (0, 5));
        let health = bench.destination(id).await.health;
        assert_eq!((health.consecutive_failures, health.last_success_us), (0, Some(NOW_US)));
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_has_too_much_is_left_alone_for_as_long_as_it_asks() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::answering([Reply::TooMany("120")]).await;
        bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 1);
        bench.tell().await;
        bench.pass(119);
        assert_eq!(bench.courier.deliver_due().await, 0, "nothing else is sent there either");
        bench.pass(2);
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!((receiver.got().len(), bench.num_waiting().await), (3, 0));
    })
    .await;
}

#[tokio::test]
async fn a_private_address_is_not_called_however_it_is_written() {
    on_every_backend(|meta| async move {
        let bench = Bench::with(meta, |config| config.delivery.allow_private_targets = false).await;
        let receiver = Receiver::new().await;
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "LOCALHOST"] {
            let id = bench.add(&webhook(&format!("http://{host}:{}/hush", receiver.port))).await;
            bench.tell().await;
            while bench.courier.deliver_due().await > 0 {}
            let health = bench.destination(id).await.health;
            let reason = health.last_failure.unwrap();
            assert_eq!(reason, "the address leads into a private network, which is not allowed", "{host}");
            assert_eq!(bench.num_waiting().await, 0, "{host} is not tried again");
        }
        assert_eq!(receiver.got().len(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_the_settings_allow_is_called() {
    on_every_backend(|meta| async move {
        let bench = Bench::with(meta, |config| {
            config.delivery.allow_private_targets = false;
            config.delivery.allowed_targets = vec!["localhost".parse().unwrap()];
        })
        .await;
        let receiver = Receiver::new().await;
        bench.add(&webhook(&format!("http://localhost:{}/hush", receiver.port))).await;
        let refused = bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 2);
        assert_eq!(receiver.got().len(), 1);
        assert_eq!(bench.destination(refused).await.health.consecutive_failures, 1);
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let elsewhere = Receiver::new().await;
        let receiver = Receiver::answering([Reply::Redirect(elsewhere.url.clone())]).await;
        let id = bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        assert_eq!(bench.exhaust().await, 1);
        assert_eq!(elsewhere.got().len(), 0);
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(reason, "the receiver redirects (307), which is not followed");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_answer_is_tried_again_and_no_reason_has_an_address() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let malformed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hush", malformed.local_addr().unwrap());
        let answering = tokio::spawn(async move {
            while let Ok((mut connection, _)) = malformed.accept().await {
                let _ = connection.write_all(b"this is no HTTP\r\n\r\n").await;
            }
        });
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = format!("http://{}/hush", gone.local_addr().unwrap());
        drop(gone);
        let ids = [bench.add(&webhook(&url)).await, bench.add(&webhook(&nobody)).await];
        bench.tell().await;
        assert_eq!(bench.courier.deliver_due().await, 2);
        assert_eq!(bench.num_waiting().await, 2, "both are tried again");
        for (id, expected) in ids.into_iter().zip(["the connection broke", "no connection"]) {
            let destination = bench.destination(id).await;
            assert_eq!(destination.health.last_failure.as_deref(), Some(expected));
        }
        answering.abort();
    })
    .await;
}

#[tokio::test]
async fn a_slow_receiver_holds_up_no_other() {
    on_every_backend(|meta| async move {
        let bench = Arc::new(Bench::new(meta).await);
        let answer = Arc::new(tokio::sync::Notify::new());
        let slow = Receiver::answering([Reply::After(Arc::clone(&answer))]).await;
        let quick = Receiver::new().await;
        let slow_id = bench.add(&webhook(&slow.url)).await;
        bench.add(&webhook(&quick.url)).await;
        bench.tell().await;
        bench.tell().await;
        let claims = bench.courier.claim(10, &[]).await.unwrap();
        let (held, others): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| claim.destination.id == slow_id);
        assert_eq!((held.len(), others.len()), (1, 1));
        let holding = tokio::spawn({
            let bench = Arc::clone(&bench);
            async move { bench.courier.deliver(held[0].clone()).await }
        });
        bench.courier.deliver(others[0].clone()).await;
        assert_eq!(bench.courier.deliver_due().await, 1, "the slow one has one at a time");
        assert_eq!(quick.got().len(), 2);
        while slow.got().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!((bench.courier.deliver_due().await, slow.got().len()), (0, 1));
        answer.notify_one();
        holding.await.unwrap();
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!((slow.got().len(), bench.num_waiting().await), (2, 0));
    })
    .await;
}
