//! Reading rows by plain means, apart from the query engine.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::model::Row;
use crate::catalog::Snapshot;
use crate::schema::columns;

/// Reads data files, each of which never changes, once.
#[derive(Debug, Default)]
pub(super) struct Reader {
    files: HashMap<Path, (u32, Vec<Row>)>,
}

impl Reader {
    /// Every row of a snapshot, also those that have expired.
    pub(super) async fn rows(&mut self, objects: &InMemory, snapshot: &Snapshot) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        for file in snapshot.files.iter() {
            let found = self.file(objects, &file.path).await?;
            if found.len() as u64 != file.num_rows {
                return Err(format!("{} has {} rows and not {}", file.path, found.len(), file.num_rows));
            }
            let times = || found.iter().map(|row| row.timestamp_us);
            if times().min() != Some(file.min_timestamp_us) || times().max() != Some(file.max_timestamp_us) {
                return Err(format!("{} has other times than the catalog says", file.path));
            }
            rows.extend(found);
        }
        for segment in &snapshot.segments {
            rows.extend(decode(&segment.batch)?);
        }
        Ok(rows)
    }

    /// The rows of a data file.
    pub(super) async fn file(&mut self, objects: &InMemory, path: &Path) -> Result<&[Row], String> {
        let object = objects.get(path).await.map_err(|error| format!("a live file is missing: {error}"))?;
        let bytes = object.bytes().await.map_err(|error| error.to_string())?;
        let checksum = crc32fast::hash(&bytes);
        if !self.files.contains_key(path) {
            self.files.insert(path.clone(), (checksum, read_file(bytes)?));
        }
        match &self.files[path] {
            (known, rows) if *known == checksum => Ok(rows),
            _ => Err(format!("{path} has changed")),
        }
    }
}

fn read_file(bytes: Bytes) -> Result<Vec<Row>, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|error| error.to_string())?;
    let needed = [columns::TIMESTAMP, columns::INGESTED_TIMESTAMP, columns::UUID, columns::BODY];
    let mask = ProjectionMask::columns(builder.parquet_schema(), needed);
    let reader = builder.with_projection(mask).build().map_err(|error| error.to_string())?;
    let mut rows = Vec::new();
    for batch in reader {
        rows.extend(decode(&batch.map_err(|error| error.to_string())?)?);
    }
    Ok(rows)
}

/// The rows of a batch in the stored schema.
fn decode(batch: &RecordBatch) -> Result<Vec<Row>, String> {
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| format!("no column {name}"));
    let timestamps = column(columns::TIMESTAMP)?.as_primitive::<TimestampMicrosecondType>();
    let ingested = column(columns::INGESTED_TIMESTAMP)?.as_primitive::<TimestampMicrosecondType>();
    let uuids = column(columns::UUID)?.as_fixed_size_binary();
    let bodies = column(columns::BODY)?.as_string_view();
    let row = |at: usize| {
        let (request, index) = parse_body(bodies.value(at))?;
        let uuid = uuids.value(at).try_into().map(u128::from_be_bytes).map_err(|_| "a short id")?;
        Ok(Row { request, index, uuid, timestamp_us: timestamps.value(at), ingested_us: ingested.value(at) })
    };
    (0..bodies.len()).map(row).collect()
}

/// The requests of decoded rows, as the write-ahead log holds them: without ids.
pub(super) fn requests_of(batch: &RecordBatch) -> Result<Vec<(usize, usize)>, String> {
    let bodies = batch.column_by_name(columns::BODY).ok_or("no bodies")?.as_string_view();
    bodies.iter().map(|body| parse_body(body.unwrap_or_default())).collect()
}

/// The body of a row: where it comes from, and anything after that.
pub(super) fn body(request: usize, index: usize, padding: &str) -> String {
    format!("{request} {index} {padding}")
}

fn parse_body(body: &str) -> Result<(usize, usize), String> {
    let mut words = body.split(' ').map(|word| word.parse().ok());
    words.next().flatten().zip(words.next().flatten()).ok_or_else(|| format!("an unknown body: {body:.40}"))
}
