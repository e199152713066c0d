//! A snapshot as a DataFusion table.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{
    Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics, project_schema,
};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{TableProviderFilterPushDown, utils::conjunction};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::Expr;
use object_store::ObjectStore;

use super::cost::CostMeter;
use super::data_file_reader::{DataFileReaderFactory, object_meta};
use super::file_columns::FileColumnsFactory;
use super::read_budget::ReadBudget;
use super::scan_log::ScanLog;
use super::unexpired::unexpired_rows;
use crate::buffer::BufferSegment;
use crate::catalog::{Snapshot, Sources};
use crate::schema::{UTC, columns};
use crate::storage::DataFile;

/// The rows of a snapshot: its data files and its rows in memory, as one table of the stored schema.
///
/// The snapshot fixes whose rows these are, so that no query over the table reaches another project's.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    schema: SchemaRef,
    snapshot: Snapshot,
    store_url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    cost: Arc<CostMeter>,
    budget: Arc<ReadBudget>,
    scans: Arc<ScanLog>,
}

impl SnapshotTable {
    /// Makes a table of the snapshot's rows; its files are in `store`, which the session knows by `store_url`. What is
    /// read goes to `cost` and is of `budget`.
    pub(super) fn new(
        snapshot: Snapshot,
        store_url: ObjectStoreUrl,
        store: Arc<dyn ObjectStore>,
        cost: Arc<CostMeter>,
        budget: Arc<ReadBudget>,
    ) -> Self {
        let schema = snapshot.table.dataset().schema();
        Self { schema, snapshot, store_url, store, cost, budget, scans: Arc::default() }
    }

    pub(super) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// What its scans leave out and read.
    pub(crate) fn scans(&self) -> Arc<ScanLog> {
        Arc::clone(&self.scans)
    }

    /// The rows in some of its files and segments.
    pub(super) fn restricted(&self, sources: Sources) -> Self {
        let Sources { files, segments } = sources;
        let snapshot = Snapshot { files: Arc::new(files), segments, ..self.snapshot.clone() };
        let (store, cost) = (Arc::clone(&self.store), Arc::clone(&self.cost));
        let restricted = Self::new(snapshot, self.store_url.clone(), store, cost, Arc::clone(&self.budget));
        Self { scans: Arc::clone(&self.scans), ..restricted }
    }

    fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let cutoff = self.snapshot.retention.as_deref();
        let kept = self.prune(state, filters);
        self.scans.add(self.snapshot.files.len(), &kept);
        let (live, straddling) = kept.split(cutoff);
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !live.files.is_empty() {
            inputs.push(self.scan_files(state, live.files, projection, limit, Trust::Exact)?);
        }
        if !live.segments.is_empty() {
            inputs.push(self.scan_segments(state, &live.segments, projection)?);
        }
        // A limit counts rows that have not expired, so that it must not reach the scans below.
        if let Some(cutoff) = cutoff {
            if !straddling.files.is_empty() {
                let scan = |columns: &Vec<usize>| {
                    self.scan_files(state, straddling.files, Some(columns), None, Trust::Nothing)
                };
                inputs.push(unexpired_rows(state, &self.schema, cutoff, projection, scan)?);
            }
            if !straddling.segments.is_empty() {
                let scan =
                    |columns: &Vec<usize>| self.scan_segments(state, &straddling.segments, Some(columns));
                inputs.push(unexpired_rows(state, &self.schema, cutoff, projection, scan)?);
            }
        }
        match inputs.len() {
            0 => Ok(Arc::new(EmptyExec::new(project_schema(&self.schema, projection)?))),
            1 => Ok(inputs.remove(0)),
            _ => UnionExec::try_new(inputs),
        }
    }

    /// The files and segments that may hold a row which passes `filters`, newest first. Reads no file.
    fn prune(&self, state: &dyn Session, filters: &[Expr]) -> Sources {
        let mut sources = self.snapshot.sources();
        sources.files.sort_by_key(|file| std::cmp::Reverse(file.max_timestamp_us));
        // A filter that cannot be turned into a pruning predicate prunes nothing; the query is still right.
        let keep =
            self.pruning_predicate(state, filters).and_then(|predicate| predicate.prune(&sources).ok());
        if let Some(keep) = keep {
            let mut keep = keep.into_iter();
            sources.files.retain(|_| keep.next().unwrap_or(true));
            sources.segments.retain(|_| keep.next().unwrap_or(true));
        }
        sources
    }

    fn pruning_predicate(&self, state: &dyn Session, filters: &[Expr]) -> Option<Arc<PruningPredicate>> {
        let filter = conjunction(filters.iter().cloned())?;
        let schema = DFSchema::try_from(Arc::clone(&self.schema)).ok()?;
        let filter = state.create_physical_expr(filter, &schema).ok()?;
        PruningPredicateBuilder::new().with_file_schema(Arc::clone(&self.schema)).build(filter)
    }

    fn scan_files(
        &self,
        state: &dyn Session,
        files: Vec<Arc<DataFile>>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        trust: Trust,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        files.iter().for_each(|file| self.cost.add_scanned(file.id));
        let statistics: Vec<Arc<Statistics>> =
            files.iter().map(|file| Arc::new(file_statistics(&self.schema, file))).collect();
        let merged = match trust {
            Trust::Exact => Statistics::try_merge_iter(statistics.iter().map(Arc::as_ref), &self.schema)?,
            Trust::Nothing => Statistics::new_unknown(&self.schema),
        };
        let files = files.iter().zip(statistics).map(|(file, statistics)| partitioned_file(file, statistics));
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let readers = DataFileReaderFactory::new(Arc::clone(&self.store), cache, Arc::clone(&self.budget));
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_parquet_file_reader_factory(Arc::new(readers));
        let config = FileScanConfigBuilder::new(self.store_url.clone(), Arc::new(source))
            .with_file_groups(deal(files, state.config().target_partitions()).map(FileGroup::new).collect())
            .with_statistics(merged)
            .with_projection_indices(projection.cloned())?
            .with_expr_adapter(Some(Arc::new(FileColumnsFactory)))
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn scan_segments(
        &self,
        state: &dyn Session,
        segments: &[Arc<BufferSegment>],
        projection: Option<&Vec<usize>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.cost.add_segment_rows(segments.iter().map(|segment| segment.batch.num_rows() as u64).sum());
        let batches = segments.iter().map(|segment| segment.batch.clone());
        let partitions: Vec<Vec<RecordBatch>> = deal(batches, state.config().target_partitions()).collect();
        let source = MemorySourceConfig::try_new(&partitions, Arc::clone(&self.schema), projection.cloned())?;
        Ok(DataSourceExec::from_data_source(source))
    }
}

impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Every filter prunes what it can, and none replaces the test of each row.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        filters: &'life3 [Expr],
        limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
    {
        Box::pin(std::future::ready(self.plan(state, projection, filters, limit)))
    }
}

/// What the planner may conclude from what the catalog knows about files.
#[derive(Clone, Copy, Debug)]
enum Trust {
    /// Numbers of rows and bounds are those of the answer.
    Exact,
    /// Some of the rows have expired.
    Nothing,
}

impl Sources {
    fn timestamps(&self, of_file: fn(&DataFile) -> i64, of_segment: fn(&BufferSegment) -> i64) -> ArrayRef {
        let files = self.files.iter().map(|file| of_file(file));
        let segments = self.segments.iter().map(|segment| of_segment(segment));
        let timestamps = TimestampMicrosecondArray::from_iter_values(files.chain(segments));
        Arc::new(timestamps.with_timezone(UTC))
    }
}

/// The containers are the files, then the segments.
impl PruningStatistics for Sources {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == columns::TIMESTAMP)
            .then(|| self.timestamps(|file| file.min_timestamp_us, |segment| segment.min_timestamp_us))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == columns::TIMESTAMP)
            .then(|| self.timestamps(|file| file.max_timestamp_us, |segment| segment.max_timestamp_us))
    }

    fn num_containers(&self) -> usize {
        self.files.len() + self.segments.len()
    }

    /// The time is never null; of the others nothing is known that would prune.
    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == columns::TIMESTAMP)
            .then(|| Arc::new(UInt64Array::from_value(0, self.num_containers())) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let files = self.files.iter().map(|file| file.num_rows);
        let segments = self.segments.iter().map(|segment| segment.batch.num_rows() as u64);
        Some(Arc::new(UInt64Array::from_iter_values(files.chain(segments))))
    }

    fn contained(
        &self,
        _column: &Column,
        _values: &std::collections::HashSet<ScalarValue>,
    ) -> Option<BooleanArray> {
        None
    }
}

/// Deals items like cards to at most `num_hands` hands, so that every hand has some of the newest.
fn deal<T>(items: impl Iterator<Item = T>, num_hands: usize) -> impl Iterator<Item = Vec<T>> {
    let mut hands: Vec<Vec<T>> = Vec::new();
    for (index, item) in items.enumerate() {
        if index < num_hands.max(1) {
            hands.push(vec![item]);
        } else {
            hands[index % num_hands.max(1)].push(item);
        }
    }
    hands.into_iter()
}

fn partitioned_file(file: &DataFile, statistics: Arc<Statistics>) -> PartitionedFile {
    // All that says where the data is comes in one read.
    let metadata_bytes = usize::try_from(file.metadata_bytes).unwrap_or(usize::MAX);
    PartitionedFile::new_from_meta(object_meta(file))
        .with_statistics(statistics)
        .with_metadata_size_hint(metadata_bytes)
}

/// What the catalog knows about a file, in DataFusion's terms.
fn file_statistics(schema: &SchemaRef, file: &DataFile) -> Statistics {
    let timestamp = |us: i64| Precision::Exact(ScalarValue::TimestampMicrosecond(Some(us), Some(UTC.into())));
    let column_statistics = schema.fields().iter().map(|field| {
        let statistics = ColumnStatistics::new_unknown();
        if field.is_nullable() {
            return statistics;
        }
        let statistics = statistics.with_null_count(Precision::Exact(0));
        if field.name() != columns::TIMESTAMP {
            return statistics;
        }
        statistics
            .with_min_value(timestamp(file.min_timestamp_us))
            .with_max_value(timestamp(file.max_timestamp_us))
    });
    Statistics {
        num_rows: usize::try_from(file.num_rows).map_or(Precision::Absent, Precision::Exact),
        total_byte_size: Precision::Absent,
        column_statistics: column_statistics.collect(),
    }
}
