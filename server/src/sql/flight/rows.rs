//! Rows on their way to a driver.

use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use engine::sql::SqlAnswer;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::{Response, Status};

use super::status_of;
use crate::error::ApiError;

/// What a driver reads an answer from.
pub(super) type RowStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send + 'static>>;

/// An answer as it is made. When the driver goes, the statement ends.
pub(super) fn of_answer(answer: SqlAnswer) -> Response<RowStream> {
    let schema = answer.schema();
    let rows = answer.into_batches().map_err(|error| status_of(ApiError::from(error)));
    Response::new(encoded(schema, rows.boxed()))
}

/// Rows that are all there.
pub(super) fn of_batch(rows: RecordBatch) -> Response<RowStream> {
    let schema = rows.schema();
    Response::new(encoded(schema, stream::iter([Ok(rows)]).boxed()))
}

fn encoded(schema: SchemaRef, rows: BoxStream<'static, Result<RecordBatch, Status>>) -> RowStream {
    let rows = rows.map_err(|status| FlightError::Tonic(Box::new(status)));
    FlightDataEncoderBuilder::new().with_schema(schema).build(rows).map_err(Status::from).boxed()
}

/// The schema that rows are sent with: drivers have no use for dictionaries.
pub(super) fn sent_schema(schema: &SchemaRef) -> SchemaRef {
    let nothing = stream::empty::<Result<RecordBatch, FlightError>>();
    let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(schema)).build(nothing);
    encoder.known_schema().unwrap_or_else(|| Arc::clone(schema))
}

/// A schema as a message.
///
/// # Errors
/// `internal` when it cannot be written.
pub(super) fn message_of(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(|error: arrow::error::ArrowError| status_of(ApiError::internal(error)))?;
    Ok(bytes)
}
