//! Alerts: what people do to them, what checks make of them, and who is told.

mod checks;
mod destinations;
mod events;
mod parity;
mod resource;
mod services;
mod shared;
mod told;

use std::sync::Arc;

use axum::http::Method;
use engine::clock::ManualClock;
use serde_json::{Value, json};
use server::config::ServerConfig;

use super::harness::{Answer, NOW_US, TestServer};

const ALERTS: &str = "/api/projects/1/logs/alerts/";
const MINUTE_US: i64 = 60_000_000;

/// A server whose clock the test moves.
struct Watched {
    server: TestServer,
    clock: Arc<ManualClock>,
}

impl Watched {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        let clock = Arc::new(ManualClock::new(NOW_US));
        let server = TestServer::start_at(Arc::clone(&clock) as Arc<_>, change).await;
        Self { server, clock }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> Answer {
        self.server.request(method, path, body.to_string()).await
    }

    async fn create(&self, body: Value) -> Value {
        let made = self.call(Method::POST, ALERTS, body).await;
        assert_eq!(made.status, 201, "{:?}", made.body);
        made.json()
    }

    async fn get(&self, alert: &Value) -> Value {
        let found = self.call(Method::GET, &path(alert, ""), json!(null)).await;
        assert_eq!(found.status, 200, "{:?}", found.body);
        found.json()
    }

    async fn patch(&self, alert: &Value, body: Value) -> Value {
        let changed = self.call(Method::PATCH, &path(alert, ""), body).await;
        assert_eq!(changed.status, 200, "{:?}", changed.body);
        changed.json()
    }

    /// What happened to an alert, newest first: kind, state before, state after.
    async fn history(&self, alert: &Value) -> Vec<(String, String, String)> {
        let events = self.call(Method::GET, &path(alert, "events/"), json!(null)).await.json();
        let word = |event: &Value, member: &str| event[member].as_str().unwrap().to_owned();
        let events = events["results"].as_array().unwrap().iter();
        events
            .map(|event| (word(event, "kind"), word(event, "state_before"), word(event, "state_after")))
            .collect()
    }

    /// Sets the clock to so many minutes after the start and checks what is due.
    async fn check_at(&self, minute: i64) {
        self.clock.set(NOW_US + minute * MINUTE_US);
        self.server.state.check_alerts().await.unwrap();
    }

    /// Stores records of a service at so many seconds after the start.
    async fn store_at(&self, service: &str, severity: &str, seconds: &[i64]) {
        let records: Vec<Value> =
            seconds.iter().map(|second| super::harness::record(-second, severity, "x")).collect();
        self.server.store(service, &records).await;
    }

    /// A number that operators see.
    async fn metric(&self, name: &str) -> f64 {
        let text = self.server.request(Method::GET, "/metrics", "").await.body;
        let text = String::from_utf8(text.to_vec()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).parse().unwrap()
    }
}

fn path(alert: &Value, below: &str) -> String {
    format!("{ALERTS}{}/{below}", alert["id"].as_str().unwrap())
}

fn errors() -> Value {
    json!({ "severityLevels": ["error"] })
}

fn event(kind: &str, before: &str, after: &str) -> (String, String, String) {
    (kind.to_owned(), before.to_owned(), after.to_owned())
}
