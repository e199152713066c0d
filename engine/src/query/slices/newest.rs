//! The first rows in the order of time, newest or oldest first, without looking at rows that cannot be among them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{Result, internal_err};
use datafusion::prelude::Expr;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::super::model::{AttributeMaps, Cursor, Order};
use super::super::rows::{LogRow, bytes, column, row_columns, rows_of};
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::condition::Condition;
use super::open_file::OpenFile;
use super::prune::{Pruner, Wanted};
use super::reader::SliceReader;
use crate::buffer::BufferSegment;
use crate::catalog::Sources;
use crate::schema::columns;
use crate::storage::{DataFile, file_columns_of, parse_column_name, whole_columns};

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
    open: Arc<OpenFile>,
    slice: usize,
    row: u32,
}

/// The first rows of some sources, in order. None of their rows has expired.
pub(in crate::query) async fn find(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    question: &NewestQuestion<'_>,
    sources: Sources,
) -> Result<Vec<Found>> {
    let search = Search {
        condition: Arc::new(Condition::new(&session.session, question.condition)?),
        pruner: Arc::new(Pruner::new(session, question.condition)?),
        reader: Arc::clone(reader),
        range: question.range,
        ranking: Ranking(question.order),
    };
    let mut first = First::new(question.limit);
    let mut queue = search.queue(sources);
    let max_width = session.session.state().config().target_partitions().max(1);
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

#[derive(Clone)]
struct Search {
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
                            && let Some(left) = known.left(slice, Wanted::Rows)
                        {
                            let rank = self.ranking.of_bounds(slice.min_us, slice.max_us);
                            let stretch = Stretch::Slice(Arc::clone(&open), number, left.rows);
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
                let rows = condition.rows_of(&self.reader, &open, slice, left).await?;
                if rows.is_empty() {
                    return Ok(Vec::new());
                }
                let times = self.reader.named(&open, slice, columns::TIMESTAMP).await?;
                let ids = self.reader.named(&open, slice, columns::UUID).await?;
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
        let ids: &FixedSizeBinaryArray = column(ids, columns::UUID)?;
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

/// Whole rows at their places, in the order of `found`.
pub(in crate::query) async fn rows_at(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    found: &[Found],
    attributes: AttributeMaps,
) -> Result<Vec<LogRow>> {
    let mut rows: HashMap<Uuid, LogRow> = HashMap::with_capacity(found.len());
    let mut by_slice: HashMap<(Uuid, usize), (Arc<OpenFile>, Vec<u32>)> = HashMap::new();
    for Found { key, place } in found {
        match place {
            Place::Segment(segment, row) => {
                let taken = segment.batch.slice(*row as usize, 1);
                let names: Vec<usize> = row_columns(attributes)
                    .map(|name| taken.schema().index_of(name))
                    .collect::<Result<_, _>>()?;
                let read = rows_of(&taken.project(&names)?)?;
                rows.extend(read.into_iter().map(|row| (key.uuid, row)));
            }
            Place::Slice(place) => {
                let group = by_slice.entry((place.open.file.id, place.slice));
                group.or_insert_with(|| (Arc::clone(&place.open), Vec::new())).1.push(place.row);
            }
        }
    }
    let width = session.session.state().config().target_partitions().max(1);
    let reads = by_slice.into_iter().map(|((_, slice), (open, mut places))| {
        places.sort_unstable();
        let reader = Arc::clone(reader);
        let task = async move { whole_rows(&reader, &open, slice, &places, attributes).await };
        async move { joined(AbortOnDropHandle::new(tokio::spawn(task)).await) }
    });
    let reservation = session.reserve("rows of a page");
    let mut reads = stream::iter(reads).buffer_unordered(width);
    while let Some((read, num_bytes)) = reads.try_next().await? {
        reservation.try_grow(num_bytes)?;
        rows.extend(read.into_iter().map(|row| (row.uuid, row)));
    }
    let in_order = found.iter().map(|found| rows.remove(&found.key.uuid));
    match in_order.collect::<Option<Vec<LogRow>>>() {
        Some(rows) => Ok(rows),
        None => internal_err!("a row of the page was found and could not be read"),
    }
}

/// Rows, and the memory that they were made of.
async fn whole_rows(
    reader: &SliceReader,
    open: &OpenFile,
    slice: usize,
    rows: &[u32],
    attributes: AttributeMaps,
) -> Result<(Vec<LogRow>, usize)> {
    let names: Vec<&str> = row_columns(attributes).collect();
    let wanted = file_columns_of(&open.schema, &names);
    let read = reader.rows(open, slice, rows, &wanted).await?;
    let whole = whole_columns(&as_stored(&read)?, &names);
    let whole = whole.map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
    Ok((rows_of(&whole)?, get_record_batch_memory_size(&whole)))
}

/// Promoted attributes as texts again.
fn as_stored(read: &RecordBatch) -> Result<RecordBatch> {
    let schema = read.schema();
    let columns = schema.fields().iter().zip(read.columns()).map(|(field, column)| -> Result<ArrayRef> {
        match parse_column_name(field.name()).is_some() && column.as_any_dictionary_opt().is_some() {
            true => Ok(cast(column, &DataType::Utf8)?),
            false => Ok(Arc::clone(column)),
        }
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let fields =
        schema.fields().iter().zip(&columns).map(|(field, column)| {
            Arc::new(field.as_ref().clone().with_data_type(column.data_type().clone()))
        });
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns)?)
}
