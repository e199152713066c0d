//! Slices: the rows of one row group, and their order in it.
//!
//! Rows are cut by time into slices, so that a range of time or the newest rows are in few row groups. Inside a
//! slice rows that look alike stand together, by service and by the template of their body, and then by time: they
//! compress better, and a page of a column has few services.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, UInt32Type};
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Error, Result};
use crate::limits::{MAX_ROW_GROUP_BYTES, ROW_GROUP_ROWS};
use crate::schema::columns;

/// Bytes of a body that its template is taken from.
const TEMPLATE_BYTES: usize = 96;

/// A row of some batches: which batch, which row.
pub(crate) type RowAddress = (usize, usize);

/// How many of `rows`, which are in order of time, make the next slice: at least one.
pub(crate) fn slice_len(batches: &[&RecordBatch], rows: &[RowAddress]) -> Result<usize> {
    let sizes = batches.iter().map(|batch| row_sizes(batch)).collect::<Result<Vec<_>>>()?;
    let mut num_bytes = 0;
    for (count, &(batch, row)) in rows.iter().take(ROW_GROUP_ROWS).enumerate() {
        num_bytes += u64::from(sizes[batch][row]);
        if num_bytes > MAX_ROW_GROUP_BYTES && count > 0 {
            return Ok(count);
        }
    }
    Ok(rows.len().min(ROW_GROUP_ROWS))
}

fn row_sizes(batch: &RecordBatch) -> Result<&[u32]> {
    let column = batch.column_by_name(columns::BYTES_UNCOMPRESSED);
    let sizes = column.and_then(|column| column.as_primitive_opt::<UInt32Type>());
    sizes.map(|sizes| sizes.values().as_ref()).ok_or_else(|| Error::internal("rows without their sizes"))
}

/// The rows of a slice, given in order of time, as one batch in the order of the file.
pub(crate) fn gather_slice(batches: &[&RecordBatch], rows: &[RowAddress]) -> Result<RecordBatch> {
    let kinds = batches.iter().map(|batch| RowKinds::of(batch)).collect::<Result<Vec<_>>>()?;
    let mut order: Vec<(&str, u64, u32)> = rows
        .iter()
        .enumerate()
        .map(|(place, &(batch, row))| (kinds[batch].service(row), kinds[batch].templates(row), place as u32))
        .collect();
    order.sort_unstable();
    let rows: Vec<RowAddress> = order.into_iter().map(|(_, _, place)| rows[place as usize]).collect();
    interleave_record_batch(batches, &rows)
        .map_err(|error| Error::internal("cannot gather rows for a data file").with_source(error))
}

/// What decides which rows stand together.
struct RowKinds<'r> {
    services: Vec<&'r str>,
    service_keys: &'r [i32],
    bodies: &'r arrow::array::StringViewArray,
}

impl<'r> RowKinds<'r> {
    fn of(batch: &'r RecordBatch) -> Result<Self> {
        let service = batch.column_by_name(columns::SERVICE_NAME);
        let service = service.and_then(|column| column.as_dictionary_opt::<Int32Type>());
        let bodies = batch.column_by_name(columns::BODY).and_then(|column| column.as_string_view_opt());
        let (Some(service), Some(bodies)) = (service, bodies) else {
            return Err(Error::internal("rows without a service or a body"));
        };
        let values = service.values().as_string_opt::<i32>();
        let values = values.ok_or_else(|| Error::internal("services that are not text"))?;
        let services = (0..values.len()).map(|value| values.value(value)).collect();
        Ok(Self { services, service_keys: service.keys().values(), bodies })
    }

    fn service(&self, row: usize) -> &'r str {
        self.services[self.service_keys[row] as usize]
    }

    fn templates(&self, row: usize) -> u64 {
        template(self.bodies.value(row))
    }
}

/// A hash of what bodies of one kind share: their beginning without words that have a digit in them.
fn template(body: &str) -> u64 {
    let mut skeleton = [0_u8; TEMPLATE_BYTES];
    let mut len = 0;
    let is_in_word = |byte: &u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    let beginning = &body.as_bytes()[..body.len().min(TEMPLATE_BYTES)];
    for word in beginning.chunk_by(|left, right| is_in_word(left) == is_in_word(right)) {
        if !word.iter().any(u8::is_ascii_digit) {
            skeleton[len..len + word.len()].copy_from_slice(word);
            len += word.len();
        }
    }
    xxh3_64(&skeleton[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_one_kind_have_one_template() {
        assert_eq!(template("GET /cart/17 took 3ms"), template("GET /cart/9 took 41ms"));
        assert_ne!(template("GET /cart/17 took 3ms"), template("PUT /cart/17 took 3ms"));
        assert_eq!(template(""), template("17"));
        // A character that is cut in two does no harm.
        template(&"é".repeat(TEMPLATE_BYTES));
    }
}
