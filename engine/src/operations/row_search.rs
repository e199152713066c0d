//! Finding batches of the write-ahead log in data files by their row ids.
//!
//! A compacted file does not say which batches it holds, but every row id begins with its batch. So whether a batch
//! is in a file can be told exactly, at the price of reading one column.

use std::collections::{BTreeSet, HashMap};

use arrow::array::AsArray;
use futures::StreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{BatchStamp, TableId, columns};
use crate::storage::{DataFile, Storage, cannot_read};

/// Bytes of a row id that all rows of a batch share.
const PREFIX_BYTES: usize = 12;

type Prefix = [u8; PREFIX_BYTES];

/// A batch, however it is known.
pub(super) type BatchKey = (Uuid, TableId, u64);

/// Which of `batches` have rows in one of `files`. Reads only files that have rows of their time.
///
/// # Errors
/// `CorruptData` naming a file that cannot be decoded; `Unavailable` when the store does not answer.
pub(super) async fn find_batches(
    storage: &Storage,
    files: &[(TableId, &DataFile)],
    batches: &[(TableId, BatchStamp)],
) -> Result<BTreeSet<BatchKey>> {
    let mut by_time: HashMap<TableId, Vec<&BatchStamp>> = HashMap::new();
    for (table, stamp) in batches {
        by_time.entry(*table).or_default().push(stamp);
    }
    by_time.values_mut().for_each(|stamps| stamps.sort_by_key(|stamp| stamp.ingested_us));
    let mut found = BTreeSet::new();
    for &(table, file) in files {
        let stamps = by_time.get(&table).map_or(&[][..], Vec::as_slice);
        let first = stamps.partition_point(|stamp| stamp.ingested_us < file.min_ingested_us);
        let end = stamps.partition_point(|stamp| stamp.ingested_us <= file.max_ingested_us);
        let wanted: HashMap<Prefix, BatchKey> = stamps[first..end.max(first)]
            .iter()
            .map(|stamp| (prefix(stamp), (stamp.writer, table, stamp.sequence)))
            .collect();
        if !wanted.is_empty() {
            search(storage, file, &wanted, &mut found).await?;
        }
    }
    Ok(found)
}

fn prefix(stamp: &BatchStamp) -> Prefix {
    let mut prefix = [0; PREFIX_BYTES];
    for id in stamp.row_ids(0..1) {
        prefix.copy_from_slice(&id.0[..PREFIX_BYTES]);
    }
    prefix
}

async fn search(
    storage: &Storage,
    file: &DataFile,
    wanted: &HashMap<Prefix, BatchKey>,
    found: &mut BTreeSet<BatchKey>,
) -> Result<()> {
    let failed = |error| cannot_read(file, error);
    let reader = storage.parquet_reader(file);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), [columns::UUID]);
    let mut ids = builder.with_projection(mask).build().map_err(failed)?;
    while let Some(batch) = ids.next().await {
        let batch = batch.map_err(failed)?;
        let column = batch.column_by_name(columns::UUID).and_then(|ids| ids.as_fixed_size_binary_opt());
        let column = column.ok_or_else(|| {
            Error::corrupt_data(format!("data file {} is damaged: it has no row ids", file.path))
        })?;
        for id in column.iter().flatten() {
            let key = id.get(..PREFIX_BYTES).and_then(|prefix| wanted.get(prefix));
            found.extend(key);
        }
    }
    Ok(())
}
