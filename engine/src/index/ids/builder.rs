//! Choosing attributes whose values are ids, and making filters while rows pass by.

use std::collections::{BTreeMap, HashSet};

use arrow::array::{AsArray, RecordBatch};

use super::stretches::StretchFilters;
use super::{IdSource, Ids, STRETCH_ROWS, hash_of, seed_of};
use crate::error::{Error, Result};
use crate::index::absence::{Absence, Recipe};
use crate::index::limits::SidecarLimits;
use crate::index::text_list::TextList;
use crate::schema::columns;

/// Attributes whose values are ids, at most.
const MAX_KEYS: usize = 4;
/// Keys that are looked at in the first stretch.
const MAX_CANDIDATES: usize = 512;
/// A key that fewer rows of the first stretch have is not looked for.
const MIN_ROWS: usize = 64;
/// Numbers of all candidates, at most; beyond, whoever has another one is none any more.
const MAX_NUMBERS: usize = 512 << 10;
/// After so many values it is looked whether most of them differ.
const CHECKED_VALUES: usize = 1_024;
/// Shorter values are numbers or names.
const MIN_ID_BYTES: usize = 8;

/// Makes the filters of a file, stretch by stretch. The first stretch decides which attributes have ids.
#[derive(Debug)]
pub(in crate::index) struct IdsBuilder {
    state: State,
    num_rows: u64,
    filters: StretchFilters,
}

#[derive(Debug)]
enum State {
    /// Of the first stretch: for each key the numbers of its values.
    Choosing {
        traces: Vec<u64>,
        candidates: BTreeMap<String, Candidate>,
        num_numbers: usize,
    },
    /// The keys that were chosen, and the numbers of the stretch at hand.
    Chosen {
        keys: Vec<(String, u64)>,
        numbers: Vec<u64>,
    },
    OverBudget,
}

#[derive(Debug, Default)]
struct Candidate {
    numbers: Vec<u64>,
    /// A value was too short to be an id.
    is_out: bool,
}

impl Candidate {
    fn is_mostly_distinct(&self) -> bool {
        let distinct: HashSet<u64> = self.numbers.iter().copied().collect();
        distinct.len() * 10 >= self.numbers.len() * 9
    }
}

impl IdsBuilder {
    pub(in crate::index) fn new(limits: &SidecarLimits) -> Self {
        let state = State::Choosing { traces: Vec::new(), candidates: BTreeMap::new(), num_numbers: 0 };
        Self { state, num_rows: 0, filters: StretchFilters::new(limits.max_id_bytes) }
    }

    /// Adds rows, in the order of the file.
    ///
    /// # Errors
    /// `Internal` when they lack ids or attributes.
    pub(in crate::index) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let missing = |name: &str| Error::internal(format!("rows without the column {name}"));
        let traces = batch.column_by_name(columns::TRACE_ID).and_then(|ids| ids.as_fixed_size_binary_opt());
        let attributes = batch.column_by_name(columns::ATTRIBUTES).and_then(|maps| maps.as_map_opt());
        let traces = traces.ok_or_else(|| missing(columns::TRACE_ID))?;
        let attributes = attributes.ok_or_else(|| missing(columns::ATTRIBUTES))?;
        let texts = attributes.keys().as_string_opt::<i32>().zip(attributes.values().as_string_opt::<i32>());
        let (keys, values) = texts.ok_or_else(|| missing(columns::ATTRIBUTES))?;
        let offsets = attributes.value_offsets();
        for row in 0..batch.num_rows() {
            let trace = traces.value(row);
            if trace.iter().any(|byte| *byte != 0) {
                self.add_trace(hash_of(seed_of(IdSource::TraceId), trace));
            }
            for entry in offsets[row] as usize..offsets[row + 1] as usize {
                self.add_attribute(keys.value(entry), values.value(entry));
            }
            self.num_rows += 1;
            if self.num_rows.is_multiple_of(STRETCH_ROWS) {
                self.end_stretch();
            }
        }
        Ok(())
    }

    pub(in crate::index) fn memory_bytes(&self) -> usize {
        let number_bytes = size_of::<u64>();
        self.filters.memory_bytes()
            + match &self.state {
                State::Choosing { traces, candidates, .. } => {
                    let of_candidate = |(key, candidate): (&String, &Candidate)| {
                        key.len() + candidate.numbers.capacity() * number_bytes
                    };
                    traces.capacity() * number_bytes + candidates.iter().map(of_candidate).sum::<usize>()
                }
                State::Chosen { numbers, .. } => numbers.capacity() * number_bytes,
                State::OverBudget => 0,
            }
    }

    /// What became of the rows.
    pub(in crate::index) fn finish(mut self) -> Recipe<Ids> {
        if !self.num_rows.is_multiple_of(STRETCH_ROWS) {
            self.end_stretch();
        }
        let keys = match self.state {
            State::Chosen { keys, .. } => keys,
            State::Choosing { .. } => Vec::new(),
            State::OverBudget => return Recipe::Absent(Absence::OverBudget),
        };
        let keys: TextList = keys.iter().map(|(key, _)| key.as_str()).collect();
        Recipe::Present(Ids { num_rows: self.num_rows, keys, filters: self.filters.finish() }.into())
    }

    fn add_trace(&mut self, number: u64) {
        match &mut self.state {
            State::Choosing { traces, .. } => traces.push(number),
            State::Chosen { numbers, .. } => numbers.push(number),
            State::OverBudget => {}
        }
    }

    fn add_attribute(&mut self, key: &str, value: &str) {
        match &mut self.state {
            State::Choosing { candidates, num_numbers, .. } => {
                if !candidates.contains_key(key) {
                    if candidates.len() >= MAX_CANDIDATES {
                        return;
                    }
                    // What the first rows lacked is a candidate as well: nothing of it was missed.
                    candidates.insert(key.to_owned(), Candidate::default());
                }
                let Some(candidate) = candidates.get_mut(key) else { return };
                if candidate.is_out {
                    return;
                }
                candidate.numbers.push(hash_of(seed_of(IdSource::Attribute(key)), value.as_bytes()));
                *num_numbers += 1;
                let is_checked = candidate.numbers.len() == CHECKED_VALUES;
                if value.len() < MIN_ID_BYTES
                    || *num_numbers > MAX_NUMBERS
                    || (is_checked && !candidate.is_mostly_distinct())
                {
                    *num_numbers -= candidate.numbers.len();
                    *candidate = Candidate { numbers: Vec::new(), is_out: true };
                }
            }
            State::Chosen { keys, numbers } => {
                if let Some((_, seed)) = keys.iter().find(|(chosen, _)| chosen == key) {
                    numbers.push(hash_of(*seed, value.as_bytes()));
                }
            }
            State::OverBudget => {}
        }
    }

    fn end_stretch(&mut self) {
        let numbers = match &mut self.state {
            State::Choosing { traces, candidates, .. } => {
                let (keys, mut numbers) = choose(std::mem::take(candidates));
                numbers.append(traces);
                self.state = State::Chosen { keys, numbers: Vec::new() };
                numbers
            }
            State::Chosen { numbers, .. } => std::mem::take(numbers),
            State::OverBudget => return,
        };
        if !self.filters.push(numbers) {
            self.state = State::OverBudget;
        }
    }
}

/// The keys whose values are ids, the most frequent ones, and the numbers of all their values.
fn choose(candidates: BTreeMap<String, Candidate>) -> (Vec<(String, u64)>, Vec<u64>) {
    let is_id = |candidate: &Candidate| candidate.numbers.len() >= MIN_ROWS && candidate.is_mostly_distinct();
    let mut ids: Vec<(String, Candidate)> =
        candidates.into_iter().filter(|(_, candidate)| is_id(candidate)).collect();
    ids.sort_by_key(|(_, candidate)| std::cmp::Reverse(candidate.numbers.len()));
    ids.truncate(MAX_KEYS);
    ids.sort_by(|(one, _), (other, _)| one.cmp(other));
    let numbers = ids.iter().flat_map(|(_, candidate)| candidate.numbers.iter().copied()).collect();
    let keys = ids.into_iter().map(|(key, _)| {
        let seed = seed_of(IdSource::Attribute(&key));
        (key, seed)
    });
    (keys.collect(), numbers)
}
