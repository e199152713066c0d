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

use super::context::{PANICKED, deadline_exceeded, explain_panic, name_damage};
use super::error::{QueryOrigin, from_datafusion};
use crate::catalog::Snapshot;
use crate::error::Error;

/// How many batches are made ahead of the reader.
const BATCHES_AHEAD: usize = 2;

/// Runs `rows` on the current runtime until `deadline_at`, for a reader on any other. The snapshot is held
/// meanwhile. Errors carry the engine's error; a stream that ends without one is complete.
pub(super) fn stream_until(
    mut rows: SendableRecordBatchStream,
    snapshot: Snapshot,
    store: Arc<dyn ObjectStore>,
    deadline: Duration,
    deadline_at: Instant,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStream::builder(rows.schema(), BATCHES_AHEAD);
    let reader = builder.tx();
    builder.spawn(async move {
        let copy = async {
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|error| from_datafusion(error, QueryOrigin::Sql))?;
                if reader.send(Ok(batch)).await.is_err() {
                    // The reader has gone: there is nobody to tell.
                    break;
                }
            }
            Ok(())
        };
        // What a panic leaves behind of the plan is dropped, and never asked again.
        let ended = timeout_at(deadline_at, AssertUnwindSafe(copy).catch_unwind()).await;
        drop(rows);
        let error = match ended {
            Ok(Ok(Ok(()))) => return Ok(()),
            Ok(Ok(Err(error))) => name_damage(error, &store, &snapshot, deadline).await,
            Ok(Err(_panic)) => explain_panic(Error::internal(PANICKED), &store, &snapshot, deadline).await,
            Err(_elapsed) => deadline_exceeded(deadline),
        };
        Err(DataFusionError::External(Box::new(error)))
    });
    builder.build()
}
