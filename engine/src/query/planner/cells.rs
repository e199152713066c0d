//! Questions about time, services and severities.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::prelude::Expr;
use futures::{StreamExt, stream};

use super::super::interval::Interval;
use super::super::session::QuerySession;
use super::super::time_range::TimeRange;
use super::cell_filter::CellFilter;
use super::rest::{MAX_RANGES, Rest};
use crate::catalog::Sources;
use crate::index::Rollup;
use crate::index::rollup::RollupBucket;
use crate::storage::DataFile;

/// Sidecars that are read at a time.
pub(super) const NUM_LOADS: usize = 8;

/// How many rows there are, and of what.
#[derive(Debug)]
pub(in crate::query) struct CellQuestion<'a> {
    /// Which rows, apart from their time.
    pub(in crate::query) condition: &'a Expr,
    /// Of which time.
    pub(in crate::query) range: TimeRange,
    /// The time buckets that are told apart; none when time is not.
    pub(in crate::query) interval: Option<&'a Interval>,
    /// What else is told apart.
    pub(in crate::query) group_by: GroupBy,
}

/// What rows are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::query) enum GroupBy {
    /// Nothing. Bytes are not counted then.
    Nothing,
    /// The service.
    Service,
    /// The severity.
    Severity,
    /// Both.
    ServiceAndSeverity,
}

/// The rows of one time bucket and group, of one file.
#[derive(Clone, Copy, Debug)]
pub(in crate::query) struct CellTotal<'a> {
    /// Where the bucket begins, microseconds; no meaning without an interval.
    pub(in crate::query) bucket_us: i64,
    /// A service of the group.
    pub(in crate::query) service: &'a str,
    /// A severity of the group.
    pub(in crate::query) severity: &'a str,
    /// Number of rows, at least 1.
    pub(in crate::query) num_rows: u64,
    /// Sum of their `bytes_uncompressed`.
    pub(in crate::query) bytes_uncompressed: u64,
}

/// Gives `take` what is known without reading rows, and returns the rows that are left: all of them when something
/// else than services and severities decides.
///
/// Reads the rollups that are not in memory, some at a time; costs one pass over the buckets of each.
pub(in crate::query) async fn answer_from_cells(
    session: &QuerySession,
    question: &CellQuestion<'_>,
    mut take: impl FnMut(&CellTotal<'_>) -> Result<()>,
) -> Result<Rest> {
    let Some(filter) = CellFilter::of(&session.session, question.condition)? else {
        return Ok(Rest::everything(question.range));
    };
    let (live, others) = session.sources_in(question.range);
    let mut rest = Rest::of(question.range, Sources { files: others.files, segments: others.segments });
    rest.add_segments(live.segments);
    let mut asked = Vec::new();
    for file in live.files {
        if let Some(bucket_us) = question.bucket_of_all_rows(&filter, &file) {
            session.cost.add_facts(file.id);
            let (service, severity, num_rows) = ("", "", file.num_rows);
            take(&CellTotal { bucket_us, service, severity, num_rows, bytes_uncompressed: 0 })?;
        } else if file.sidecar_bytes == 0 {
            rest.add_whole(file);
        } else {
            asked.push(file);
        }
    }
    let (sidecars, cost) = (session.sidecars.clone(), Arc::clone(&session.cost));
    let mut rollups = stream::iter(asked.into_iter().map(move |file| {
        let (sidecars, cost) = (sidecars.clone(), Arc::clone(&cost));
        async move {
            let rollup = sidecars.rollup(&file, &cost).await;
            (file, rollup)
        }
    }))
    .buffered(NUM_LOADS);
    while let Some((file, rollup)) = rollups.next().await {
        match rollup {
            Some(rollup) => question.ask(session, &filter, file, &rollup, &mut rest, &mut take)?,
            None => rest.add_whole(file),
        }
    }
    Ok(rest)
}

impl CellQuestion<'_> {
    /// The bucket that every row of a file is counted in, if the number of its rows is all that is asked.
    fn bucket_of_all_rows(&self, filter: &CellFilter, file: &DataFile) -> Option<i64> {
        let first_us = self.bucket_us(file.min_timestamp_us);
        let is_answer = self.group_by == GroupBy::Nothing
            && filter.is_always()
            && self.range.covers(file.min_timestamp_us, file.max_timestamp_us)
            && first_us == self.bucket_us(file.max_timestamp_us);
        is_answer.then_some(first_us)
    }

    /// Takes what a rollup knows, and leaves the rest.
    fn ask(
        &self,
        session: &QuerySession,
        filter: &CellFilter,
        file: Arc<DataFile>,
        rollup: &Rollup,
        rest: &mut Rest,
        take: &mut impl FnMut(&CellTotal<'_>) -> Result<()>,
    ) -> Result<()> {
        let is_meant = filter.test(rollup.series())?;
        let id = file.id;
        let open = self.open_ranges(rollup, &is_meant);
        if open.len() > MAX_RANGES {
            rest.add_whole(file);
            return Ok(());
        }
        if !open.is_empty()
            && let Err(file) = rest.add(file, &open)
        {
            rest.add_whole(file);
            return Ok(());
        }
        session.cost.add_sidecar(id);
        self.take_cells(rollup, &is_meant, take)
    }

    /// The stretches of time of the buckets that have rows which are meant and that cannot be counted whole.
    fn open_ranges(&self, rollup: &Rollup, is_meant: &[bool]) -> Vec<TimeRange> {
        let mut open: Vec<TimeRange> = Vec::new();
        for bucket in rollup.buckets_in(&(self.range.start_us..self.range.end_us)) {
            if self.bucket_of(&bucket).is_some() || !bucket.rows().any(|rows| is_meant[rows.series]) {
                continue;
            }
            let instants = bucket.range();
            let start_us = instants.start.max(self.range.start_us);
            let end_us = instants.end.min(self.range.end_us);
            match open.last_mut() {
                Some(last) if last.end_us == start_us => last.end_us = end_us,
                _ => open.push(TimeRange { start_us, end_us }),
            }
            if open.len() > MAX_RANGES {
                break;
            }
        }
        open
    }

    /// Adds up the buckets that can be counted whole.
    fn take_cells(
        &self,
        rollup: &Rollup,
        is_meant: &[bool],
        take: &mut impl FnMut(&CellTotal<'_>) -> Result<()>,
    ) -> Result<()> {
        let series: Vec<(&str, &str)> = rollup.series().collect();
        let groups = Groups::of(&series, self.group_by);
        let mut totals = vec![(0_u64, 0_u64); groups.names.len()];
        let mut current = None;
        let mut hand_over = |bucket_us: i64, totals: &mut [(u64, u64)]| -> Result<()> {
            for (total, (service, severity)) in totals.iter_mut().zip(&groups.names) {
                let (num_rows, bytes_uncompressed) = std::mem::take(total);
                if num_rows > 0 {
                    take(&CellTotal { bucket_us, service, severity, num_rows, bytes_uncompressed })?;
                }
            }
            Ok(())
        };
        for bucket in rollup.buckets_in(&(self.range.start_us..self.range.end_us)) {
            let Some(bucket_us) = self.bucket_of(&bucket) else { continue };
            if let Some(before_us) = current.replace(bucket_us)
                && before_us != bucket_us
            {
                hand_over(before_us, &mut totals)?;
            }
            for rows in bucket.rows().filter(|rows| is_meant[rows.series]) {
                let total = &mut totals[groups.of_series[rows.series]];
                total.0 += rows.num_rows;
                total.1 += rows.bytes_uncompressed;
            }
        }
        current.map_or(Ok(()), |bucket_us| hand_over(bucket_us, &mut totals))
    }

    /// The one bucket of the question that all rows of a rollup's bucket are counted in; none when the range or the
    /// question's buckets cut it.
    fn bucket_of(&self, bucket: &RollupBucket<'_>) -> Option<i64> {
        let (first_us, last_us) = bucket.instants();
        let start_us = self.bucket_us(first_us);
        let is_whole = self.range.covers(first_us, last_us) && self.bucket_us(last_us) == start_us;
        is_whole.then_some(start_us)
    }

    pub(super) fn bucket_us(&self, us: i64) -> i64 {
        self.interval.map_or(0, |interval| interval.floor(us))
    }
}

/// Which series count as one.
struct Groups<'a> {
    of_series: Vec<usize>,
    /// The first series of each.
    names: Vec<(&'a str, &'a str)>,
}

impl<'a> Groups<'a> {
    fn of(series: &[(&'a str, &'a str)], group_by: GroupBy) -> Self {
        let mut places = HashMap::new();
        let mut names = Vec::new();
        let place = |&(service, severity): &(&'a str, &'a str)| {
            let key = match group_by {
                GroupBy::Nothing => ("", ""),
                GroupBy::Service => (service, ""),
                GroupBy::Severity => ("", severity),
                GroupBy::ServiceAndSeverity => (service, severity),
            };
            *places.entry(key).or_insert_with(|| {
                names.push((service, severity));
                names.len() - 1
            })
        };
        let of_series = series.iter().map(place).collect();
        Self { of_series, names }
    }
}
