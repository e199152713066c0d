//! The simulated machine: its disk, store, catalog and clock, and the lives of the engine on it.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use super::catalog_faults::CatalogFaults;
use super::disk::SimDisk;
use super::faults::Faults;
use super::model::{Model, Row};
use super::reader::Reader;
use super::store::SimStore;
use super::{Broken, Sabotage};
use crate::catalog::Snapshot;
use crate::clock::ManualClock;
use crate::config::EngineConfig;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::folder_lock::lock_folder;
use crate::retention::RetentionPolicy;
use crate::schema::{ProjectId, TableId};
use crate::storage::Storage;

/// Projects that rows are sent to.
pub(super) const PROJECTS: [i64; 3] = [1, 2, 3];

pub(super) const DAY_US: i64 = 86_400_000_000;

/// When the simulation begins: 2025-12-16.
const BEGIN_US: i64 = 1_765_881_156_184_820;

/// Starts that may fail for a fault, before one must succeed.
const MAX_FAULTY_STARTS: u32 = 4;

/// A machine and what is known of it.
pub(super) struct World {
    pub(super) rng: ChaCha8Rng,
    pub(super) faults: Arc<Faults>,
    pub(super) disk: SimDisk,
    pub(super) store: SimStore,
    pub(super) clock: Arc<ManualClock>,
    pub(super) now_us: i64,
    pub(super) model: Model,
    pub(super) reader: Reader,
    pub(super) held: Vec<Held>,
    /// How long rows are kept: project and days. The engine is told at each start.
    pub(super) retention: BTreeMap<i64, u32>,
    pub(super) catalog: CatalogFaults,
    pub(super) sabotage: Sabotage,
    folder: TempDir,
    config: EngineConfig,
    engine: Option<Arc<Engine>>,
}

/// A snapshot that a slow query holds, and its rows when it was taken.
pub(super) struct Held {
    pub(super) snapshot: Snapshot,
    pub(super) rows: Vec<Row>,
}

/// How work has ended.
#[derive(Debug)]
pub(super) enum Ended<T> {
    Done(T),
    Failed(Error),
    /// The machine has stopped in the middle of it.
    Stopped,
}

/// How the machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The process is killed; what the system has taken, it keeps.
    Kill,
    /// The power fails.
    PowerCut,
}

impl World {
    pub(super) fn new(seed: u64, sabotage: Sabotage) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let faults = Arc::new(Faults::new(rng.random()));
        let folder = tempfile_in_memory();
        let wal_segment_bytes = *[4096, 16 << 10, 64 << 10].choose(&mut rng).expect("BUG: a choice");
        let max_wal_bytes = wal_segment_bytes * rng.random_range(2..12);
        let config = EngineConfig {
            wal_segment_bytes,
            max_wal_bytes,
            max_buffer_bytes: rng.random_range(100_000..2_000_000),
            flush_bytes: rng.random_range(10_000..200_000),
            target_file_bytes: rng.random_range(20_000..1_000_000),
            ..EngineConfig::new(folder.path())
        };
        let disk_bytes = if rng.random_bool(0.3) { max_wal_bytes as usize } else { usize::MAX };
        Self {
            disk: SimDisk::new(Arc::clone(&faults), sabotage, disk_bytes),
            store: SimStore::new(Arc::clone(&faults), sabotage),
            clock: Arc::new(ManualClock::new(BEGIN_US)),
            now_us: BEGIN_US,
            model: Model::default(),
            reader: Reader::default(),
            held: Vec::new(),
            retention: BTreeMap::new(),
            catalog: CatalogFaults::default(),
            rng,
            faults,
            sabotage,
            folder,
            config,
            engine: None,
        }
    }

    pub(super) fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// The running engine.
    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(self.engine.as_ref().expect("BUG: a step without an engine"))
    }

    pub(super) fn project(&mut self) -> ProjectId {
        ProjectId(*PROJECTS.choose(&mut self.rng).expect("BUG: no projects"))
    }

    /// Moves the clock, which may also go back.
    pub(super) fn move_clock(&mut self, by_us: i64) {
        self.now_us += by_us;
        self.clock.set(self.now_us);
        self.note_expired();
    }

    /// Tells the engine how long the rows of a project are kept.
    pub(super) fn tell_retention(&mut self, project: i64) -> Result<(), Broken> {
        let policy = RetentionPolicy::of_days(self.retention.get(&project).copied());
        let told = self.engine().set_retention(TableId::logs(ProjectId(project)), policy);
        told.map_err(|error| Broken(format!("a policy is refused: {error}")))?;
        self.note_expired();
        Ok(())
    }

    /// Before which time the rows of a project have expired.
    pub(super) fn cutoff_us(&self, project: i64) -> i64 {
        self.retention.get(&project).map_or(i64::MIN, |&days| self.now_us - i64::from(days) * DAY_US)
    }

    /// What has expired by now may be gone from now on.
    pub(super) fn note_expired(&mut self) {
        for project in PROJECTS {
            self.model.expire(project, self.cutoff_us(project));
        }
    }

    /// Does work until it ends or the machine stops.
    pub(super) async fn run<T>(&self, work: impl Future<Output = Result<T>>) -> Ended<T> {
        let ended = tokio::select! {
            biased;
            () = self.faults.stopped() => Ended::Stopped,
            result = work => match result {
                Ok(value) => Ended::Done(value),
                Err(error) => Ended::Failed(error),
            },
        };
        if self.faults.is_down() { Ended::Stopped } else { ended }
    }

    /// Makes the catalog. The writer's id goes into row ids, and these into the size of files: it is always the
    /// same, so that a seed decides everything.
    pub(super) async fn prepare(&mut self) -> Result<(), Broken> {
        let engine = self.open().await.map_err(|error| Broken(format!("cannot start: {error}")))?;
        self.engine = Some(engine);
        self.end_engine().await;
        self.catalog.connect(self.folder.path()).await?;
        self.catalog.name_writer().await
    }

    /// Starts the engine, as a supervisor would: again and again. Faults may strike, and the machine may stop,
    /// but not for ever.
    pub(super) async fn start(&mut self) -> Result<(), Broken> {
        for attempt in 0.. {
            let is_faulty = attempt < MAX_FAULTY_STARTS && self.rng.random_bool(0.3);
            self.faults.switch(is_faulty);
            if is_faulty && self.rng.random_bool(0.5) {
                self.faults.stop_after(self.rng.random_range(0..20));
            }
            let opened = self.run(self.open()).await;
            self.faults.switch(false);
            self.faults.start_again();
            match opened {
                Ended::Done(engine) => {
                    self.faults.note(format!("  started, attempt {attempt}"));
                    self.engine = Some(engine);
                    break;
                }
                Ended::Failed(error) if is_faulty => expect_unavailable("start", &error)?,
                Ended::Failed(error) => return Err(Broken(format!("cannot start: {error}"))),
                Ended::Stopped => {
                    let stop = self.any_stop();
                    self.faults.note(format!("  {stop:?} during a start"));
                    self.lose(stop).await;
                }
            }
        }
        self.settle_open_requests().await?;
        for project in PROJECTS {
            self.tell_retention(project)?;
        }
        self.check_rows().await
    }

    async fn open(&self) -> Result<Arc<Engine>> {
        let lock = lock_folder(self.data_dir())?;
        let storage = Storage::at_hand(Arc::new(self.store.clone()));
        let clock: Arc<ManualClock> = Arc::clone(&self.clock);
        Engine::open_on(self.config.clone(), clock, lock, storage, Arc::new(self.disk.clone())).await
    }

    /// Stops the machine without a warning.
    pub(super) async fn crash(&mut self, stop: Stop) {
        self.faults.note(format!("  {stop:?}"));
        self.faults.stop_now();
        self.disk.open_gate();
        self.end_engine().await;
        self.lose(stop).await;
        self.faults.start_again();
    }

    pub(super) fn any_stop(&mut self) -> Stop {
        if self.rng.random_bool(0.5) { Stop::Kill } else { Stop::PowerCut }
    }

    /// Ends the engine without a shutdown. What it still does has no effect on a machine that is down.
    pub(super) async fn end_engine(&mut self) {
        self.held.clear();
        let Some(engine) = self.engine.take() else { return };
        engine.committer().stop();
        engine.catalog().lost_answers.store(0, Ordering::SeqCst);
        engine.catalog().close().await;
    }

    async fn lose(&mut self, stop: Stop) {
        self.store.land_late_objects().await;
        if stop == Stop::PowerCut {
            self.disk.cut_power();
        }
    }
}

/// Faults make the engine unavailable and nothing else.
pub(super) fn expect_unavailable(what: &str, error: &Error) -> Result<(), Broken> {
    if error.kind() == ErrorKind::Unavailable {
        return Ok(());
    }
    Err(Broken(format!("{what} failed with {:?}: {error}", error.kind())))
}

/// A folder in memory where there is one: the catalog syncs often.
fn tempfile_in_memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
    folder.or_else(|_| TempDir::new()).expect("a temporary folder")
}
