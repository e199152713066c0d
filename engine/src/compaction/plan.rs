//! Which data files are merged next. A pure function.
//!
//! Files are kept apart by *window*: the UTC month that all their rows are in, or none for files that span
//! months. In a window, files of about one size are merged once there are [`FAN_IN`] of them, so that a row is
//! rewritten once for each step of four in size, from a flush up to the target size. A file of half the target
//! size or more is done. A window that has been quiet for a day has its last small files merged, however few: in
//! the end a table has about one file for each month or each target size, whichever is more.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Datelike};

use crate::storage::DataFile;

/// Files of one size class that are merged together.
pub(crate) const FAN_IN: usize = 4;

/// Files that one merge reads at most: each costs memory and, on an object store, requests.
pub(crate) const MAX_INPUTS: usize = 32;

/// Each size class is this many times the one before.
const CLASS_RATIO: u64 = 4;

/// A window without new rows for this long is not waited for.
const QUIET_US: i64 = 24 * 3_600 * 1_000_000;

/// Files to be merged into one, or into few of the target size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merge {
    /// At least two, of one window, in order of their earliest row; or one, to leave out some of its rows.
    pub(crate) inputs: Vec<Arc<DataFile>>,
    /// Whether the output is expected to stay as it is.
    pub(crate) is_last: bool,
}

impl Merge {
    pub(crate) fn size_bytes(&self) -> u64 {
        self.inputs.iter().map(|file| file.size_bytes).sum()
    }

    pub(crate) fn num_rows(&self) -> u64 {
        self.inputs.iter().map(|file| file.num_rows).sum()
    }
}

/// The months since year 0 of the rows of a file, if it is one; files of no single month share a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Window {
    Month(i64),
    Wide,
}

impl Window {
    fn of(file: &DataFile) -> Self {
        match (month(file.min_timestamp_us), month(file.max_timestamp_us)) {
            (Some(first), Some(last)) if first == last => Self::Month(first),
            _ => Self::Wide,
        }
    }
}

fn month(timestamp_us: i64) -> Option<i64> {
    let instant = DateTime::from_timestamp_micros(timestamp_us)?;
    Some(i64::from(instant.year()) * 12 + i64::from(instant.month0()))
}

/// The next merge of a table's live files, if there is one: that of the smallest files first, which takes most
/// files away for the least work. `now_us` is the time by which windows are quiet.
pub(crate) fn plan_merge(files: &[Arc<DataFile>], now_us: i64, target_bytes: u64) -> Option<Merge> {
    due_merges(files, now_us, target_bytes).into_iter().min_by_key(Merge::size_bytes)
}

/// Bytes of the files that the next merge of every window would read.
pub(crate) fn waiting_bytes(files: &[Arc<DataFile>], now_us: i64, target_bytes: u64) -> u64 {
    due_merges(files, now_us, target_bytes).iter().map(Merge::size_bytes).sum()
}

/// The next merge of each window that has one.
fn due_merges(files: &[Arc<DataFile>], now_us: i64, target_bytes: u64) -> Vec<Merge> {
    let mut windows: BTreeMap<Window, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in files.iter().filter(|file| !is_done(file, target_bytes)) {
        windows.entry(Window::of(file)).or_default().push(file);
    }
    let merges = windows.into_values().filter_map(|mut files| {
        files.sort_by_key(|file| (file.min_timestamp_us, file.id));
        merge_of_class(&files, target_bytes).or_else(|| merge_of_quiet(&files, now_us, target_bytes))
    });
    merges.collect()
}

/// Whether a file is large enough to stay as it is.
fn is_done(file: &DataFile, target_bytes: u64) -> bool {
    file.size_bytes >= target_bytes / 2
}

/// A merge of the smallest size class that has enough files.
fn merge_of_class(files: &[&Arc<DataFile>], target_bytes: u64) -> Option<Merge> {
    let mut classes: BTreeMap<u32, Vec<&Arc<DataFile>>> = BTreeMap::new();
    for file in files {
        classes.entry(file.size_bytes.max(1).ilog(CLASS_RATIO)).or_default().push(file);
    }
    let full = classes.into_values().find(|files| files.len() >= FAN_IN)?;
    merge_of_first(&full, target_bytes, false)
}

fn merge_of_quiet(files: &[&Arc<DataFile>], now_us: i64, target_bytes: u64) -> Option<Merge> {
    let newest_us = files.iter().map(|file| file.max_ingested_us).max()?;
    let is_quiet = files.len() > 1 && now_us.saturating_sub(newest_us) >= QUIET_US;
    if !is_quiet {
        return None;
    }
    merge_of_first(files, target_bytes, true)
}

/// A merge of the first files that together do not go far beyond the target size.
fn merge_of_first(files: &[&Arc<DataFile>], target_bytes: u64, is_quiet: bool) -> Option<Merge> {
    let mut size_bytes = 0;
    let inputs = files.iter().take(MAX_INPUTS).take_while(|file| {
        let is_room_left = size_bytes < target_bytes;
        size_bytes += file.size_bytes;
        is_room_left
    });
    let inputs: Vec<_> = inputs.map(|file| Arc::clone(file)).collect();
    let is_last = is_quiet || inputs.iter().map(|file| file.size_bytes).sum::<u64>() >= target_bytes / 2;
    (inputs.len() > 1).then_some(Merge { inputs, is_last })
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const TARGET: u64 = 1 << 20;
    const DAY_US: i64 = 86_400_000_000;

    fn file(id: u128, days: (i64, i64), size_bytes: u64, ingested_us: i64) -> Arc<DataFile> {
        Arc::new(DataFile {
            id: Uuid::from_u128(id),
            path: Path::from(id.to_string()),
            level: 0,
            min_timestamp_us: days.0 * DAY_US,
            max_timestamp_us: days.1 * DAY_US,
            min_ingested_us: ingested_us,
            max_ingested_us: ingested_us,
            num_rows: size_bytes.div_ceil(50),
            size_bytes,
            metadata_bytes: 1,
            sidecar_bytes: 0,
        })
    }

    /// The file that a merge makes, if it makes one.
    fn merged(merge: &Merge, id: u128) -> Arc<DataFile> {
        let of = |get: fn(&DataFile) -> i64| merge.inputs.iter().map(move |file| get(file));
        let mut output = file(id, (0, 0), merge.size_bytes(), of(|file| file.max_ingested_us).max().unwrap());
        let changed = Arc::get_mut(&mut output).unwrap();
        changed.min_timestamp_us = of(|file| file.min_timestamp_us).min().unwrap();
        changed.max_timestamp_us = of(|file| file.max_timestamp_us).max().unwrap();
        changed.level = merge.inputs.iter().map(|file| file.level).max().unwrap() + 1;
        output
    }

    /// Merges until nothing is left to do; returns how many bytes were rewritten.
    fn settle(files: &mut Vec<Arc<DataFile>>, next_id: &mut u128, now_us: i64) -> u64 {
        let mut rewritten = 0;
        while let Some(merge) = plan_merge(files, now_us, TARGET) {
            assert!((2..=MAX_INPUTS).contains(&merge.inputs.len()));
            assert!(merge.inputs.iter().all(|file| Window::of(file) == Window::of(&merge.inputs[0])));
            assert!(merge.size_bytes() < 2 * TARGET);
            rewritten += merge.size_bytes();
            *next_id += 1;
            files.retain(|file| merge.inputs.iter().all(|input| input.id != file.id));
            files.push(merged(&merge, *next_id));
        }
        rewritten
    }

    proptest! {
        #[test]
        fn files_stay_few_and_rows_are_rewritten_seldom(
            flushes in prop::collection::vec((0_i64..90, 0_i64..3, 1_u64..TARGET / 4), 1..400),
        ) {
            let (mut files, mut next_id, mut flushed, mut rewritten) = (Vec::new(), 0, 0, 0);
            for (day, span, size_bytes) in flushes {
                next_id += 1;
                flushed += size_bytes;
                files.push(file(next_id, (day, day + span), size_bytes, 0));
                rewritten += settle(&mut files, &mut next_id, 0);
            }
            // From one byte to the target are ten classes of four; ninety days touch four windows and the wide one.
            prop_assert!(rewritten <= flushed * 11, "{rewritten} of {flushed}");
            let small = files.iter().filter(|file| !is_done(file, TARGET)).count();
            prop_assert!(small <= 5 * 11 * (FAN_IN - 1), "{small} small files");
            settle(&mut files, &mut next_id, 2 * DAY_US);
            let small = files.iter().filter(|file| !is_done(file, TARGET)).count();
            prop_assert!(small <= 5, "{small} small files when all is quiet");
            prop_assert_eq!(files.iter().map(|file| file.size_bytes).sum::<u64>(), flushed);
        }
    }

    #[test]
    fn a_few_files_are_left_alone_until_their_window_is_quiet() {
        let files: Vec<_> = (0..3).map(|id| file(id, (1, 1), 100, DAY_US)).collect();
        assert_eq!(plan_merge(&files, 2 * DAY_US - 1, TARGET), None);
        assert_eq!(plan_merge(&files, 2 * DAY_US, TARGET).unwrap().inputs, files);
        assert_eq!(plan_merge(&files[..1], i64::MAX, TARGET), None);
    }

    #[test]
    fn large_files_are_never_rewritten() {
        let files: Vec<_> = (0..8).map(|id| file(id, (1, 1), TARGET / 2, 0)).collect();
        assert_eq!(plan_merge(&files, i64::MAX, TARGET), None);
    }

    #[test]
    fn the_smallest_files_go_first() {
        let large = (0..4).map(|id| file(id, (1, 1), 100_000, 0));
        let small = (4..8).map(|id| file(id, (40, 40), 100, 0));
        let merge = plan_merge(&large.chain(small).collect::<Vec<_>>(), 0, TARGET).unwrap();
        assert_eq!(merge.size_bytes(), 400);
    }
}
