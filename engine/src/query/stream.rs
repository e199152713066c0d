//! Answers that are handed out while they are made.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::{FutureExt, StreamExt};
use object_store::ObjectStore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::context::{PANICKED, deadline_exceeded, explain_panic, name_damage};
use super::error::{QueryOrigin, from_datafusion};
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind};
use crate::sql::{Lane, Ticket, killed_error};

/// How many batches are made ahead of the reader.
const BATCHES_AHEAD: usize = 2;

/// How long and how much an answer may be, and what it holds meanwhile.
pub(crate) struct StreamBounds {
    pub(crate) snapshot: Snapshot,
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) deadline: Duration,
    pub(crate) deadline_at: Instant,
    pub(crate) max_rows: Option<u64>,
    pub(crate) killed: CancellationToken,
    /// Free again at the end.
    pub(crate) lane: Lane,
}

/// Runs `rows` on the current runtime, for a reader on any other, and tells the list of statements how that goes.
/// Errors carry the engine's error; a stream that ends without one is complete.
pub(crate) fn stream_until(
    mut rows: SendableRecordBatchStream,
    bounds: StreamBounds,
    mut ticket: Ticket,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(rows.schema(), BATCHES_AHEAD);
    let reader = builder.tx();
    builder.spawn(async move {
        let StreamBounds { snapshot, store, deadline, deadline_at, max_rows, killed, lane } = bounds;
        let copy = async {
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
                let num_rows = ticket.add_rows(batch.num_rows());
                if let Some(max_rows) = max_rows.filter(|max_rows| num_rows > *max_rows) {
                    return Err(too_many_rows(max_rows));
                }
                if reader.send(Ok(batch)).await.is_err() {
                    // The reader has gone: there is nobody to tell.
                    return Ok(Ended::GivenUp);
                }
            }
            Ok(Ended::Whole)
        };
        // What a panic leaves behind of the plan is dropped, and never asked again.
        let ended = tokio::select! {
            ended = timeout_at(deadline_at, AssertUnwindSafe(copy).catch_unwind()) => ended.map(Some),
            () = killed.cancelled() => Ok(None),
        };
        drop((rows, lane));
        let error = match ended {
            Ok(Some(Ok(Ok(Ended::Whole)))) => {
                ticket.done();
                return Ok(());
            }
            Ok(Some(Ok(Ok(Ended::GivenUp)))) => return Ok(()),
            Ok(Some(Ok(Err(error)))) => name_damage(error, &store, &snapshot, deadline).await,
            Ok(Some(Err(_panic))) => {
                explain_panic(Error::internal(PANICKED), &store, &snapshot, deadline).await
            }
            Ok(None) => killed_error(),
            Err(_elapsed) => deadline_exceeded(deadline),
        };
        ticket.failed(&error);
        Err(DataFusionError::External(Box::new(error)))
    });
    builder.build()
}

/// How an answer ends that does not fail.
enum Ended {
    Whole,
    GivenUp,
}

fn too_many_rows(max_rows: u64) -> Error {
    let message =
        format!("the answer has more than {max_rows} rows, which is the most that may be: add a LIMIT");
    Error::new(ErrorKind::LimitExceeded, message)
}
