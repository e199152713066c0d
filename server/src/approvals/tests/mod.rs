//! Requests in the hands of several people, on every backend.

mod model;
mod races;

use std::sync::Arc;

use engine::clock::ManualClock;
use serde_json::{Value, json};

use super::action::{AlertWrite, Done, ProjectWrite, Write};
use super::lifecycle::Viewer;
use super::{Approvals, Attempt, Decider, Stopped, Undecided};
use crate::accounts::users::{self, NewMember};
use crate::activity::entry::Actor;
use crate::config::ServerConfig;
use crate::meta::approval::{ChangeRequest, Place, PolicyContent};
use crate::meta::bootstrap::{FIRST_PROJECT, FIRST_USER, bootstrap};
use crate::meta::{Level, Meta};
use crate::secret_key::SecretKey;

const NOW_US: i64 = 1_765_881_180_000_000;
const HOUR_US: i64 = 3_600 * 1_000_000;

/// An organization with its owner and three members.
struct Bench {
    meta: Meta,
    clock: Arc<ManualClock>,
    approvals: Approvals,
    place: Place,
    people: Vec<i64>,
}

impl Bench {
    async fn new(meta: Meta) -> Self {
        Self::with(meta, &ServerConfig::new("none")).await
    }

    async fn with(meta: Meta, config: &ServerConfig) -> Self {
        let organization = bootstrap(&meta, NOW_US).await.unwrap().unwrap().organization_id.to_string();
        let mut people = vec![FIRST_USER];
        for name in ["ann", "bob", "eve"] {
            let email = format!("{name}@example.org");
            let new = NewMember {
                organization_id: &organization,
                email: &email,
                first_name: name,
                last_name: "",
                level: Level::MEMBER,
                password_hash: None,
            };
            people.push(users::create(&meta, &Actor::system(), &new, NOW_US).await.unwrap().id);
        }
        let clock = Arc::new(ManualClock::new(NOW_US));
        let key = Arc::new(SecretKey::parse(&"a".repeat(64)).unwrap());
        let shown: Arc<ManualClock> = Arc::clone(&clock);
        let approvals = Approvals::new(meta.clone(), shown, key, config);
        let place = Place::project(&organization, FIRST_PROJECT);
        Self { meta, clock, approvals, place, people }
    }

    /// Has an action need the votes of some of the people; the owner needs none.
    async fn policy(&self, action_key: &str, quorum: i64, approvers: &[usize], allow_self_approve: bool) {
        self.lasting_policy(action_key, quorum, (approvers, allow_self_approve), HOUR_US).await;
    }

    /// The same with how long its requests live.
    async fn lasting_policy(
        &self,
        action_key: &str,
        quorum: i64,
        (approvers, allow_self_approve): (&[usize], bool),
        expires_after_us: i64,
    ) {
        let users: Vec<i64> = approvers.iter().map(|person| self.people[*person]).collect();
        let content = PolicyContent {
            action_key: action_key.to_owned(),
            conditions: serde_json::Map::new(),
            approver_config: object(json!({ "quorum": quorum, "users": users })),
            allow_self_approve,
            bypass_levels: vec![Level::OWNER.0],
            bypass_roles: vec![],
            expires_after_us,
            enabled: true,
        };
        let by = self.actor(0);
        self.meta.add_approval_policy(&self.place, &content, &by, 100, NOW_US).await.unwrap();
    }

    fn actor(&self, person: usize) -> Actor {
        Actor::user(self.people[person], None, None)
    }

    async fn perform(&self, person: usize, write: Write) -> Result<Done, Stopped> {
        let actor = self.actor(person);
        let attempt = Attempt { place: self.place.clone(), actor: &actor, method: "PATCH", write };
        self.approvals.perform(&attempt).await
    }

    /// A write that became a request.
    async fn request(&self, person: usize, write: Write) -> ChangeRequest {
        match self.perform(person, write).await {
            Err(Stopped::NeedsApproval { request, .. }) => *request,
            other => panic!("{other:?}"),
        }
    }

    async fn approve(&self, person: usize, id: &str) -> Result<ChangeRequest, Undecided> {
        let (viewer, actor) = (self.viewer(person), self.actor(person));
        self.approvals.approve((&self.place, id), Decider { viewer: &viewer, actor: &actor }, "").await
    }

    async fn reject(&self, person: usize, id: &str) -> Result<ChangeRequest, Undecided> {
        let (viewer, actor) = (self.viewer(person), self.actor(person));
        self.approvals.reject((&self.place, id), Decider { viewer: &viewer, actor: &actor }, "no").await
    }

    async fn cancel(&self, person: usize, id: &str) -> Result<ChangeRequest, Undecided> {
        let (viewer, actor) = (self.viewer(person), self.actor(person));
        self.approvals.cancel((&self.place, id), Decider { viewer: &viewer, actor: &actor }, "").await
    }

    fn viewer(&self, person: usize) -> Viewer {
        Viewer { user_id: Some(self.people[person]), roles: vec![] }
    }

    async fn stored(&self, id: &str) -> ChangeRequest {
        self.meta.change_request(&self.place, id).await.unwrap().unwrap()
    }

    async fn days(&self) -> Option<u32> {
        self.meta.project(FIRST_PROJECT).await.unwrap().unwrap().settings.retention_days
    }

    /// What the trail is told of a type of thing, in order.
    async fn told(&self, scope: &str) -> Vec<String> {
        let told = self.meta.waiting_entries(10_000).await.unwrap();
        let told = told.into_iter().filter(|told| told.entry.scope == scope);
        told.map(|told| told.entry.activity).collect()
    }
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Sets for how many days rows are kept.
fn keep(days: u32) -> Write {
    let change = serde_json::from_value(json!({ "retention_days": days })).unwrap();
    Write::Project(ProjectWrite::Change { project_id: FIRST_PROJECT.0, change })
}

fn new_alert(name: &str) -> Write {
    let alert = json!({ "name": name, "filters": { "serviceNames": ["api"] } });
    Write::LogsAlert(AlertWrite::Create { alert: serde_json::from_value(alert).unwrap() })
}
