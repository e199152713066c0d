//! How long projects keep their rows: told to the engine at the start, and again when the metadata say otherwise.
//!
//! The command line changes the metadata beside a running server, so that the server looks from time to time.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::Engine;
use engine::retention::RetentionPolicy;
use engine::schema::{ProjectId, TableId};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use crate::meta::Meta;
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

/// What the engine was told: the days of the projects that do not keep their rows for ever.
#[derive(Debug, Default)]
struct Told(BTreeMap<ProjectId, u32>);

impl Told {
    /// Tells what has changed.
    async fn tell(&mut self, meta: &Meta, engine: &Engine) -> Result<(), OpenError> {
        let wanted: BTreeMap<_, _> = meta.retention_of_projects().await?.into_iter().collect();
        let changed = wanted.iter().filter(|(project, days)| self.0.get(project) != Some(days));
        for (&project, &days) in changed {
            engine.set_retention(TableId::logs(project), RetentionPolicy::of_days(Some(days)))?;
            tracing::info!(%project, days, "rows are kept for a number of days");
        }
        for &project in self.0.keys().filter(|project| !wanted.contains_key(project)) {
            engine.set_retention(TableId::logs(project), RetentionPolicy::default())?;
            tracing::info!(%project, "rows are kept for ever");
        }
        self.0 = wanted;
        Ok(())
    }
}
