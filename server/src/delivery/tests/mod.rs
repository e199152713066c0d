//! Notifications sent to receivers that the tests play, on every backend.

mod emails;
mod leases;
mod receiver;
mod services;
mod webhooks;

use std::sync::Arc;

use engine::clock::ManualClock;
use serde_json::json;
use uuid::Uuid;

use super::courier::Courier;
use super::outbox::enqueue;
use super::{Message, Notification, Target};
use crate::activity::entry::Actor;
use crate::config::ServerConfig;
use crate::meta::Meta;
use crate::meta::bootstrap::{FIRST_PROJECT, bootstrap};
use crate::meta::destination::{self, Destination, EventKind, NewGroup, Owner};
use crate::secret::Secret;
use crate::secret_key::SecretKey;

const NOW_US: i64 = 1_765_881_180_000_000;
const SECOND_US: i64 = 1_000_000;

/// What is under test, over one database.
struct Bench {
    meta: Meta,
    clock: Arc<ManualClock>,
    courier: Courier,
    owner: Owner,
}

fn key() -> Arc<SecretKey> {
    Arc::new(SecretKey::parse(&"a".repeat(64)).unwrap())
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn webhook(url: &str) -> Target {
    Target::Webhook { url: secret(url), signing_secret: None }
}

fn courier(meta: &Meta, clock: &Arc<ManualClock>, change: impl FnOnce(&mut ServerConfig)) -> Courier {
    let mut config = ServerConfig::new("none");
    config.delivery.allow_private_targets = true;
    change(&mut config);
    let clock: Arc<ManualClock> = Arc::clone(clock);
    Courier::new(meta.clone(), key(), &config, clock).unwrap()
}

impl Bench {
    async fn new(meta: Meta) -> Self {
        Self::with(meta, |_| {}).await
    }

    async fn with(meta: Meta, change: impl FnOnce(&mut ServerConfig)) -> Self {
        bootstrap(&meta, 1).await.unwrap();
        let clock = Arc::new(ManualClock::new(NOW_US));
        let courier = courier(&meta, &clock, change);
        Self { meta, clock, courier, owner: Owner::LogAlert(Uuid::now_v7()) }
    }

    /// Adds a destination that is told when the alert fires.
    async fn add(&self, target: &Target) -> Uuid {
        self.add_for(target, EventKind::AlertFiring).await
    }

    async fn add_for(&self, target: &Target, event: EventKind) -> Uuid {
        let new = NewGroup {
            owner: self.owner,
            project_id: FIRST_PROJECT,
            name: "Errors",
            kinds: &[event],
            target,
        };
        let mut transaction = self.meta.begin_write().await.unwrap();
        let made = destination::create_group(&mut transaction, &key(), &new, &Actor::system(), NOW_US).await;
        transaction.commit().await.unwrap();
        made.unwrap()[0]
    }

    /// Notes that the alert fires; the notification's id and how many destinations it goes to.
    async fn tell(&self) -> (Uuid, usize) {
        self.tell_of(EventKind::AlertFiring).await
    }

    async fn tell_of(&self, event: EventKind) -> (Uuid, usize) {
        let told = told();
        let mut transaction = self.meta.begin_write().await.unwrap();
        let noted = enqueue(&mut transaction, self.owner, event, &told, self.now_us()).await.unwrap();
        transaction.commit().await.unwrap();
        (told.id, noted)
    }

    fn now_us(&self) -> i64 {
        engine::clock::Clock::now_us(&*self.clock)
    }

    fn pass(&self, seconds: i64) {
        self.clock.set(self.now_us() + seconds * SECOND_US);
    }

    async fn destination(&self, id: Uuid) -> Destination {
        let all = self.meta.destinations(self.owner).await.unwrap();
        all.into_iter().find(|destination| destination.id == id).unwrap()
    }

    async fn num_waiting(&self) -> i64 {
        self.meta.waiting_notifications().await.unwrap().num_notifications
    }

    /// Sends for as long as something is tried again, with the waits passing at once; how many tries these were.
    async fn exhaust(&self) -> usize {
        let mut tries = 0;
        for _ in 0..50 {
            tries += self.courier.deliver_due().await;
            if self.num_waiting().await == 0 {
                break;
            }
            self.pass(400);
        }
        tries
    }
}

fn told() -> Notification {
    Notification {
        id: Uuid::now_v7(),
        webhook_type: "logs_alert.firing".to_owned(),
        at_us: NOW_US,
        data: json!({ "alert_name": "Errors", "result_count": 120, "service_names": [] }),
        message: Message {
            title: "Errors is firing".to_owned(),
            lines: vec!["120 rows in 5 minutes".to_owned()],
            context: "all services".to_owned(),
            button: Some(("Open logs".to_owned(), "https://example.org/logs".to_owned())),
        },
    }
}
