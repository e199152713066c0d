//! Settings of the engine: plain data with defaults.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::limits::{DEFAULT_SQL_STATEMENTS, MIN_SIDECAR_ROWS};
use crate::storage::StorageConfig;

/// How an engine keeps its data and what it may use.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The folder of the write-ahead log and the catalog, and of the data files unless `storage` says otherwise.
    pub data_dir: PathBuf,
    /// Where the data files are.
    pub storage: StorageConfig,
    /// Most bytes of rows in memory, over all projects. Beyond it ingestion answers "unavailable".
    pub max_buffer_bytes: usize,
    /// Bytes of one project's rows in memory that start a flush.
    pub flush_bytes: usize,
    /// Age of the oldest row in memory that starts a flush; few rows wait twelve times as long.
    pub flush_interval: Duration,
    /// Size of one file of the write-ahead log, allocated when it is opened.
    pub wal_segment_bytes: u64,
    /// Most bytes of the write-ahead log. Half of it starts flushes; beyond it ingestion answers
    /// "unavailable".
    pub max_wal_bytes: u64,
    /// Size that compaction makes data files of, bytes.
    pub target_file_bytes: u64,
    /// Whether small data files are merged in the background.
    pub compaction: bool,
    /// Uncompressed bytes of rows that compaction holds at a time.
    pub merge_memory_bytes: u64,
    /// Memory for footers of data files, for sidecars, and for columns that were read lately.
    pub cache_bytes: usize,
    /// Data files of fewer rows get no sidecar. Fewer make sense only where sidecars are tested.
    pub min_sidecar_rows: u64,
    /// Memory that all running queries share, bytes.
    pub query_memory_bytes: usize,
    /// Longest time a query may run.
    pub query_timeout: Duration,
    /// Longest time a query for numbers may run, when that is shorter.
    pub aggregate_timeout: Duration,
    /// Bytes of data files that one query may read, exports apart; any number when absent.
    pub max_read_bytes: Option<u64>,
    /// SQL statements that run at a time; more wait.
    pub max_sql_statements: usize,
}

impl EngineConfig {
    /// The defaults for a folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            storage: StorageConfig::default(),
            max_buffer_bytes: 512 << 20,
            flush_bytes: 128 << 20,
            flush_interval: Duration::from_secs(300),
            wal_segment_bytes: 64 << 20,
            max_wal_bytes: 2 << 30,
            target_file_bytes: 256 << 20,
            compaction: true,
            merge_memory_bytes: 128 << 20,
            cache_bytes: 512 << 20,
            min_sidecar_rows: MIN_SIDECAR_ROWS,
            query_memory_bytes: 512 << 20,
            query_timeout: Duration::from_secs(60),
            aggregate_timeout: Duration::from_secs(30),
            max_read_bytes: None,
            max_sql_statements: DEFAULT_SQL_STATEMENTS,
        }
    }

    /// Shares `memory_bytes` out: a quarter each to fresh rows, queries and caches, and an eighth to merges, whose
    /// rows take twice their uncompressed size while they are sorted. The last eighth is for requests on their way in,
    /// which are not the engine's.
    pub fn share_memory(&mut self, memory_bytes: usize) {
        let eighth = (memory_bytes / 8).max(1);
        self.max_buffer_bytes = 2 * eighth;
        self.flush_bytes = (self.max_buffer_bytes / 4).max(1);
        self.query_memory_bytes = 2 * eighth;
        self.cache_bytes = 2 * eighth;
        self.merge_memory_bytes = (eighth / 2).max(1) as u64;
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// `InvalidRequest` naming the setting and its bound.
    pub fn validate(&self) -> Result<()> {
        let positive = |name: &str, is_positive: bool| {
            is_positive.then_some(()).ok_or_else(|| Error::invalid_request(format!("{name} must be above 0")))
        };
        positive("max_buffer_bytes", self.max_buffer_bytes > 0)?;
        positive("flush_bytes", self.flush_bytes > 0)?;
        positive("flush_interval", !self.flush_interval.is_zero())?;
        positive("cache_bytes", self.cache_bytes > 0)?;
        positive("merge_memory_bytes", self.merge_memory_bytes > 0)?;
        positive("query_memory_bytes", self.query_memory_bytes > 0)?;
        positive("target_file_bytes", self.target_file_bytes > 0)?;
        positive("query_timeout", !self.query_timeout.is_zero())?;
        positive("aggregate_timeout", !self.aggregate_timeout.is_zero())?;
        positive("max_read_bytes", self.max_read_bytes != Some(0))?;
        positive("max_sql_statements", self.max_sql_statements > 0)?;
        if self.wal_segment_bytes < 4096 {
            return Err(Error::invalid_request("wal_segment_bytes must be at least 4096"));
        }
        if self.max_wal_bytes < 2 * self.wal_segment_bytes {
            return Err(Error::invalid_request("max_wal_bytes must be at least twice wal_segment_bytes"));
        }
        self.storage.validate()
    }
}
