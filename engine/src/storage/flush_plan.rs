//! Which rows of a flush go into which file, and in which order. A pure function.

use std::collections::HashMap;

use super::paths::TimeBucket;
use crate::limits::MAX_BUCKETS_PER_FLUSH;

/// One file that a flush will write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlannedFile {
    pub(crate) bucket: TimeBucket,
    /// (segment, row) of each row, by (timestamp, row id).
    pub(crate) rows: Vec<(usize, usize)>,
    pub(crate) min_timestamp_us: i64,
    pub(crate) max_timestamp_us: i64,
}

/// Sorts the rows of a flush into files: one for each of the days that have most rows, one for all the others.
///
/// `timestamps` are those of each segment's rows. Segments are in order of ingestion, so among equal timestamps
/// the order of (segment, row) is the order of row ids.
pub(crate) fn plan_flush(timestamps: &[&[i64]]) -> Vec<PlannedFile> {
    let mut rows: Vec<(i64, usize, usize)> =
        Vec::with_capacity(timestamps.iter().map(|rows| rows.len()).sum());
    for (segment, timestamps) in timestamps.iter().enumerate() {
        rows.extend(timestamps.iter().enumerate().map(|(row, &timestamp)| (timestamp, segment, row)));
    }
    rows.sort_unstable();
    let own_files = largest_buckets(&rows);
    let mut files: HashMap<TimeBucket, PlannedFile> = HashMap::new();
    for (timestamp, segment, row) in rows {
        let bucket = TimeBucket::of(timestamp);
        let bucket = if own_files.contains(&bucket) { bucket } else { TimeBucket::Wide };
        let file = files.entry(bucket).or_insert_with(|| PlannedFile {
            bucket,
            rows: Vec::new(),
            min_timestamp_us: timestamp,
            max_timestamp_us: timestamp,
        });
        file.rows.push((segment, row));
        file.max_timestamp_us = timestamp;
    }
    let mut files: Vec<_> = files.into_values().collect();
    files.sort_unstable_by_key(|file| file.bucket);
    files
}

/// The buckets that get a file of their own.
fn largest_buckets(sorted_rows: &[(i64, usize, usize)]) -> Vec<TimeBucket> {
    let by_bucket = |left: &(i64, usize, usize), right: &(i64, usize, usize)| {
        TimeBucket::of(left.0) == TimeBucket::of(right.0)
    };
    let mut sizes: Vec<(usize, TimeBucket)> =
        sorted_rows.chunk_by(by_bucket).map(|rows| (rows.len(), TimeBucket::of(rows[0].0))).collect();
    sizes.sort_unstable_by(|left, right| right.cmp(left));
    sizes.into_iter().take(MAX_BUCKETS_PER_FLUSH).map(|(_, bucket)| bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_US: i64 = 86_400_000_000;

    proptest! {
        #[test]
        fn every_row_is_in_one_file_in_order(
            segments in prop::collection::vec(prop::collection::vec(-40 * DAY_US..40 * DAY_US, 0..60), 0..8),
        ) {
            let timestamps: Vec<&[i64]> = segments.iter().map(Vec::as_slice).collect();
            let files = plan_flush(&timestamps);
            prop_assert!(files.len() <= MAX_BUCKETS_PER_FLUSH + 1);
            let mut seen: Vec<(usize, usize)> = Vec::new();
            for file in &files {
                let keys: Vec<_> = file.rows.iter().map(|&(s, r)| (segments[s][r], s, r)).collect();
                prop_assert!(keys.is_sorted());
                prop_assert_eq!(keys[0].0, file.min_timestamp_us);
                prop_assert_eq!(keys[keys.len() - 1].0, file.max_timestamp_us);
                if let TimeBucket::Day(_) = file.bucket {
                    prop_assert!(keys.iter().all(|key| TimeBucket::of(key.0) == file.bucket));
                }
                seen.extend(&file.rows);
            }
            seen.sort_unstable();
            let all = segments.iter().enumerate().flat_map(|(s, rows)| (0..rows.len()).map(move |r| (s, r)));
            prop_assert_eq!(seen, all.collect::<Vec<_>>());
        }
    }

    #[test]
    fn scattered_rows_share_one_file() {
        let scattered: Vec<i64> = (0..1000).map(|day| day * DAY_US).collect();
        let files = plan_flush(&[&scattered]);
        assert_eq!(files.len(), MAX_BUCKETS_PER_FLUSH + 1);
        let wide = files.last().expect("a wide file");
        assert_eq!((wide.bucket, wide.rows.len()), (TimeBucket::Wide, 1000 - MAX_BUCKETS_PER_FLUSH));
    }
}
