//! Flush: fresh rows of a table become data files.
//!
//! Intents are recorded, objects written, then one catalog transaction commits the files together with the
//! batches they hold, then the rows leave memory as the files appear to queries. A stop anywhere before the
//! transaction leaves objects that the next start removes by their intents, and batches that it replays; a stop
//! after it leaves batches that the replay skips.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use object_store::path::Path;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::background::blocking;
use crate::catalog::{CatalogStore, Flushed, FlushedRange, LiveTables, PendingFlush, Transaction};
use crate::clock::Clock;
use crate::data_file_writer::DataFileWriter;
use crate::error::{Error, Result};
use crate::schema::{TableId, columns};
use crate::storage::{
    DataFile, DataFilePath, Effort, FileOrigin, FileSource, KeyCounts, PlannedFile, Promotion, Storage,
    plan_flush, slice_len,
};

/// What a flush works with.
#[derive(Clone, Debug)]
pub(crate) struct Flusher {
    pub(crate) catalog: CatalogStore,
    pub(crate) storage: Storage,
    pub(crate) tables: Arc<LiveTables>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Data files of fewer rows get no sidecar.
    pub(crate) min_sidecar_rows: u64,
    /// Held by the flush that runs: whoever asks for another one waits for its end.
    pub(crate) turn: Arc<Mutex<()>>,
}

/// A file on its way.
struct PlannedObject {
    plan: PlannedFile,
    promotion: Promotion,
    id: Uuid,
    path: Path,
}

impl Flusher {
    /// Flushes all fresh rows that a table has now, after the flush that may be running.
    ///
    /// # Errors
    /// When storage or the catalog fails: the rows stay in memory and in the log, and the call can be repeated.
    /// If it cannot be told whether the catalog has committed, the table is not flushed again before a restart,
    /// which can tell: flushing it twice would store its rows twice.
    pub(crate) async fn flush_table(&self, table: TableId) -> Result<()> {
        let _turn = self.turn.lock().await;
        let began_us = self.clock.now_us();
        let Some(pending) = self.tables.begin_flush(table)? else { return Ok(()) };
        let began = Instant::now();
        let flushed = self.flush_pending(table, pending, began_us).await;
        self.tables.meters().note_flush(began.elapsed(), flushed.is_ok());
        flushed
    }

    #[tracing::instrument(name = "flush", skip_all, fields(%table))]
    async fn flush_pending(&self, table: TableId, pending: PendingFlush, began_us: i64) -> Result<()> {
        let transaction = match self.write_files(table, &pending, began_us).await {
            Ok(transaction) => transaction,
            Err(error) => {
                self.tables.abandon_flush(table);
                return Err(error);
            }
        };
        if let Err(error) = self.catalog.commit(&transaction).await
            && self.catalog.committed_as(&transaction).await?.is_none()
        {
            self.catalog.discard(&self.storage, &transaction.added).await;
            self.tables.abandon_flush(table);
            return Err(error);
        }
        tracing::debug!(%table, files = transaction.added.len(), "flushed");
        // Who else holds the rows is a query.
        drop(pending);
        self.tables.finish_flush(table, transaction.added, began_us);
        Ok(())
    }

    /// Writes the objects of a flush, each of which has an intent before it is there.
    async fn write_files(
        &self,
        table: TableId,
        pending: &PendingFlush,
        began_us: i64,
    ) -> Result<Transaction> {
        let batches: Arc<Vec<RecordBatch>> =
            Arc::new(pending.segments.iter().map(|segment| segment.batch.clone()).collect());
        let objects = plan_objects(table, Arc::clone(&batches)).await?;
        let intents: Vec<_> = objects.iter().map(|object| (object.id, object.path.clone())).collect();
        self.catalog.record_intents(&intents).await?;
        let range = FlushedRange {
            writer: self.catalog.writer(),
            table,
            first_sequence: pending.sequences.first,
            last_sequence: pending.sequences.last,
        };
        let mut added = Vec::with_capacity(objects.len());
        let (flush, num_objects) = (Uuid::now_v7(), objects.len());
        for (part, object) in objects.into_iter().enumerate() {
            let source = FileSource::Flush {
                id: flush,
                part: part as u32,
                is_last: part + 1 == num_objects,
                first_sequence: range.first_sequence,
                last_sequence: range.last_sequence,
            };
            match self.write_object(object, table, source, Arc::clone(&batches)).await {
                Ok(file) => added.push(file),
                Err(error) => {
                    self.catalog.discard(&self.storage, &added).await;
                    return Err(error);
                }
            }
        }
        let flushed = Some(Flushed { range, last_ingested_us: pending.last_ingested_us });
        Ok(Transaction { table, committed_us: began_us, added, removed: Vec::new(), flushed })
    }

    async fn write_object(
        &self,
        object: PlannedObject,
        table: TableId,
        source: FileSource,
        batches: Arc<Vec<RecordBatch>>,
    ) -> Result<DataFile> {
        let origin = FileOrigin {
            file_id: object.id,
            table,
            level: 0,
            writer: self.catalog.writer(),
            epoch: self.catalog.epoch(),
            source,
        };
        let PlannedObject { path, promotion, .. } = object;
        let mut writer =
            DataFileWriter::create(&self.storage, table.dataset(), path, promotion, Effort::Quick)
                .with_min_sidecar_rows(self.min_sidecar_rows);
        let borrowed: Vec<&RecordBatch> = batches.iter().collect();
        let mut rest = object.plan.rows.as_slice();
        while !rest.is_empty() {
            let (slice, others) = rest.split_at(slice_len(&borrowed, rest)?);
            writer.write_slice(Arc::clone(&batches), slice.to_vec()).await?;
            rest = others;
        }
        writer.finish(origin).await
    }
}

async fn plan_objects(table: TableId, batches: Arc<Vec<RecordBatch>>) -> Result<Vec<PlannedObject>> {
    blocking(move || {
        let promotion = promotion_of(table, &batches)?;
        let timestamps = batches.iter().map(timestamps).collect::<Result<Vec<_>>>()?;
        let objects = plan_flush(&timestamps).into_iter().map(|plan| {
            let id = Uuid::now_v7();
            let path = DataFilePath { table, bucket: plan.bucket, id }.to_path();
            PlannedObject { plan, promotion: promotion.clone(), id, path }
        });
        Ok(objects.collect())
    })
    .await
}

/// The frequent attributes of the rows, if rows of the table have any.
fn promotion_of(table: TableId, batches: &[RecordBatch]) -> Result<Promotion> {
    if !table.dataset().has_attributes() {
        return Ok(Promotion::none());
    }
    let mut counts = KeyCounts::default();
    batches.iter().try_for_each(|batch| counts.count_rows(batch))?;
    let num_rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    Ok(Promotion::choose(&counts, num_rows as u64))
}

fn timestamps(batch: &RecordBatch) -> Result<&[i64]> {
    let column = batch.column_by_name(columns::TIMESTAMP).and_then(|column| {
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.values().as_ref())
    });
    column.ok_or_else(|| Error::internal("rows without a timestamp column"))
}
