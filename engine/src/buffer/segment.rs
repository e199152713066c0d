//! Rows in memory: acknowledged, and in no data file yet.

use arrow::array::{ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::{concat_batches, max, min};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::error::ArrowError;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::schema::{BatchStamp, Dataset, UTC, columns};

/// Rows of one or several batches of one table, in the stored schema and in order of ingestion.
#[derive(Clone, Debug)]
pub struct BufferSegment {
    /// The rows; at least one.
    pub batch: RecordBatch,
    /// Earliest `timestamp`, microseconds.
    pub min_timestamp_us: i64,
    /// Latest `timestamp`, microseconds, inclusive.
    pub max_timestamp_us: i64,
    /// Earliest `ingested_timestamp`, microseconds.
    pub min_ingested_us: i64,
    /// Latest `ingested_timestamp`, microseconds, inclusive.
    pub max_ingested_us: i64,
    /// Sequence number of the newest batch in it.
    pub sequence: u64,
    /// Memory that was admitted for the rows.
    pub size_bytes: usize,
}

impl BufferSegment {
    /// Gives decoded rows of a dataset their ids and ingest time. `ordinals` are the rows' places in their batch,
    /// `size_bytes` is what was admitted for them.
    ///
    /// # Errors
    /// `Internal` when the rows are not decoded rows.
    pub(crate) fn stamped(
        dataset: Dataset,
        decoded: &RecordBatch,
        stamp: &BatchStamp,
        ordinals: Range<u32>,
        size_bytes: usize,
    ) -> Result<Self> {
        let columns = dataset
            .schema()
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                columns::UUID => Ok(row_ids(stamp, ordinals.clone())),
                columns::INGESTED_TIMESTAMP => Ok(ingest_times(stamp, decoded.num_rows())),
                name => decoded
                    .column_by_name(name)
                    .cloned()
                    .ok_or_else(|| Error::internal(format!("decoded rows lack the column {name}"))),
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let batch = RecordBatch::try_new(dataset.schema(), columns).map_err(cannot_make)?;
        let timestamps = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let bounds = min(timestamps).zip(max(timestamps));
        let (min_timestamp_us, max_timestamp_us) =
            bounds.ok_or_else(|| Error::internal("a segment without rows"))?;
        Ok(Self {
            batch,
            min_timestamp_us,
            max_timestamp_us,
            min_ingested_us: stamp.ingested_us,
            max_ingested_us: stamp.ingested_us,
            sequence: stamp.sequence,
            size_bytes,
        })
    }

    /// Joins two neighbours into one segment.
    pub(crate) fn joined(&self, next: &Self) -> Result<Self> {
        let batch =
            concat_batches(self.batch.schema_ref(), [&self.batch, &next.batch]).map_err(cannot_make)?;
        Ok(Self {
            batch,
            min_timestamp_us: self.min_timestamp_us.min(next.min_timestamp_us),
            max_timestamp_us: self.max_timestamp_us.max(next.max_timestamp_us),
            min_ingested_us: self.min_ingested_us.min(next.min_ingested_us),
            max_ingested_us: self.max_ingested_us.max(next.max_ingested_us),
            sequence: next.sequence,
            size_bytes: self.size_bytes + next.size_bytes,
        })
    }
}

fn row_ids(stamp: &BatchStamp, ordinals: Range<u32>) -> ArrayRef {
    let bytes: Vec<u8> = stamp.row_ids(ordinals).flat_map(|id| id.0).collect();
    Arc::new(FixedSizeBinaryArray::new(16, bytes.into(), None))
}

fn ingest_times(stamp: &BatchStamp, num_rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(stamp.ingested_us, num_rows).with_timezone(UTC))
}

fn cannot_make(error: ArrowError) -> Error {
    Error::internal("cannot make a segment of rows").with_source(error)
}
