//! Answers questions about snapshots, within bounded memory and time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::Expr;
use futures::future::BoxFuture;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use parquet::errors::ParquetError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, info_span};

use super::activity::Overviews;
use super::cost::CostMeter;
use super::count;
use super::data_file_reader::find_damaged;
use super::error::{from_datafusion, is_unnamed_damage};
use super::export::{ExportMeans, LogExport};
use super::filter::{self, FilterContext};
use super::lazy_session::{LazySession, SessionTemplate};
use super::model::{LogFilter, LogQuery};
use super::planner::Sidecars;
use super::rows::{self, LogPage};
use super::session::{QuerySession, store_url};
use super::settings::{QueryKind, QuerySettings};
use super::slices::SliceCache;
use super::sparkline::{self, SparklineEntry, SparklineRequest};
use super::threads::QueryThreads;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::sql::{SqlDialect, SqlMeans};

/// Answers questions about snapshots, on threads of its own, within bounded memory and time.
///
/// Dropping the future of a question cancels it.
pub struct QueryContext {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    settings: QuerySettings,
    runtime_env: Arc<RuntimeEnv>,
    sessions: SessionTemplate,
    sidecars: Sidecars,
    /// What data files of the audit trail have.
    pub(super) overviews: Overviews,
    slices: Option<Arc<SliceCache>>,
    threads: QueryThreads,
    sql: SqlMeans,
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
        let runtime_env = settings
            .runtime_env()
            .map_err(|error| Error::unavailable("cannot set up query memory").with_source(error))?;
        runtime_env.register_object_store(store_url().as_ref(), Arc::clone(&store));
        let sessions = SessionTemplate::new(settings.session_config(), Arc::clone(&runtime_env));
        let threads = QueryThreads::start("query", settings.num_threads)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sql = SqlMeans::new(&runtime_env, &settings, &clock)?;
        let sidecars = Sidecars::new(Arc::clone(&store), settings.sidecar_cache_bytes, Arc::clone(&clock));
        let slices = SliceCache::new(settings.slice_cache_bytes).map(Arc::new);
        let overviews = Overviews::new();
        Ok(Self { store, clock, settings, runtime_env, sessions, sidecars, overviews, slices, threads, sql })
    }

    /// Tasks that have not ended: those of questions and whatever they have begun.
    pub(crate) fn num_tasks(&self) -> usize {
        self.threads.handle().metrics().num_alive_tasks()
    }

    /// How often a part of a sidecar was in memory, and how often it had to be read.
    pub(crate) fn sidecar_lookups(&self) -> (u64, u64) {
        self.sidecars.lookups()
    }

    /// Sets the clock from whose time relative dates in filters and days of retention count.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        let max_bytes = self.settings.sidecar_cache_bytes;
        let sidecars = Sidecars::new(Arc::clone(&self.store), max_bytes, Arc::clone(&clock));
        let sql = self.sql.with_clock(&clock);
        Self { clock, sidecars, sql, ..self }
    }

    /// The rows that a query asks for, in its order.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn rows(&self, snapshot: &Snapshot, query: &LogQuery) -> Result<LogPage> {
        let asked = query.clone();
        let work = |session, filter| async move { rows::rows(&session, filter, &asked).await };
        self.run_as(QueryKind::Rows, snapshot, &query.filter, work).await
    }

    /// Every row that a query asks for, up to its limit, to be read in pieces. Relative dates in its filter count
    /// from `as_of_us`.
    ///
    /// # Errors
    /// As [`Self::count`], about the filter; what goes wrong with rows comes with them.
    pub async fn export(&self, snapshot: &Snapshot, query: &LogQuery, as_of_us: i64) -> Result<LogExport> {
        let filter = query.filter.clone();
        let context = FilterContext { now_us: as_of_us };
        let work = async move {
            filter::translate(&filter, &context).map_err(|error| DataFusionError::External(Box::new(error)))
        };
        let filter = self.run_on_threads(QueryKind::Rows, snapshot, work).await?;
        let means = ExportMeans {
            store: Arc::clone(&self.store),
            runtime_env: Arc::clone(&self.runtime_env),
            sidecars: self.sidecars.clone(),
            slices: self.slices.clone(),
            threads: self.threads.handle().clone(),
        };
        Ok(LogExport::new(snapshot, query, filter, means, &self.settings))
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
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let asked = request.clone();
        let work = move |session, filter| async move {
            sparkline::sparkline(&session, filter, &asked, earliest_us).await
        };
        self.run(snapshot, &request.filter, work).await
    }

    /// Runs work of the engine's own on the query's threads until it ends or the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.threads.handle().spawn(work))
    }

    /// An account for memory outside of any one query.
    pub(crate) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.runtime_env.memory_pool)
    }

    /// The threads of questions that are not SQL.
    pub(crate) fn threads(&self) -> &tokio::runtime::Handle {
        self.threads.handle()
    }

    /// What SQL runs with.
    pub(crate) fn sql_means(&self) -> &SqlMeans {
        &self.sql
    }

    /// How long a statement may run that is to end within `max_time`.
    pub(crate) fn sql_deadline(&self, max_time: Option<Duration>) -> Duration {
        let deadline = self.settings.deadline_of(QueryKind::Sql);
        max_time.map_or(deadline, |max_time| max_time.min(deadline))
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    pub(super) fn now_us(&self) -> i64 {
        self.clock.now_us()
    }

    pub(super) fn session(&self, snapshot: &Snapshot) -> QuerySession {
        self.session_of(QueryKind::Aggregate, snapshot)
    }

    /// Work that nobody waits for has no bound of bytes: it has to be done.
    pub(crate) fn session_of(&self, kind: QueryKind, snapshot: &Snapshot) -> QuerySession {
        let max_read_bytes = self.settings.max_read_bytes.filter(|_| kind != QueryKind::Upkeep);
        self.session_over(self.sessions.session(), snapshot, max_read_bytes)
    }

    /// A session of a statement, in the memory of SQL. It has tables of its own, which the statement names.
    pub(crate) fn sql_session(&self, snapshot: &Snapshot, dialect: &SqlDialect) -> QuerySession {
        let (session, env) = self.sql.session(dialect);
        self.session_over(LazySession::made(session, env), snapshot, self.settings.max_read_bytes)
    }

    fn session_over(
        &self,
        session: LazySession,
        snapshot: &Snapshot,
        max_read_bytes: Option<u64>,
    ) -> QuerySession {
        let (store, sidecars, slices) = (Arc::clone(&self.store), self.sidecars.clone(), self.slices.clone());
        QuerySession::new(snapshot.clone(), store, session, sidecars, slices, max_read_bytes)
    }

    /// Runs `work` that computes numbers, as [`Self::run_as`].
    pub(super) async fn run<T, F>(
        &self,
        snapshot: &Snapshot,
        filter: &LogFilter,
        work: impl FnOnce(QuerySession, Expr) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DataFusionError>> + Send + 'static,
    {
        self.run_as(QueryKind::Aggregate, snapshot, filter, work).await
    }

    /// Runs `work` with the condition that `filter` means. Translating compiles patterns, so that it happens on
    /// the query's threads too.
    async fn run_as<T, F>(
        &self,
        kind: QueryKind,
        snapshot: &Snapshot,
        filter: &LogFilter,
        work: impl FnOnce(QuerySession, Expr) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DataFusionError>> + Send + 'static,
    {
        let session = self.session_of(kind, snapshot);
        let filter = filter.clone();
        let context = FilterContext { now_us: self.clock.now_us() };
        let translate_and_work = async move {
            let condition = filter::translate(&filter, &context)
                .map_err(|error| DataFusionError::External(Box::new(error)))?;
            work(session, condition).await
        };
        self.run_on_threads(kind, snapshot, translate_and_work).await
    }

    /// Runs `work` on threads of queries within its deadline, as one span. It is boxed, because its type is a part of
    /// the type of everything that asks, and compilers take long over those.
    pub(crate) fn run_on_threads<'a, T, F>(
        &'a self,
        kind: QueryKind,
        snapshot: &'a Snapshot,
        work: F,
    ) -> BoxFuture<'a, Result<T>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DataFusionError>> + Send + 'static,
    {
        let span = info_span!("question", ?kind, table = %snapshot.table);
        // It may be large, and is handed on several times.
        let work: BoxFuture<'static, Result<T, DataFusionError>> = Box::pin(work);
        Box::pin(self.run_in_span(kind, snapshot, work).instrument(span))
    }

    async fn run_in_span<T: Send + 'static>(
        &self,
        kind: QueryKind,
        snapshot: &Snapshot,
        work: BoxFuture<'static, Result<T, DataFusionError>>,
    ) -> Result<T> {
        let (deadline, origin) = (self.settings.deadline_of(kind), kind.origin());
        let (cost, started) = (CostMeter::current(), Instant::now());
        let store = Arc::clone(&self.store);
        // Held until the work has ended, so that no file of it is deleted meanwhile.
        let snapshot = snapshot.clone();
        let snapshot_at_fault = snapshot.clone();
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
        let threads = if kind == QueryKind::Sql { self.sql.threads() } else { self.threads.handle() };
        let task = AbortOnDropHandle::new(threads.spawn(bounded.in_current_span()));
        let ended = task.await;
        cost.add_question(started.elapsed());
        match ended {
            Ok(answer) => answer,
            Err(error) if error.is_cancelled() => Err(Error::unavailable("queries have been stopped")),
            Err(error) => {
                let panicked = Error::internal(PANICKED).with_source(error);
                let store = Arc::clone(&self.store);
                let explained =
                    async move { explain_panic(panicked, &store, &snapshot_at_fault, deadline).await };
                let explained = AbortOnDropHandle::new(self.threads.handle().spawn(explained));
                Err(explained.await.unwrap_or_else(|error| Error::internal(PANICKED).with_source(error)))
            }
        }
    }
}

/// What is said of a panic that no file explains.
pub(super) const PANICKED: &str = "a query panicked";

/// Decoders panic on some damage, so that damage is looked for before a bug is.
pub(super) async fn explain_panic(
    panicked: Error,
    store: &Arc<dyn ObjectStore>,
    snapshot: &Snapshot,
    deadline: Duration,
) -> Error {
    match tokio::time::timeout(deadline, find_damaged(store, &snapshot.files)).await {
        Ok(Some((path, cause))) => damaged(&path, cause),
        _ => panicked,
    }
}

fn damaged(path: &ObjectPath, cause: ParquetError) -> Error {
    Error::corrupt_data(format!("data file {path} is damaged")).with_source(cause)
}

/// What a query ran out of.
pub(crate) fn deadline_exceeded(deadline: Duration) -> Error {
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
        Ok(Some((path, cause))) => damaged(&path, cause),
        _ => error,
    }
}
