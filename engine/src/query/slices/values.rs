//! What the rows say that meet a condition.

use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use datafusion::common::Result;
use datafusion::prelude::Expr;
use futures::StreamExt;
use futures::{TryStreamExt, stream};
use tokio_util::task::AbortOnDropHandle;

use super::super::rows::column;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::condition::{Condition, FileCondition};
use super::newest::joined;
use super::open_file::OpenFile;
use super::projection::{FileProjection, Projection};
use super::prune::Pruner;
use super::reader::SliceReader;
use crate::catalog::Sources;
use crate::schema::columns;

/// Makes something of the values of some expressions, slice by slice, on the threads that read them.
pub(in crate::query) type Make<T> = Arc<dyn Fn(Vec<ArrayRef>) -> Result<T> + Send + Sync>;

/// Which rows are visited.
#[derive(Debug)]
pub(in crate::query) struct VisitedRows<'a> {
    pub(in crate::query) condition: &'a Expr,
    /// They are in one of these.
    pub(in crate::query) ranges: &'a [TimeRange],
    /// None of their rows has expired.
    pub(in crate::query) sources: Sources,
}

/// Gives `take` what `make` makes of the values of some expressions for all rows that are meant, slice by slice, in no
/// order.
///
/// Texts come plain or with a dictionary. Some slices are read at a time, so that memory is bounded by them.
pub(in crate::query) async fn visit_values<T: Send + 'static>(
    session: &QuerySession,
    reader: &Arc<SliceReader>,
    rows: VisitedRows<'_>,
    wanted: &[Expr],
    make: &Make<T>,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let VisitedRows { condition, ranges, sources } = rows;
    let visit = Arc::new(Visit {
        condition: Condition::new(session, condition)?,
        projection: Projection::new(&session.session, wanted)?,
        reader: Arc::clone(reader),
        ranges: ranges.to_vec(),
    });
    for segment in &sources.segments {
        reader.add_rows(segment.batch.num_rows());
        let met = visit.condition.test_whole_rows(&segment.batch)?;
        let mut rows: Vec<u32> = met.values().set_indices_u32().collect();
        visit.keep_in_ranges(column(&segment.batch, columns::TIMESTAMP)?, &mut rows);
        if !rows.is_empty() {
            take(make(visit.projection.of_whole_rows(&segment.batch, rows)?)?)?;
        }
    }
    let pruner = Pruner::new(session, condition)?;
    let width = session.session.num_partitions();
    for file in &sources.files {
        let open = reader.open(file).await?;
        let known = pruner.of_file(&open).await?;
        let of_file = Arc::new((visit.condition.of_file(&open)?, visit.projection.of_file(&open)?));
        let mut looks = Vec::new();
        for (number, slice) in open.slices.iter().enumerate() {
            if !visit.ranges.iter().any(|range| range.touches(slice.min_us, slice.max_us)) {
                continue;
            }
            let Some(left) = known.left(slice, &[]) else { continue };
            let (visit, open, of_file) = (Arc::clone(&visit), Arc::clone(&open), Arc::clone(&of_file));
            let make = Arc::clone(make);
            let task = async move {
                let values = visit.look(&of_file.0, &of_file.1, &open, number, left).await?;
                (!values.is_empty()).then(|| make(values)).transpose()
            };
            looks.push(async move { joined(AbortOnDropHandle::new(tokio::spawn(task)).await) });
        }
        let mut looks = stream::iter(looks).buffer_unordered(width);
        while let Some(made) = looks.try_next().await? {
            made.map_or(Ok(()), &mut take)?;
        }
    }
    Ok(())
}

struct Visit {
    condition: Condition,
    projection: Projection,
    reader: Arc<SliceReader>,
    ranges: Vec<TimeRange>,
}

impl Visit {
    /// The values of a slice's rows, nothing when there are none; `left` are the rows that may meet the condition, none
    /// for all.
    async fn look(
        &self,
        condition: &FileCondition,
        projection: &FileProjection,
        open: &OpenFile,
        slice: usize,
        left: Option<Vec<u32>>,
    ) -> Result<Vec<ArrayRef>> {
        let mut rows = condition.rows_of(&self.reader, open, slice, left).await?.into_rows();
        let stretch = &open.slices[slice];
        let is_covered = self.ranges.iter().any(|range| range.covers(stretch.min_us, stretch.max_us));
        if !rows.is_empty() && !is_covered {
            let times = self.reader.named(open, slice, columns::TIMESTAMP).await?;
            self.keep_in_ranges(column(&times, columns::TIMESTAMP)?, &mut rows);
        }
        match rows.is_empty() {
            true => Ok(Vec::new()),
            false => projection.of_rows(&self.reader, open, slice, &rows).await,
        }
    }

    fn keep_in_ranges(&self, times: &TimestampMicrosecondArray, rows: &mut Vec<u32>) {
        rows.retain(|row| {
            let us = times.value(*row as usize);
            self.ranges.iter().any(|range| range.covers(us, us))
        });
    }
}
