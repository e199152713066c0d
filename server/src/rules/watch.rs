//! Follows the metadata: what projects have done with their records, ready to be done.
//!
//! The API looks right after each change, so that a change holds for every request that begins after its answer. The
//! command line and other processes change the metadata beside a running server, so that it also looks by itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use engine::ingest::Processing;
use engine::rules::{MetricRules, SamplingRules};
use engine::schema::ProjectId;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::ProjectRules;
use crate::api::rules::{metric_rule, sampling_rule};
use crate::error::ApiError;
use crate::meta::rule::{ProjectRulesVersion, Rule, RuleKind};
use crate::meta::{Meta, MetaError};

/// How often the metadata are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Follows the metadata until it is dropped.
#[derive(Debug)]
pub(crate) struct RulesWatch {
    known: Arc<Known>,
    looking: AbortOnDropHandle<()>,
}

#[derive(Debug)]
struct Known {
    meta: Meta,
    /// Only projects that have something done.
    projects: RwLock<HashMap<ProjectId, Arc<ProjectRules>>>,
    /// What was read last; held while the metadata are looked at.
    versions: Mutex<BTreeMap<ProjectId, i64>>,
}

impl RulesWatch {
    /// Reads what the metadata say now, and goes on following them.
    ///
    /// # Errors
    /// When they cannot be read: no record may be stored that should have been scrubbed.
    pub(crate) async fn start(meta: Meta) -> Result<Self, MetaError> {
        let known = Arc::new(Known { meta, projects: RwLock::default(), versions: Mutex::default() });
        known.look().await?;
        let looking = AbortOnDropHandle::new(tokio::spawn(look_again(Arc::clone(&known))));
        Ok(Self { known, looking })
    }

    /// What is done with the records of a project; `None` is nothing.
    pub(crate) fn of(&self, project: ProjectId) -> Option<Arc<ProjectRules>> {
        self.known.projects.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned()
    }

    /// Follows what was just changed.
    ///
    /// # Errors
    /// When the metadata cannot be read.
    pub(crate) async fn look(&self) -> Result<(), MetaError> {
        self.known.look().await
    }

    /// Looks no more.
    pub(crate) fn stop(&self) {
        self.looking.abort();
    }
}

async fn look_again(known: Arc<Known>) {
    let mut looks = interval(LOOK_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Err(error) = known.look().await {
            tracing::error!(%error, "cannot read what is done with records");
        }
    }
}

impl Known {
    async fn look(&self) -> Result<(), MetaError> {
        let mut versions = self.versions.lock().await;
        for stored in self.meta.rules_versions().await? {
            if versions.get(&stored.project) == Some(&stored.version) {
                continue;
            }
            let rules = self.compile(&stored).await?;
            let mut projects = self.projects.write().unwrap_or_else(PoisonError::into_inner);
            match rules {
                Some(rules) => projects.insert(stored.project, Arc::new(rules)),
                None => projects.remove(&stored.project),
            };
            versions.insert(stored.project, stored.version);
        }
        Ok(())
    }

    /// What is done with the records of a project; `None` is nothing. A rule that cannot be read or compiled is left
    /// out, which drops nothing.
    async fn compile(&self, stored: &ProjectRulesVersion) -> Result<Option<ProjectRules>, MetaError> {
        let project = stored.project;
        let processing = Processing { scrub: stored.pii_scrub_logs, parse_json: stored.json_parse_logs };
        let sampling = self.models(project, RuleKind::Sampling, sampling_rule).await?;
        let metrics = self.models(project, RuleKind::Metric, metric_rule).await?;
        if processing == Processing::default() && sampling.is_empty() && metrics.is_empty() {
            return Ok(None);
        }
        let before = self.projects.read().unwrap_or_else(PoisonError::into_inner).get(&project).cloned();
        // A hundred patterns take some milliseconds.
        let compile = move || {
            let before = before.as_deref();
            ProjectRules {
                sampling: left_out(
                    project,
                    SamplingRules::compile(sampling, before.map(|rules| &rules.sampling)),
                ),
                metrics: left_out(project, MetricRules::compile(metrics, before.map(|rules| &rules.metrics))),
                processing,
            }
        };
        let compiled = tokio::task::spawn_blocking(compile).await;
        compiled
            .map(Some)
            .map_err(|error| MetaError::Corrupt(format!("rules that cannot be compiled: {error}")))
    }

    /// The enabled rules of a kind as the engine's models.
    async fn models<T>(
        &self,
        project: ProjectId,
        kind: RuleKind,
        model: fn(&Rule) -> Result<T, ApiError>,
    ) -> Result<Vec<T>, MetaError> {
        let mut models = Vec::new();
        for rule in self.meta.rules(project, kind).await?.iter().filter(|rule| rule.enabled) {
            match model(rule) {
                Ok(model) => models.push(model),
                Err(error) => tracing::error!(%project, rule = rule.id, %error, "a stored rule is left out"),
            }
        }
        Ok(models)
    }
}

/// The rules of one kind, or none of them.
fn left_out<T: Default>(project: ProjectId, compiled: engine::Result<T>) -> T {
    compiled.unwrap_or_else(|error| {
        tracing::error!(%project, %error, "stored rules cannot be compiled, and are left out");
        T::default()
    })
}
