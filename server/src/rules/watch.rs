//! Follows the metadata: what projects have done with their records, ready to be done.
//!
//! The API looks right after each change, so that a change holds for every request that begins after its answer. The
//! command line and other processes change the metadata beside a running server, so that it also looks by itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use engine::ingest::Processing;
use engine::schema::ProjectId;
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use super::ProjectRules;
use crate::meta::rule::ProjectRulesVersion;
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

    async fn compile(&self, stored: &ProjectRulesVersion) -> Result<Option<ProjectRules>, MetaError> {
        let processing = Processing { scrub: stored.pii_scrub_logs, parse_json: stored.json_parse_logs };
        let rules = ProjectRules { processing };
        Ok((processing != Processing::default()).then_some(rules))
    }
}
