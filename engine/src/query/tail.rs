//! Rows by their place in the order of ingestion: what a live tail reads.
//!
//! Rows in memory are tested where they are, without a plan: a tail looks at each of them once, moments after it came
//! in. Rows that have left memory are found by a query, a page at a time.

use std::sync::Arc;

use arrow::array::{
    Array, BooleanArray, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{and, take_record_batch};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{DFSchema, Result as DataFusionResult};
use datafusion::error::DataFusionError;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::prelude::{Expr, SessionContext, ident};
use uuid::Uuid;

use super::context::QueryContext;
use super::error::{QueryOrigin, from_datafusion};
use super::filter::{FilterContext, timestamp_literal, translate};
use super::model::{AttributeMaps, Cursor, LogFilter};
use super::rows::{LogRow, bytes, column, id_literal, log_rows, read_rows};
use super::session::QuerySession;
use super::settings::QueryKind;
use crate::catalog::Snapshot;
use crate::error::{Error, Result};
use crate::retention::RetentionCutoff;
use crate::schema::{RowId, columns, logs_schema};

/// Rows of one page at most, whatever their size.
const MAX_PAGE_ROWS: usize = 2_000;

/// What a row takes up in memory beside its text, about.
const ROW_OVERHEAD_BYTES: usize = 512;

/// A filter made ready to test rows in memory.
#[derive(Clone, Debug)]
pub(crate) struct RowTest {
    condition: Arc<dyn PhysicalExpr>,
}

/// A row of a batch that passed a test.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SizedRow {
    /// Its place in the batch.
    pub(crate) row: u32,
    pub(crate) id: RowId,
    /// What it will take up in memory, about.
    pub(crate) size_bytes: usize,
}

/// Rows that came in after a place, in order of ingestion.
#[derive(Debug)]
pub(crate) struct IngestPage {
    pub(crate) rows: Vec<LogRow>,
    /// What they take up in memory, about.
    pub(crate) size_bytes: usize,
    /// Whether no more rows follow.
    pub(crate) is_last: bool,
}

impl QueryContext {
    /// Makes a filter ready; relative dates in it count from now. Compiling patterns takes milliseconds, which is spent
    /// on the query's threads.
    ///
    /// # Errors
    /// `InvalidRequest` or `LimitExceeded` when the filter means nothing or too much.
    pub(crate) async fn row_test(&self, filter: &LogFilter) -> Result<RowTest> {
        let (filter, context) = (filter.clone(), FilterContext { now_us: self.now_us() });
        let compiled = self.spawn(async move { RowTest::compile(&filter, &context) }).await;
        compiled.map_err(|error| Error::internal("compiling a filter was ended").with_source(error))?
    }

    /// The rows of a snapshot between two places, after the first and up to the second, that pass a filter: as many as
    /// fit into `max_bytes`, and at least one.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub(crate) async fn rows_between(
        &self,
        snapshot: &Snapshot,
        filter: &LogFilter,
        (after, until): (RowId, RowId),
        max_bytes: usize,
    ) -> Result<IngestPage> {
        let snapshot = came_in_from(snapshot, after.ingested_from_us());
        if snapshot.files.is_empty() && snapshot.segments.is_empty() {
            return Ok(IngestPage { rows: Vec::new(), size_bytes: 0, is_last: true });
        }
        let condition =
            between(after, until).and(translate(filter, &FilterContext { now_us: self.now_us() })?);
        let session = self.session(&snapshot);
        let work = async move { read_page(&session, condition, max_bytes).await };
        self.run_on_threads(QueryKind::Rows, &snapshot, work).await
    }
}

/// The part of a snapshot that may have rows which came in at an instant or later. Reads no file.
fn came_in_from(snapshot: &Snapshot, from_us: i64) -> Snapshot {
    let files = snapshot.files.iter().filter(|file| file.max_ingested_us >= from_us);
    let segments = snapshot.segments.iter().filter(|segment| segment.max_ingested_us >= from_us);
    Snapshot {
        table: snapshot.table,
        files: Arc::new(files.cloned().collect()),
        segments: segments.cloned().collect(),
        retention: snapshot.retention.clone(),
    }
}

fn between(after: RowId, until: RowId) -> Expr {
    let id = || ident(columns::UUID);
    // The last part says nothing new, but it prunes.
    id().gt(id_literal(after.uuid()))
        .and(id().lt_eq(id_literal(until.uuid())))
        .and(ident(columns::INGESTED_TIMESTAMP).gt_eq(timestamp_literal(after.ingested_from_us())))
}

async fn read_page(
    session: &QuerySession,
    condition: Expr,
    max_bytes: usize,
) -> DataFusionResult<IngestPage> {
    let names = [columns::UUID, columns::TIMESTAMP, columns::BYTES_UNCOMPRESSED];
    let page = session
        .rows_where(condition)?
        .select(names.map(ident))?
        .sort(vec![ident(columns::UUID).sort(true, false)])?
        .limit(0, Some(MAX_PAGE_ROWS))?;
    let found = session.collect(page).await?;
    let mut sized = Vec::new();
    for batch in &found.batches {
        let ids: &FixedSizeBinaryArray = column(batch, columns::UUID)?;
        let timestamps: &TimestampMicrosecondArray = column(batch, columns::TIMESTAMP)?;
        let sizes: &UInt32Array = column(batch, columns::BYTES_UNCOMPRESSED)?;
        sized.extend((0..batch.num_rows()).map(|row| {
            let uuid = Uuid::from_bytes(bytes(ids, row));
            (Cursor { timestamp_us: timestamps.value(row), uuid }, size_of_row(sizes.value(row)))
        }));
    }
    let mut size_bytes = 0;
    let fitting = sized.iter().enumerate().take_while(|(place, (_, row_bytes))| {
        let fits = *place == 0 || size_bytes + row_bytes <= max_bytes;
        size_bytes += if fits { *row_bytes } else { 0 };
        fits
    });
    let keys: Vec<Cursor> = fitting.map(|(_, (key, _))| *key).collect();
    let is_last = keys.len() == sized.len() && sized.len() < MAX_PAGE_ROWS;
    let rows = read_rows(session, &keys, AttributeMaps::Included).await?;
    Ok(IngestPage { rows, size_bytes, is_last })
}

fn size_of_row(bytes_uncompressed: u32) -> usize {
    ROW_OVERHEAD_BYTES + bytes_uncompressed as usize
}

impl RowTest {
    fn compile(filter: &LogFilter, context: &FilterContext) -> Result<Self> {
        let expression = translate(filter, context)?;
        let compile = || {
            let schema = DFSchema::try_from(logs_schema())?;
            SessionContext::new().create_physical_expr(expression, &schema)
        };
        let condition = compile().map_err(|error| from_datafusion(error, QueryOrigin::Engine))?;
        Ok(Self { condition })
    }

    /// The rows of a batch, which is in the stored schema and in order of ingestion, that came in after a place, pass
    /// the test and have not expired.
    ///
    /// # Errors
    /// `Internal` when the batch is another one.
    pub(crate) fn passing(
        &self,
        rows: &RecordBatch,
        after: RowId,
        cutoff: Option<&RetentionCutoff>,
    ) -> Result<Vec<SizedRow>> {
        let pass = || {
            let ids: &FixedSizeBinaryArray = column(rows, columns::UUID)?;
            let first = first_after(ids, after);
            let rest = rows.slice(first, rows.num_rows() - first);
            let mut passes = self.test(&rest)?;
            if let Some(cutoff) = cutoff {
                let keep = cutoff.keep(&rest).map_err(|error| DataFusionError::External(Box::new(error)))?;
                passes = and(&passes, &keep)?;
            }
            let sizes: &UInt32Array = column(&rest, columns::BYTES_UNCOMPRESSED)?;
            let passed = (0..rest.num_rows()).filter(|row| passes.is_valid(*row) && passes.value(*row));
            let sized = passed.map(|row| SizedRow {
                row: (first + row) as u32,
                id: id_at(ids, first + row),
                size_bytes: size_of_row(sizes.value(row)),
            });
            Ok(sized.collect())
        };
        pass().map_err(|error| from_datafusion(error, QueryOrigin::Engine))
    }

    fn test(&self, rows: &RecordBatch) -> DataFusionResult<BooleanArray> {
        let tested = self.condition.evaluate(rows)?.into_array(rows.num_rows())?;
        Ok(as_boolean_array(&tested)?.clone())
    }
}

fn id_at(ids: &FixedSizeBinaryArray, row: usize) -> RowId {
    RowId(bytes(ids, row))
}

/// Where the rows begin that came in after a place, among rows in order of ingestion.
fn first_after(ids: &FixedSizeBinaryArray, after: RowId) -> usize {
    let (mut low, mut high) = (0, ids.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if id_at(ids, middle) <= after { low = middle + 1 } else { high = middle }
    }
    low
}

/// Some rows of a batch in the stored schema, whole.
///
/// # Errors
/// `Internal` when the batch is another one.
pub(crate) fn rows_at(batch: &RecordBatch, rows: &[SizedRow]) -> Result<Vec<LogRow>> {
    let places = UInt32Array::from_iter_values(rows.iter().map(|row| row.row));
    let taken = take_record_batch(batch, &places).map_err(DataFusionError::from);
    taken.and_then(|taken| log_rows(&taken)).map_err(|error| from_datafusion(error, QueryOrigin::Engine))
}
