//! When the rows were that meet a condition, or how many they are.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{RecordBatch, TimestampMicrosecondArray};
use datafusion::common::Result;
use datafusion::prelude::Expr;
use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::super::rows::column;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::condition::{Condition, FileCondition};
use super::newest::joined;
use super::open_file::{OpenFile, Slice};
use super::prune::Pruner;
use super::reader::SliceReader;
use crate::catalog::Sources;
use crate::schema::columns;

pub(in crate::query) use super::prune::Wanted;

/// Some of the rows that meet a condition.
#[derive(Debug)]
pub(in crate::query) enum Seen {
    /// Their times, microseconds.
    Times(Vec<i64>),
    /// How many; only where that was wanted.
    Number(u64),
}

/// Gives `take` all rows of some sources that are in one of `ranges` and meet a condition, slice by slice, in no order.
/// None of the rows has expired. Some slices are read at a time, so that memory is bounded by them.
pub(in crate::query) async fn visit_times(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    condition: &Expr,
    ranges: &[TimeRange],
    sources: Sources,
    wanted: Wanted,
    mut take: impl FnMut(Seen) -> Result<()>,
) -> Result<()> {
    let visit = Arc::new(Visit {
        condition: Condition::new(session, condition)?,
        reader: Arc::clone(reader),
        ranges: ranges.to_vec(),
        wanted,
    });
    for segment in &sources.segments {
        reader.add_rows(segment.batch.num_rows());
        let met = visit.condition.test_whole_rows(&segment.batch)?;
        take(Seen::Times(visit.times_of(&segment.batch, met.values().set_indices_u32())?))?;
    }
    let pruner = Pruner::new(session, condition)?;
    let width = session.session.num_partitions();
    for file in &sources.files {
        let open = reader.open(file).await?;
        let known = pruner.of_file(&open).await?;
        let condition = Arc::new(visit.condition.of_file(&open)?);
        let covered = visit.covered(&open);
        let num_known = known.num_known(&covered);
        if num_known > 0 {
            take(Seen::Number(num_known))?;
        }
        let mut looks = Vec::new();
        for (number, slice) in open.slices.iter().enumerate() {
            if !visit.ranges.iter().any(|range| range.touches(slice.min_us, slice.max_us)) {
                continue;
            }
            let Some(left) = known.left(slice, &covered) else { continue };
            let (visit, open, condition) = (Arc::clone(&visit), Arc::clone(&open), Arc::clone(&condition));
            let task = async move { visit.look(&condition, &open, number, left).await };
            looks.push(async move { joined(AbortOnDropHandle::new(tokio::spawn(task)).await) });
        }
        let mut looks = stream::iter(looks).buffer_unordered(width);
        while let Some(seen) = looks.try_next().await? {
            take(seen)?;
        }
    }
    Ok(())
}

struct Visit {
    condition: Condition,
    reader: Arc<SliceReader>,
    ranges: Vec<TimeRange>,
    wanted: Wanted,
}

impl Visit {
    /// The stretches of a file's rows of which the number is enough, because all of them are of one range.
    fn covered(&self, open: &OpenFile) -> Vec<Range<u64>> {
        let mut covered: Vec<Range<u64>> = Vec::new();
        for slice in open.slices.iter().filter(|slice| self.is_number_enough(slice)) {
            let end = slice.first_row + slice.rows.len() as u64;
            match covered.last_mut() {
                Some(last) if last.end == slice.first_row => last.end = end,
                _ => covered.push(slice.first_row..end),
            }
        }
        covered
    }

    fn is_number_enough(&self, slice: &Slice) -> bool {
        let mut ranges = self.ranges.iter();
        self.wanted == Wanted::Number && ranges.any(|range| range.covers(slice.min_us, slice.max_us))
    }

    /// `left` are the rows that may meet the condition; none for all.
    async fn look(
        &self,
        condition: &FileCondition,
        open: &OpenFile,
        slice: usize,
        left: Option<Vec<u32>>,
    ) -> Result<Seen> {
        let rows = condition.rows_of(&self.reader, open, slice, left).await?;
        if rows.is_empty() || self.is_number_enough(&open.slices[slice]) {
            return Ok(Seen::Number(rows.len() as u64));
        }
        let times = self.reader.named(open, slice, columns::TIMESTAMP).await?;
        self.times_of(&times, rows.into_rows().into_iter()).map(Seen::Times)
    }

    fn times_of(&self, batch: &RecordBatch, rows: impl Iterator<Item = u32>) -> Result<Vec<i64>> {
        let times: &TimestampMicrosecondArray = column(batch, columns::TIMESTAMP)?;
        let times = rows.map(|row| times.value(row as usize));
        Ok(times.filter(|us| self.ranges.iter().any(|range| range.covers(*us, *us))).collect())
    }
}
