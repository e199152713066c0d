//! Slices: rows that are neighbours in time, and their order in a data file.
//!
//! Rows are cut by time into slices, so that a range of time or the newest rows are in few pages. Inside a slice logs
//! that look alike stand together, by service, severity and resource, and then by time: they compress better, and
//! what a column says seldom changes from row to row.

use arrow::array::{Array, AsArray, PrimitiveArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{ArrowPrimitiveType, Int32Type, UInt32Type, UInt64Type};

use crate::error::{Error, Result};
use crate::limits::{MAX_SLICE_BYTES, SLICE_ROWS};
use crate::schema::{Dataset, columns};

/// A row of some batches: which batch, which row.
pub(crate) type RowAddress = (usize, usize);

/// How many of `rows`, which are in order of time, make the next slice: at least one.
pub(crate) fn slice_len(batches: &[&RecordBatch], rows: &[RowAddress]) -> Result<usize> {
    let sizes = batches
        .iter()
        .map(|batch| Ok(numbers::<UInt32Type>(batch, columns::BYTES_UNCOMPRESSED)?.values()))
        .collect::<Result<Vec<_>>>()?;
    let mut num_bytes = 0;
    for (count, &(batch, row)) in rows.iter().take(SLICE_ROWS).enumerate() {
        num_bytes += u64::from(sizes[batch][row]);
        if num_bytes > MAX_SLICE_BYTES && count > 0 {
            return Ok(count);
        }
    }
    Ok(rows.len().min(SLICE_ROWS))
}

/// The rows of a slice, given in order of time, as one batch in the order of the file.
pub(crate) fn gather_slice(
    dataset: Dataset,
    batches: &[&RecordBatch],
    rows: &[RowAddress],
) -> Result<RecordBatch> {
    let rows = match dataset {
        Dataset::Logs => by_kind(batches, rows)?,
        // Few enough that order is worth more than size: the newest entries stand together.
        Dataset::Activity => rows.to_vec(),
    };
    interleave_record_batch(batches, &rows)
        .map_err(|error| Error::internal("cannot gather rows for a data file").with_source(error))
}

/// The rows of a slice, those that look alike together.
fn by_kind(batches: &[&RecordBatch], rows: &[RowAddress]) -> Result<Vec<RowAddress>> {
    let kinds = batches.iter().map(|batch| RowKinds::of(batch)).collect::<Result<Vec<_>>>()?;
    let mut order: Vec<_> = rows
        .iter()
        .enumerate()
        .map(|(place, &(batch, row))| (kinds[batch].of_row(row), place as u32))
        .collect();
    order.sort_unstable();
    Ok(order.into_iter().map(|(_, place)| rows[place as usize]).collect())
}

/// What decides which rows stand together.
struct RowKinds<'r> {
    services: Vec<&'r str>,
    service_keys: &'r [i32],
    severities: &'r [i32],
    resources: &'r [u64],
}

impl<'r> RowKinds<'r> {
    fn of(batch: &'r RecordBatch) -> Result<Self> {
        let service = batch.column_by_name(columns::SERVICE_NAME);
        let service = service.and_then(|column| column.as_dictionary_opt::<Int32Type>());
        let service = service.ok_or_else(|| Error::internal("rows without a service"))?;
        let values = service.values().as_string_opt::<i32>();
        let values = values.ok_or_else(|| Error::internal("services that are not text"))?;
        Ok(Self {
            services: (0..values.len()).map(|value| values.value(value)).collect(),
            service_keys: service.keys().values(),
            severities: numbers::<Int32Type>(batch, columns::SEVERITY_NUMBER)?.values(),
            resources: numbers::<UInt64Type>(batch, columns::RESOURCE_FINGERPRINT)?.values(),
        })
    }

    fn of_row(&self, row: usize) -> (&'r str, i32, u64) {
        (self.services[self.service_keys[row] as usize], self.severities[row], self.resources[row])
    }
}

fn numbers<'r, T: ArrowPrimitiveType>(batch: &'r RecordBatch, name: &str) -> Result<&'r PrimitiveArray<T>> {
    let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<T>());
    column.ok_or_else(|| Error::internal(format!("rows without the column {name:?}")))
}
