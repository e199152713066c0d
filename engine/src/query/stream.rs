//! Answers that are handed out while they are made.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use object_store::ObjectStore;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::context::{PANICKED, deadline_exceeded, explain_panic, name_damage};
use super::error::{QueryOrigin, from_datafusion};
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind};
use crate::sql::{Lane, RowCounter, Ticket, killed_error};

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
    /// Free again when the work has ended.
    pub(crate) lane: Lane,
}

/// The threads of an answer.
pub(crate) struct StreamThreads {
    /// Makes it.
    pub(crate) work: Handle,
    /// Ends it in time, whatever those do.
    pub(crate) watch: Handle,
}

/// Runs `rows` for a reader on any runtime, and tells the list of statements how that goes. Errors carry the engine's
/// error; a stream that ends without one is complete.
///
/// The reader has its error when the time is over, even when the work goes on until its next pause: then it keeps its
/// place and its snapshot until there.
pub(crate) fn stream_until(
    rows: SendableRecordBatchStream,
    bounds: StreamBounds,
    mut ticket: Ticket,
    threads: &StreamThreads,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(rows.schema(), BATCHES_AHEAD);
    let reader = builder.tx();
    let work = threads.work.clone();
    let watched = async move {
        let StreamBounds { snapshot, store, deadline, deadline_at, max_rows, killed, lane } = bounds;
        let copied = copy(rows, reader, ticket.counter(), max_rows, (lane, snapshot.clone()));
        let copied = AbortOnDropHandle::new(work.spawn(copied));
        let ended = tokio::select! {
            ended = timeout_at(deadline_at, copied) => ended.map(Some),
            () = killed.cancelled() => Ok(None),
        };
        let error = match ended {
            Ok(Some(Ok(Ok(Ended::Whole)))) => {
                ticket.done();
                return Ok(());
            }
            Ok(Some(Ok(Ok(Ended::GivenUp)))) => return Ok(()),
            Ok(Some(Ok(Err(error)))) => name_damage(error, &store, &snapshot, deadline).await,
            Ok(Some(Err(error))) if error.is_cancelled() => Error::unavailable("queries have been stopped"),
            Ok(Some(Err(panic))) => {
                let panicked = Error::internal(PANICKED).with_source(panic);
                explain_panic(panicked, &store, &snapshot, deadline).await
            }
            Ok(None) => killed_error(),
            Err(_elapsed) => deadline_exceeded(deadline),
        };
        ticket.failed(&error);
        Err(DataFusionError::External(Box::new(error)))
    };
    builder.spawn_on(watched, &threads.watch);
    builder.build()
}

/// Hands rows on until there are no more, or too many, or nobody who takes them.
async fn copy(
    mut rows: SendableRecordBatchStream,
    reader: Sender<Result<RecordBatch, DataFusionError>>,
    counter: RowCounter,
    max_rows: Option<u64>,
    held: (Lane, Snapshot),
) -> Result<Ended, Error> {
    let mut ended = Ended::Whole;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
        let num_rows = counter.add(batch.num_rows());
        if let Some(max_rows) = max_rows.filter(|max_rows| num_rows > *max_rows) {
            return Err(too_many_rows(max_rows));
        }
        if reader.send(Ok(batch)).await.is_err() {
            // The reader has gone: there is nobody to tell.
            ended = Ended::GivenUp;
            break;
        }
    }
    drop((rows, held));
    Ok(ended)
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
