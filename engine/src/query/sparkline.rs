//! Sparklines: rows per time bucket and series.

use std::collections::HashMap;

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::prelude::Expr;

use super::interval::{Interval, SPARKLINE_BUCKETS};
use super::model::{Breakdown, LogFilter, RankBy};
use super::planner::{CellQuestion, CellTotal, GroupBy, answer_from_cells};
use super::session::QuerySession;
use super::time_range::{ResolvedRange, TimeRange};

/// How many values have a series of their own.
const MAX_SERIES: usize = 10;
/// The series of all other values; the API's clients know it by this text.
const OTHER_SERIES: &str = "$$_posthog_breakdown_other_$$";
/// The series of the empty value, and of a bucket without rows.
const NO_VALUE_SERIES: &str = "(no value)";

/// A request for a sparkline.
#[derive(Clone, Debug, PartialEq)]
pub struct SparklineRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// Of which time; the buckets at its edges are counted whole.
    pub range: ResolvedRange,
    /// What the series stand for.
    pub breakdown: Breakdown,
    /// What decides which values keep a series of their own.
    pub rank_by: RankBy,
}

/// The rows of one bucket in one series.
///
/// Entries come by time, then by series. Every bucket has at least one: without rows it is `(no value)`
/// with a count of zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparklineEntry {
    /// Where the bucket begins, microseconds.
    pub time_us: i64,
    /// The value that the rows share.
    pub series: String,
    /// Number of rows.
    pub count: u64,
    /// Their uncompressed size.
    pub bytes_uncompressed: u64,
}

/// The sparkline of the rows that meet `filter`; `earliest_us` is the time of the earliest row of all.
pub(super) async fn sparkline(
    session: &QuerySession,
    filter: Expr,
    request: &SparklineRequest,
    earliest_us: Option<i64>,
) -> Result<Vec<SparklineEntry>> {
    let Some(spine) = Spine::of(&request.range, earliest_us) else { return Ok(Vec::new()) };
    let group_by = match request.breakdown {
        Breakdown::Severity => GroupBy::Severity,
        Breakdown::Service => GroupBy::Service,
    };
    let mut series = SeriesByValue::new(session.reserve("sparkline"));
    let mut add = |total: &CellTotal<'_>| {
        let value = if group_by == GroupBy::Severity { total.severity } else { total.service };
        let rows = Total { count: total.num_rows, bytes: total.bytes_uncompressed };
        series.add_rows(total.bucket_us, value, rows)
    };
    let question =
        CellQuestion { condition: &filter, range: spine.range(), interval: Some(&spine.interval), group_by };
    let rest = answer_from_cells(session, &question, &mut add).await?;
    rest.visit_cells(session, &question, &mut add).await?;
    Ok(spine.entries(&series.ranked(request.rank_by)))
}

/// The buckets of a sparkline.
struct Spine {
    interval: Interval,
    first_us: i64,
    last_us: i64,
}

impl Spine {
    /// None when the range ends before it begins.
    fn of(range: &ResolvedRange, earliest_us: Option<i64>) -> Option<Self> {
        const SECOND_US: i64 = 1_000_000;
        let from_us = range.from_us(earliest_us);
        if range.to_us < from_us {
            return None;
        }
        let interval = Interval::choose(from_us, range.interval_to_us, SPARKLINE_BUCKETS);
        let to_us = range.to_us - range.to_us.rem_euclid(SECOND_US);
        let first_us = interval.floor(from_us);
        let last_us = interval.floor(to_us.saturating_sub(SECOND_US)).max(first_us);
        Some(Self { interval, first_us, last_us })
    }

    /// The time of all buckets.
    fn range(&self) -> TimeRange {
        TimeRange { start_us: self.first_us, end_us: self.last_us.saturating_add(self.interval.width_us()) }
    }

    fn buckets(&self) -> impl Iterator<Item = i64> {
        let width_us = self.interval.width_us();
        std::iter::successors(Some(self.first_us), move |bucket| bucket.checked_add(width_us))
            .take_while(|bucket| *bucket <= self.last_us)
    }

    fn entries(&self, series: &[(String, Series)]) -> Vec<SparklineEntry> {
        let mut entries = Vec::new();
        for time_us in self.buckets() {
            let before = entries.len();
            entries.extend(series.iter().filter_map(|(name, series)| {
                let cell = series.cells.get(&time_us)?;
                Some(SparklineEntry {
                    time_us,
                    series: name.clone(),
                    count: cell.count,
                    bytes_uncompressed: cell.bytes,
                })
            }));
            if entries.len() == before {
                let series = NO_VALUE_SERIES.to_owned();
                entries.push(SparklineEntry { time_us, series, count: 0, bytes_uncompressed: 0 });
            }
        }
        entries
    }
}

/// Rows and their size.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    count: u64,
    bytes: u64,
}

impl Total {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.bytes += other.bytes;
    }
}

/// The rows of one value, together and by bucket.
#[derive(Debug, Default)]
struct Series {
    total: Total,
    cells: HashMap<i64, Total>,
}

impl Series {
    /// Returns whether there is one cell more now.
    fn add(&mut self, bucket_us: i64, rows: Total) -> bool {
        let num_cells = self.cells.len();
        self.total.add(rows);
        self.cells.entry(bucket_us).or_default().add(rows);
        self.cells.len() > num_cells
    }
}

/// Every value's series, in memory that counts as the query's: values may be many.
struct SeriesByValue {
    by_value: HashMap<String, Series>,
    reservation: MemoryReservation,
}

impl SeriesByValue {
    /// What a cell, and a value without its text, take up, generously.
    const CELL_BYTES: usize = 64;
    const VALUE_BYTES: usize = 256;

    fn new(reservation: MemoryReservation) -> Self {
        Self { by_value: HashMap::new(), reservation }
    }

    /// Adds the rows of a bucket and a value. Every value is text, and the empty one is none.
    fn add_rows(&mut self, bucket_us: i64, value: &str, rows: Total) -> Result<()> {
        let name = if value.is_empty() { NO_VALUE_SERIES } else { value };
        if !self.by_value.contains_key(name) {
            self.reservation.try_grow(Self::VALUE_BYTES + name.len())?;
            self.by_value.insert(name.to_owned(), Series::default());
        }
        if let Some(series) = self.by_value.get_mut(name)
            && series.add(bucket_us, rows)
        {
            self.reservation.try_grow(Self::CELL_BYTES)?;
        }
        Ok(())
    }

    /// The values with the highest totals, the rest as one series, by name.
    fn ranked(self, rank_by: RankBy) -> Vec<(String, Series)> {
        let rank = |series: &Series| match rank_by {
            RankBy::Count => series.total.count,
            RankBy::Bytes => series.total.bytes,
        };
        let mut ranked: Vec<(String, Series)> = self.by_value.into_iter().collect();
        ranked.sort_by(|(left_name, left), (right_name, right)| {
            rank(right).cmp(&rank(left)).then_with(|| left_name.cmp(right_name))
        });
        let rest = ranked.split_off(ranked.len().min(MAX_SERIES));
        if !rest.is_empty() {
            let mut other = Series::default();
            for (bucket_us, rows) in rest.into_iter().flat_map(|(_, series)| series.cells) {
                other.add(bucket_us, rows);
            }
            ranked.push((OTHER_SERIES.to_owned(), other));
        }
        ranked.sort_by(|(left, _), (right, _)| left.cmp(right));
        ranked
    }
}

#[cfg(test)]
mod tests {
    use super::super::time_range::LowerBound;
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn spine(from_us: i64, to_us: i64) -> Vec<i64> {
        let range = ResolvedRange { from: LowerBound::At(from_us), to_us, interval_to_us: to_us };
        Spine::of(&range, None).map_or_else(Vec::new, |spine| spine.buckets().collect())
    }

    #[test]
    fn a_spine_has_every_whole_bucket_of_the_range() {
        assert_eq!(spine(0, 3 * SECOND), [0, SECOND, 2 * SECOND]);
        assert_eq!(spine(SECOND / 2, 3 * SECOND + 1), [0, SECOND, 2 * SECOND]);
        assert_eq!(spine(-SECOND, SECOND), [-SECOND, 0]);
        let hour = 3600 * SECOND;
        let day = spine(hour / 4, 24 * hour + hour / 4);
        assert_eq!((day.len(), day[0], day[48]), (49, 0, 24 * hour));
    }

    #[test]
    fn a_spine_has_a_bucket_unless_the_range_ends_before_it_begins() {
        assert_eq!(spine(5 * SECOND + 7, 5 * SECOND + 7), [5 * SECOND]);
        assert_eq!(spine(5 * SECOND, 5 * SECOND - 1), [0; 0]);
    }

    #[test]
    fn a_spine_is_bounded() {
        let year_1 = -62_135_596_800 * SECOND;
        let year_9999 = 253_402_300_799 * SECOND;
        let num_buckets = spine(year_1, year_9999).len() as u64;
        assert!((5_000..=super::super::interval::MAX_BUCKETS).contains(&num_buckets), "{num_buckets}");
    }
}
