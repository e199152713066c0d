//! Which cells of a rollup answer a question, and which rows still have to be asked.

use std::ops::Range;

use super::{Bucket, Rollup, RollupCell, Series};

/// A question about time, services and severities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollupFilter<'a> {
    /// Rows whose `timestamp` is in here, microseconds.
    pub range: Range<i64>,
    /// Rows of these services.
    pub services: NameFilter<'a>,
    /// Rows of these severities.
    pub severities: NameFilter<'a>,
}

/// Which names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFilter<'a> {
    /// All of them.
    Any,
    /// Only these.
    OneOf(&'a [&'a str]),
    /// All but these.
    NoneOf(&'a [&'a str]),
}

impl NameFilter<'_> {
    /// Whether a name is meant.
    pub fn admits(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => names.contains(&name),
            Self::NoneOf(names) => !names.contains(&name),
        }
    }
}

/// What a rollup knows about a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollupCount {
    /// Rows in the covered buckets.
    pub num_rows: u64,
    /// Sum of their `bytes_uncompressed`.
    pub bytes_uncompressed: u64,
    /// Ranges of time whose rows have to be asked, microseconds: at most two. They are within the range of the
    /// question, and none of their rows is in the sums.
    pub edges: Vec<Range<i64>>,
}

/// The cells that answer a question, and the edges that they leave open.
#[derive(Debug)]
pub struct RollupSelection<'a> {
    rollup: &'a Rollup,
    /// Whether each series is meant.
    is_meant: Vec<bool>,
    /// Covered buckets.
    covered: Range<usize>,
    /// See [`RollupCount::edges`].
    pub edges: Vec<Range<i64>>,
}

impl RollupSelection<'_> {
    /// The cells, in the order of [`Rollup::cells`].
    pub fn cells(&self) -> impl Iterator<Item = RollupCell<'_>> {
        let rollup = self.rollup;
        self.covered.clone().flat_map(move |number| {
            let cells = rollup.cells_of(number).iter();
            let meant = cells.filter(|cell| self.is_meant[cell.series as usize]);
            meant.map(move |cell| rollup.describe(&rollup.buckets[number], cell))
        })
    }
}

impl Rollup {
    /// Counts the rows of a question, as far as it is known without reading them.
    pub fn count(&self, filter: &RollupFilter<'_>) -> RollupCount {
        let selection = self.select(filter);
        let mut count = RollupCount::default();
        for cell in selection.cells() {
            count.num_rows += cell.num_rows;
            count.bytes_uncompressed += cell.bytes_uncompressed;
        }
        RollupCount { edges: selection.edges, ..count }
    }

    /// The cells that answer a question.
    pub fn select(&self, filter: &RollupFilter<'_>) -> RollupSelection<'_> {
        let is_meant = self.meant_series(filter);
        let range = &filter.range;
        let touched = self.touched_buckets(range);
        let mut covered = touched.clone();
        let mut edges = Vec::new();
        if !covered.is_empty() && !self.covers(range, covered.start) {
            edges.extend(self.edge(range, covered.start, &is_meant));
            covered.start += 1;
        }
        if !covered.is_empty() && !self.covers(range, covered.end - 1) {
            covered.end -= 1;
            edges.extend(self.edge(range, covered.end, &is_meant));
        }
        RollupSelection { rollup: self, is_meant, covered, edges }
    }

    fn meant_series(&self, filter: &RollupFilter<'_>) -> Vec<bool> {
        let services: Vec<bool> = self.services.iter().map(|name| filter.services.admits(name)).collect();
        let severities: Vec<bool> =
            self.severities.iter().map(|name| filter.severities.admits(name)).collect();
        let is_meant =
            |series: &Series| services[series.service as usize] && severities[series.severity as usize];
        self.series.iter().map(is_meant).collect()
    }

    /// Buckets with an instant in the range.
    pub(super) fn touched_buckets(&self, range: &Range<i64>) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        let start = self.buckets.partition_point(|bucket| self.instants(bucket).1 < range.start);
        let end = self.buckets.partition_point(|bucket| self.instants(bucket).0 < range.end);
        start..end.max(start)
    }

    fn covers(&self, range: &Range<i64>, bucket: usize) -> bool {
        let (first, last) = self.instants(&self.buckets[bucket]);
        range.start <= first && last < range.end
    }

    /// The part of a bucket whose rows have to be asked; none when it has no row that is meant.
    fn edge(&self, range: &Range<i64>, bucket: usize, is_meant: &[bool]) -> Option<Range<i64>> {
        let (first, last) = self.instants(&self.buckets[bucket]);
        let has_rows = self.cells_of(bucket).iter().any(|cell| is_meant[cell.series as usize]);
        has_rows.then(|| range.start.max(first)..range.end.min(last.saturating_add(1)))
    }

    /// The first and the last instant of a bucket at which there can be a row. No row is outside of the times
    /// of all rows, so a range that covers these covers the buckets that they are in.
    pub(super) fn instants(&self, bucket: &Bucket) -> (i64, i64) {
        let start = i128::from(bucket.index) * i128::from(self.width_us);
        let last = start + i128::from(self.width_us) - 1;
        let first = start.max(i128::from(self.min_timestamp_us));
        let last = last.min(i128::from(self.max_timestamp_us));
        let instant = |us: i128| i64::try_from(us).expect("BUG: it lies between two instants");
        (instant(first), instant(last))
    }
}
