//! Tests of stored alerts, on every database.

use engine::schema::ProjectId;

use super::*;
use crate::activity::entry::Actor;
use crate::alerts::MINUTE_US;
use crate::alerts::control::{EventKind, SnoozeEdit};
use crate::meta::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
use crate::meta::testing::on_every_backend;

const NOW: i64 = 1_765_881_180_000_000;

fn ann() -> Actor {
    Actor::user(FIRST_USER, None, None)
}

async fn add(meta: &Meta, name: &str) -> String {
    let settings = AlertSettings { name: name.to_owned(), ..AlertSettings::default() };
    let new = NewAlert { settings, snooze_until_us: None };
    meta.add_alert(FIRST_PROJECT, &new, &ann(), 0, NOW).await.unwrap()
}

fn fired(before: &Alert, now_us: i64) -> Checked {
    Checked {
        before: before.clone(),
        standing: Standing { state: AlertState::Firing, last_notified_us: Some(now_us), ..before.standing },
        next_check_us: now_us + 5 * MINUTE_US,
        services: Vec::new(),
        events: vec![NewEvent::of(EventKind::Check, before.standing.state, AlertState::Firing)],
    }
}

async fn save(meta: &Meta, checked: &Checked, now_us: i64) -> bool {
    let mut transaction = meta.begin_write().await.unwrap();
    let is_saved = save_check(&mut transaction, checked, now_us).await.unwrap();
    transaction.commit().await.unwrap();
    is_saved
}

#[tokio::test]
async fn an_alert_is_taken_by_one_scheduler_until_its_lease_has_passed() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, NOW).await.unwrap();
        for index in 0..20 {
            add(&meta, &index.to_string()).await;
        }
        let take = async |owner: &str, limit: i64, now_us: i64| {
            let taken = meta.take_due_alerts(owner, limit, now_us).await.unwrap();
            taken.into_iter().map(|alert| alert.id).collect::<Vec<_>>()
        };
        let (a, b) = tokio::join!(take("a", 12, NOW), take("b", 12, NOW));
        assert_eq!(a.len() + b.len(), 20);
        assert!(a.iter().all(|id| !b.contains(id)), "nobody takes what another has");
        assert!(take("c", 99, NOW + MINUTE_US - 1).await.is_empty());
        meta.renew_alert_leases("a", NOW + MINUTE_US / 2).await.unwrap();
        assert_eq!(take("c", 99, NOW + MINUTE_US).await.len(), b.len(), "what b did not renew");
        meta.free_alerts("a", &a).await.unwrap();
        assert_eq!(take("c", 99, NOW + MINUTE_US).await.len(), a.len(), "what a gave back");
        meta.free_alerts("a", &a).await.unwrap();
        assert!(take("a", 99, NOW + MINUTE_US).await.is_empty(), "c has it, and not a, to give back");
        // c's clock ran ahead.
        assert_eq!(take("d", 99, NOW - 60 * MINUTE_US).await.len(), 20);
    })
    .await;
}

#[tokio::test]
async fn what_two_schedulers_found_is_written_once() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, NOW).await.unwrap();
        let id = add(&meta, "a").await;
        let taken = meta.take_due_alerts("a", 9, NOW).await.unwrap();
        let again = meta.take_due_alerts("b", 9, NOW + 2 * MINUTE_US).await.unwrap();
        assert_eq!((taken.len(), &taken), (1, &again), "the first has not renewed its lease");
        let (first, second) = (fired(&taken[0], NOW), fired(&again[0], NOW + 2 * MINUTE_US));
        let (first, second) = tokio::join!(save(&meta, &first, NOW), save(&meta, &second, NOW + 1));
        assert!(first != second, "one of them");
        let (events, count) = meta.alert_events(&id, None, Window { limit: 9, offset: 0 }).await.unwrap();
        assert_eq!((events.len(), count), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_check_is_discarded_when_its_alert_was_changed_meanwhile_but_not_when_it_was_renamed() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, NOW).await.unwrap();
        type Change = fn(&mut AlertSettings) -> SnoozeEdit;
        let changes: [(Change, bool); 6] = [
            (
                |settings| {
                    settings.name = "b".into();
                    SnoozeEdit::Kept
                },
                true,
            ),
            (
                |settings| {
                    settings.threshold_count = 7;
                    SnoozeEdit::Kept
                },
                false,
            ),
            (
                |settings| {
                    settings.cooldown_minutes = 7;
                    SnoozeEdit::Kept
                },
                false,
            ),
            (
                |settings| {
                    settings.window_minutes = 60;
                    SnoozeEdit::Kept
                },
                false,
            ),
            (
                |settings| {
                    settings.enabled = false;
                    SnoozeEdit::Kept
                },
                false,
            ),
            (|_| SnoozeEdit::Until(NOW + MINUTE_US), false),
        ];
        for (index, (change, is_saved)) in changes.into_iter().enumerate() {
            let id = add(&meta, "a").await;
            let before = meta.alert(FIRST_PROJECT, &id).await.unwrap().unwrap();
            let actor = ann();
            let changed = meta.change_alert(FIRST_PROJECT, &id, &actor, NOW, |stored| {
                let mut settings = stored.settings.clone();
                let snooze = change(&mut settings);
                Ok((settings, snooze))
            });
            changed.await.unwrap();
            assert_eq!(save(&meta, &fired(&before, NOW), NOW).await, is_saved, "{index}");
        }
        let id = add(&meta, "a").await;
        let before = meta.alert(FIRST_PROJECT, &id).await.unwrap().unwrap();
        meta.remove_alert(FIRST_PROJECT, &id, &ann(), NOW).await.unwrap();
        assert!(!save(&meta, &fired(&before, NOW), NOW).await, "it is gone");
        let (_, count) = meta.alert_events(&id, None, Window { limit: 9, offset: 0 }).await.unwrap();
        assert_eq!(count, 0);
    })
    .await;
}

#[tokio::test]
async fn only_what_may_be_checked_is_due() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, NOW).await.unwrap();
        let due = async |now_us: i64| meta.take_due_alerts("a", 99, now_us).await.unwrap().len();
        let id = add(&meta, "a").await;
        assert_eq!(meta.oldest_due_alert(NOW + 5).await.unwrap(), Some(NOW));
        let before = meta.alert(FIRST_PROJECT, &id).await.unwrap().unwrap();
        assert!(save(&meta, &fired(&before, NOW), NOW).await);
        assert_eq!(due(NOW + 5 * MINUTE_US - 1).await, 0);
        assert_eq!(meta.oldest_due_alert(NOW).await.unwrap(), None);
        assert_eq!(due(NOW + 5 * MINUTE_US).await, 1);
        let until = NOW + 60 * MINUTE_US;
        let snooze = |stored: &Alert| Ok((stored.settings.clone(), SnoozeEdit::Until(until)));
        meta.change_alert(FIRST_PROJECT, &id, &ann(), NOW, snooze).await.unwrap();
        assert_eq!((due(until - 1).await, due(until).await), (0, 1));
        let stored = meta.alert(FIRST_PROJECT, &id).await.unwrap().unwrap();
        let mut transaction = meta.begin_write().await.unwrap();
        assert!(break_config(&mut transaction, &stored, "no object", until).await.unwrap());
        transaction.commit().await.unwrap();
        assert_eq!((due(2 * until).await, meta.num_active_alerts().await.unwrap()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn history_expires_and_goes_with_its_project() {
    on_every_backend(|meta| async move {
        bootstrap(&meta, NOW).await.unwrap();
        let id = add(&meta, "a").await;
        let before = meta.alert(FIRST_PROJECT, &id).await.unwrap().unwrap();
        assert!(save(&meta, &fired(&before, NOW), NOW).await);
        assert_eq!(meta.expire_alert_events(NOW).await.unwrap(), 0);
        assert_eq!(meta.expire_alert_events(NOW + 1).await.unwrap(), 1);
        assert_eq!(meta.alert(ProjectId(77), &id).await.unwrap(), None);
    })
    .await;
}
