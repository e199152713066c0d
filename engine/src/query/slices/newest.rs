//! The first rows in the order of time, newest or oldest first, without looking at rows that cannot be among them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::common::{Result, internal_err};
use datafusion::prelude::Expr;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::super::model::{Cursor, Order};
use super::super::rows::{bytes, column};
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::condition::Condition;
use super::open_file::OpenFile;
use super::prune::Pruner;
use super::reader::SliceReader;
use crate::buffer::BufferSegment;
use crate::catalog::Sources;
use crate::schema::{Dataset, activity, columns};
use crate::storage::DataFile;

/// Which rows are wanted.
#[derive(Debug)]
pub(in crate::query) struct NewestQuestion<'a> {
    /// What they meet, apart from their time.
    pub(in crate::query) condition: &'a Expr,
    pub(in crate::query) range: TimeRange,
    pub(in crate::query) order: Order,
    /// At most how many.
    pub(in crate::query) limit: usize,
}

/// A row that was found.
#[derive(Clone, Debug)]
pub(in crate::query) struct Found {
    pub(in crate::query) key: Cursor,
    pub(in crate::query) place: Place,
}

/// Where a row is.
#[derive(Clone, Debug)]
pub(in crate::query) enum Place {
    /// In memory.
    Segment(Arc<BufferSegment>, u32),
    /// In a slice of a data file.
    Slice(SlicePlace),
}

/// A row of a slice.
#[derive(Clone, Debug)]
pub(in crate::query) struct SlicePlace {
    pub(super) open: Arc<OpenFile>,
    pub(super) slice: usize,
    pub(super) row: u32,
}

/// The first rows of some sources, in order. None of their rows has expired.
pub(in crate::query) async fn find(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    question: &NewestQuestion<'_>,
    sources: Sources,
) -> Result<Vec<Found>> {
    let search = Search {
        id: id_column(session.table.snapshot().table.dataset()),
        condition: Arc::new(Condition::new(session, question.condition)?),
        pruner: Arc::new(Pruner::new(session, question.condition)?),
        reader: Arc::clone(reader),
        range: question.range,
        ranking: Ranking(question.order),
    };
    let mut first = First::new(question.limit);
    let mut queue = search.queue(sources);
    let max_width = session.session.num_partitions();
    let mut width = 1;
    loop {
        let wave = search.next_wave(&mut queue, &first, width).await?;
        if wave.is_empty() {
            return Ok(first.into_found());
        }
        let least = first.least_rank();
        let tasks = wave.into_iter().map(|stretch| {
            let search = search.clone();
            let limit = question.limit;
            AbortOnDropHandle::new(tokio::spawn(async move { search.look(stretch, least, limit).await }))
        });
        for task in tasks.collect::<Vec<_>>() {
            for (rank, found) in joined(task.await)? {
                first.add(rank, found);
            }
        }
        // Mostly the first slice has all that is wanted.
        width = max_width;
    }
}

pub(super) fn joined<T>(outcome: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    match outcome {
        Ok(outcome) => outcome,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(error) => internal_err!("a search was ended: {error}"),
    }
}

/// The order as numbers: what is greater comes first.
#[derive(Clone, Copy, Debug)]
struct Ranking(Order);

impl Ranking {
    fn of_time(self, us: i64) -> i64 {
        match self.0 {
            Order::Latest => us,
            Order::Earliest => !us,
        }
    }

    /// Of the first row that a stretch of time can have.
    fn of_bounds(self, min_us: i64, max_us: i64) -> i64 {
        match self.0 {
            Order::Latest => max_us,
            Order::Earliest => !min_us,
        }
    }

    fn of_row(self, key: Cursor) -> Rank {
        let id = key.uuid.as_u128();
        match self.0 {
            Order::Latest => (key.timestamp_us, id),
            Order::Earliest => (!key.timestamp_us, !id),
        }
    }
}

type Rank = (i64, u128);

/// The best so far.
struct First {
    limit: usize,
    /// The last of them on top.
    ranks: BinaryHeap<Reverse<Rank>>,
    found: HashMap<Rank, Found>,
}

impl First {
    fn new(limit: usize) -> Self {
        Self { limit, ranks: BinaryHeap::new(), found: HashMap::new() }
    }

    /// What a row's time must rank at least to be among them; none while there is room.
    fn least_rank(&self) -> Option<i64> {
        if self.ranks.len() < self.limit {
            return None;
        }
        self.ranks.peek().map(|Reverse((time, _))| *time)
    }

    fn add(&mut self, rank: Rank, found: Found) {
        if self.ranks.len() >= self.limit {
            match self.ranks.peek() {
                Some(Reverse(last)) if *last < rank => {
                    let last = *last;
                    self.ranks.pop();
                    self.found.remove(&last);
                }
                _ => return,
            }
        }
        self.ranks.push(Reverse(rank));
        self.found.insert(rank, found);
    }

    fn into_found(mut self) -> Vec<Found> {
        let ranks = self.ranks.into_sorted_vec();
        ranks.iter().filter_map(|Reverse(rank)| self.found.remove(rank)).collect()
    }
}

/// Something that may have rows, first those that may have the first ones.
struct Queued {
    rank: i64,
    stretch: Stretch,
}

enum Stretch {
    File(Arc<DataFile>),
    Slice(Arc<OpenFile>, usize, Option<Vec<u32>>),
    Segment(Arc<BufferSegment>),
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// What tells rows of the same instant apart.
fn id_column(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Logs => columns::UUID,
        Dataset::Activity => activity::ID,
    }
}

#[derive(Clone)]
struct Search {
    id: &'static str,
    condition: Arc<Condition>,
    pruner: Arc<Pruner>,
    reader: Arc<SliceReader>,
    range: TimeRange,
    ranking: Ranking,
}

impl Search {
    fn queue(&self, sources: Sources) -> BinaryHeap<Queued> {
        let files = sources.files.into_iter().map(|file| Queued {
            rank: self.ranking.of_bounds(file.min_timestamp_us, file.max_timestamp_us),
            stretch: Stretch::File(file),
        });
        let segments = sources.segments.into_iter().map(|segment| Queued {
            rank: self.ranking.of_bounds(segment.min_timestamp_us, segment.max_timestamp_us),
            stretch: Stretch::Segment(segment),
        });
        files.chain(segments).collect()
    }

    /// What is looked at next; nothing once no other row can be among the first.
    async fn next_wave(
        &self,
        queue: &mut BinaryHeap<Queued>,
        first: &First,
        width: usize,
    ) -> Result<Vec<Stretch>> {
        let mut wave = Vec::with_capacity(width);
        while wave.len() < width {
            let Some(next) = queue.pop() else { break };
            // Rows of the same instant may still come before by their id.
            if first.least_rank().is_some_and(|least| next.rank < least) {
                queue.clear();
                break;
            }
            match next.stretch {
                Stretch::File(file) => {
                    let open = self.reader.open(&file).await?;
                    let known = self.pruner.of_file(&open).await?;
                    for (number, slice) in open.slices.iter().enumerate() {
                        if self.range.touches(slice.min_us, slice.max_us)
                            && let Some(left) = known.left(slice, &[])
                        {
                            let rank = self.ranking.of_bounds(slice.min_us, slice.max_us);
                            let stretch = Stretch::Slice(Arc::clone(&open), number, left);
                            queue.push(Queued { rank, stretch });
                        }
                    }
                }
                stretch => wave.push(stretch),
            }
        }
        Ok(wave)
    }

    /// The first rows of a stretch.
    async fn look(&self, stretch: Stretch, least: Option<i64>, limit: usize) -> Result<Vec<(Rank, Found)>> {
        match stretch {
            Stretch::File(_) => internal_err!("a file is looked at slice by slice"),
            Stretch::Segment(segment) => {
                self.reader.add_rows(segment.batch.num_rows());
                let met = self.condition.test_whole_rows(&segment.batch)?;
                let rows = met.values().set_indices_u32().collect();
                let place = |row| Place::Segment(Arc::clone(&segment), row);
                self.first_of(rows, &segment.batch, &segment.batch, least, limit, place)
            }
            Stretch::Slice(open, slice, left) => {
                let condition = self.condition.of_file(&open)?;
                let rows = condition.rows_of(&self.reader, &open, slice, left).await?.into_rows();
                if rows.is_empty() {
                    return Ok(Vec::new());
                }
                let times = self.reader.named(&open, slice, columns::TIMESTAMP).await?;
                let ids = self.reader.named(&open, slice, self.id).await?;
                let place = |row| Place::Slice(SlicePlace { open: Arc::clone(&open), slice, row });
                self.first_of(rows, &times, &ids, least, limit, place)
            }
        }
    }

    fn first_of(
        &self,
        mut rows: Vec<u32>,
        times: &RecordBatch,
        ids: &RecordBatch,
        least: Option<i64>,
        limit: usize,
        place: impl Fn(u32) -> Place,
    ) -> Result<Vec<(Rank, Found)>> {
        let times: &TimestampMicrosecondArray = column(times, columns::TIMESTAMP)?;
        let ids: &FixedSizeBinaryArray = column(ids, self.id)?;
        let rank = |row: u32| self.ranking.of_time(times.value(row as usize));
        rows.retain(|row| {
            let us = times.value(*row as usize);
            self.range.covers(us, us) && least.is_none_or(|least| rank(*row) >= least)
        });
        if rows.len() > limit {
            // Those of the last one's instant are kept too: their ids decide.
            let mut ranks: Vec<i64> = rows.iter().map(|row| rank(*row)).collect();
            let last = *ranks.select_nth_unstable_by(limit - 1, |one, other| other.cmp(one)).1;
            rows.retain(|row| rank(*row) >= last);
        }
        let found = rows.into_iter().map(|row| {
            let uuid = Uuid::from_bytes(bytes(ids, row as usize));
            let key = Cursor { timestamp_us: times.value(row as usize), uuid };
            (self.ranking.of_row(key), Found { key, place: place(row) })
        });
        Ok(found.collect())
    }
}
