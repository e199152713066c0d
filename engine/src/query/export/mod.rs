//! Exports: every row that a query asks for, however many, in order and in bounded memory.
//!
//! The query's time is cut into windows ([`windows`]); each is read, sorted and handed out before the next is read.
//! All windows read one snapshot, so that an export is of one moment, and its files stay until it has ended.
//!
//! | cost | |
//! |---|---|
//! | memory | the sort of one window (about [`QuerySettings::export_window_bytes`], at most the queries' memory, then disk) and a few batches |
//! | reads | once what the query reads; at each edge of a window the pages that lie across it are read twice |
//! | time to the first row | that of a sixteenth of a window |

mod parquet;
mod row_pieces;
mod stream;
mod windows;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use datafusion::common::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{Expr, SessionConfig, ident};
use object_store::ObjectStore;
use tokio::runtime::Handle;

pub use self::parquet::PARQUET_COLUMNS;
use self::parquet::ParquetPieces;
use self::row_pieces::RowPieces;
pub use self::stream::ExportStream;
use self::windows::plan_windows;
use super::filter::in_range;
use super::lazy_session::LazySession;
use super::model::{LogQuery, Order};
use super::planner::Sidecars;
use super::rows::{LogRow, matching, row_columns};
use super::session::QuerySession;
use super::settings::QuerySettings;
use super::slices::SliceCache;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::error::{Error, Result};
use crate::schema::columns;

/// Rows of a batch: few, because a reader may be slow and batches wait for it.
const BATCH_ROWS: usize = 1024;

/// The rows that a query asks for at one moment. Each call of a method reads them anew, and finds the same ones.
#[derive(Clone)]
pub struct LogExport {
    snapshot: Snapshot,
    store: Arc<dyn ObjectStore>,
    runtime_env: Arc<RuntimeEnv>,
    sidecars: Sidecars,
    slices: Option<Arc<SliceCache>>,
    config: SessionConfig,
    threads: Handle,
    deadline: Duration,
    condition: Expr,
    query: LogQuery,
    window_bytes: u64,
}

impl fmt::Debug for LogExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogExport").field("query", &self.query).finish_non_exhaustive()
    }
}

/// Small batches, and little memory set aside for merging what was spilled: several exports may wait at a time.
fn session_config(settings: &QuerySettings) -> SessionConfig {
    let for_merging = (settings.max_memory_bytes / 64).clamp(1 << 20, 10 << 20);
    settings
        .session_config()
        .with_batch_size(BATCH_ROWS.min(settings.batch_size.max(1)))
        .with_sort_spill_reservation_bytes(for_merging)
}

/// What an export has of the context that makes it.
pub(super) struct ExportMeans {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) runtime_env: Arc<RuntimeEnv>,
    pub(super) sidecars: Sidecars,
    pub(super) slices: Option<Arc<SliceCache>>,
    pub(super) threads: Handle,
}

impl LogExport {
    /// `filter` is what the query's filter means. Reads nothing.
    pub(super) fn new(
        snapshot: &Snapshot,
        query: &LogQuery,
        filter: Expr,
        means: ExportMeans,
        settings: &QuerySettings,
    ) -> Self {
        Self {
            snapshot: snapshot.clone(),
            store: means.store,
            runtime_env: means.runtime_env,
            sidecars: means.sidecars,
            slices: means.slices,
            config: session_config(settings),
            threads: means.threads,
            deadline: settings.deadline,
            condition: matching(query, filter),
            query: query.clone(),
            window_bytes: settings.export_window_bytes,
        }
    }

    /// The rows in order, some at a time: about a mebibyte of text in each piece, and at least one row.
    pub fn rows(&self) -> ExportStream<Vec<LogRow>> {
        let names = row_columns(self.query.attributes).map(str::to_owned).collect();
        ExportStream::start(self.clone(), names, RowPieces)
    }

    /// The rows in order as one Parquet file, piece by piece, of some of [`PARQUET_COLUMNS`].
    ///
    /// # Errors
    /// `InvalidRequest` naming a column that there is not, or that comes twice.
    pub fn parquet(&self, names: &[String]) -> Result<ExportStream<Bytes>> {
        for (index, name) in names.iter().enumerate() {
            if !PARQUET_COLUMNS.contains(&name.as_str()) {
                let known = PARQUET_COLUMNS.join(", ");
                return Err(Error::invalid_request(format!(
                    "columns[{index}]: {name:?} is not one of {known}"
                )));
            }
            if names[..index].contains(name) {
                return Err(Error::invalid_request(format!("columns[{index}]: {name:?} comes twice")));
            }
        }
        let pieces = ParquetPieces::new(names)?;
        Ok(ExportStream::start(self.clone(), names.to_vec(), pieces))
    }

    fn windows(&self) -> Vec<TimeRange> {
        plan_windows(&self.snapshot, self.query.range, self.query.order, self.window_bytes)
    }

    /// The rows of a window in order; the first `limit` of them when the query has a limit.
    async fn read(
        &self,
        window: TimeRange,
        names: &[String],
        limit: usize,
    ) -> DataFusionResult<SendableRecordBatchStream> {
        let session = LazySession::alone(self.config.clone(), Arc::clone(&self.runtime_env));
        let (snapshot, store) = (self.snapshot.clone(), Arc::clone(&self.store));
        let (sidecars, slices) = (self.sidecars.clone(), self.slices.clone());
        let session = QuerySession::new(snapshot, store, session, sidecars, slices, None);
        let ascending = self.query.order == Order::Earliest;
        let key = [columns::TIMESTAMP, columns::UUID].map(|name| ident(name).sort(ascending, false));
        let mut rows =
            session.rows_where(in_range(window).and(self.condition.clone()))?.sort(key.to_vec())?;
        if self.query.limit < usize::MAX {
            rows = rows.limit(0, Some(limit))?;
        }
        session.execute(rows.select(names.iter().map(ident))?).await
    }
}
