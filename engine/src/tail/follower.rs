//! The task of a subscription: from the place it has come to, to the newest row, and on with every commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::queue::TailQueue;
use super::{DroppedRows, TailSource};
use crate::buffer::BufferSegment;
use crate::catalog::IngestMark;
use crate::error::{Error, Result};
use crate::query::model::LogFilter;
use crate::query::{RowTest, SizedRow, rows_at};
use crate::retention::{RetentionCutoff, Standing};
use crate::schema::{RowId, TableId};

/// New rows are looked at this often at most, so that many small commits cost one look. Far below the second within
/// which a subscriber is to see a row.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Fills the queue of one subscription.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) source: TailSource,
    pub(super) table: TableId,
    pub(super) filter: LogFilter,
    pub(super) test: RowTest,
    pub(super) queue: Arc<TailQueue>,
    /// Changes with every commit of the table.
    pub(super) commits: watch::Receiver<()>,
    /// Everything before it has been looked at.
    pub(super) mark: IngestMark,
    /// Whether rows after the mark may have left memory.
    pub(super) is_behind: bool,
}

impl Follower {
    /// Runs until it fails or is dropped.
    pub(super) async fn run(mut self) -> Error {
        loop {
            // Whatever comes in from here on is a change again.
            self.commits.borrow_and_update();
            if let Err(error) = self.look().await {
                return error;
            }
            tokio::time::sleep(SHORTEST_PAUSE).await;
            if self.commits.changed().await.is_err() {
                return Error::internal("commits are not told any more");
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        loop {
            if self.is_behind {
                self.catch_up().await?;
            }
            let cutoff = self.source.retention.cutoff(self.table);
            match self.source.tables.fresh_after(self.table, self.mark) {
                Some((segments, mark)) => {
                    for segment in &segments {
                        self.take(segment, cutoff.as_deref())?;
                        tokio::task::yield_now().await;
                    }
                    self.advance(mark);
                    return Ok(());
                }
                None => self.is_behind = true,
            }
        }
    }

    fn advance(&mut self, mark: IngestMark) {
        self.mark = mark;
        self.queue.advance(mark.id);
    }

    /// Queues the new rows of a segment that pass, as far as there is room.
    fn take(&self, segment: &BufferSegment, cutoff: Option<&RetentionCutoff>) -> Result<()> {
        let standing = cutoff.map_or(Standing::Live, |cutoff| cutoff.standing(segment.into()));
        let cutoff = match standing {
            Standing::Live => None,
            Standing::Expired => return Ok(()),
            Standing::Straddles => cutoff,
        };
        let rows = self.test.passing(&segment.batch, self.mark.id, cutoff)?;
        if rows.is_empty() {
            return Ok(());
        }
        let num_kept = self.queue.num_that_fit(rows.iter().map(|row| row.size_bytes));
        let (kept, dropped) = rows.split_at(num_kept);
        let before = kept.last().map_or_else(|| self.queue.position(), |row| row.id);
        let kept_rows = rows_at(&segment.batch, kept)?;
        self.queue.push(
            kept_rows.into_iter().zip(kept.iter().map(|row| row.size_bytes)),
            dropped_rows(before, dropped),
        );
        Ok(())
    }

    /// Reads the rows after the mark from files and memory, at the subscriber's pace.
    async fn catch_up(&mut self) -> Result<()> {
        loop {
            let max_bytes = self.queue.room().await;
            let until = self.source.tables.mark(self.table);
            // Taken after the mark, so that every row before the mark is in it.
            let snapshot = self.source.tables.snapshot(self.table, self.source.retention.cutoff(self.table));
            let queries = &self.source.queries;
            let range = (self.mark.id, until.id);
            let page = queries.rows_between(&snapshot, &self.filter, range, max_bytes).await?;
            if let Some(last) = page.rows.last() {
                self.mark.id = RowId(*last.uuid.as_bytes());
            }
            let row_bytes = page.size_bytes.div_ceil(page.rows.len().max(1));
            self.queue.push(page.rows.into_iter().map(|row| (row, row_bytes)), None);
            if page.is_last {
                self.is_behind = false;
                self.advance(until);
                return Ok(());
            }
        }
    }
}

fn dropped_rows(before: RowId, dropped: &[SizedRow]) -> Option<DroppedRows> {
    let last = dropped.last()?;
    Some(DroppedRows { num_rows: dropped.len() as u64, after: before.uuid(), until: last.id.uuid() })
}
