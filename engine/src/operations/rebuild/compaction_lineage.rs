//! Which files compactions have left behind: a pure function of footers.
//!
//! A compaction that is whole stands for its inputs, whether or not it was committed: its rows are theirs. Parts of
//! one that is not whole are dropped while every input is accounted for. Inputs are deleted only after the
//! transaction, so that missing ones prove that it was committed; a part that is missing then may have been taken by
//! a later compaction, which a later one of the same table with inputs that nobody knows makes likely.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::schema::TableId;
use crate::storage::{DataFile, FileOrigin, FileSource};

/// A data file with what its footer says.
#[derive(Clone, Debug)]
pub(super) struct FoundFile {
    pub(super) file: DataFile,
    pub(super) origin: FileOrigin,
}

/// Files of which it cannot be told whether they are live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ambiguity {
    /// Empty when there is nothing to choose: rows may be gone.
    pub(super) files: Vec<Uuid>,
    pub(super) message: String,
}

/// What footers tell about compactions.
#[derive(Debug, Default)]
pub(super) struct CompactionVerdict {
    /// Files whose rows are in others, with the reason.
    pub(super) dropped: BTreeMap<Uuid, String>,
    /// Parts of compactions that are live.
    pub(super) live: BTreeSet<Uuid>,
    pub(super) ambiguous: Vec<Ambiguity>,
    /// Things worth telling about a file.
    pub(super) notes: Vec<(Uuid, String)>,
    /// Ids of every compaction's inputs: such a file has been live once.
    pub(super) consumed: BTreeSet<Uuid>,
}

/// The files of one compaction.
#[derive(Debug)]
struct Compaction {
    id: Uuid,
    table: TableId,
    parts: BTreeMap<u32, Uuid>,
    last_part: Option<u32>,
    inputs: BTreeSet<Uuid>,
}

impl Compaction {
    fn is_whole(&self) -> bool {
        let highest = self.parts.keys().next_back().copied();
        self.last_part.is_some()
            && self.last_part == highest
            && self.last_part.map(|last| u64::from(last) + 1) == Some(self.parts.len() as u64)
    }

    fn files(&self) -> Vec<Uuid> {
        self.parts.values().copied().collect()
    }
}

/// Decides about all files that compactions have written or read.
pub(super) fn resolve_compactions(files: &BTreeMap<Uuid, FoundFile>) -> CompactionVerdict {
    let compactions = gather(files);
    let mut verdict = CompactionVerdict {
        consumed: compactions.values().flat_map(|compaction| compaction.inputs.iter().copied()).collect(),
        ..CompactionVerdict::default()
    };
    let rejected = settle_rivals(&compactions, files, &mut verdict);
    // Newest first: what supersedes a file is decided before the file is.
    for compaction in compactions.values().rev() {
        if !rejected.contains(&compaction.id) {
            decide(compaction, &compactions, files, &mut verdict);
        }
    }
    verdict
}

fn gather(files: &BTreeMap<Uuid, FoundFile>) -> BTreeMap<Uuid, Compaction> {
    let mut compactions: BTreeMap<Uuid, Compaction> = BTreeMap::new();
    for (&file_id, found) in files {
        let FileSource::Compaction { id, part, is_last, inputs } = &found.origin.source else { continue };
        let compaction = compactions.entry(*id).or_insert_with(|| Compaction {
            id: *id,
            table: found.origin.table,
            parts: BTreeMap::new(),
            last_part: None,
            inputs: BTreeSet::new(),
        });
        compaction.parts.insert(*part, file_id);
        compaction.inputs.extend(inputs);
        if *is_last {
            compaction.last_part = Some(*part);
        }
    }
    compactions
}

/// Of whole compactions that share an input at most one was committed; the others' rows are somewhere else. Returns
/// those that count no more.
fn settle_rivals(
    compactions: &BTreeMap<Uuid, Compaction>,
    files: &BTreeMap<Uuid, FoundFile>,
    verdict: &mut CompactionVerdict,
) -> BTreeSet<Uuid> {
    let mut takers: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for compaction in compactions.values().filter(|compaction| compaction.is_whole()) {
        for &input in &compaction.inputs {
            takers.entry(input).or_default().push(compaction.id);
        }
    }
    let is_proven = |compaction: &Compaction| {
        let is_gone = |input: &Uuid| !files.contains_key(input) && takers[input].len() == 1;
        compaction.parts.values().any(|part| verdict.consumed.contains(part))
            || compaction.inputs.iter().any(is_gone)
    };
    let mut rejected: BTreeSet<Uuid> = BTreeSet::new();
    let mut undecided: BTreeSet<Uuid> = BTreeSet::new();
    for rivals in takers.values().filter(|rivals| rivals.len() > 1) {
        let standing: Vec<&Compaction> =
            rivals.iter().filter(|id| !rejected.contains(id)).filter_map(|id| compactions.get(id)).collect();
        let (proven, unproven): (Vec<&Compaction>, Vec<&Compaction>) =
            standing.into_iter().partition(|compaction| is_proven(compaction));
        match (proven.len(), unproven.split_last()) {
            // The ids rise with time: the last of them is the newest.
            (0, Some((_newest, older))) => rejected.extend(older.iter().map(|compaction| compaction.id)),
            (1, _) => rejected.extend(unproven.iter().map(|compaction| compaction.id)),
            _ => undecided.extend(proven.iter().skip(1).map(|compaction| compaction.id)),
        }
    }
    let accepted = |id: &Uuid| !rejected.contains(id) && !undecided.contains(id);
    let is_covered = |input: &Uuid| files.contains_key(input) || takers[input].iter().any(accepted);
    let (settled, doubtful): (Vec<&Compaction>, Vec<&Compaction>) = rejected
        .iter()
        .filter_map(|id| compactions.get(id))
        .partition(|compaction| compaction.inputs.iter().all(is_covered));
    for compaction in settled {
        let reason =
            format!("compaction {} was not committed: another one has taken its inputs", compaction.id);
        verdict.dropped.extend(compaction.files().into_iter().map(|file| (file, reason.clone())));
    }
    undecided.extend(doubtful.into_iter().map(|compaction| compaction.id));
    for id in &undecided {
        let Some(compaction) = compactions.get(id) else { continue };
        verdict.ambiguous.push(Ambiguity {
            files: compaction.files(),
            message: format!("compaction {id} and another one both claim the rows of the same files"),
        });
    }
    rejected.into_iter().chain(undecided).collect()
}

fn decide(
    compaction: &Compaction,
    compactions: &BTreeMap<Uuid, Compaction>,
    files: &BTreeMap<Uuid, FoundFile>,
    verdict: &mut CompactionVerdict,
) {
    let id = compaction.id;
    let standing: Vec<Uuid> =
        compaction.files().into_iter().filter(|file| !verdict.dropped.contains_key(file)).collect();
    let is_consumed = compaction.parts.values().any(|part| verdict.consumed.contains(part));
    if compaction.is_whole() || is_consumed {
        if !compaction.is_whole() {
            let note = format!("compaction {id} was committed and some of its parts are not there any more");
            verdict.notes.extend(standing.first().map(|file| (*file, note)));
        }
        verdict.live.extend(standing);
        supersede(compaction, verdict);
        return;
    }
    let is_there = |input: &&Uuid| files.contains_key(*input) && !verdict.dropped.contains_key(*input);
    let num_inputs_there = compaction.inputs.iter().filter(is_there).count();
    let is_accounted = |input: &Uuid| files.contains_key(input) || verdict.dropped.contains_key(input);
    let may_have_been_taken = has_unknown_input_after(compaction, compactions, files);
    if compaction.inputs.iter().all(is_accounted) {
        if may_have_been_taken {
            verdict.ambiguous.push(Ambiguity {
                files: standing,
                message: format!("compaction {id} lacks parts, and a later compaction may have taken them"),
            });
        } else {
            let reason = format!("compaction {id} was not finished, and its inputs are there");
            verdict.dropped.extend(standing.into_iter().map(|file| (file, reason.clone())));
        }
    } else if num_inputs_there == 0 {
        if may_have_been_taken {
            let note = format!("compaction {id} lacks parts, which a later compaction has probably taken");
            verdict.notes.extend(standing.first().map(|file| (*file, note)));
        } else {
            verdict.ambiguous.push(Ambiguity {
                files: Vec::new(),
                message: format!(
                    "compaction {id} lacks parts, its inputs are gone, and no later compaction has taken the \
                     parts: rows are missing"
                ),
            });
        }
        verdict.live.extend(standing);
        supersede(compaction, verdict);
    } else {
        verdict.ambiguous.push(Ambiguity {
            files: standing,
            message: format!("compaction {id} lacks parts, and some of its inputs are missing"),
        });
    }
}

fn supersede(compaction: &Compaction, verdict: &mut CompactionVerdict) {
    let reason = format!("its rows are in the files of compaction {}", compaction.id);
    for &input in &compaction.inputs {
        verdict.live.remove(&input);
        verdict.dropped.entry(input).or_insert_with(|| reason.clone());
    }
}

/// Whether a later compaction of the table has read a file that came after this one and is not there any more.
fn has_unknown_input_after(
    compaction: &Compaction,
    compactions: &BTreeMap<Uuid, Compaction>,
    files: &BTreeMap<Uuid, FoundFile>,
) -> bool {
    let later = compactions.range(compaction.id..).skip(1);
    let of_table = later.filter(|(_, later)| later.table == compaction.table);
    let mut inputs = of_table.flat_map(|(_, later)| &later.inputs);
    inputs.any(|input| *input > compaction.id && !files.contains_key(input))
}

#[cfg(test)]
pub(super) mod tests {
    use object_store::path::Path;

    use super::*;
    use crate::schema::ProjectId;

    /// Ids rise with their number, as those of files do with time.
    pub(in crate::operations::rebuild) fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    pub(in crate::operations::rebuild) fn found(file_id: u128, source: FileSource) -> (Uuid, FoundFile) {
        let table = TableId::logs(ProjectId(1));
        let origin =
            FileOrigin { file_id: id(file_id), table, level: 0, writer: id(9_999), epoch: 1, source };
        let file = DataFile {
            id: id(file_id),
            path: Path::from(format!("{table}/wide/{}.parquet", id(file_id))),
            level: 0,
            min_timestamp_us: 0,
            max_timestamp_us: 0,
            min_ingested_us: 0,
            max_ingested_us: 0,
            num_rows: 1,
            size_bytes: 1,
            metadata_bytes: 1,
            sidecar_bytes: 0,
        };
        (file.id, FoundFile { file, origin })
    }

    fn flushed(file_id: u128) -> (Uuid, FoundFile) {
        let (first_sequence, last_sequence) = (file_id as u64, file_id as u64);
        let id = id(file_id);
        found(file_id, FileSource::Flush { id, part: 0, is_last: true, first_sequence, last_sequence })
    }

    fn part(file_id: u128, compaction: u128, part: u32, is_last: bool, inputs: &[u128]) -> (Uuid, FoundFile) {
        let inputs = inputs.iter().map(|input| id(*input)).collect();
        found(file_id, FileSource::Compaction { id: id(compaction), part, is_last, inputs })
    }

    /// Live parts, dropped files that are there, and files in doubt.
    #[track_caller]
    fn check(files: Vec<(Uuid, FoundFile)>, live: &[u128], dropped: &[u128], doubtful: &[u128]) {
        let files: BTreeMap<_, _> = files.into_iter().collect();
        let verdict = resolve_compactions(&files);
        let numbers = |ids: Vec<Uuid>| -> Vec<u128> { ids.iter().map(Uuid::as_u128).collect() };
        assert_eq!(numbers(verdict.live.iter().copied().collect()), live, "live: {verdict:?}");
        let there = verdict.dropped.keys().filter(|id| files.contains_key(id)).copied();
        assert_eq!(numbers(there.collect()), dropped, "dropped: {verdict:?}");
        let mut in_doubt = verdict.ambiguous.iter().flat_map(|doubt| doubt.files.clone()).collect::<Vec<_>>();
        in_doubt.sort();
        assert_eq!(numbers(in_doubt), doubtful, "in doubt: {verdict:?}");
    }

    #[test]
    fn a_whole_compaction_stands_for_its_inputs() {
        check(vec![flushed(1), flushed(2), part(11, 10, 0, true, &[1, 2])], &[11], &[1, 2], &[]);
        check(vec![flushed(2), part(11, 10, 0, true, &[1, 2])], &[11], &[2], &[]);
        check(vec![part(11, 10, 0, false, &[1]), part(12, 10, 1, true, &[1])], &[11, 12], &[], &[]);
    }

    #[test]
    fn an_unfinished_compaction_is_dropped_while_its_inputs_are_there() {
        check(vec![flushed(1), flushed(2), part(11, 10, 0, false, &[1, 2])], &[], &[11], &[]);
        check(vec![flushed(1), part(12, 10, 1, true, &[1])], &[], &[12], &[]);
    }

    #[test]
    fn an_unfinished_compaction_with_a_missing_input_is_in_doubt() {
        check(vec![flushed(1), part(11, 10, 0, false, &[1, 2])], &[], &[], &[11]);
    }

    #[test]
    fn an_input_that_another_compaction_has_taken_is_not_missing() {
        // 10 was not finished; 20 took one of its inputs later.
        let files = vec![flushed(2), part(11, 10, 0, false, &[1, 2]), part(21, 20, 0, true, &[1])];
        check(files, &[21], &[11], &[]);
    }

    #[test]
    fn a_chain_of_compactions_leaves_the_last() {
        let first = || vec![part(11, 10, 0, true, &[1, 2])];
        let second = || part(21, 20, 0, true, &[11, 3]);
        check([first(), vec![second(), flushed(3)]].concat(), &[21], &[3, 11], &[]);
        check(vec![second()], &[21], &[], &[]);
    }

    #[test]
    fn a_part_that_a_later_compaction_has_taken_is_not_missing() {
        // Of the parts 11 and 12 of compaction 10 the later one took 12, which is gone.
        let files = vec![part(11, 10, 0, false, &[1]), part(21, 20, 0, true, &[12, 13])];
        check(files, &[11, 21], &[], &[]);
        // Taken and still there, it proves that compaction 10 was committed, whatever is left of its inputs.
        let files = vec![
            flushed(1),
            part(12, 10, 1, false, &[1, 2]),
            part(11, 10, 0, false, &[1, 2]),
            part(21, 20, 0, true, &[12]),
        ];
        check(files, &[11, 21], &[1, 12], &[]);
    }

    #[test]
    fn parts_are_kept_and_the_loss_is_told_when_nothing_has_taken_the_others() {
        let files: BTreeMap<_, _> = [part(11, 10, 0, false, &[1])].into();
        let verdict = resolve_compactions(&files);
        assert_eq!(verdict.live, [id(11)].into());
        assert_eq!(verdict.ambiguous.len(), 1);
        assert!(verdict.ambiguous[0].files.is_empty());
    }

    #[test]
    fn of_two_compactions_of_the_same_files_one_counts() {
        // Neither is proven: the newer one counts.
        let rivals = || vec![part(11, 10, 0, true, &[1, 2]), part(21, 20, 0, true, &[1, 2])];
        check([rivals(), vec![flushed(1), flushed(2)]].concat(), &[21], &[1, 2, 11], &[]);
        // A later one has read the older one's part: that was committed.
        let reader = part(31, 30, 0, true, &[11]);
        check([rivals(), vec![reader]].concat(), &[31], &[11, 21], &[]);
        // An input that only the older one had is gone: that was committed, and the newer one's other input stays.
        let files = vec![flushed(3), part(11, 10, 0, true, &[1, 2]), part(21, 20, 0, true, &[2, 3])];
        check(files, &[11], &[21], &[]);
    }

    #[test]
    fn two_compactions_that_were_both_committed_cannot_be() {
        let files = vec![part(11, 10, 0, true, &[1, 2]), part(21, 20, 0, true, &[2, 3])];
        check(files, &[11], &[], &[21]);
    }
}
