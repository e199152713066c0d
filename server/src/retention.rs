//! How long projects keep their rows: told to the engine at the start, and again when the metadata say otherwise.
//!
//! The command line changes the metadata beside a running server, so that the server looks from time to time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::Engine;
use engine::retention::{RetentionPolicy, RetentionRule};
use engine::schema::{ProjectId, TableId};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::api::rules::retention_rule;
use crate::meta::Meta;
use crate::meta::rule::RuleKind;
use crate::state::OpenError;

/// How often the metadata are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Keeps the engine told until it is dropped.
#[derive(Debug)]
pub(crate) struct RetentionWatch {
    told: Arc<Mutex<Told>>,
    looking: AbortOnDropHandle<()>,
}

impl RetentionWatch {
    /// Tells the engine what the metadata say now, and goes on doing so.
    ///
    /// # Errors
    /// When the metadata cannot be read now: no row that has expired may be seen because of it.
    pub(crate) async fn start(meta: Meta, engine: &Arc<Engine>) -> Result<Self, OpenError> {
        let told = Arc::new(Mutex::new(Told::default()));
        told.lock().await.tell(&meta, engine).await?;
        let watching = watch(meta, Arc::downgrade(engine), Arc::clone(&told));
        Ok(Self { told, looking: AbortOnDropHandle::new(tokio::spawn(watching)) })
    }

    /// Tells the engine what was just changed.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn look(&self, meta: &Meta, engine: &Engine) -> Result<(), OpenError> {
        self.told.lock().await.tell(meta, engine).await
    }

    /// Looks no more.
    pub(crate) fn stop(&self) {
        self.looking.abort();
    }
}

/// The engine is not held between two looks, so that its folder is free as soon as nobody else uses it.
async fn watch(meta: Meta, engine: Weak<Engine>, told: Arc<Mutex<Told>>) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Some(engine) = engine.upgrade() else { return };
        if let Err(error) = told.lock().await.tell(&meta, &engine).await {
            tracing::error!(%error, "cannot tell how long projects keep their rows");
        }
    }
}

/// What the engine was told.
#[derive(Debug, Default)]
struct Told {
    /// The policies of the projects that do not keep all their rows for ever.
    policies: BTreeMap<ProjectId, RetentionPolicy>,
    /// The rules of the projects that have any, by the version they were read at.
    rules: BTreeMap<ProjectId, (i64, Vec<RetentionRule>)>,
}

impl Told {
    /// Tells what has changed.
    async fn tell(&mut self, meta: &Meta, engine: &Engine) -> Result<(), OpenError> {
        self.read_rules(meta).await?;
        let mut wanted: BTreeMap<ProjectId, RetentionPolicy> = BTreeMap::new();
        for (project, days) in meta.retention_of_projects().await? {
            wanted.insert(project, RetentionPolicy::of_days(Some(days)));
        }
        for (&project, (_, rules)) in self.rules.iter().filter(|(_, (_, rules))| !rules.is_empty()) {
            wanted.entry(project).or_default().rules.clone_from(rules);
        }
        let gone = self.policies.keys().filter(|project| !wanted.contains_key(project));
        let kept_for_ever = gone.map(|&project| (project, RetentionPolicy::default()));
        let changed = wanted.iter().filter(|(project, policy)| self.policies.get(project) != Some(policy));
        let changed = changed.map(|(&project, policy)| (project, policy.clone()));
        for (project, policy) in changed.chain(kept_for_ever) {
            let (days, num_rules) = (policy.days, policy.rules.len());
            match engine.set_retention(TableId::logs(project), policy) {
                Ok(()) => tracing::info!(%project, days, num_rules, "how long rows are kept has changed"),
                // Nothing is removed that a policy that cannot be read might have kept.
                Err(error) => tracing::error!(%project, %error, "a stored retention cannot be applied"),
            }
        }
        self.policies = wanted;
        Ok(())
    }

    /// Reads the enabled rules of the projects whose rules have changed.
    async fn read_rules(&mut self, meta: &Meta) -> Result<(), OpenError> {
        for stored in meta.rules_versions().await? {
            if self.rules.get(&stored.project).is_some_and(|(version, _)| *version == stored.version) {
                continue;
            }
            let mut rules = Vec::new();
            for rule in
                meta.rules(stored.project, RuleKind::Retention).await?.iter().filter(|rule| rule.enabled)
            {
                match retention_rule(rule) {
                    Ok(rule) => rules.push(rule),
                    Err(error) => {
                        tracing::error!(project = %stored.project, rule = rule.id, %error, "a stored rule is left out");
                    }
                }
            }
            self.rules.insert(stored.project, (stored.version, rules));
        }
        Ok(())
    }
}
