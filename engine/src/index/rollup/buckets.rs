//! The buckets of a rollup one by one, for questions that sort their rows themselves.

use std::ops::Range;

use super::{Bucket, Rollup};

/// A time bucket with rows.
#[derive(Clone, Copy, Debug)]
pub struct RollupBucket<'a> {
    rollup: &'a Rollup,
    number: usize,
}

/// The rows of one series in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesRows {
    /// The place of the series in [`Rollup::series`].
    pub series: usize,
    /// Number of rows; at least 1.
    pub num_rows: u64,
    /// Sum of `bytes_uncompressed` of the rows.
    pub bytes_uncompressed: u64,
}

impl RollupBucket<'_> {
    /// The instants that belong to it, microseconds, clipped to those that can be told.
    pub fn range(&self) -> Range<i64> {
        let start = self.bucket().index.saturating_mul(self.rollup.width_us);
        let end = (i128::from(self.bucket().index) + 1) * i128::from(self.rollup.width_us);
        start..i64::try_from(end).unwrap_or(i64::MAX)
    }

    /// The first and the last instant at which there can be a row, microseconds, both inclusive.
    pub fn instants(&self) -> (i64, i64) {
        self.rollup.instants(self.bucket())
    }

    /// The rows by series, in the order of the series.
    pub fn rows(&self) -> impl Iterator<Item = SeriesRows> {
        self.rollup.cells_of(self.number).iter().map(|cell| SeriesRows {
            series: cell.series as usize,
            num_rows: cell.num_rows,
            bytes_uncompressed: cell.bytes_uncompressed,
        })
    }

    fn bucket(&self) -> &Bucket {
        &self.rollup.buckets[self.number]
    }
}

impl Rollup {
    /// The service and the severity of each series.
    pub fn series(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.series.iter().map(|series| {
            (self.services.get(series.service as usize), self.severities.get(series.severity as usize))
        })
    }

    /// The buckets with an instant in a range of time, microseconds, in the order of time.
    pub fn buckets_in(&self, range: &Range<i64>) -> impl Iterator<Item = RollupBucket<'_>> {
        self.touched_buckets(range).map(|number| RollupBucket { rollup: self, number })
    }
}
