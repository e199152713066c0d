//! An export while it is made: on the queries' threads, no further ahead of its reader than a few pieces.

use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::Result as DataFusionResult;
use datafusion::error::DataFusionError;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::super::context::{deadline_exceeded, name_damage};
use super::super::error::{QueryOrigin, from_datafusion};
use super::LogExport;
use crate::error::{Error, ErrorKind, Result};

/// How many pieces wait for the reader.
const PIECES_AHEAD: usize = 2;
/// A reader that takes nothing for so long has gone: an export holds files and memory.
const READER_PATIENCE: Duration = Duration::from_secs(300);

/// What becomes of the rows of an export.
pub(super) trait Pieces: Send + 'static {
    /// What the reader is handed.
    type Piece: Send + 'static;

    /// Takes rows in; what of them is ready.
    fn take(&mut self, rows: &RecordBatch) -> DataFusionResult<Vec<Self::Piece>>;

    /// What is left at the end.
    fn finish(self) -> DataFusionResult<Option<Self::Piece>>;
}

/// An export while it is made. It waits for its reader, and ends when it is dropped.
#[derive(Debug)]
pub struct ExportStream<T> {
    pieces: mpsc::Receiver<T>,
    /// Gone once its end is known.
    task: Option<AbortOnDropHandle<Result<()>>>,
}

impl<T: Send + 'static> ExportStream<T> {
    pub(super) fn start(export: LogExport, names: Vec<String>, pieces: impl Pieces<Piece = T>) -> Self {
        let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
        let threads = export.threads.clone();
        let task = threads.spawn(async move { run(&export, &names, pieces, &Reader(sender)).await });
        Self { pieces: receiver, task: Some(AbortOnDropHandle::new(task)) }
    }

    /// The next piece. None only after the last row: whatever else ends the export is an error, after which there is
    /// nothing more.
    ///
    /// # Errors
    /// As a count's; a time limit holds for each piece, and does not count the time that the reader takes.
    pub async fn next(&mut self) -> Option<Result<T>> {
        if let Some(piece) = self.pieces.recv().await {
            return Some(Ok(piece));
        }
        // Kept until the end is known, so that a caller who gives up waiting can wait again.
        let ended = self.task.as_mut()?.await;
        self.task = None;
        match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(error)),
            Err(error) if error.is_cancelled() => Some(Err(Error::unavailable("queries have been stopped"))),
            Err(error) => Some(Err(Error::internal("an export panicked").with_source(error))),
        }
    }
}

/// Where pieces go.
struct Reader<T>(mpsc::Sender<T>);

impl<T> Reader<T> {
    async fn hand(&self, piece: T) -> Result<()> {
        match timeout(READER_PATIENCE, self.0.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(Error::unavailable("the reader of an export has gone")),
            Err(_elapsed) => {
                let message = format!("the reader took nothing for {} s", READER_PATIENCE.as_secs());
                Err(Error::new(ErrorKind::DeadlineExceeded, message))
            }
        }
    }
}

async fn run<P: Pieces>(
    export: &LogExport,
    names: &[String],
    mut pieces: P,
    reader: &Reader<P::Piece>,
) -> Result<()> {
    let mut left = export.query.limit;
    for window in export.windows() {
        if left == 0 {
            break;
        }
        let mut rows = within(export, export.read(window, names, left)).await?;
        while let Some(batch) = within(export, async { rows.next().await.transpose() }).await? {
            left = left.saturating_sub(batch.num_rows());
            for piece in pieces.take(&batch).map_err(failed)? {
                reader.hand(piece).await?;
            }
        }
    }
    match pieces.finish().map_err(failed)? {
        Some(piece) => reader.hand(piece).await,
        None => Ok(()),
    }
}

/// A step of the export, in its time, with the damaged file named.
async fn within<T>(export: &LogExport, step: impl Future<Output = Result<T, DataFusionError>>) -> Result<T> {
    let deadline = export.deadline;
    match timeout(deadline, step).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(name_damage(failed(error), &export.store, &export.snapshot, deadline).await),
        Err(_elapsed) => Err(deadline_exceeded(deadline)),
    }
}

fn failed(error: DataFusionError) -> Error {
    from_datafusion(error, QueryOrigin::Engine)
}
