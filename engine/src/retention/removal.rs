//! Which files are dropped, and which are to be rewritten without their expired rows.
//!
//! Files whose bounds say that all their rows have expired are dropped without a look into them. A file that also
//! has rows to keep is worth a rewrite when that frees enough: its rows are counted by kind, at most once a day,
//! and the counts decide. Rows of the kind that is kept longest are not counted while their file will be dropped
//! whole before long.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use super::{CompiledRetention, DAY_US, RetentionCutoff, Standing, TimeBounds};
use crate::storage::DataFile;

/// A file is rewritten when one row of this many has expired.
const REWRITE_SHARE_OF_ROWS: u64 = 10;

/// Rows that will leave with their whole file within this time are not worth a rewrite.
const SOON_US: i64 = 31 * DAY_US;

/// The files whose rows have all expired. Reads none.
pub fn files_to_drop(cutoff: &RetentionCutoff, files: &[Arc<DataFile>]) -> Vec<Arc<DataFile>> {
    let is_expired =
        |file: &&Arc<DataFile>| cutoff.standing(TimeBounds::from(file.as_ref())) == Standing::Expired;
    files.iter().filter(is_expired).cloned().collect()
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFate {
    /// It stays as it is.
    Keep,
    /// Its rows have all expired.
    Drop,
    /// Its rows that have not expired move to another file.
    Rewrite,
}

/// Rows of one kind in a file: those that one rule is for, or no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindRows {
    /// How many have not expired.
    pub live: u64,
    /// How many have.
    pub expired: u64,
}

/// What happens to a file whose rows were counted by kind, in the order of [`RetentionCutoff::cutoffs_us`].
pub fn fate_of_counted(cutoff: &RetentionCutoff, file: &DataFile, kinds: &[KindRows]) -> FileFate {
    let (live, expired) =
        kinds.iter().fold((0, 0), |(live, expired), kind| (live + kind.live, expired + kind.expired));
    if expired == 0 {
        return FileFate::Keep;
    }
    if live == 0 {
        return FileFate::Drop;
    }
    let counted = kinds.iter().zip(counted_kinds(cutoff, file)).filter(|(_, is_counted)| *is_counted);
    let mut counted_expired = 0;
    for (kind, _) in counted {
        if kind.expired > 0 && kind.live == 0 {
            return FileFate::Rewrite;
        }
        counted_expired += kind.expired;
    }
    let is_enough = counted_expired.saturating_mul(REWRITE_SHARE_OF_ROWS) >= live + expired;
    if is_enough { FileFate::Rewrite } else { FileFate::Keep }
}

/// By kind, whether its expired rows are a reason to rewrite a file.
fn counted_kinds<'c>(cutoff: &'c RetentionCutoff, file: &DataFile) -> impl Iterator<Item = bool> + 'c {
    let earliest_us = cutoff.earliest_us();
    let is_dropped_soon = earliest_us.saturating_add(SOON_US) >= TimeBounds::from(file).latest_us();
    cutoff.cutoffs_us().iter().map(move |&kind_us| !is_dropped_soon || kind_us > earliest_us)
}

/// When the files of a table were last counted. Forgotten at a restart, which costs one more count.
#[derive(Debug, Default)]
pub struct Recount {
    retention: Option<Arc<CompiledRetention>>,
    /// Microseconds.
    counted_us: HashMap<Uuid, i64>,
}

impl Recount {
    /// The files of a table that are to be counted now, oldest first and at most `max_files`; they count as counted.
    pub fn due(
        &mut self,
        cutoff: &RetentionCutoff,
        files: &[Arc<DataFile>],
        max_files: usize,
    ) -> Vec<Arc<DataFile>> {
        let is_same = self.retention.as_ref().is_some_and(|known| Arc::ptr_eq(known, cutoff.retention()));
        if !is_same {
            *self = Self { retention: Some(Arc::clone(cutoff.retention())), counted_us: HashMap::new() };
        }
        let mut counted_us = HashMap::new();
        let mut due = Vec::new();
        for file in files {
            match self.counted_us.get(&file.id) {
                // An instant that lies ahead is of a clock that went back.
                Some(&at_us) if (0..DAY_US).contains(&cutoff.now_us().saturating_sub(at_us)) => {
                    counted_us.insert(file.id, at_us);
                }
                _ if may_be_worth_it(cutoff, file) => due.push(Arc::clone(file)),
                _ => {}
            }
        }
        due.sort_by_key(|file| (file.max_timestamp_us, file.id));
        due.truncate(max_files);
        counted_us.extend(due.iter().map(|file| (file.id, cutoff.now_us())));
        self.counted_us = counted_us;
        due
    }
}

/// Whether counting could end in anything but [`FileFate::Keep`].
fn may_be_worth_it(cutoff: &RetentionCutoff, file: &DataFile) -> bool {
    let bounds = TimeBounds::from(file);
    let cutoffs = cutoff.cutoffs_us().iter().zip(counted_kinds(cutoff, file));
    cutoff.standing(bounds) == Standing::Straddles
        && cutoffs.into_iter().any(|(&kind_us, is_counted)| is_counted && bounds.earliest_us() < kind_us)
}

#[cfg(test)]
mod tests {
    use object_store::path::Path;

    use super::*;
    use crate::query::model::LogFilter;
    use crate::retention::{RetentionPolicy, RetentionRule};

    const NOW_US: i64 = 1_765_881_156_184_820;

    /// Rows of a service are kept for the days of its rule, the rest for `days`.
    fn cutoff(days: Option<u32>, rules: &[Option<u32>]) -> RetentionCutoff {
        let rules = rules.iter().enumerate().map(|(index, &days)| RetentionRule {
            name: format!("rule {index}"),
            filter: LogFilter { service_names: vec![format!("service {index}")], ..LogFilter::default() },
            days,
        });
        let policy = RetentionPolicy { days, rules: rules.collect(), kept_from_us: None };
        RetentionCutoff::new(Arc::new(CompiledRetention::new(policy).unwrap()), NOW_US)
    }

    /// A file of rows between two ages in days, that came in when they happened.
    fn file(oldest: i64, newest: i64) -> Arc<DataFile> {
        let id = Uuid::now_v7();
        Arc::new(DataFile {
            id,
            path: Path::from(format!("{id}.parquet")),
            level: 0,
            min_timestamp_us: NOW_US - oldest * DAY_US,
            max_timestamp_us: NOW_US - newest * DAY_US,
            min_ingested_us: NOW_US - oldest * DAY_US,
            max_ingested_us: NOW_US - newest * DAY_US,
            num_rows: 1000,
            size_bytes: 1,
            metadata_bytes: 1,
            sidecar_bytes: 0,
        })
    }

    fn dropped(cutoff: &RetentionCutoff, file: &Arc<DataFile>) -> bool {
        !files_to_drop(cutoff, &[Arc::clone(file)]).is_empty()
    }

    #[test]
    fn a_file_is_dropped_when_the_kind_that_is_kept_longest_has_expired() {
        assert!(dropped(&cutoff(Some(30), &[]), &file(40, 31)));
        assert!(!dropped(&cutoff(Some(30), &[]), &file(40, 30)));
        assert!(!dropped(&cutoff(Some(3), &[Some(90)]), &file(40, 31)));
        assert!(dropped(&cutoff(Some(3), &[Some(90)]), &file(100, 91)));
        assert!(!dropped(&cutoff(None, &[Some(3)]), &file(100, 91)));
        assert!(!dropped(&cutoff(Some(3), &[None]), &file(100, 91)));
    }

    #[test]
    fn rows_dated_in_the_future_expire_by_when_they_came_in() {
        let mut future = DataFile::clone(&file(40, 35));
        future.max_timestamp_us = i64::MAX;
        assert!(dropped(&cutoff(Some(30), &[]), &Arc::new(future)));
    }

    #[track_caller]
    fn fate(cutoff: &RetentionCutoff, file: &DataFile, kinds: &[(u64, u64)], expected: FileFate) {
        let kinds: Vec<_> = kinds.iter().map(|&(live, expired)| KindRows { live, expired }).collect();
        assert_eq!(fate_of_counted(cutoff, file, &kinds), expected, "{kinds:?}");
    }

    #[test]
    fn a_tenth_of_the_rows_or_a_whole_kind_is_worth_a_rewrite() {
        let short_rule = cutoff(None, &[Some(3), Some(5)]);
        let file = file(6, 2);
        fate(&short_rule, &file, &[(50, 0), (50, 0), (900, 0)], FileFate::Keep);
        fate(&short_rule, &file, &[(1, 99), (0, 0), (900, 0)], FileFate::Keep);
        fate(&short_rule, &file, &[(1, 60), (1, 40), (898, 0)], FileFate::Rewrite);
        fate(&short_rule, &file, &[(0, 1), (50, 0), (949, 0)], FileFate::Rewrite);
        fate(&short_rule, &file, &[(0, 500), (0, 500), (0, 0)], FileFate::Drop);
    }

    #[test]
    fn rows_that_leave_with_their_file_before_long_are_no_reason() {
        let file_of_a_month = file(40, 10);
        fate(&cutoff(Some(30), &[]), &file_of_a_month, &[(600, 400)], FileFate::Keep);
        // The short rule's rows have all gone already, the rest follows in twenty days.
        fate(&cutoff(Some(30), &[Some(3)]), &file_of_a_month, &[(0, 0), (600, 400)], FileFate::Keep);
        fate(&cutoff(Some(30), &[Some(3)]), &file_of_a_month, &[(0, 1), (600, 399)], FileFate::Rewrite);
        let file_of_years = file(1000, 10);
        fate(&cutoff(Some(500), &[]), &file_of_years, &[(901, 99)], FileFate::Keep);
        fate(&cutoff(Some(500), &[]), &file_of_years, &[(900, 100)], FileFate::Rewrite);
    }

    #[test]
    fn a_file_is_counted_once_a_day_and_again_under_another_policy() {
        let files = [file(6, 2), file(100, 2), file(2, 1), file(1000, 900)];
        let due = |recount: &mut Recount, cutoff: &RetentionCutoff, max_files| -> Vec<usize> {
            let due = recount.due(cutoff, &files, max_files);
            due.iter().map(|due| files.iter().position(|file| file.id == due.id).unwrap()).collect()
        };
        let policy = cutoff(None, &[Some(3)]);
        let at =
            |hours: i64| RetentionCutoff::new(Arc::clone(policy.retention()), NOW_US + hours * DAY_US / 24);
        let mut recount = Recount::default();
        assert_eq!(due(&mut recount, &at(0), 2), [3, 0], "the file of the last days holds nothing expired");
        assert_eq!(due(&mut recount, &at(0), 2), [1]);
        assert_eq!(due(&mut recount, &at(23), 9), [0; 0]);
        assert_eq!(due(&mut recount, &at(25), 9), [3, 0, 1, 2]);
        assert_eq!(due(&mut recount, &at(25), 9), [0; 0]);
        assert_eq!(due(&mut recount, &cutoff(None, &[Some(3)]), 9), [3, 0, 1]);
        assert_eq!(
            due(&mut Recount::default(), &cutoff(Some(30), &[]), 9),
            [1; 0],
            "dropped whole before long"
        );
    }
}
