//! The rows that have to be read, because nothing else answers for them.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use datafusion::prelude::Expr;

use super::super::filter::in_range;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use crate::buffer::BufferSegment;
use crate::catalog::Sources;
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
        Self { pieces: vec![piece], is_everything: true }
    }

    /// The rows of a range in some sources; others can follow.
    pub(super) fn of(range: TimeRange, sources: Sources) -> Self {
        Self { pieces: vec![Piece { ranges: vec![range], sources }], is_everything: false }
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
