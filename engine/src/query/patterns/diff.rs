//! How patterns differ between two stretches of time, whose rows are mined together.

use datafusion::common::internal_err;
use datafusion::prelude::Expr;

use super::super::context::QueryContext;
use super::super::model::LogFilter;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::mine_windows;
use super::summary::{PatternSummary, PatternsAnswer, summaries};
use super::tally::Tally;
use crate::catalog::Snapshot;
use crate::error::Result;

/// A pattern is new or gone when it has this share of the rows, percent, or any error.
const NOTABLE_SHARE_PCT: f64 = 1.0;
/// The rate of a pattern has shifted when it is this many times what it was, or that part of it.
const SHIFT_RATIO: f64 = 2.0;
/// Rates of fewer rows in both stretches say nothing.
const MIN_SHIFT_ROWS: u64 = 20;

/// A request for the difference.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternsDiffRequest {
    /// Which rows.
    pub filter: LogFilter,
    /// The time that is asked about.
    pub range: TimeRange,
    /// The time that it is compared with.
    pub baseline: TimeRange,
    /// At most how many patterns, those with most rows in both.
    pub limit: usize,
}

/// How patterns differ.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternsDiff {
    /// By classification, and then by number of rows.
    pub changes: Vec<PatternChange>,
    /// The time that was asked about.
    pub current: WindowStats,
    /// The time that it was compared with.
    pub baseline: WindowStats,
    /// Patterns that are not returned.
    pub omitted_patterns: u64,
}

/// The rows of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowStats {
    /// All rows that pass the filter.
    pub total_rows: u64,
    /// Those of them that have a pattern.
    pub rows_with_patterns: u64,
}

/// One pattern in both stretches of time.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternChange {
    /// What became of it.
    pub classification: Classification,
    /// Its rows per second, now to then; none when one of them is zero.
    pub rate_ratio: Option<f64>,
    /// The pattern as it is now, or as it was when it has no rows now.
    pub summary: PatternSummary,
    /// Its rows now.
    pub num_rows: u64,
    /// Its rows then.
    pub baseline_rows: u64,
}

/// What became of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Classification {
    /// It was not there, and has a share of the rows that counts, or errors.
    New,
    /// It is not there any more, and had such a share, or errors.
    Gone,
    /// It is twice as frequent or more, or half as frequent or less.
    RateShift,
    /// Nothing of these.
    Unchanged,
}

impl QueryContext {
    /// How the patterns of rows differ between two stretches of time.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn patterns_diff(
        &self,
        snapshot: &Snapshot,
        request: &PatternsDiffRequest,
    ) -> Result<PatternsDiff> {
        let (windows, limit) = ([request.range, request.baseline], request.limit);
        let work = move |session: QuerySession, filter: Expr| async move {
            let mined = mine_windows(&session, &filter, &windows, limit).await?;
            let [current, baseline] = <[Tally; 2]>::try_from(mined.tallies)
                .or_else(|tallies| internal_err!("{} tallies of two windows", tallies.len()))?;
            let now = summaries(&session, &mined.templates, &current).await?;
            let then = summaries(&session, &mined.templates, &baseline).await?;
            let stats = |tally: &Tally| WindowStats {
                total_rows: tally.total_rows,
                rows_with_patterns: tally.rows_of_templates,
            };
            let (current_stats, baseline_stats) = (stats(&current), stats(&baseline));
            let of_windows = [
                Window { range: windows[0], stats: current_stats },
                Window { range: windows[1], stats: baseline_stats },
            ];
            let mut changes: Vec<PatternChange> =
                now.into_iter().zip(then).map(|(now, then)| change(now, then, &of_windows)).collect();
            changes.sort_by(|left, right| {
                let rows = |change: &PatternChange| change.num_rows.max(change.baseline_rows);
                let by_kind = left.classification.cmp(&right.classification);
                let by_rows = by_kind.then_with(|| rows(right).cmp(&rows(left)));
                by_rows.then_with(|| left.summary.pattern.cmp(&right.summary.pattern))
            });
            let num_omitted = mined.templates.as_slice().len() - changes.len();
            Ok(PatternsDiff {
                changes,
                current: current_stats,
                baseline: baseline_stats,
                omitted_patterns: num_omitted as u64,
            })
        };
        self.run(snapshot, &request.filter, work).await
    }
}

/// A stretch of time and its rows.
#[derive(Clone, Copy)]
struct Window {
    range: TimeRange,
    stats: WindowStats,
}

impl Window {
    fn seconds(&self) -> f64 {
        self.range.end_us.abs_diff(self.range.start_us).max(1) as f64 / 1e6
    }

    /// Whether a pattern of this window is worth telling when the other one has none of it.
    fn is_notable(&self, summary: &PatternSummary) -> bool {
        let share_pct = 100.0 * summary.num_rows as f64 / self.stats.total_rows.max(1) as f64;
        summary.error_rows > 0 || share_pct >= NOTABLE_SHARE_PCT
    }
}

fn change(now: PatternSummary, then: PatternSummary, [current, baseline]: &[Window; 2]) -> PatternChange {
    let (num_rows, baseline_rows) = (now.num_rows, then.num_rows);
    let rate_ratio = (num_rows > 0 && baseline_rows > 0)
        .then(|| (num_rows as f64 / current.seconds()) / (baseline_rows as f64 / baseline.seconds()));
    let classification = match rate_ratio {
        None if num_rows > 0 && current.is_notable(&now) => Classification::New,
        None if baseline_rows > 0 && baseline.is_notable(&then) => Classification::Gone,
        Some(ratio)
            if num_rows.max(baseline_rows) >= MIN_SHIFT_ROWS
                && (ratio >= SHIFT_RATIO || ratio <= 1.0 / SHIFT_RATIO) =>
        {
            Classification::RateShift
        }
        _ => Classification::Unchanged,
    };
    let summary = if num_rows > 0 { now } else { then };
    PatternChange { classification, rate_ratio, summary, num_rows, baseline_rows }
}

impl PatternsAnswer {
    /// How many rows there are.
    pub fn stats(&self) -> WindowStats {
        WindowStats { total_rows: self.total_rows, rows_with_patterns: self.rows_with_patterns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start_us: i64, end_us: i64, total_rows: u64) -> Window {
        let stats = WindowStats { total_rows, rows_with_patterns: total_rows };
        Window { range: TimeRange { start_us, end_us }, stats }
    }

    #[track_caller]
    fn check(now: (u64, u64), then: (u64, u64), classification: Classification, rate_ratio: Option<f64>) {
        // The baseline is twice as long.
        let windows = [window(0, 1_000_000, 1000), window(-2_000_000, 0, 1000)];
        let summary =
            |(num_rows, error_rows)| PatternSummary { num_rows, error_rows, ..PatternSummary::default() };
        let change = change(summary(now), summary(then), &windows);
        assert_eq!(
            (change.classification, change.rate_ratio),
            (classification, rate_ratio),
            "{now:?} {then:?}"
        );
    }

    #[test]
    fn shares_errors_and_rates_classify() {
        use Classification::{Gone, New, RateShift, Unchanged};
        check((10, 0), (0, 0), New, None);
        check((9, 0), (0, 0), Unchanged, None);
        check((1, 1), (0, 0), New, None);
        check((0, 0), (10, 0), Gone, None);
        check((0, 0), (9, 0), Unchanged, None);
        check((0, 0), (1, 1), Gone, None);
        check((20, 0), (20, 0), RateShift, Some(2.0));
        check((10, 0), (40, 0), RateShift, Some(0.5));
        check((19, 0), (19, 0), Unchanged, Some(2.0));
        check((19, 0), (20, 0), Unchanged, Some(1.9));
        check((0, 0), (0, 0), Unchanged, None);
    }
}
