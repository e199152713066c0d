//! Who may send what, and what a crash leaves.

use std::collections::HashSet;

use super::receiver::Receiver;
use super::*;
use crate::meta::testing::on_every_backend;

#[tokio::test]
async fn what_was_claimed_and_not_sent_is_sent_with_the_same_id_when_the_lease_has_run_out() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        bench.add(&webhook(&receiver.url)).await;
        let (told, _) = bench.tell().await;
        let lost = bench.courier.claim(10, &[]).await.unwrap();
        assert_eq!((lost.len(), lost[0].num_tries), (1, 1));
        let other = courier(&bench.meta, &bench.clock, |_| {});
        assert_eq!(other.deliver_due().await, 0, "whoever has claimed it may be sending it");
        bench.pass(59);
        assert_eq!(other.deliver_due().await, 0);
        bench.pass(2);
        assert_eq!(other.deliver_due().await, 1);
        assert_eq!(receiver.got()[0].header("idempotency-key"), told.to_string());
        assert_eq!(bench.num_waiting().await, 0);
        // The first one comes back after all: nothing is left for it to change.
        bench.courier.deliver(lost[0].clone()).await;
        assert_eq!((receiver.got().len(), bench.num_waiting().await), (2, 0));
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_not_given_back_by_who_had_it() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        bench.tell().await;
        let late = bench.courier.claim(10, &[]).await.unwrap();
        bench.pass(61);
        let other = courier(&bench.meta, &bench.clock, |_| {});
        let held = other.claim(10, &[]).await.unwrap();
        assert_eq!(held.len(), 1);
        bench.courier.deliver(late[0].clone()).await;
        assert_eq!(bench.courier.claim(10, &[]).await.unwrap().len(), 0, "the other one still sends");
        other.deliver(held[0].clone()).await;
        assert_eq!(bench.courier.deliver_due().await, 1);
        assert_eq!(bench.num_waiting().await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_moved_has_nothing_sent_twice_by_who_is_sending_it() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        let sending = bench.courier.claim(1, &[]).await.unwrap();
        bench.pass(3_600);
        let busy = [sending[0].destination.id];
        assert_eq!(bench.courier.claim(1, &busy).await.unwrap().len(), 0);
        bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        let other = bench.courier.claim(1, &busy).await.unwrap();
        assert_eq!(other.len(), 1, "a busy one takes no place");
        assert_ne!(other[0].destination.id, busy[0]);
        assert_eq!(bench.courier.claim(9, &[]).await.unwrap().len(), 1, "whose lease has run out");
    })
    .await;
}

#[tokio::test]
async fn the_only_process_need_not_wait_for_its_own_leases_after_a_crash() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        bench.courier.claim(10, &[]).await.unwrap();
        assert_eq!(bench.courier.deliver_due().await, 0);
        bench.meta.end_leases().await.unwrap();
        assert_eq!((bench.courier.deliver_due().await, receiver.got().len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn two_workers_never_have_the_same_notification() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        for index in 0..10 {
            bench.add(&webhook(&format!("http://127.0.0.1:9/{index}"))).await;
        }
        for _ in 0..3 {
            bench.tell().await;
        }
        let other = courier(&bench.meta, &bench.clock, |_| {});
        let mut seen = HashSet::new();
        for _ in 0..3 {
            let (one, two) = tokio::join!(bench.courier.claim(7, &[]), other.claim(7, &[]));
            let claims = [one.unwrap(), two.unwrap()].concat();
            let destinations: HashSet<_> = claims.iter().map(|claim| claim.destination.id).collect();
            assert_eq!(
                (claims.len(), destinations.len()),
                (10, 10),
                "one for each destination, and all of them"
            );
            for claim in claims {
                let told: Notification = serde_json::from_str(&claim.content).unwrap();
                assert!(seen.insert((claim.destination.id, told.id)), "claimed twice");
                bench.meta.notification_sent(&claim, NOW_US).await.unwrap();
            }
        }
        assert_eq!((seen.len(), bench.num_waiting().await), (30, 0));
    })
    .await;
}

#[tokio::test]
async fn what_belongs_to_a_transaction_that_fails_is_not_sent() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.add(&webhook("http://127.0.0.1:9/")).await;
        let mut transaction = bench.meta.begin_write().await.unwrap();
        let event = EventKind::AlertFiring;
        let noted = enqueue(&mut transaction, bench.owner, event, &told(), NOW_US).await.unwrap();
        transaction.rollback().await.unwrap();
        assert_eq!((noted, bench.num_waiting().await), (1, 0));
        assert_eq!(bench.tell_of(EventKind::AlertResolved).await.1, 0, "no destination is told of that");
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_a_deleted_destination_is_not_sent() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        let ids = [bench.add(&webhook(&receiver.url)).await, bench.add(&webhook(&receiver.url)).await];
        bench.tell().await;
        let mut transaction = bench.meta.begin_write().await.unwrap();
        let (owner, actor) = (bench.owner, Actor::system());
        destination::delete(&mut transaction, owner, FIRST_PROJECT, &ids[..1], &actor, NOW_US).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!((bench.courier.deliver_due().await, receiver.got().len()), (1, 1));
        assert_eq!((bench.num_waiting().await, bench.tell().await.1), (0, 1));
    })
    .await;
}

#[tokio::test]
async fn what_has_waited_for_too_long_is_not_sent() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let receiver = Receiver::new().await;
        let id = bench.add(&webhook(&receiver.url)).await;
        bench.tell().await;
        bench.pass(25 * 3_600);
        assert_eq!((bench.courier.deliver_due().await, receiver.got().len()), (1, 0));
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(reason, "it has waited for more than a day");
        bench.tell().await;
        bench.pass(49 * 3_600);
        bench.courier.sweep().await.unwrap();
        assert_eq!((bench.num_waiting().await, bench.courier.deliver_due().await), (0, 0));
        bench.tell().await;
        assert_eq!((bench.courier.deliver_due().await, receiver.got().len()), (1, 1), "what is new is sent");
    })
    .await;
}

#[tokio::test]
async fn a_target_of_another_secret_key_is_said_to_be_one() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        let id = bench.add(&webhook("http://127.0.0.1:9/")).await;
        bench.tell().await;
        let clock: Arc<ManualClock> = Arc::clone(&bench.clock);
        let other_key = Arc::new(SecretKey::parse(&"b".repeat(64)).unwrap());
        let other = Courier::new(bench.meta.clone(), other_key, &ServerConfig::new("none"), clock).unwrap();
        assert_eq!(other.deliver_due().await, 1);
        let reason = bench.destination(id).await.health.last_failure.unwrap();
        assert_eq!(reason, "the stored target was encrypted with another secret key");
    })
    .await;
}
