//! Rows on their way to a client.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use futures::{StreamExt, TryStreamExt, stream};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, QueryResponse};
use pgwire::error::PgWireResult;

use super::cursor::Batches;
use super::errors;

/// What the columns are called, of which types they are, and how they are written.
///
/// # Errors
/// When there are other forms than columns.
pub(super) fn fields(schema: &Schema, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    let num_columns = schema.fields().len();
    if let Format::Individual(formats) = format
        && formats.len() != num_columns
    {
        let message = format!("{} result formats for {num_columns} columns", formats.len());
        return Err(errors::because("08P01", message));
    }
    arrow_schema_to_pg_fields(schema, format, None)
}

/// An answer as it is made.
///
/// # Errors
/// As [`fields`].
pub(super) fn response(schema: &SchemaRef, batches: Batches, format: &Format) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(fields(schema, format)?);
    let of_rows = Arc::clone(&fields);
    // Row by row: a batch of long texts is large enough once.
    let encoded = move |batch: RecordBatch| stream::iter(encode_recordbatch(Arc::clone(&of_rows), batch));
    let rows = batches.map_ok(encoded).try_flatten();
    Ok(QueryResponse::new(fields, rows.boxed()))
}

/// The column of one text.
pub(super) fn text_field(name: &str) -> FieldInfo {
    FieldInfo::new(name.to_owned(), None, None, Type::TEXT, FieldFormat::Text)
}

/// One row of one text.
///
/// # Errors
/// When it cannot be written.
pub(super) fn one_text(name: &str, value: &str) -> PgWireResult<QueryResponse> {
    let fields = Arc::new(vec![text_field(name)]);
    let mut encoder = DataRowEncoder::new(Arc::clone(&fields));
    encoder.encode_field(&Some(value))?;
    let row = encoder.take_row();
    Ok(QueryResponse::new(fields, stream::iter([Ok(row)]).boxed()))
}
