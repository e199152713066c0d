//! Answers that are read bit by bit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use engine::sql::{SqlAnswer, plain_rows, plain_schema};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use pgwire::error::{PgWireError, PgWireResult};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::errors;
use crate::error::ApiError;

/// Rows of an answer, in plain types.
pub(super) type Batches = BoxStream<'static, PgWireResult<RecordBatch>>;

/// An answer as rows of plain types, or of the types that it was announced with.
pub(super) fn batches_of(
    answer: SqlAnswer,
    announced: Option<SchemaRef>,
    cancelled: CancellationToken,
) -> (SchemaRef, Batches) {
    let schema = announced.unwrap_or_else(|| plain_schema(&answer.schema()));
    let of_rows = Arc::clone(&schema);
    let rows = answer.into_batches().map(move |rows| {
        rows.and_then(|rows| plain_rows(&rows, &of_rows))
            .map_err(|error| errors::of_statement(ApiError::from(error)))
    });
    (schema, until(rows.boxed(), cancelled))
}

/// The rows until somebody ends them; what is cut off ends with an error.
fn until(rows: Batches, cancelled: CancellationToken) -> Batches {
    stream::unfold(Some((rows, cancelled)), |reading| async {
        let (mut rows, cancelled) = reading?;
        let next = tokio::select! {
            next = rows.next() => next,
            () = cancelled.cancelled() => Some(Err(PgWireError::QueryCanceled)),
        };
        let next = next?;
        let rest = next.is_ok().then_some((rows, cancelled));
        Some((next, rest))
    })
    .boxed()
}

/// An answer with a place in it.
pub(super) struct Cursor {
    schema: SchemaRef,
    rest: Arc<Mutex<Rest>>,
}

struct Rest {
    batches: Batches,
    /// Rows that were read and not asked for yet.
    ahead: Option<RecordBatch>,
}

impl Cursor {
    pub(super) fn new(schema: SchemaRef, batches: Batches) -> Self {
        Self { schema, rest: Arc::new(Mutex::new(Rest { batches, ahead: None })) }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next rows, at most so many; all without a number.
    pub(super) async fn fetch(&self, max_rows: Option<u64>) -> Batches {
        let rest = Arc::clone(&self.rest).lock_owned().await;
        let left = max_rows.map_or(usize::MAX, |max_rows| usize::try_from(max_rows).unwrap_or(usize::MAX));
        stream::unfold((rest, left), |(mut rest, left)| async move {
            if left == 0 {
                return None;
            }
            let batch = match rest.ahead.take() {
                Some(batch) => batch,
                None => match rest.batches.next().await? {
                    Ok(batch) => batch,
                    Err(error) => return Some((Err(error), (rest, 0))),
                },
            };
            let num_rows = batch.num_rows().min(left);
            if num_rows < batch.num_rows() {
                rest.ahead = Some(batch.slice(num_rows, batch.num_rows() - num_rows));
            }
            Some((Ok(batch.slice(0, num_rows)), (rest, left - num_rows)))
        })
        .boxed()
    }
}
