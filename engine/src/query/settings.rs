//! How much queries may use.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionConfig;

use super::error::QueryOrigin;
use crate::limits::DEFAULT_SQL_STATEMENTS;

/// What a query is for, which decides how long it may run and whose fault it is when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryKind {
    /// Rows as they are.
    Rows,
    /// Numbers about rows.
    Aggregate,
    /// A statement of the caller.
    Sql,
    /// Work of the engine that nobody waits for.
    Upkeep,
}

impl QueryKind {
    pub(super) fn origin(self) -> QueryOrigin {
        match self {
            Self::Rows | Self::Aggregate | Self::Upkeep => QueryOrigin::Engine,
            Self::Sql => QueryOrigin::Sql,
        }
    }
}

/// How much a query may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuerySettings {
    /// Memory that all running queries may hold together.
    pub max_memory_bytes: usize,
    /// Memory for the footers of data files that were read.
    pub footer_cache_bytes: usize,
    /// Memory for the sidecars of data files that were read.
    pub sidecar_cache_bytes: usize,
    /// Memory for columns of data files that were read lately, slice by slice. 0 where each read costs the time of a
    /// request: then files are read by DataFusion, in fewer and larger reads.
    pub slice_cache_bytes: usize,
    /// Where sorts and aggregations that do not fit spill; the system's temporary folder when absent.
    pub spill_dir: Option<PathBuf>,
    /// Disk that all running queries may spill to together.
    pub max_spill_bytes: u64,
    /// How long a query for rows, SQL among them, may run; one window of an export may too.
    pub deadline: Duration,
    /// How long a query for numbers may run, when that is shorter.
    pub aggregate_deadline: Duration,
    /// Bytes of data files that one query may read, exports apart; any number when absent.
    pub max_read_bytes: Option<u64>,
    /// Memory that one window of an export is planned to take; exports go window by window.
    pub export_window_bytes: u64,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Threads that run queries, and streams that one query is cut into.
    pub num_threads: usize,
    /// SQL statements that run at a time; more wait.
    pub max_sql_statements: usize,
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self {
            max_memory_bytes: 1024 * 1024 * 1024,
            footer_cache_bytes: 128 * 1024 * 1024,
            sidecar_cache_bytes: 64 * 1024 * 1024,
            slice_cache_bytes: 64 * 1024 * 1024,
            spill_dir: None,
            max_spill_bytes: 10 * 1024 * 1024 * 1024,
            deadline: Duration::from_secs(60),
            aggregate_deadline: Duration::from_secs(30),
            max_read_bytes: None,
            export_window_bytes: 32 * 1024 * 1024,
            batch_size: 8192,
            num_threads: std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            max_sql_statements: DEFAULT_SQL_STATEMENTS,
        }
    }
}

impl QuerySettings {
    /// How long a query may run.
    pub(super) fn deadline_of(&self, kind: QueryKind) -> Duration {
        match kind {
            QueryKind::Aggregate => self.aggregate_deadline.min(self.deadline),
            QueryKind::Rows | QueryKind::Sql | QueryKind::Upkeep => self.deadline,
        }
    }

    /// Memory and disk of all queries together.
    pub(super) fn runtime_env(&self) -> Result<Arc<RuntimeEnv>, DataFusionError> {
        let mode = match &self.spill_dir {
            Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
            None => DiskManagerMode::OsTmpDirectory,
        };
        let disk =
            DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(self.max_spill_bytes);
        // Errors name this many of the largest consumers.
        const NUM_NAMED: NonZeroUsize = NonZeroUsize::new(5).expect("BUG: five is not zero");
        let pool = TrackConsumersPool::new(FairSpillPool::new(self.max_memory_bytes), NUM_NAMED);
        RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .with_metadata_cache_limit(self.footer_cache_bytes)
            .build_arc()
    }

    /// Threads that run SQL, beside the others: half as many.
    pub(crate) fn num_sql_threads(&self) -> usize {
        self.num_threads.div_ceil(2).max(1)
    }

    /// How one query is cut up.
    ///
    /// Groups are made in all streams and put together in one: with several streams between the two, DataFusion 55.2
    /// may wait for ever when two of them spill (its issue 24883).
    pub(crate) fn session_config(&self) -> SessionConfig {
        SessionConfig::new()
            .with_batch_size(self.batch_size.max(1))
            .with_target_partitions(self.num_threads.max(1))
            .with_repartition_aggregations(false)
            .with_information_schema(false)
    }
}
