//! Flush: fresh rows of a table become data files.
//!
//! Intents are recorded, objects written, then one catalog transaction commits the files together with the
//! batches they hold, then the rows leave memory as the files appear to queries. A stop anywhere before the
//! transaction leaves objects that the next start removes by their intents, and batches that it replays; a stop
//! after it leaves batches that the replay skips.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use object_store::path::Path;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::catalog::{CatalogStore, FlushedRange, LiveTables, PendingFlush, Transaction};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::schema::{TableId, columns};
use crate::storage::{
    DataFile, DataFilePath, FileOrigin, PlannedFile, Storage, encode_data_file, plan_flush,
};

/// What a flush works with.
#[derive(Clone, Debug)]
pub(crate) struct Flusher {
    pub(crate) catalog: CatalogStore,
    pub(crate) storage: Storage,
    pub(crate) tables: Arc<LiveTables>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Held by the flush that runs: whoever asks for another one waits for its end.
    pub(crate) turn: Arc<Mutex<()>>,
}

/// A file on its way.
struct PlannedObject {
    plan: PlannedFile,
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
        let transaction = match self.write_files(table, &pending, began_us).await {
            Ok(transaction) => transaction,
            Err(error) => {
                self.tables.abandon_flush(table);
                return Err(error);
            }
        };
        if let Err(error) = self.catalog.commit(&transaction).await {
            let is_committed = self.catalog.has_files(&transaction.files).await?;
            if !is_committed {
                self.discard(&transaction.files).await;
                self.tables.abandon_flush(table);
                return Err(error);
            }
        }
        tracing::debug!(%table, files = transaction.files.len(), "flushed");
        self.tables.finish_flush(table, transaction.files, began_us);
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
        let flushed = FlushedRange {
            writer: self.catalog.writer(),
            table,
            first_sequence: pending.sequences.first,
            last_sequence: pending.sequences.last,
        };
        let mut files = Vec::with_capacity(objects.len());
        for object in objects {
            match self.write_object(object, &flushed, Arc::clone(&batches)).await {
                Ok(file) => files.push(file),
                Err(error) => {
                    self.discard(&files).await;
                    return Err(error);
                }
            }
        }
        let last_ingested_us = pending.last_ingested_us;
        Ok(Transaction { committed_us: began_us, files, flushed, last_ingested_us })
    }

    /// Removes objects that will not be committed. What cannot be removed now is left to the next start, by its
    /// intent.
    async fn discard(&self, files: &[DataFile]) {
        for file in files {
            let removed = async {
                self.storage.delete(&file.path).await?;
                self.catalog.forget_intent(file.id).await
            };
            if let Err(error) = removed.await {
                tracing::warn!(%error, path = %file.path, "cannot remove an object of a failed flush");
            }
        }
    }

    async fn write_object(
        &self,
        object: PlannedObject,
        flushed: &FlushedRange,
        batches: Arc<Vec<RecordBatch>>,
    ) -> Result<DataFile> {
        let origin = FileOrigin {
            file_id: object.id,
            table: flushed.table,
            writer: flushed.writer,
            epoch: self.catalog.epoch(),
            first_sequence: flushed.first_sequence,
            last_sequence: flushed.last_sequence,
        };
        let PlannedObject { plan, id, path } = object;
        let (bytes, plan) = blocking(move || {
            let batches: Vec<&RecordBatch> = batches.iter().collect();
            Ok((encode_data_file(&batches, &plan, &origin)?, plan))
        })
        .await?;
        let size_bytes = bytes.len() as u64;
        self.storage.put(&path, bytes).await?;
        Ok(DataFile {
            id,
            path,
            min_timestamp_us: plan.min_timestamp_us,
            max_timestamp_us: plan.max_timestamp_us,
            num_rows: plan.rows.len() as u64,
            size_bytes,
        })
    }
}

async fn plan_objects(table: TableId, batches: Arc<Vec<RecordBatch>>) -> Result<Vec<PlannedObject>> {
    blocking(move || {
        let timestamps = batches.iter().map(timestamps).collect::<Result<Vec<_>>>()?;
        let plans = plan_flush(&timestamps);
        let objects = plans.into_iter().map(|plan| {
            let id = Uuid::now_v7();
            let path = DataFilePath { table, bucket: plan.bucket, id }.to_path();
            PlannedObject { plan, id, path }
        });
        Ok(objects.collect())
    })
    .await
}

fn timestamps(batch: &RecordBatch) -> Result<&[i64]> {
    let column = batch.column_by_name(columns::TIMESTAMP).and_then(|column| {
        let column = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        Some(column.values().as_ref())
    });
    column.ok_or_else(|| Error::internal("rows without a timestamp column"))
}

/// Runs CPU work where it does not hold up other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::internal("background work was ended").with_source(error))?
}
