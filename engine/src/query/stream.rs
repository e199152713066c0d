//! Answers that are handed out while they are made.

use std::sync::Arc;
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use futures::StreamExt;
use object_store::ObjectStore;
use tokio::time::{Instant, timeout_at};

use super::context::{deadline_exceeded, name_damage};
use super::error::{QueryOrigin, from_datafusion};
use crate::catalog::Snapshot;

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
        let ended = timeout_at(deadline_at, copy).await;
        drop(rows);
        match ended {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                let error = name_damage(error, &store, &snapshot, deadline).await;
                Err(DataFusionError::External(Box::new(error)))
            }
            Err(_elapsed) => Err(DataFusionError::External(Box::new(deadline_exceeded(deadline)))),
        }
    });
    builder.build()
}
