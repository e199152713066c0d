//! Makes exports in the background, one at a time, and takes away old ones.
//!
//! What is to be made is in the metadata, so that a restart goes on with it. A stop ends the one under way between two
//! pieces; it begins anew after the start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use engine::clock::Clock;
use engine::query::LogRow;
use engine::schema::ProjectId;
use engine::{Engine, ErrorKind};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::asset_file::{AssetFile, Flattened, TooManyColumns};
use super::columns::ExportColumns;
use super::request::{parse_unlimited, required_query, resolve_with};
use crate::api::activity::export as activity_export;
use crate::config::ExportConfig;
use crate::error::ApiError;
use crate::meta::export_asset::{ExportAsset, ExportKind, ExportOwner, ExportState};
use crate::meta::{Meta, MetaError};

/// Most rows of an export that is made in the background.
const MAX_ROWS: usize = 10_000;
/// An export that was begun so often and never ended is given up: it may be what ends the process.
const MAX_ATTEMPTS: i64 = 3;
const FOLDER: &str = "exports";
/// How often old exports are looked for.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// How long what has failed is left alone.
const PAUSE: Duration = Duration::from_secs(5);

/// The exports of a running server.
#[derive(Debug)]
pub(crate) struct Exports {
    folder: PathBuf,
    streams: Arc<Semaphore>,
    wake: Arc<Notify>,
    stop: CancellationToken,
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl Exports {
    /// Makes the folder, removes what a crash left in it, and begins.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(crate) fn start(
        data_dir: &Path,
        config: &ExportConfig,
        meta: Meta,
        engine: &Arc<Engine>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let folder = data_dir.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let worker = Worker {
            folder: folder.clone(),
            max_file_bytes: config.max_file_bytes as u64,
            meta,
            engine: Arc::downgrade(engine),
            clock,
            wake: Arc::clone(&wake),
            stop: stop.clone(),
        };
        let task = Mutex::new(Some(AbortOnDropHandle::new(tokio::spawn(worker.run()))));
        let streams = Arc::new(Semaphore::new(config.max_streams));
        Ok(Self { folder, streams, wake, stop, task })
    }

    /// The right to stream an export, until it is dropped.
    ///
    /// # Errors
    /// 503 when as many are streamed as may be.
    pub(super) fn stream_permit(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.streams).try_acquire_owned().map_err(|_| {
            ApiError::unavailable("as many exports are being read as may be at a time, try again later")
        })
    }

    /// There is something to make.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path_of(&self, id: i64) -> PathBuf {
        path_of(&self.folder, id)
    }

    /// Ends the work; what is under way is made after the next start.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        let task = self.task.lock().take();
        if let Some(Err(error)) = match task {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::error!(%error, "making exports has failed");
        }
    }
}

/// Removes the files, whole or not, of exports that were deleted with their project.
///
/// # Errors
/// When the folder or the metadata cannot be read.
pub(crate) async fn remove_files_without_export(folder: &Path, meta: &Meta) -> Result<(), ApiError> {
    for entry in std::fs::read_dir(folder).map_err(ApiError::internal)? {
        let path = entry.map_err(ApiError::internal)?.path();
        let id = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(id) = id
            && !meta.has_export(id).await?
        {
            remove_file(&path);
        }
    }
    Ok(())
}

fn path_of(folder: &Path, id: i64) -> PathBuf {
    folder.join(format!("{id}.csv"))
}

struct Worker {
    folder: PathBuf,
    max_file_bytes: u64,
    meta: Meta,
    /// Not held between two exports, so that the data folder is free as soon as nobody else uses it.
    engine: Weak<Engine>,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    stop: CancellationToken,
}

/// Why an export is not there.
enum Unmade {
    /// The server stops.
    Stopped,
    /// It will never be made.
    Refused { status: i64, reason: String },
    /// It may be made later.
    Failed(String),
}

impl Worker {
    async fn run(self) {
        if let Err(error) = self.remove_leftovers().await {
            tracing::error!(%error, "cannot clean the folder of exports");
        }
        while !self.stop.is_cancelled() {
            let pause = match self.step().await {
                Ok(Some(())) => continue,
                Ok(None) => LOOK_INTERVAL,
                Err(error) => {
                    tracing::error!(%error, "cannot make exports now");
                    PAUSE
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Removes what has expired and makes one export. None when there is none.
    async fn step(&self) -> Result<Option<()>, MetaError> {
        for id in self.meta.remove_expired_exports(self.clock.now_us()).await? {
            self.remove(&path_of(&self.folder, id));
        }
        let Some(engine) = self.engine.upgrade() else { return Ok(None) };
        let Some(asset) = self.meta.begin_export().await? else { return Ok(None) };
        let id = asset.id;
        let made = if asset.attempts > MAX_ATTEMPTS {
            Err(Unmade::Refused { status: 500, reason: "the export could not be made".to_owned() })
        } else {
            self.make(&engine, &asset).await
        };
        drop(engine);
        let failed = |status, error| ExportState::Failed { status, error };
        match made {
            Ok(num_bytes) => self.meta.end_export(id, num_bytes, &ExportState::Ready).await?,
            Err(Unmade::Refused { status, reason }) => {
                self.remove(&path_of(&self.folder, id).with_extension("part"));
                self.meta.end_export(id, 0, &failed(status, reason)).await?;
            }
            Err(Unmade::Stopped) => self.meta.give_back_export(id).await?,
            Err(Unmade::Failed(reason)) => {
                tracing::error!(id, reason, "an export failed");
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
        Ok(Some(()))
    }

    /// Writes the file of an export; its size.
    async fn make(&self, engine: &Engine, asset: &ExportAsset) -> Result<u64, Unmade> {
        match (asset.kind, &asset.owner) {
            (ExportKind::Logs, ExportOwner::Project(project)) => {
                self.make_logs(engine, asset, *project).await
            }
            (ExportKind::Activity, _) => self.make_activity(engine, asset).await,
            (ExportKind::Logs, ExportOwner::Organization(_)) => {
                Err(Unmade::Refused { status: 500, reason: "the export has no project".to_owned() })
            }
        }
    }

    async fn make_activity(&self, engine: &Engine, asset: &ExportAsset) -> Result<u64, Unmade> {
        let making = activity_export::Making {
            engine,
            meta: &self.meta,
            asset,
            path: path_of(&self.folder, asset.id),
            max_file_bytes: self.max_file_bytes,
            stop: &self.stop,
        };
        activity_export::make(making).await.map_err(|unmade| match unmade {
            activity_export::Unmade::Stopped => Unmade::Stopped,
            activity_export::Unmade::Refused(reason) => Unmade::Refused { status: 400, reason },
            activity_export::Unmade::Failed(reason) => Unmade::Failed(reason),
        })
    }

    async fn make_logs(
        &self,
        engine: &Engine,
        asset: &ExportAsset,
        project: ProjectId,
    ) -> Result<u64, Unmade> {
        let body: Value =
            serde_json::from_str(&asset.request).map_err(|error| Unmade::Failed(error.to_string()))?;
        let request = required_query(&body).and_then(parse_unlimited).map_err(refused)?;
        let columns = ExportColumns::parse(body.get("columns"), &request.custom_columns).map_err(refused)?;
        let resolved = resolve_with(engine, project, &request, asset.created_us).await;
        let (mut query, checkpoint) = resolved.map_err(refused)?;
        (query.limit, query.attributes) = (MAX_ROWS, columns.attributes());
        let export = engine.export_logs(project, &query, asset.created_us).await.map_err(engine_error)?;

        let mut flattened = Flattened::of(&columns);
        if flattened.has_maps() {
            let mut rows = export.rows();
            while let Some(rows) = self.unless_stopped(rows.next()).await? {
                let rows = rows.map_err(engine_error)?;
                flattened.note(&columns, &rows).map_err(|TooManyColumns| Unmade::Refused {
                    status: 400,
                    reason: "the rows have too many attributes for a file: name the columns".to_owned(),
                })?;
            }
        }
        let path = path_of(&self.folder, asset.id);
        let mut file = on_disk(move || AssetFile::create(path)).await?;
        let shape = Arc::new((columns, flattened, checkpoint));
        let mut rows = export.rows();
        while let Some(rows) = self.unless_stopped(rows.next()).await? {
            let (rows, shape): (Vec<LogRow>, _) = (rows.map_err(engine_error)?, Arc::clone(&shape));
            file = on_disk(move || {
                let (columns, flattened, checkpoint) = &*shape;
                file.write(columns, flattened, &rows, checkpoint.as_deref()).map(|()| file)
            })
            .await?;
            if file.num_bytes > self.max_file_bytes {
                let reason =
                    format!("the file would be larger than {} bytes: ask for less", self.max_file_bytes);
                return Err(Unmade::Refused { status: 400, reason });
            }
        }
        on_disk(move || file.finish()).await
    }

    async fn unless_stopped<T>(&self, step: impl Future<Output = T>) -> Result<T, Unmade> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Unmade::Stopped),
            done = step => Ok(done),
        }
    }

    /// Files that are no export's, or not whole.
    async fn remove_leftovers(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let ready = self.meta.ready_exports().await?;
        let kept: Vec<PathBuf> = ready.into_iter().map(|id| path_of(&self.folder, id)).collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if !kept.contains(&path) {
                self.remove(&path);
            }
        }
        Ok(())
    }

    fn remove(&self, path: &Path) {
        remove_file(path);
    }
}

fn remove_file(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "cannot remove a file of an export");
        }
        _ => {}
    }
}

/// Work on the disk, apart from the threads that take requests.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Unmade> {
    match spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Unmade::Failed(format!("the file cannot be written: {error}"))),
        Err(error) => Err(Unmade::Failed(error.to_string())),
    }
}

fn refused(error: ApiError) -> Unmade {
    if error.status().is_client_error() {
        Unmade::Refused { status: 400, reason: error.detail().to_owned() }
    } else {
        Unmade::Failed(error.to_string())
    }
}

fn engine_error(error: engine::Error) -> Unmade {
    match error.kind() {
        ErrorKind::InvalidRequest | ErrorKind::LimitExceeded => {
            Unmade::Refused { status: 400, reason: error.message().to_owned() }
        }
        _ => Unmade::Failed(error.to_string()),
    }
}
