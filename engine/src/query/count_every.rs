//! Rows per time bucket of a width that the asker chooses.

use super::context::QueryContext;
use super::count_ranges::{CountRange, count_ranges};
use super::interval::Interval;
use super::model::LogFilter;
use super::time_range::TimeRange;
use crate::catalog::Snapshot;
use crate::error::{Error, ErrorKind, Result};

/// Most buckets of one answer, those without rows included.
const MAX_EVERY: i64 = 60_000;

impl QueryContext {
    /// How many rows of `range` pass the filter, per bucket of so many minutes since the epoch in UTC: the buckets
    /// that have rows, in the order of time. Costs what [`Self::count_ranges`] does.
    ///
    /// # Errors
    /// `InvalidRequest` for a width of zero, `LimitExceeded` for more than 60,000 buckets, and as
    /// [`Self::count`].
    pub async fn count_every(
        &self,
        snapshot: &Snapshot,
        filter: &LogFilter,
        range: TimeRange,
        minutes: u32,
    ) -> Result<Vec<CountRange>> {
        if minutes == 0 {
            return Err(Error::invalid_request("a bucket of no minutes has no rows"));
        }
        let interval = Interval::of_minutes(minutes);
        let num_buckets = range.end_us.saturating_sub(range.start_us) / interval.width_us();
        if num_buckets > MAX_EVERY {
            let message = format!("{num_buckets} buckets are more than {MAX_EVERY}");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        let work =
            move |session, filter| async move { count_ranges(&session, filter, range, &interval).await };
        self.run(snapshot, filter, work).await
    }
}
