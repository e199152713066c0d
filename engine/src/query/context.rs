//! Where queries run: memory, threads, time.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{Expr, SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::ObjectStore;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::count;
use super::data_file_reader::find_damaged;
use super::error::{QueryOrigin, from_datafusion, is_unnamed_damage};
use super::filter::{self, FilterContext};
use super::model::{LogFilter, LogQuery};
use super::rows::{self, LogPage};
use super::sparkline::{self, SparklineEntry, SparklineRequest};
use super::stream::stream_until;
use super::table::SnapshotTable;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::sql;

/// How much a query may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySettings {
    /// Memory that all running queries may hold together.
    pub max_memory_bytes: usize,
    /// Where sorts and aggregations that do not fit spill; the system's temporary folder when absent.
    pub spill_dir: Option<PathBuf>,
    /// Disk that all running queries may spill to together.
    pub max_spill_bytes: u64,
    /// How long a query may run.
    pub deadline: Duration,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Threads that run queries, and streams that one query is cut into.
    pub num_threads: usize,
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            max_memory_bytes: 1024 * 1024 * 1024,
            spill_dir: None,
            max_spill_bytes: 10 * 1024 * 1024 * 1024,
            deadline: Duration::from_secs(60),
            batch_size: 8192,
            num_threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
        }
    }
}

/// Answers questions about snapshots, on threads of its own, within bounded memory and time.
///
/// Dropping the future of a question cancels it.
pub struct QueryContext {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    settings: QuerySettings,
    runtime_env: Arc<RuntimeEnv>,
    threads: QueryThreads,
}

impl fmt::Debug for QueryContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryContext").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl QueryContext {
    /// Makes a context whose data files are in `store`.
    ///
    /// # Errors
    /// `Unavailable` when the spill folder or the threads cannot be made.
    pub fn new(store: Arc<dyn ObjectStore>, settings: QuerySettings) -> Result<Self> {
        let runtime_env = runtime_env(&store, &settings)
            .map_err(|error| Error::unavailable("cannot set up query memory").with_source(error))?;
        let threads = QueryThreads::start(settings.num_threads)?;
        Ok(Self { store, clock: Arc::new(SystemClock), settings, runtime_env, threads })
    }

    /// Sets the clock from whose time relative dates in filters count.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The rows that a query asks for, in its order.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn rows(&self, snapshot: &Snapshot, query: &LogQuery) -> Result<LogPage> {
        let asked = query.clone();
        let work = |session, filter| async move { rows::rows(&session, filter, &asked).await };
        self.run(snapshot, &query.filter, work).await
    }

    /// How many rows of `range` pass the filter.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` when the filter means nothing or too much, `ResourcesExhausted`
    /// and `DeadlineExceeded` over the settings, `CorruptData` naming a file that is missing or damaged,
    /// `Unavailable` when storage does not answer.
    pub async fn count(&self, snapshot: &Snapshot, filter: &LogFilter, range: TimeRange) -> Result<u64> {
        let work = move |session, filter| async move { count::count(&session, filter, range).await };
        self.run(snapshot, filter, work).await
    }

    /// Rows per time bucket and series; see [`SparklineEntry`].
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn sparkline(
        &self,
        snapshot: &Snapshot,
        request: &SparklineRequest,
    ) -> Result<Vec<SparklineEntry>> {
        let (asked, earliest_us) = (request.clone(), snapshot.min_timestamp_us());
        let work = move |session, filter| async move {
            sparkline::sparkline(&session, filter, &asked, earliest_us).await
        };
        self.run(snapshot, &request.filter, work).await
    }

    /// The answer to one read-only statement over the table `logs`, as a stream.
    ///
    /// Errors of the stream are DataFusion's; [`from_datafusion`] turns them into the engine's. The deadline
    /// covers the whole stream.
    ///
    /// # Errors
    /// `InvalidRequest` when the statement is refused, with the position where the parser gives one.
    pub async fn sql(&self, snapshot: &Snapshot, text: &str) -> Result<SendableRecordBatchStream> {
        let statement = sql::parse(text)?;
        let deadline = self.settings.deadline;
        let deadline_at = Instant::now() + deadline;
        let (session, store, held) = (self.session(snapshot), Arc::clone(&self.store), snapshot.clone());
        let work = async move {
            let rows = sql::execute(&session, statement).await?;
            Ok(stream_until(rows, held, store, deadline, deadline_at))
        };
        self.run_on_threads(QueryOrigin::Sql, snapshot, work).await
    }

    fn session(&self, snapshot: &Snapshot) -> QuerySession {
        let config = SessionConfig::new()
            .with_batch_size(self.settings.batch_size)
            .with_target_partitions(self.settings.num_threads)
            .with_information_schema(false);
        let table = SnapshotTable::new(snapshot.clone(), store_url(), Arc::clone(&self.store));
        QuerySession {
            session: SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime_env)),
            table: Arc::new(table),
        }
    }

    /// Runs `work` with the condition that `filter` means. Translating compiles patterns, so that it happens on
    /// the query's threads too.
    async fn run<T, F>(
        &self,
        snapshot: &Snapshot,
        filter: &LogFilter,
        work: impl FnOnce(QuerySession, Expr) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DataFusionError>> + Send + 'static,
    {
        let session = self.session(snapshot);
        let filter = filter.clone();
        let context = FilterContext { now_us: self.clock.now_us() };
        let translate_and_work = async move {
            let condition = filter::translate(&filter, &context)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            work(session, condition).await
        };
        self.run_on_threads(QueryOrigin::Engine, snapshot, translate_and_work).await
    }

    async fn run_on_threads<T, F>(&self, origin: QueryOrigin, snapshot: &Snapshot, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DataFusionError>> + Send + 'static,
    {
        let deadline = self.settings.deadline;
        let store = Arc::clone(&self.store);
        // Held until the work has ended, so that no file of it is deleted meanwhile.
        let snapshot = snapshot.clone();
        let bounded = async move {
            match tokio::time::timeout(deadline, work).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => {
                    let error = from_datafusion(error, origin);
                    Err(name_damage(error, &store, &snapshot, deadline).await)
                }
                Err(_elapsed) => Err(deadline_exceeded(deadline)),
            }
        };
        let task = AbortOnDropHandle::new(self.threads.handle().spawn(bounded));
        task.await.unwrap_or_else(|error| Err(Error::internal("a query panicked").with_source(error)))
    }
}

/// What a query ran out of.
pub(super) fn deadline_exceeded(deadline: Duration) -> Error {
    let message = format!("the query did not end within {} s", deadline.as_secs_f64());
    Error::new(ErrorKind::DeadlineExceeded, message)
}

/// Decoders do not know which file they read, so that the damaged one is looked for afterwards.
pub(super) async fn name_damage(
    error: Error,
    store: &Arc<dyn ObjectStore>,
    snapshot: &Snapshot,
    deadline: Duration,
) -> Error {
    if !is_unnamed_damage(&error) {
        return error;
    }
    match tokio::time::timeout(deadline, find_damaged(store, &snapshot.files)).await {
        Ok(Some((path, cause))) => {
            Error::corrupt_data(format!("data file {path} is damaged")).with_source(cause)
        }
        _ => error,
    }
}

/// One query: a session and the table it reads.
pub(crate) struct QuerySession {
    pub(crate) session: SessionContext,
    pub(crate) table: Arc<SnapshotTable>,
}

impl QuerySession {
    /// The rows of the table that meet a condition.
    pub(super) fn rows_where(&self, condition: Expr) -> Result<DataFrame, DataFusionError> {
        self.session.read_table(Arc::clone(&self.table) as _)?.filter(condition)
    }

    /// An account for memory that DataFusion does not see.
    pub(super) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.session.runtime_env().memory_pool)
    }

    /// Runs a query and keeps its rows, whose memory is accounted for until the reservation is dropped.
    pub(super) async fn collect(&self, query: DataFrame) -> Result<CollectedRows, DataFusionError> {
        let mut collected =
            CollectedRows { batches: Vec::new(), _reservation: self.reserve("rows of a query") };
        let mut stream = query.execute_stream().await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            collected._reservation.try_grow(get_record_batch_memory_size(&batch))?;
            collected.batches.push(batch);
        }
        Ok(collected)
    }
}

/// Rows of a query in memory.
pub(super) struct CollectedRows {
    pub(super) batches: Vec<RecordBatch>,
    _reservation: MemoryReservation,
}

/// Where the session finds the data files.
fn store_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("timberline://data")
        .expect("BUG: the address is a constant with a scheme and a host")
}

fn runtime_env(
    store: &Arc<dyn ObjectStore>,
    settings: &QuerySettings,
) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    let mode = match &settings.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk =
        DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(settings.max_spill_bytes);
    let num_named = NonZeroUsize::new(5).expect("BUG: five is not zero");
    let pool = TrackConsumersPool::new(FairSpillPool::new(settings.max_memory_bytes), num_named);
    let env = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    env.register_object_store(store_url().as_ref(), Arc::clone(store));
    Ok(env)
}

/// The threads of queries: apart from those that take requests, so that no query holds up the others.
struct QueryThreads {
    /// Always there, until dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl QueryThreads {
    fn start(num_threads: usize) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(num_threads.max(1))
            .thread_name("query")
            .enable_all()
            .build()
            .map_err(|error| Error::unavailable("cannot start query threads").with_source(error))?;
        let handle = runtime.handle().clone();
        Ok(Self { runtime: Some(runtime), handle })
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for QueryThreads {
    /// Does not wait: the context may be dropped on a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
