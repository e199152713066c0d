//! Rows per time bucket, without those that have none.

use std::collections::BTreeMap;

use datafusion::common::Result as DataFusionResult;
use datafusion::prelude::Expr;

use super::context::QueryContext;
use super::interval::Interval;
use super::model::LogFilter;
use super::planner::{CellQuestion, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::slices::{Seen, Wanted};
use super::time_range::{ResolvedRange, TimeRange};
use crate::catalog::Snapshot;
use crate::error::Result;

/// A request for counts over time.
#[derive(Clone, Debug, PartialEq)]
pub struct CountRangesRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time, without its end.
    pub range: ResolvedRange,
    /// Into how many buckets the range is cut, more or less; at least 1.
    pub target_buckets: u64,
}

/// Counts over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountRanges {
    /// The width of the buckets.
    pub interval: Interval,
    /// The buckets that have rows, in the order of time. Together they have all rows of the range.
    pub ranges: Vec<CountRange>,
}

/// The rows of one bucket that are in the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRange {
    /// Where the bucket begins, microseconds; perhaps before the range does.
    pub start_us: i64,
    /// Number of rows, at least 1.
    pub count: u64,
}

impl QueryContext {
    /// How many rows of a range pass the filter, per time bucket. At most
    /// [`MAX_BUCKETS`](super::interval::MAX_BUCKETS) buckets.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn count_ranges(
        &self,
        snapshot: &Snapshot,
        request: &CountRangesRequest,
    ) -> Result<CountRanges> {
        let earliest_us = self.earliest_of(snapshot, &request.range).await?;
        let range = request.range.half_open(earliest_us);
        let interval =
            Interval::choose(range.start_us, request.range.interval_to_us, request.target_buckets.max(1));
        let work = move |session, filter| async move {
            let ranges = count_ranges(&session, filter, range, &interval).await?;
            Ok(CountRanges { interval, ranges })
        };
        self.run(snapshot, &request.filter, work).await
    }
}

async fn count_ranges(
    session: &QuerySession,
    filter: Expr,
    range: TimeRange,
    interval: &Interval,
) -> DataFusionResult<Vec<CountRange>> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    // At most as many as an interval cuts a range into.
    let mut by_start: BTreeMap<i64, u64> = BTreeMap::new();
    let question =
        CellQuestion { condition: &filter, range, interval: Some(interval), group_by: GroupBy::Nothing };
    let rest = answer_from_cells(session, &question, |total| {
        *by_start.entry(total.bucket_us).or_default() += total.num_rows;
        Ok(())
    })
    .await?;
    rest.visit_times(session, &filter, Wanted::Rows, |seen| {
        if let Seen::Times(times) = seen {
            for us in times {
                *by_start.entry(interval.floor(us)).or_default() += 1;
            }
        }
        Ok(())
    })
    .await?;
    Ok(by_start.into_iter().map(|(start_us, count)| CountRange { start_us, count }).collect())
}
