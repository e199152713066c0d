//! The rows that have to be read, because nothing else answers for them.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::{Expr, ident};
use futures::StreamExt;

use super::super::filter::in_range;
use super::super::rows::column;
use super::super::session::QuerySession;
use super::super::slices::{Make, Seen, VisitedRows, Wanted, visit_times, visit_values};
use super::super::time_range::TimeRange;
use crate::buffer::BufferSegment;
use crate::catalog::Sources;
use crate::schema::columns;
use crate::storage::DataFile;

/// Ranges of time of one file that are read apart; beyond it is as cheap to read all between them.
pub(super) const MAX_RANGES: usize = 4;
/// Scans of one question: each is planned, and has its own streams.
const MAX_PIECES: usize = 16;

/// Files and rows in memory, and the stretches of time of which their rows are wanted. No row is in two of them.
#[derive(Debug)]
pub(in crate::query) struct Rest {
    /// The first is of the whole range.
    pieces: Vec<Piece>,
    /// Rows that were taken with a whole file though they are not in the range.
    surplus: Vec<Piece>,
    /// Whether the first piece is all that there is, so that the table itself can be read.
    is_everything: bool,
}

#[derive(Debug)]
struct Piece {
    ranges: Vec<TimeRange>,
    sources: Sources,
}

impl Rest {
    /// All rows of a range.
    pub(in crate::query) fn everything(range: TimeRange) -> Self {
        let piece = Piece { ranges: vec![range], sources: Sources::default() };
        Self { pieces: vec![piece], surplus: Vec::new(), is_everything: true }
    }

    /// The rows of a range in some sources; others can follow.
    pub(super) fn of(range: TimeRange, sources: Sources) -> Self {
        let piece = Piece { ranges: vec![range], sources };
        Self { pieces: vec![piece], surplus: Vec::new(), is_everything: false }
    }

    /// Adds the rows in memory that are in the whole range.
    pub(super) fn add_segments(&mut self, segments: Vec<Arc<BufferSegment>>) {
        self.pieces[0].sources.segments.extend(segments);
    }

    /// Adds the rows that a file has in the whole range.
    pub(super) fn add_whole(&mut self, file: Arc<DataFile>) {
        self.pieces[0].sources.files.push(file);
    }

    /// Adds the rows that a file has in some stretches of time. Returns the file when it would be one scan too many.
    pub(super) fn add(&mut self, file: Arc<DataFile>, ranges: &[TimeRange]) -> Result<(), Arc<DataFile>> {
        let place = self.pieces.iter().position(|piece| piece.ranges == ranges);
        match place {
            Some(place) => self.pieces[place].sources.files.push(file),
            None if self.pieces.len() >= MAX_PIECES => return Err(file),
            None => {
                let sources = Sources { files: vec![file], segments: Vec::new() };
                self.pieces.push(Piece { ranges: ranges.to_vec(), sources });
            }
        }
        Ok(())
    }

    /// Says that a file was taken whole, and its rows of some stretches of time are to be taken off again.
    pub(super) fn add_surplus(&mut self, file: Arc<DataFile>, ranges: Vec<TimeRange>) {
        let sources = Sources { files: vec![file], segments: Vec::new() };
        self.surplus.push(Piece { ranges, sources });
    }

    /// Gives `take` the values of some expressions for the rows that meet a condition, some rows at a time and in no
    /// order. Texts come plain or with a dictionary.
    pub(in crate::query) async fn visit_values(
        &self,
        session: &QuerySession,
        condition: &Expr,
        wanted: &[Expr],
        mut take: impl FnMut(&[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        self.visit_made(session, condition, wanted, &as_they_are(), |columns| take(&columns)).await
    }

    /// The same of what `make` makes of the values, on the threads that read them.
    pub(in crate::query) async fn visit_made<T: Send + 'static>(
        &self,
        session: &QuerySession,
        condition: &Expr,
        wanted: &[Expr],
        make: &Make<T>,
        mut take: impl FnMut(T) -> Result<()>,
    ) -> Result<()> {
        for piece in &self.pieces {
            let sources = self.sources_of(session, piece);
            let rows = VisitedRows { condition, ranges: &piece.ranges, sources };
            visit_values_of(session, rows, wanted, make, &mut take).await?;
        }
        Ok(())
    }

    /// The values of the rows that are to be taken off again.
    pub(in crate::query) async fn visit_surplus(
        &self,
        session: &QuerySession,
        condition: &Expr,
        wanted: &[Expr],
        mut take: impl FnMut(&[ArrayRef]) -> Result<()>,
    ) -> Result<()> {
        for Piece { ranges, sources } in &self.surplus {
            let rows = VisitedRows { condition, ranges, sources: sources.clone() };
            visit_values_of(session, rows, wanted, &as_they_are(), &mut |columns| take(&columns)).await?;
        }
        Ok(())
    }

    /// Gives `take` the rows that meet a condition, some at a time and in no order.
    pub(in crate::query) async fn visit_times(
        &self,
        session: &QuerySession,
        condition: &Expr,
        wanted: Wanted,
        mut take: impl FnMut(Seen) -> Result<()>,
    ) -> Result<()> {
        for piece in &self.pieces {
            let (ranges, sources) = (&piece.ranges, self.sources_of(session, piece));
            let others = match &session.slices {
                Some(reader) => {
                    let (live, others) = sources.split(session.table.snapshot().retention.as_deref());
                    visit_times(session, reader, condition, ranges, live, wanted, &mut take).await?;
                    others
                }
                None => sources,
            };
            let Some(rows) = rows_of(session, condition, ranges, others)? else { continue };
            let mut batches = session.execute(rows.select([ident(columns::TIMESTAMP)])?).await?;
            while let Some(batch) = batches.next().await {
                let batch = batch?;
                let times: &TimestampMicrosecondArray = column(&batch, columns::TIMESTAMP)?;
                take(Seen::Times(times.values().to_vec()))?;
            }
        }
        Ok(())
    }

    fn sources_of(&self, session: &QuerySession, piece: &Piece) -> Sources {
        match (self.is_everything, piece.ranges.as_slice()) {
            (true, [range]) => session.sources_in_any_state(*range),
            _ => piece.sources.clone(),
        }
    }

    /// The rows that meet a condition; none when there is nothing to read.
    pub(in crate::query) fn rows_where(
        &self,
        session: &QuerySession,
        condition: &Expr,
    ) -> Result<Option<DataFrame>> {
        let mut rows: Option<DataFrame> = None;
        for Piece { ranges, sources } in &self.pieces {
            if sources.is_empty() && !self.is_everything {
                continue;
            }
            let table = match self.is_everything {
                true => Arc::clone(&session.table),
                false => Arc::new(session.table.restricted(sources.clone())),
            };
            let Some(within) = ranges.iter().map(|range| in_range(*range)).reduce(Expr::or) else { continue };
            let piece = session.session.read_table(table)?.filter(within.and(condition.clone()))?;
            rows = Some(match rows {
                Some(rows) => rows.union(piece)?,
                None => piece,
            });
        }
        Ok(rows)
    }
}

fn as_they_are() -> Make<Vec<ArrayRef>> {
    Arc::new(Ok)
}

async fn visit_values_of<T: Send + 'static>(
    session: &QuerySession,
    rows: VisitedRows<'_>,
    wanted: &[Expr],
    make: &Make<T>,
    take: &mut impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let VisitedRows { condition, ranges, sources } = rows;
    let others = match &session.slices {
        Some(reader) => {
            let (live, others) = sources.split(session.table.snapshot().retention.as_deref());
            let rows = VisitedRows { condition, ranges, sources: live };
            visit_values(session, reader, rows, wanted, make, &mut *take).await?;
            others
        }
        None => sources,
    };
    let Some(rows) = rows_of(session, condition, ranges, others)? else { return Ok(()) };
    let named = wanted.iter().enumerate().map(|(place, value)| value.clone().alias(place.to_string()));
    let mut batches = session.execute(rows.select(named.collect::<Vec<_>>())?).await?;
    while let Some(batch) = batches.next().await {
        take(make(batch?.columns().to_vec())?)?;
    }
    Ok(())
}

/// The rows of some sources that are in one of some ranges and meet a condition, as a plan; none without sources.
fn rows_of(
    session: &QuerySession,
    condition: &Expr,
    ranges: &[TimeRange],
    sources: Sources,
) -> Result<Option<DataFrame>> {
    if sources.is_empty() {
        return Ok(None);
    }
    let Some(within) = ranges.iter().map(|range| in_range(*range)).reduce(Expr::or) else { return Ok(None) };
    let table = Arc::new(session.table.restricted(sources));
    session.session.read_table(table)?.filter(within.and(condition.clone())).map(Some)
}
