//! Every byte and every page of a data file.
//!
//! The checksum of the pages finds a flipped bit that decodes all the same; decoding finds what a checksum written by
//! a faulty machine would hide; the times of each row group must be those that queries prune by.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::TimestampMicrosecondType;
use futures::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::statistics::Statistics;

use crate::error::{Error, ErrorKind, Result};
use crate::schema::columns;
use crate::storage::{Footer, PagesHasher, Storage, cannot_read_object};

/// Bytes of a file that are read at once.
const READ_BYTES: u64 = 8 << 20;

/// Reads a file whole.
///
/// # Errors
/// `CorruptData` naming the file; `Unavailable` when the store does not answer.
pub(super) async fn decode_all(storage: &Storage, path: &Path, footer: &Footer) -> Result<()> {
    check_checksum(storage, path, footer).await?;
    let (storage, owned_path, footer) = (storage.clone(), path.clone(), footer.clone());
    // A task of its own: what damage does to the decoder must not reach the caller.
    let decoded = tokio::spawn(async move {
        for row_group in 0..footer.metadata.num_row_groups() {
            decode_row_group(&storage, &owned_path, &footer, row_group).await?;
        }
        Ok(())
    });
    match decoded.await {
        Ok(result) => result,
        Err(error) if error.is_panic() => Err(damaged(path, "its pages cannot be decoded")),
        Err(error) => Err(Error::internal("decoding a data file was ended").with_source(error)),
    }
}

async fn check_checksum(storage: &Storage, path: &Path, footer: &Footer) -> Result<()> {
    let expected = footer.pages;
    let mut hasher = PagesHasher::new(expected);
    let store = storage.object_store();
    let mut offset = 0;
    let end = expected.num_bytes.min(footer.facts.size_bytes);
    while offset < end {
        let next = end.min(offset + READ_BYTES);
        let bytes = store.get_range(path, offset..next).await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("data file {path} cannot be read now"))
                .with_source(error)
        })?;
        hasher.update(&bytes);
        offset = next;
    }
    if hasher.is_intact() { Ok(()) } else { Err(damaged(path, "its pages have another checksum")) }
}

async fn decode_row_group(storage: &Storage, path: &Path, footer: &Footer, row_group: usize) -> Result<()> {
    let failed = |error: ParquetError| cannot_read_object(path, error);
    let reader = storage.unknown_parquet_reader(path, footer.facts.size_bytes);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let mut batches = builder.with_row_groups(vec![row_group]).build().map_err(failed)?;
    let mut num_rows = 0;
    let mut bounds: [Option<(i64, i64)>; TIMES.len()] = [None; TIMES.len()];
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(failed)?;
        num_rows += batch.num_rows() as i64;
        for (known, name) in bounds.iter_mut().zip(TIMES) {
            *known = union(*known, times(&batch, name));
        }
    }
    let metadata = footer.metadata.row_group(row_group);
    if num_rows != metadata.num_rows() {
        let expected = metadata.num_rows();
        let reason = format!("row group {row_group} has {num_rows} rows and should have {expected}");
        return Err(damaged(path, &reason));
    }
    for (found, name) in bounds.into_iter().zip(TIMES) {
        let column = metadata.columns().iter().find(|column| column.column_path().parts() == [name]);
        let told = column.and_then(|column| column.statistics()).and_then(|statistics| match statistics {
            Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
            _ => None,
        });
        if found != told {
            let reason =
                format!("the times of {name:?} in row group {row_group} are not those of its footer");
            return Err(damaged(path, &reason));
        }
    }
    Ok(())
}

/// The columns that queries prune by.
const TIMES: [&str; 2] = [columns::TIMESTAMP, columns::INGESTED_TIMESTAMP];

fn times(batch: &RecordBatch, name: &str) -> Option<(i64, i64)> {
    let column = batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
    min(column).zip(max(column))
}

fn union(left: Option<(i64, i64)>, right: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (left, right) {
        (Some(left), Some(right)) => Some((left.0.min(right.0), left.1.max(right.1))),
        (left, right) => left.or(right),
    }
}

fn damaged(path: &Path, reason: &str) -> Error {
    Error::corrupt_data(format!("data file {path} is damaged: {reason}"))
}
