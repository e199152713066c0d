//! What waits for a subscriber, in bounded memory.

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{DroppedRows, TailEvent};
use crate::error::{Error, Result};
use crate::query::LogRow;
use crate::schema::RowId;

/// Events between the task that finds them and the subscriber: one of each.
#[derive(Debug)]
pub(super) struct TailQueue {
    max_bytes: usize,
    state: Mutex<State>,
    /// There is an event or the end.
    readable: Notify,
    /// An event has been taken.
    taken: Notify,
}

#[derive(Debug)]
struct State {
    events: VecDeque<(TailEvent, usize)>,
    size_bytes: usize,
    /// Everything up to here has been looked at.
    position: RowId,
    /// Rows are dropped until the queue is half empty, so that the subscriber sees long stretches without gaps.
    is_dropping: bool,
    end: Option<Result<()>>,
}

/// Ends a queue whose task ended without saying why: it panicked, or its runtime has stopped.
#[derive(Debug)]
pub(super) struct EndOnDrop(pub(super) Arc<TailQueue>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end(Err(Error::internal("a live tail has ended")));
    }
}

impl TailQueue {
    /// An empty queue at a place in the order of ingestion.
    pub(super) fn new(max_bytes: usize, position: RowId) -> Self {
        let state = State { events: VecDeque::new(), size_bytes: 0, position, is_dropping: false, end: None };
        Self { max_bytes, state: Mutex::new(state), readable: Notify::new(), taken: Notify::new() }
    }

    /// How many of some rows, by their sizes, may be queued now; the first one always when the queue is empty. Only
    /// the one task adds, so that the room is there when it does.
    pub(super) fn num_that_fit(&self, sizes: impl Iterator<Item = usize>) -> usize {
        let mut state = self.state.lock();
        state.is_dropping &= state.size_bytes > self.max_bytes / 2;
        if state.is_dropping {
            return 0;
        }
        let (mut size_bytes, is_empty) = (state.size_bytes, state.events.is_empty());
        let fits = |(place, size): &(usize, usize)| {
            size_bytes += size;
            size_bytes <= self.max_bytes || (is_empty && *place == 0)
        };
        sizes.enumerate().take_while(fits).count()
    }

    /// Queues rows with their sizes, and notes that rows after them were dropped.
    pub(super) fn push(&self, rows: impl Iterator<Item = (LogRow, usize)>, dropped: Option<DroppedRows>) {
        let mut state = self.state.lock();
        for (row, size_bytes) in rows {
            state.size_bytes += size_bytes;
            state.position = RowId(*row.uuid.as_bytes());
            state.events.push_back((TailEvent::Row(Box::new(row)), size_bytes));
        }
        if let Some(dropped) = dropped {
            state.is_dropping = true;
            state.position = RowId(*dropped.until.as_bytes());
            match state.events.back_mut() {
                Some((TailEvent::Dropped(before), _)) => {
                    before.num_rows += dropped.num_rows;
                    before.until = dropped.until;
                }
                _ => state.events.push_back((TailEvent::Dropped(dropped), 0)),
            }
        }
        drop(state);
        self.readable.notify_one();
    }

    /// Everything up to a place has been looked at.
    pub(super) fn advance(&self, position: RowId) {
        self.state.lock().position = position;
    }

    /// The place up to which everything has been looked at.
    pub(super) fn position(&self) -> RowId {
        self.state.lock().position
    }

    /// The same, unless events wait.
    pub(super) fn position_if_empty(&self) -> Option<RowId> {
        let state = self.state.lock();
        state.events.is_empty().then_some(state.position)
    }

    /// Waits until half of the queue is free and returns the free bytes.
    pub(super) async fn room(&self) -> usize {
        loop {
            let size_bytes = self.state.lock().size_bytes;
            if size_bytes <= self.max_bytes / 2 {
                return self.max_bytes - size_bytes;
            }
            self.taken.notified().await;
        }
    }

    /// Nothing more will come; the first call counts.
    pub(super) fn end(&self, end: Result<()>) {
        self.state.lock().end.get_or_insert(end);
        self.readable.notify_one();
    }

    /// Takes the next event; none, or the error, when all are taken and nothing more will come.
    pub(super) async fn pop(&self) -> Result<Option<TailEvent>> {
        loop {
            {
                let mut state = self.state.lock();
                if let Some((event, size_bytes)) = state.events.pop_front() {
                    state.size_bytes -= size_bytes;
                    self.taken.notify_one();
                    return Ok(Some(event));
                }
                if let Some(end) = &mut state.end {
                    return std::mem::replace(end, Ok(())).map(|()| None);
                }
            }
            self.readable.notified().await;
        }
    }
}
