//! Two who meet: exactly one outcome. And a stop between the last vote and the write.

use serde_json::json;

use super::super::action::{AlertWrite, Write};
use super::super::jobs::ApprovalJobs;
use super::super::lifecycle::Denied;
use super::super::{Decider, Undecided};
use super::{Bench, HOUR_US, NOW_US, keep, new_alert};
use crate::config::ServerConfig;
use crate::meta::approval::{ChangeRequest, Decision, RequestState, Validation};
use crate::meta::bootstrap::FIRST_PROJECT;
use crate::meta::log_view::Window;
use crate::meta::testing::on_every_backend;

const ALL: Window = Window { limit: 100, offset: 0 };
/// How often two meet.
const NUM_ROUNDS: u32 = 8;

fn state(decided: &Result<ChangeRequest, Undecided>) -> Option<RequestState> {
    decided.as_ref().ok().map(|request| request.state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_approvers_who_meet_one_completes_the_quorum() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("project.update", 1, &[2, 3], false).await;
        for round in 1..=NUM_ROUNDS {
            let request = bench.request(1, keep(round)).await;
            let (one, other) = tokio::join!(bench.approve(2, &request.id), bench.approve(3, &request.id));
            let applied = [&one, &other].into_iter().filter(|end| state(end) == Some(RequestState::Applied));
            assert_eq!(applied.count(), 1, "{one:?} {other:?}");
            assert_eq!(bench.days().await, Some(round));
            assert_eq!(bench.stored(&request.id).await.state, RequestState::Applied);
        }
        let rounds = NUM_ROUNDS as usize;
        assert_eq!(bench.told("Project").await.len(), rounds, "each was applied once");
        let told = bench.told("ChangeRequest").await;
        assert_eq!(told.iter().filter(|activity| *activity == "applied").count(), rounds);
        assert_eq!(told.iter().filter(|activity| *activity == "approved").count(), rounds);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_votes_that_are_both_needed_both_count() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("project.update", 2, &[2, 3], false).await;
        for round in 1..=NUM_ROUNDS {
            let request = bench.request(1, keep(round)).await;
            let (one, other) = tokio::join!(bench.approve(2, &request.id), bench.approve(3, &request.id));
            assert!(one.is_ok() && other.is_ok(), "{one:?} {other:?}");
            assert_eq!(bench.stored(&request.id).await.state, RequestState::Applied);
        }
        assert_eq!(bench.told("Project").await.len(), NUM_ROUNDS as usize);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_and_a_cancellation_have_one_outcome() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("logs_alert.create", 1, &[2], false).await;
        let mut num_applied = 0;
        for round in 0..NUM_ROUNDS {
            let request = bench.request(1, new_alert(&round.to_string())).await;
            let (approved, canceled) =
                tokio::join!(bench.approve(2, &request.id), bench.cancel(1, &request.id));
            let is_applied = state(&approved) == Some(RequestState::Applied);
            let is_canceled = state(&canceled) == Some(RequestState::Rejected);
            assert!(is_applied != is_canceled, "{approved:?} {canceled:?}");
            num_applied += i64::from(is_applied);
            let expected = if is_applied { RequestState::Applied } else { RequestState::Rejected };
            assert_eq!(bench.stored(&request.id).await.state, expected);
            let (_, count) = bench.meta.alerts(FIRST_PROJECT, None, ALL).await.unwrap();
            assert_eq!(count, num_applied);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn applying_and_expiring_have_one_outcome() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("logs_alert.create", 1, &[2], false).await;
        let mut num_applied = 0;
        for round in 0..NUM_ROUNDS {
            let request = bench.request(1, new_alert(&round.to_string())).await;
            let (viewer, actor) = (bench.viewer(2), bench.actor(2));
            let by = Decider { viewer: &viewer, actor: &actor };
            let voted = bench.approvals.vote(&request.id, by, (Decision::Approved, "")).await.unwrap();
            assert_eq!(voted.state, RequestState::Approved);
            let late_us = request.expires_us + 1;
            let (applied, expired) = tokio::join!(
                bench.approvals.apply(&request.id),
                bench.approvals.expire(&request.id, late_us)
            );
            expired.unwrap();
            let end = bench.stored(&request.id).await.state;
            assert_eq!(applied.unwrap().state, end);
            assert!([RequestState::Applied, RequestState::Expired].contains(&end), "{end:?}");
            num_applied += i64::from(end == RequestState::Applied);
            let (_, count) = bench.meta.alerts(FIRST_PROJECT, None, ALL).await.unwrap();
            assert_eq!(count, num_applied);
        }
    })
    .await;
}

/// Whatever stops the server after the vote is committed: the next start applies, once.
#[tokio::test]
async fn what_has_its_quorum_is_applied_once_by_whoever_comes_next() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("logs_alert.create", 1, &[2], false).await;
        let request = bench.request(1, new_alert("a")).await;
        let (viewer, actor) = (bench.viewer(2), bench.actor(2));
        let by = Decider { viewer: &viewer, actor: &actor };
        bench.approvals.vote(&request.id, by, (Decision::Approved, "")).await.unwrap();
        // The server that took the vote is gone, and its lease with it; time has passed, too.
        bench.clock.set(NOW_US + 2 * HOUR_US);
        let (one, other) = tokio::join!(
            ApprovalJobs::start(bench.approvals.clone()),
            ApprovalJobs::start(bench.approvals.clone())
        );
        let (one, other) = (one.unwrap(), other.unwrap());
        // Each does nothing while the other has the lease, and both look once a second.
        for _ in 0..2 {
            one.run().await.unwrap();
            other.run().await.unwrap();
        }
        assert_eq!(bench.stored(&request.id).await.state, RequestState::Applied);
        let (_, count) = bench.meta.alerts(FIRST_PROJECT, None, ALL).await.unwrap();
        assert_eq!(count, 1);
        assert_eq!(bench.told("LogsAlertConfiguration").await, ["created"]);
        assert_eq!(bench.told("ChangeRequest").await, ["created", "approved", "applied"]);
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_write_that_is_refused_leaves_nothing_and_says_why() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("project.update", 1, &[2], false).await;
        bench.policy("logs_alert.update", 1, &[2], false).await;
        // Stale: somebody who needs no approval was faster.
        let request = bench.request(1, keep(5)).await;
        bench.perform(0, keep(7)).await.unwrap();
        let failed = bench.approve(2, &request.id).await.unwrap();
        assert_eq!((failed.state, bench.days().await), (RequestState::Failed, Some(7)));
        assert!(matches!(failed.validation, Validation::Stale(_)) && failed.apply_error.contains("changed"));
        assert!(failed.applied_by.is_none() && failed.result_data.is_none());

        // Invalid: the snooze has ended before anybody approved.
        let alert = bench.perform(0, new_alert("a")).await.unwrap().resource_id;
        let change = json!({ "name": "b", "snooze": { "until": NOW_US + 1_000 } });
        let write = AlertWrite::Change {
            alert_id: alert.clone(),
            change: serde_json::from_value(change).unwrap(),
            absent: crate::api::Absent::Kept,
            wakes: false,
        };
        let request = bench.request(1, Write::LogsAlert(write)).await;
        bench.clock.set(NOW_US + 1_000_000);
        let failed = bench.approve(2, &request.id).await.unwrap();
        assert_eq!(failed.state, RequestState::Failed);
        assert!(
            matches!(&failed.validation, Validation::Invalid(errors) if errors.contains_key("snooze_until")),
            "{failed:?}"
        );
        let stored = bench.meta.alert(FIRST_PROJECT, &alert).await.unwrap().unwrap();
        assert_eq!(stored.settings.name, "a");
        assert_eq!(bench.told("LogsAlertConfiguration").await, ["created"]);

        // What is as it should be already is not written again.
        let request = bench.request(1, keep(9)).await;
        bench.perform(0, keep(9)).await.unwrap();
        let num_writes = bench.told("Project").await.len();
        let applied = bench.approve(2, &request.id).await.unwrap();
        assert_eq!(applied.state, RequestState::Applied);
        assert_eq!(bench.told("Project").await.len(), num_writes);
    })
    .await;
}

#[tokio::test]
async fn approvers_who_have_not_voted_are_reminded_once() {
    on_every_backend(|meta| async move {
        let mut config = ServerConfig::new("none");
        config.smtp.host = Some("127.0.0.1".to_owned());
        config.smtp.from = Some("timberline@example.org".to_owned());
        let bench = Bench::with(meta, &config).await;
        let day_us = 24 * HOUR_US;
        bench.lasting_policy("project.update", 2, (&[2, 3], false), 3 * day_us).await;
        bench.lasting_policy("logs_alert.create", 2, (&[2, 3], false), day_us).await;
        let request = bench.request(1, keep(5)).await;
        bench.request(1, new_alert("brief")).await;
        bench.approve(2, &request.id).await.unwrap();
        let waiting = async || bench.meta.waiting_notifications().await.unwrap().num_notifications;
        assert_eq!(waiting().await, 3, "two requests and a vote");
        let jobs = ApprovalJobs::idle(bench.approvals.clone());
        jobs.run().await.unwrap();
        assert_eq!(waiting().await, 3, "too early, and one that lives for a day alone is not reminded of");
        bench.clock.set(NOW_US + 2 * day_us - HOUR_US);
        jobs.run().await.unwrap();
        assert_eq!(waiting().await, 4, "the brief one has expired, which its requester is told");
        bench.clock.set(NOW_US + 2 * day_us);
        for _ in 0..2 {
            jobs.run().await.unwrap();
            assert_eq!(waiting().await, 5, "reminded once");
        }
        bench.clock.set(NOW_US + 3 * day_us);
        jobs.run().await.unwrap();
        assert_eq!(waiting().await, 6);
        assert_eq!(bench.stored(&request.id).await.state, RequestState::Expired);
    })
    .await;
}

#[tokio::test]
async fn jobs_mark_what_is_stale_and_let_expire_one_by_one() {
    on_every_backend(|meta| async move {
        let bench = Bench::new(meta).await;
        bench.policy("project.update", 1, &[2], false).await;
        bench.policy("logs_alert.create", 2, &[2, 3], false).await;
        let changed = bench.request(1, keep(5)).await;
        let made = bench.request(1, new_alert("a")).await;
        let broken = bench.request(1, new_alert("b")).await;
        bench.perform(0, keep(7)).await.unwrap();
        bench.approve(2, &made.id).await.unwrap();
        let jobs = ApprovalJobs::start(bench.approvals.clone()).await.unwrap();
        jobs.stop().await;
        let jobs = super::super::jobs::ApprovalJobs::idle(bench.approvals.clone());
        // A row that cannot be read stops nothing.
        let mut transaction = bench.meta.begin_write().await.unwrap();
        sqlx::query("UPDATE change_requests SET intent = '?' WHERE id = $1")
            .bind(broken.id.clone())
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
        jobs.run().await.unwrap();
        let stale = bench.stored(&changed.id).await;
        assert!(matches!(stale.validation, Validation::Stale(_)) && stale.validated_us.is_some());
        assert_eq!(
            (stale.state, bench.stored(&made.id).await.validation),
            (RequestState::Pending, Validation::Valid)
        );
        jobs.run().await.unwrap();
        assert_eq!(
            bench.told("ChangeRequest").await.iter().filter(|told| *told == "became stale").count(),
            1
        );

        bench.clock.set(NOW_US + HOUR_US);
        let late = bench.approve(3, &made.id).await.unwrap_err();
        assert!(matches!(late, Undecided::Denied(Denied::NotPending(RequestState::Expired))), "{late:?}");
        jobs.run().await.unwrap();
        for id in [&changed.id, &made.id] {
            assert_eq!(bench.stored(id).await.state, RequestState::Expired);
        }
        assert_eq!(bench.told("ChangeRequest").await.iter().filter(|told| *told == "expired").count(), 2);
    })
    .await;
}
