//! Collecting kinds and fields while entries pass by.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{Array, RecordBatch};
use serde_json::Value;

use super::fields::FieldsBuilder;
use super::{Kind, Overview};
use crate::error::Result;
use crate::index::absence::{Absence, Recipe};
use crate::index::columns_of::EntryColumns;
use crate::index::limits::SidecarLimits;
use crate::index::text_list::TextList;
use crate::index::text_table::TextTable;

/// Bytes of memory that a kind takes while it is counted.
const KIND_BYTES: usize = 2 * size_of::<Seen>();

/// Collects the overview of entries, which come in any order.
#[derive(Debug)]
pub struct OverviewBuilder {
    /// None once it is over its budget.
    counting: Option<Counting>,
    max_kinds: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Counting {
    /// Scopes, activities and clients, told apart by [`Word`].
    words: TextTable,
    kinds: HashSet<Seen>,
    fields: FieldsBuilder,
}

/// A kind by the numbers of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Seen {
    project: Option<i64>,
    user: Option<i64>,
    was_impersonated: Option<bool>,
    scope: u32,
    activity: u32,
    client: Option<u32>,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Scope,
    Activity,
    Client,
}

impl OverviewBuilder {
    /// The columns that are looked at.
    pub const COLUMNS: [&'static str; 7] = EntryColumns::NAMES;

    /// Begins with no entries.
    pub fn new(limits: &SidecarLimits) -> Self {
        let fields = FieldsBuilder::new(limits.max_overview_bytes);
        let counting = Counting { words: TextTable::new(), kinds: HashSet::new(), fields };
        Self { counting: Some(counting), max_kinds: limits.max_kinds, max_bytes: limits.max_overview_bytes }
    }

    /// Adds entries with at least the [columns](Self::COLUMNS) that are looked at.
    ///
    /// # Errors
    /// `Internal` when a column is missing or has another type.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = EntryColumns::of(batch)?;
        for row in 0..batch.num_rows() {
            let detail = columns.detail(row).and_then(|detail| serde_json::from_str(detail).ok());
            self.add_row(&columns, row, detail.as_ref());
        }
        Ok(())
    }

    /// Adds an entry.
    pub(in crate::index) fn add_row(
        &mut self,
        columns: &EntryColumns<'_>,
        row: usize,
        detail: Option<&Value>,
    ) {
        let Some(counting) = &mut self.counting else { return };
        let words = &mut counting.words;
        let scope = columns.scope.get(row).unwrap_or_default();
        let seen = Seen {
            project: columns.project(row),
            user: columns.user(row),
            was_impersonated: columns
                .was_impersonated
                .is_valid(row)
                .then(|| columns.was_impersonated.value(row)),
            scope: words.intern(Word::Scope as u32, scope),
            activity: words.intern(Word::Activity as u32, columns.activity.get(row).unwrap_or_default()),
            client: columns.client.get(row).map(|client| words.intern(Word::Client as u32, client)),
        };
        counting.kinds.insert(seen);
        if let Some(Value::Object(detail)) = detail {
            counting.fields.add(scope, detail);
        }
        let is_over = counting.kinds.len() > self.max_kinds
            || counting.words.text_bytes() > self.max_bytes
            || counting.fields.is_over_budget();
        if is_over {
            self.counting = None;
        }
    }

    /// Memory that is taken now.
    pub fn memory_bytes(&self) -> usize {
        self.counting.as_ref().map_or(0, |counting| {
            counting.words.memory_bytes()
                + counting.kinds.capacity() * KIND_BYTES
                + counting.fields.memory_bytes()
        })
    }

    /// What became of the entries.
    pub fn finish(self) -> Recipe<Overview> {
        self.counting
            .map_or(Recipe::Absent(Absence::OverBudget), |counting| Recipe::Present(counting.finish().into()))
    }
}

impl Counting {
    fn finish(self) -> Overview {
        let projects: BTreeSet<i64> = self.kinds.iter().filter_map(|kind| kind.project).collect();
        let users: BTreeSet<i64> = self.kinds.iter().filter_map(|kind| kind.user).collect();
        let (projects, users): (Box<[i64]>, Box<[i64]>) =
            (projects.into_iter().collect(), users.into_iter().collect());
        // Of each word its place among those of its sort.
        let mut places = vec![0; self.words.len()];
        let mut sorted = |sort: Word| {
            let mut numbers: Vec<u32> = (0..self.words.len() as u32)
                .filter(|number| self.words.scope(*number) == sort as u32)
                .collect();
            numbers.sort_unstable_by_key(|number| self.words.text(*number));
            numbers.iter().enumerate().for_each(|(place, number)| places[*number as usize] = place as u32);
            numbers.iter().map(|number| self.words.text(*number)).collect::<TextList>()
        };
        let (scopes, activities, clients) =
            (sorted(Word::Scope), sorted(Word::Activity), sorted(Word::Client));
        let place_of = |numbers: &[i64], number: Option<i64>| {
            number.and_then(|number| numbers.binary_search(&number).ok()).map_or(0, |place| place as u32 + 1)
        };
        let kinds = self.kinds.iter().map(|seen| Kind {
            project: place_of(&projects, seen.project),
            scope: places[seen.scope as usize],
            activity: places[seen.activity as usize],
            was_impersonated: seen.was_impersonated.map_or(0, |flag| u32::from(flag) + 1),
            client: seen.client.map_or(0, |client| places[client as usize] + 1),
            user: place_of(&users, seen.user),
        });
        let mut kinds: Box<[Kind]> = kinds.collect();
        kinds.sort_unstable();
        Overview { kinds, projects, users, scopes, activities, clients, fields: self.fields.finish() }
    }
}
