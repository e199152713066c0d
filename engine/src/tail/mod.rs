//! Live tail: the rows of a project that pass a filter, as they come in.
//!
//! A task per subscription is woken after each group commit, tests the new rows in memory and queues those that pass,
//! in order of ingestion. Rows that have left memory before it looked, and those after a checkpoint, it reads from
//! the files. Nothing waits for a subscriber: when its queue is full, new rows are counted instead of kept, and the
//! subscriber learns how many, in their place. Rows after a checkpoint are not new: for those the task waits.
//!
//! A checkpoint is the id of a row, whose order is that of ingestion. It stays valid over restarts.
//!
//! | module | what |
//! |---|---|
//! | `queue` | what waits for a subscriber, in bounded memory |
//! | `follower` | the task that fills the queue |

mod follower;
mod queue;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::follower::Follower;
use self::queue::{EndOnDrop, TailQueue};
use crate::catalog::{IngestMark, LiveTables};
use crate::error::{Error, ErrorKind, Result};
use crate::query::model::LogFilter;
use crate::query::{LogRow, QueryContext};
use crate::retention::RetentionTables;
use crate::schema::{RowId, TableId};

/// What to follow.
#[derive(Clone, Debug)]
pub struct TailRequest {
    /// Which rows. Relative dates in it count from the beginning of the subscription.
    pub filter: LogFilter,
    /// The checkpoint after which to begin; none begins with the next row.
    pub after: Option<Uuid>,
    /// Most bytes of rows that wait for the subscriber, about; one row may always wait.
    pub max_queue_bytes: usize,
}

/// What a subscriber is told, in order of ingestion.
#[derive(Clone, Debug, PartialEq)]
pub enum TailEvent {
    /// A row; its id is the checkpoint after it.
    Row(Box<LogRow>),
    /// Rows that came in while the queue was full. A subscription after `after` still finds them.
    Dropped(DroppedRows),
}

/// Rows that a subscriber was too slow for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedRows {
    /// How many rows that pass the filter.
    pub num_rows: u64,
    /// The checkpoint before them.
    pub after: Uuid,
    /// The checkpoint after them.
    pub until: Uuid,
}

/// A subscription; dropping it ends it.
#[derive(Debug)]
pub struct LogTail {
    start: Uuid,
    queue: Arc<TailQueue>,
    _task: AbortOnDropHandle<()>,
}

/// What subscriptions work with.
#[derive(Clone, Debug)]
pub(crate) struct TailSource {
    pub(crate) tables: Arc<LiveTables>,
    pub(crate) retention: Arc<RetentionTables>,
    pub(crate) queries: Arc<QueryContext>,
    /// Ends all subscriptions.
    pub(crate) stop: CancellationToken,
}

impl LogTail {
    pub(crate) async fn begin(source: TailSource, table: TableId, request: TailRequest) -> Result<Self> {
        let test = source.queries.row_test(&request.filter).await?;
        let memory = source.queries.reserve("live tail");
        memory.try_grow(request.max_queue_bytes).map_err(|error| {
            Error::new(ErrorKind::ResourcesExhausted, "there is no memory for one more live tail")
                .with_source(error)
        })?;
        let commits = source.tables.signals().subscribe(table);
        let now = source.tables.mark(table);
        let (mark, is_behind) = match request.after {
            Some(after) => (IngestMark { id: RowId(*after.as_bytes()), sequence: 0 }, true),
            None => (now, false),
        };
        let queue = Arc::new(TailQueue::new(request.max_queue_bytes, mark.id));
        let (stop, queries) = (source.stop.clone(), Arc::clone(&source.queries));
        let end = EndOnDrop(Arc::clone(&queue));
        let queue_of_task = Arc::clone(&queue);
        let follower = Follower {
            source,
            table,
            filter: request.filter,
            test,
            queue: queue_of_task,
            commits,
            mark,
            is_behind,
        };
        let task = queries.spawn(async move {
            let _memory = memory;
            let end = end;
            tokio::select! {
                () = stop.cancelled() => end.0.end(Ok(())),
                error = follower.run() => end.0.end(Err(error)),
            }
        });
        Ok(Self { start: mark.id.uuid(), queue, _task: task })
    }

    /// The checkpoint after which the subscription begins.
    pub fn start(&self) -> Uuid {
        self.start
    }

    /// The checkpoint after everything that has been looked at, if the subscriber has been told all of it: later than
    /// that of the last row when rows came in that do not pass.
    pub fn checkpoint(&self) -> Option<Uuid> {
        self.queue.position_if_empty().map(RowId::uuid)
    }

    /// The next event; none once the engine stops. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When rows that have left memory cannot be read, as [`QueryContext::count`]; the subscription has ended then,
    /// and a new one after the last checkpoint goes on.
    pub async fn next(&mut self) -> Result<Option<TailEvent>> {
        self.queue.pop().await
    }
}
