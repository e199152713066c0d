//! What an engine has done and holds, as numbers that somebody else may publish.
//!
//! Everything here has a bounded size: durations are counted into fixed ranges as they happen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::Engine;

/// Upper ends of the ranges that durations are counted into, microseconds; one more range has no end.
pub const DURATION_BOUNDS_US: [u64; 17] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Counts durations by range. Cheap to record from any thread.
#[derive(Debug, Default)]
pub struct Durations {
    counts: [AtomicU64; DURATION_BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub fn record(&self, elapsed: Duration) {
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let range = DURATION_BOUNDS_US.partition_point(|bound| *bound < us);
        self.counts[range].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What has been counted so far.
    pub fn counted(&self) -> CountedDurations {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        CountedDurations { counts, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// Durations by range at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountedDurations {
    /// How many were in each range of [`DURATION_BOUNDS_US`], each bound included; the last ones were longer.
    pub counts: [u64; DURATION_BOUNDS_US.len() + 1],
    /// All of them together, microseconds.
    pub sum_us: u64,
}

/// What is measured while the engine works.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    /// Writing and syncing one group commit.
    pub(crate) wal_commits: Durations,
    /// Making data files of one table's fresh rows.
    pub(crate) flushes: Durations,
    pub(crate) failed_flushes: AtomicU64,
    /// Merging data files into fewer, or rewriting one without its expired rows.
    pub(crate) merges: Durations,
    pub(crate) failed_merges: AtomicU64,
}

impl Meters {
    /// Counts the outcome of a flush that began a while ago.
    pub(crate) fn note_flush(&self, elapsed: Duration, is_done: bool) {
        note(&self.flushes, &self.failed_flushes, elapsed, is_done);
    }

    /// Counts the outcome of a merge that began a while ago.
    pub(crate) fn note_merge(&self, elapsed: Duration, is_done: bool) {
        note(&self.merges, &self.failed_merges, elapsed, is_done);
    }
}

fn note(done: &Durations, failed: &AtomicU64, elapsed: Duration, is_done: bool) {
    if is_done {
        done.record(elapsed);
    } else {
        failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// An engine at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineStats {
    /// Memory of fresh rows, of rows on their way into the write-ahead log, and of rows that only queries hold.
    pub buffer_bytes: u64,
    /// The most that it may be.
    pub max_buffer_bytes: u64,
    /// Size of the write-ahead log's files, as allocated.
    pub wal_bytes: u64,
    /// The most that it may be.
    pub max_wal_bytes: u64,
    /// Live data files of all tables.
    pub num_data_files: u64,
    /// Their size.
    pub data_bytes: u64,
    /// Their rows.
    pub num_rows: u64,
    /// Size of the data files that the merges due now would read.
    pub compaction_waiting_bytes: u64,
    /// Tasks on the threads of queries; none when no question is being answered.
    pub num_query_tasks: u64,
    /// How often a part of a sidecar was asked for and in memory.
    pub sidecar_cache_hits: u64,
    /// How often one was asked for and had to be read.
    pub sidecar_cache_misses: u64,
    /// Writing and syncing the write-ahead log, once for each group of requests.
    pub wal_commits: CountedDurations,
    /// Flushes that made data files.
    pub flushes: CountedDurations,
    /// Flushes that failed; they are repeated.
    pub num_failed_flushes: u64,
    /// Merges of data files.
    pub merges: CountedDurations,
    /// Merges that failed; they are repeated.
    pub num_failed_merges: u64,
}

impl Engine {
    /// What the engine holds now and has done since it was opened. Looks at the list of live files, not at files.
    pub fn stats(&self) -> EngineStats {
        let tables = self.tables.files();
        let files = || tables.iter().flat_map(|(_, files)| files.iter());
        let (wal_bytes, max_wal_bytes) = self.wal_fill();
        let meters = self.tables.meters();
        let (sidecar_cache_hits, sidecar_cache_misses) = self.queries.sidecar_lookups();
        EngineStats {
            num_query_tasks: self.queries.num_tasks() as u64,
            sidecar_cache_hits,
            sidecar_cache_misses,
            buffer_bytes: self.tables.admitted_bytes() as u64,
            max_buffer_bytes: self.tables.max_bytes() as u64,
            wal_bytes,
            max_wal_bytes,
            num_data_files: files().count() as u64,
            data_bytes: files().map(|file| file.size_bytes).sum(),
            num_rows: files().map(|file| file.num_rows).sum(),
            compaction_waiting_bytes: self.compaction_waiting_bytes(),
            wal_commits: meters.wal_commits.counted(),
            flushes: meters.flushes.counted(),
            num_failed_flushes: meters.failed_flushes.load(Ordering::Relaxed),
            merges: meters.merges.counted(),
            num_failed_merges: meters.failed_merges.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_in_the_range_that_ends_with_it() {
        let durations = Durations::default();
        for us in [0, 100, 101, 60_000_000, 60_000_001] {
            durations.record(Duration::from_micros(us));
        }
        let counted = durations.counted();
        assert_eq!((counted.counts[0], counted.counts[1]), (2, 1));
        assert_eq!(counted.counts[DURATION_BOUNDS_US.len() - 1..], [1, 1]);
        assert_eq!(counted.counts.iter().sum::<u64>(), 5);
        assert_eq!(counted.sum_us, 120_000_202);
    }

    #[test]
    fn bounds_ascend() {
        assert!(DURATION_BOUNDS_US.is_sorted_by(|left, right| left < right));
    }
}
