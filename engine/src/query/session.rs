//! One query: its session, its table, its memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{Expr, SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::ObjectStore;

use super::table::SnapshotTable;
use crate::catalog::Snapshot;

/// One query: a session and the table it reads.
pub(crate) struct QuerySession {
    pub(crate) session: SessionContext,
    pub(crate) table: Arc<SnapshotTable>,
}

impl QuerySession {
    /// A session over the rows of a snapshot whose files are in `store`, which `env` knows by [`store_url`].
    pub(super) fn new(
        snapshot: Snapshot,
        store: Arc<dyn ObjectStore>,
        env: Arc<RuntimeEnv>,
        config: SessionConfig,
    ) -> Self {
        Self {
            session: SessionContext::new_with_config_rt(config, env),
            table: Arc::new(SnapshotTable::new(snapshot, store_url(), store)),
        }
    }

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
            CollectedRows { batches: Vec::new(), reservation: self.reserve("rows of a query") };
        let mut stream = query.execute_stream().await?;
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
