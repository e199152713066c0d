//! Whole rows at places that were found.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{Result, internal_err};
use datafusion::error::DataFusionError;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::super::model::AttributeMaps;
use super::super::rows::{LogRow, row_columns, rows_of};
use super::super::session::QuerySession;
use super::newest::{Found, Place, joined};
use super::open_file::OpenFile;
use super::reader::SliceReader;
use crate::activity::{StoredEntry, decode_entries};
use crate::schema::Dataset;
use crate::storage::{file_columns_of, parse_column_name, to_whole_rows, whole_columns};

/// Records at their places, in the order of `found`.
pub(in crate::query) async fn records_at(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    found: &[Found],
    attributes: AttributeMaps,
) -> Result<Vec<LogRow>> {
    let names = row_columns(attributes).map(str::to_owned).collect();
    let wanted = Wanted { dataset: Dataset::Logs, names, decode: rows_of, id: |row: &LogRow| row.uuid };
    rows_at(session, reader, found, wanted).await
}

/// Entries of the audit trail at their places, in the order of `found`.
pub(in crate::query) async fn entries_at(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    found: &[Found],
) -> Result<Vec<StoredEntry>> {
    let dataset = Dataset::Activity;
    let names = dataset.schema().fields().iter().map(|field| field.name().clone()).collect();
    let decode = |rows: &RecordBatch| decode_entries(rows).map_err(of_engine);
    let wanted = Wanted { dataset, names, decode, id: |stored: &StoredEntry| stored.entry.id };
    rows_at(session, reader, found, wanted).await
}

/// What is read of rows.
struct Wanted<T> {
    dataset: Dataset,
    /// Columns of whole rows.
    names: Vec<String>,
    /// Rows of these columns.
    decode: fn(&RecordBatch) -> Result<Vec<T>>,
    id: fn(&T) -> Uuid,
}

async fn rows_at<T: Send + 'static>(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    found: &[Found],
    wanted: Wanted<T>,
) -> Result<Vec<T>> {
    let wanted = Arc::new(wanted);
    let mut rows: HashMap<Uuid, T> = HashMap::with_capacity(found.len());
    let mut by_slice: HashMap<(Uuid, usize), (Arc<OpenFile>, Vec<u32>)> = HashMap::new();
    for Found { key, place } in found {
        match place {
            Place::Segment(segment, row) => {
                let read = wanted.of_segment(&segment.batch.slice(*row as usize, 1))?;
                rows.extend(read.into_iter().map(|row| (key.uuid, row)));
            }
            Place::Slice(place) => {
                let group = by_slice.entry((place.open.file.id, place.slice));
                group.or_insert_with(|| (Arc::clone(&place.open), Vec::new())).1.push(place.row);
            }
        }
    }
    let width = session.session.num_partitions();
    let reads = by_slice.into_iter().map(|((_, slice), (open, mut places))| {
        places.sort_unstable();
        let (reader, wanted) = (Arc::clone(reader), Arc::clone(&wanted));
        let task = async move { wanted.of_slice(&reader, &open, slice, &places).await };
        async move { joined(AbortOnDropHandle::new(tokio::spawn(task)).await) }
    });
    let reservation = session.reserve("rows of a page");
    let mut reads = stream::iter(reads).buffer_unordered(width);
    while let Some((read, num_bytes)) = reads.try_next().await? {
        reservation.try_grow(num_bytes)?;
        rows.extend(read.into_iter().map(|row| ((wanted.id)(&row), row)));
    }
    let in_order = found.iter().map(|found| rows.remove(&found.key.uuid));
    match in_order.collect::<Option<Vec<T>>>() {
        Some(rows) => Ok(rows),
        None => internal_err!("a row of the page was found and could not be read"),
    }
}

impl<T> Wanted<T> {
    fn of_segment(&self, rows: &RecordBatch) -> Result<Vec<T>> {
        let schema = rows.schema();
        let names = self.names.iter().map(|name| schema.index_of(name));
        (self.decode)(&rows.project(&names.collect::<Result<Vec<usize>, _>>()?)?)
    }

    /// Rows, and the memory that they were made of.
    async fn of_slice(
        &self,
        reader: &SliceReader,
        open: &OpenFile,
        slice: usize,
        rows: &[u32],
    ) -> Result<(Vec<T>, usize)> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let read = reader.rows(open, slice, rows, &file_columns_of(&open.schema, &names)).await?;
        let whole = match self.dataset {
            Dataset::Logs => whole_columns(&as_stored(&read)?, &names),
            Dataset::Activity => to_whole_rows(self.dataset, &read),
        };
        let whole = whole.map_err(of_engine)?;
        Ok(((self.decode)(&whole)?, get_record_batch_memory_size(&whole)))
    }
}

fn of_engine(error: crate::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Promoted attributes as texts again.
fn as_stored(read: &RecordBatch) -> Result<RecordBatch> {
    let schema = read.schema();
    let columns = schema.fields().iter().zip(read.columns()).map(|(field, column)| -> Result<ArrayRef> {
        match parse_column_name(field.name()).is_some() && column.as_any_dictionary_opt().is_some() {
            true => Ok(cast(column, &DataType::Utf8)?),
            false => Ok(Arc::clone(column)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let fields =
        schema.fields().iter().zip(&columns).map(|(field, column)| {
            Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone()))
        });
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?)
}
