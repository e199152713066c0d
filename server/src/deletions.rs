//! Removes the data of projects and organizations that were deleted.
//!
//! A deletion is noted in the transaction in which the project goes, so that it is finished after a crash as well.
//! From then on nobody finds the project. Its rows and files go soon after, and once more when every request that had
//! begun before has ended; only then the deletion is forgotten.

use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::Engine;
use engine::clock::Clock;
use engine::schema::{ProjectId, TableId};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::api::logs::export::remove_files_without_export;
use crate::error::ApiError;
use crate::meta::deletion::{self, Deletion};
use crate::meta::{Meta, project};

/// How often deletions are looked for that another process has noted.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// Longer than any request that sends records may take.
const REQUESTS_END_US: i64 = 5 * 60 * 1_000_000;

/// The work under way.
#[derive(Debug)]
pub(crate) struct Deletions {
    worker: Arc<Worker>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    task: parking_lot::Mutex<Option<AbortOnDropHandle<()>>>,
}

#[derive(Debug)]
struct Worker {
    meta: Meta,
    /// Not held between two looks, so that its folder is free as soon as nobody else uses it.
    engine: Weak<Engine>,
    clock: Arc<dyn Clock>,
    exports: std::path::PathBuf,
    /// One look at a time.
    turn: Mutex<()>,
}

impl Deletions {
    /// Goes on with what is still to be removed, and with what will be.
    pub(crate) fn start(
        meta: Meta,
        engine: &Arc<Engine>,
        clock: Arc<dyn Clock>,
        exports: std::path::PathBuf,
    ) -> Self {
        let engine = Arc::downgrade(engine);
        let worker = Arc::new(Worker { meta, engine, clock, exports, turn: Mutex::default() });
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let watching = watch(Arc::clone(&worker), Arc::clone(&wake), stop.clone());
        let task = parking_lot::Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(watching))));
        Self { worker, wake, stop, task }
    }

    /// There is something to remove.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Removes what is to be removed now.
    ///
    /// # Errors
    /// When a database or the storage fails; what is left is tried again later.
    pub(crate) async fn look(&self) -> Result<(), ApiError> {
        self.worker.look().await
    }

    /// Looks no more, once what is under way has ended: a flush that is cut off could not be repeated.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "removing what was deleted has failed");
        }
    }
}

async fn watch(worker: Arc<Worker>, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if let Err(error) = worker.look().await {
            tracing::error!(%error, "cannot remove what was deleted");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK_INTERVAL) => {}
        }
    }
}

impl Worker {
    async fn look(&self) -> Result<(), ApiError> {
        let _turn = self.turn.lock().await;
        let Some(engine) = self.engine.upgrade() else { return Ok(()) };
        // What is noted for the projects of an organization on the way is there in the second round.
        self.remove_projects_of_organizations().await?;
        let deletions = self.meta.deletions().await?;
        for deletion in &deletions {
            match deletion.project {
                Some(project) => self.remove_project(&engine, deletion, project).await?,
                None => self.remove_organization(deletion).await?,
            }
        }
        if !deletions.is_empty() {
            remove_files_without_export(&self.exports, &self.meta).await?;
        }
        Ok(())
    }

    /// Whether nothing can come in any more by a request that began before.
    fn is_final(&self, deletion: &Deletion) -> bool {
        self.clock.now_us().saturating_sub(deletion.requested_us) >= REQUESTS_END_US
    }

    async fn remove_projects_of_organizations(&self) -> Result<(), ApiError> {
        for organization in self.meta.deletions().await?.iter().filter(|deletion| deletion.project.is_none())
        {
            let id = &organization.organization_id;
            for project in self.meta.projects_of_organization(id).await? {
                let mut transaction = self.meta.begin_write().await?;
                if project::get(&mut transaction, project.id).await?.is_some() {
                    let now_us = self.clock.now_us();
                    deletion::remove_project(&mut transaction, id, project.id, now_us).await?;
                }
                transaction.commit().await.map_err(ApiError::internal)?;
            }
        }
        Ok(())
    }

    async fn remove_project(
        &self,
        engine: &Engine,
        deletion: &Deletion,
        project: ProjectId,
    ) -> Result<(), ApiError> {
        let is_final = self.is_final(deletion);
        engine.remove_table(TableId::logs(project)).await?;
        if is_final {
            self.meta.forget_deletion(&deletion.id).await?;
            tracing::info!(%project, "removed the data of a deleted project");
        }
        Ok(())
    }

    async fn remove_organization(&self, deletion: &Deletion) -> Result<(), ApiError> {
        let id = &deletion.organization_id;
        let rest = self.meta.deletions().await?;
        let has_projects = rest.iter().any(|rest| rest.project.is_some() && rest.organization_id == *id);
        if has_projects || !self.is_final(deletion) {
            return Ok(());
        }
        let mut transaction = self.meta.begin_write().await?;
        deletion::remove_organization(&mut transaction, id).await?;
        transaction.commit().await.map_err(ApiError::internal)?;
        self.meta.forget_deletion(&deletion.id).await?;
        tracing::info!(organization = id, "removed a deleted organization");
        Ok(())
    }
}
