//! Which files flushes have left behind: a pure function of footers and of what the write-ahead log holds.
//!
//! A flush that is whole counts as committed: then the log's batches of its range are in files, and a replay must
//! skip them. One that is not whole was committed if the log lacks its batches or a compaction has read it; else the
//! log has all its rows and the files are dropped.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::compaction_lineage::{Ambiguity, CompactionVerdict, FoundFile};
use crate::catalog::FlushedRange;
use crate::operations::row_search::BatchKey;
use crate::schema::TableId;
use crate::storage::FileSource;
use crate::wal::WalContents;

/// What footers tell about flushes.
#[derive(Debug, Default)]
pub(super) struct FlushVerdict {
    pub(super) live: BTreeSet<Uuid>,
    /// Files whose rows are in others or in the log, with the reason.
    pub(super) dropped: BTreeMap<Uuid, String>,
    pub(super) ranges: Vec<FlushedRange>,
    pub(super) ambiguous: Vec<Ambiguity>,
    pub(super) notes: Vec<(Uuid, String)>,
}

/// The files of one flush.
#[derive(Debug)]
struct Flush {
    id: Uuid,
    range: FlushedRange,
    parts: BTreeMap<u32, Uuid>,
    last_part: Option<u32>,
}

impl Flush {
    fn is_whole(&self) -> bool {
        let highest = self.parts.keys().next_back().copied();
        self.last_part.is_some()
            && self.last_part == highest
            && self.last_part.map(|last| u64::from(last) + 1) == Some(self.parts.len() as u64)
    }

    fn holds(&self, other: &Self) -> bool {
        self.range.first_sequence <= other.range.first_sequence
            && other.range.last_sequence <= self.range.last_sequence
    }
}

/// Decides about all files that flushes have written. `in_compacted` are batches of the log of which compacted files
/// hold rows.
pub(super) fn resolve_flushes(
    files: &BTreeMap<Uuid, FoundFile>,
    compactions: &CompactionVerdict,
    log: &WalContents,
    in_compacted: &BTreeSet<BatchKey>,
) -> FlushVerdict {
    let mut verdict = FlushVerdict::default();
    let mut by_table: BTreeMap<(Uuid, TableId), Vec<Flush>> = BTreeMap::new();
    for flush in gather(files).into_values() {
        by_table.entry((flush.range.writer, flush.range.table)).or_default().push(flush);
    }
    for flushes in by_table.into_values() {
        resolve_table(flushes, compactions, log, in_compacted, &mut verdict);
    }
    let starts: BTreeMap<BatchKey, u64> = verdict
        .ranges
        .iter()
        .map(|range| ((range.writer, range.table, range.first_sequence), range.last_sequence))
        .collect();
    for &(writer, table, sequence) in in_compacted {
        // Ranges of one table do not overlap.
        let before = starts.range((writer, table, 0)..=(writer, table, sequence)).next_back();
        if before.is_none_or(|(_, last)| *last < sequence) {
            let range = FlushedRange { writer, table, first_sequence: sequence, last_sequence: sequence };
            verdict.ranges.push(range);
        }
    }
    verdict
}

fn gather(files: &BTreeMap<Uuid, FoundFile>) -> BTreeMap<Uuid, Flush> {
    let mut flushes: BTreeMap<Uuid, Flush> = BTreeMap::new();
    for (&file_id, found) in files {
        let FileSource::Flush { id, part, is_last, first_sequence, last_sequence } = found.origin.source
        else {
            continue;
        };
        let (writer, table) = (found.origin.writer, found.origin.table);
        let flush = flushes.entry(id).or_insert_with(|| Flush {
            id,
            range: FlushedRange { writer, table, first_sequence, last_sequence },
            parts: BTreeMap::new(),
            last_part: None,
        });
        flush.parts.insert(part, file_id);
        if is_last {
            flush.last_part = Some(part);
        }
    }
    flushes
}

/// Decides about the flushes of one table by one writer.
fn resolve_table(
    flushes: Vec<Flush>,
    compactions: &CompactionVerdict,
    log: &WalContents,
    in_compacted: &BTreeSet<BatchKey>,
    verdict: &mut FlushVerdict,
) {
    let is_consumed = |flush: &Flush| flush.parts.values().any(|part| compactions.consumed.contains(part));
    let mut committed: Vec<Flush> = Vec::new();
    for flush in flushes {
        if flush.is_whole() || is_consumed(&flush) {
            committed.push(flush);
            continue;
        }
        let FlushedRange { writer, table, first_sequence: first, last_sequence: last } = flush.range;
        let is_in_log = log.holds(writer, table, first) && log.holds(writer, table, last);
        let is_compacted =
            in_compacted.range((writer, table, first)..=(writer, table, last)).next().is_some();
        if is_in_log && !is_compacted {
            let reason = format!("flush {} was not finished, and the write-ahead log has its rows", flush.id);
            verdict.dropped.extend(flush.parts.into_values().map(|file| (file, reason.clone())));
            continue;
        }
        note_missing_parts(&flush, compactions, verdict);
        committed.push(flush);
    }
    committed.sort_by_key(|flush| (flush.range.first_sequence, flush.id));
    for flush in without_repeats(committed, is_consumed, verdict) {
        let standing = flush.parts.values().filter(|file| !compactions.dropped.contains_key(file));
        verdict.live.extend(standing);
        verdict.ranges.push(flush.range);
    }
}

/// A committed flush lacks files: a compaction has taken them, or they are lost.
fn note_missing_parts(flush: &Flush, compactions: &CompactionVerdict, verdict: &mut FlushVerdict) {
    let id = flush.id;
    let may_have_been_taken = compactions.consumed.range(id..).next().is_some();
    let first_file = flush.parts.values().next();
    if may_have_been_taken {
        let note = format!("flush {id} lacks files, which a compaction has probably taken");
        verdict.notes.extend(first_file.map(|file| (*file, note)));
    } else {
        let message = format!(
            "flush {id} lacks files, the write-ahead log lacks its rows, and no compaction has taken the files: rows \
             are missing"
        );
        verdict.ambiguous.push(Ambiguity { files: Vec::new(), message });
    }
}

/// Drops flushes that a later one has repeated: of two with the same batches only one was committed.
fn without_repeats(
    flushes: Vec<Flush>,
    is_consumed: impl Fn(&Flush) -> bool,
    verdict: &mut FlushVerdict,
) -> Vec<Flush> {
    let mut kept: Vec<Flush> = Vec::new();
    for flush in flushes {
        let Some(before) = kept.last() else {
            kept.push(flush);
            continue;
        };
        if before.range.last_sequence < flush.range.first_sequence {
            kept.push(flush);
            continue;
        }
        let reason = |of: &Flush, by: &Flush| format!("flush {} was repeated by flush {}", of.id, by.id);
        if flush.holds(before) && !is_consumed(before) {
            let reason = reason(before, &flush);
            verdict.dropped.extend(before.parts.values().map(|file| (*file, reason.clone())));
            kept.pop();
            kept.push(flush);
        } else if before.holds(&flush) && !is_consumed(&flush) {
            let reason = reason(&flush, before);
            verdict.dropped.extend(flush.parts.values().map(|file| (*file, reason.clone())));
        } else {
            let message = format!("flushes {} and {} both claim the same batches", before.id, flush.id);
            let files = flush.parts.values().copied().collect();
            verdict.ambiguous.push(Ambiguity { files, message });
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::compaction_lineage::resolve_compactions;
    use super::super::compaction_lineage::tests::{found, id};
    use super::*;
    use crate::schema::ProjectId;

    const TABLE: TableId = TableId::logs(ProjectId(1));

    fn part(file_id: u128, flush: u128, part: u32, is_last: bool, range: (u64, u64)) -> (Uuid, FoundFile) {
        let (first_sequence, last_sequence) = range;
        found(file_id, FileSource::Flush { id: id(flush), part, is_last, first_sequence, last_sequence })
    }

    fn compacted(file_id: u128, inputs: &[u128]) -> (Uuid, FoundFile) {
        let inputs = inputs.iter().map(|input| id(*input)).collect();
        let source = FileSource::Compaction { id: id(file_id - 1), part: 0, is_last: true, inputs };
        found(file_id, source)
    }

    fn resolve(files: Vec<(Uuid, FoundFile)>, log: &[u64], in_compacted: &[u64]) -> FlushVerdict {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        let key = |sequence: &u64| (id(9_999), TABLE, *sequence);
        let log = WalContents::of(log.iter().map(key));
        let in_compacted = in_compacted.iter().map(key).collect();
        resolve_flushes(&files, &resolve_compactions(&files), &log, &in_compacted)
    }

    #[track_caller]
    fn check(verdict: &FlushVerdict, live: &[u128], ranges: &[(u64, u64)]) {
        let numbers: Vec<u128> = verdict.live.iter().map(Uuid::as_u128).collect();
        let found: Vec<_> =
            verdict.ranges.iter().map(|range| (range.first_sequence, range.last_sequence)).collect();
        assert_eq!((numbers.as_slice(), found.as_slice()), (live, ranges), "{verdict:?}");
    }

    #[test]
    fn a_whole_flush_is_live_and_its_batches_are_not_replayed() {
        let files = vec![part(1, 10, 0, false, (3, 5)), part(2, 10, 1, true, (3, 5))];
        check(&resolve(files, &[3, 4, 5, 6], &[]), &[1, 2], &[(3, 5)]);
    }

    #[test]
    fn a_part_is_dropped_when_the_log_has_all_and_live_when_it_has_not() {
        let files = || vec![part(1, 10, 0, false, (3, 5))];
        let unfinished = resolve(files(), &[3, 4, 5], &[]);
        check(&unfinished, &[], &[]);
        assert_eq!(unfinished.dropped.len(), 1);
        let committed = resolve(files(), &[5], &[]);
        check(&committed, &[1], &[(3, 5)]);
        assert_eq!(committed.ambiguous.len(), 1, "its other parts are lost");
        // A compaction has rows of its batches: it was committed, though the log has them all.
        check(&resolve(files(), &[3, 4, 5], &[4]), &[1], &[(3, 5)]);
    }

    #[test]
    fn what_a_compaction_has_taken_is_not_live_but_its_batches_are_known() {
        let files = vec![part(1, 10, 0, true, (3, 5)), compacted(21, &[1])];
        check(&resolve(files, &[3, 4, 5], &[]), &[], &[(3, 5)]);
    }

    #[test]
    fn batches_that_only_compacted_files_have_are_known_one_by_one() {
        let files = vec![part(1, 10, 0, true, (3, 5)), compacted(21, &[8])];
        check(&resolve(files, &[3, 4, 5, 7, 9], &[4, 7]), &[1], &[(3, 5), (7, 7)]);
    }

    #[test]
    fn a_flush_that_was_repeated_counts_once() {
        let repeated = || vec![part(1, 10, 0, true, (3, 5)), part(2, 20, 0, true, (3, 8))];
        check(&resolve(repeated(), &[3, 8], &[]), &[2], &[(3, 8)]);
        let same = vec![part(1, 10, 0, true, (3, 5)), part(2, 20, 0, true, (3, 5))];
        check(&resolve(same, &[], &[]), &[2], &[(3, 5)]);
        let across = resolve(vec![part(1, 10, 0, true, (3, 5)), part(2, 20, 0, true, (4, 8))], &[], &[]);
        check(&across, &[1], &[(3, 5)]);
        assert_eq!(across.ambiguous[0].files, [id(2)]);
    }
}
