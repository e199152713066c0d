//! One query: its session, its table, its memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::Expr;
use futures::StreamExt;
use object_store::ObjectStore;
use uuid::Uuid;

use super::cost::{CostMeter, QueryCost};
use super::data_file_reader::DataFileReaderFactory;
use super::lazy_session::LazySession;
use super::planner::Sidecars;
use super::read_budget::ReadBudget;
use super::slices::{SliceCache, SliceReader};
use super::table::SnapshotTable;
use super::time_range::TimeRange;
use crate::catalog::{Snapshot, Sources};

/// One query: a session and the table it reads.
pub(crate) struct QuerySession {
    pub(crate) session: LazySession,
    pub(crate) table: Arc<SnapshotTable>,
    /// What its files have beside them.
    pub(super) sidecars: Sidecars,
    /// Its files, slice by slice; none where reading them so is slow.
    pub(super) slices: Option<Arc<SliceReader>>,
    /// Where it says what it costs.
    pub(super) cost: Arc<CostMeter>,
}

impl QuerySession {
    /// A session over the rows of a snapshot whose files are in `store`, which `session` knows by [`store_url`].
    /// The cost goes to the meter of the caller; scans read at most `max_read_bytes` of data files.
    pub(super) fn new(
        snapshot: Snapshot,
        store: Arc<dyn ObjectStore>,
        session: LazySession,
        sidecars: Sidecars,
        slice_cache: Option<Arc<SliceCache>>,
        max_read_bytes: Option<u64>,
    ) -> Self {
        let cost = CostMeter::current();
        let budget = Arc::new(ReadBudget::new(max_read_bytes, cost.bytes()));
        let env = session.env();
        let footers = env.cache_manager.get_file_metadata_cache();
        let files = DataFileReaderFactory::new(Arc::clone(&store), footers, Arc::clone(&budget));
        let memory = Arc::clone(&env.memory_pool);
        let slices =
            slice_cache.map(|cache| Arc::new(SliceReader::new(files, cache, memory, Arc::clone(&cost))));
        let table = SnapshotTable::new(snapshot, store_url(), store, Arc::clone(&cost), budget);
        Self { session, table: Arc::new(table), sidecars, slices, cost }
    }

    /// The files and segments that may have rows of a range: those none of whose rows have expired, then the others.
    pub(super) fn sources_in(&self, range: TimeRange) -> (Sources, Sources) {
        self.sources_in_any_state(range).split(self.table.snapshot().retention.as_deref())
    }

    /// The files and segments that may have rows of a range, some of which may have expired.
    pub(super) fn sources_in_any_state(&self, range: TimeRange) -> Sources {
        let mut sources = self.table.snapshot().sources();
        sources.files.retain(|file| range.touches(file.min_timestamp_us, file.max_timestamp_us));
        sources.segments.retain(|segment| range.touches(segment.min_timestamp_us, segment.max_timestamp_us));
        sources
    }

    /// The rows of the table that meet a condition.
    pub(super) fn rows_where(&self, condition: Expr) -> Result<DataFrame, DataFusionError> {
        self.session.read_table(Arc::clone(&self.table) as _)?.filter(condition)
    }

    /// What the query has cost until now.
    pub(crate) fn cost_so_far(&self) -> QueryCost {
        self.cost.total()
    }

    /// The data files that were answered without their rows, in whole or in part, by what answered for them.
    pub(crate) fn answered_without_rows(&self) -> [(&'static str, Vec<Uuid>); 2] {
        let (facts, sidecars) = self.cost.answered_without_rows();
        [("the catalog", facts), ("its sidecar", sidecars)]
    }

    /// An account for memory that DataFusion does not see.
    pub(super) fn reserve(&self, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name).register(&self.session.env().memory_pool)
    }

    /// Starts a query.
    pub(crate) async fn execute(
        &self,
        query: DataFrame,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        let context = Arc::new(query.task_ctx());
        self.start(query.create_physical_plan().await?, context)
    }

    /// Starts a plan.
    pub(crate) fn start(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream, DataFusionError> {
        self.cost.watch(&plan);
        execute_stream(plan, context)
    }

    /// Runs a query and keeps its rows, whose memory is accounted for until the reservation is dropped.
    pub(super) async fn collect(&self, query: DataFrame) -> Result<CollectedRows, DataFusionError> {
        let mut collected =
            CollectedRows { batches: Vec::new(), reservation: self.reserve("rows of a query") };
        let mut stream = self.execute(query).await?;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            collected.reservation.try_grow(get_record_batch_memory_size(&batch))?;
            collected.batches.push(batch);
        }
        Ok(collected)
    }
}

/// Rows of a query in memory.
pub(super) struct CollectedRows {
    pub(super) batches: Vec<RecordBatch>,
    reservation: MemoryReservation,
}

/// Where sessions find the data files.
pub(super) fn store_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse("timberline://data")
        .expect("BUG: the address is a constant with a scheme and a host")
}
