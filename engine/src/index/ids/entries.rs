//! Filters of entries of the audit trail, made while they pass by.

use serde_json::{Number, Value};

use super::stretches::StretchFilters;
use super::{IdSource, Ids, STRETCH_ROWS, hash_of, seed_of};
use crate::index::absence::{Absence, Recipe};
use crate::index::limits::SidecarLimits;
use crate::index::text_list::TextList;
use crate::schema::activity;

/// The columns whose values are ids: text by its bytes, numbers by their eight, the lowest first. Null is no id.
pub const ID_COLUMNS: [&str; 6] = [
    activity::ACTIVITY,
    activity::CLIENT,
    activity::ITEM_ID,
    activity::PROJECT_ID,
    activity::SCOPE,
    activity::USER_ID,
];
/// Every text and number in details, at whatever path.
pub const DETAIL_VALUES: &str = activity::DETAIL;
/// Values of the details of a stretch, at most; with more, the values of details are none of this file's ids.
const MAX_DETAIL_NUMBERS: usize = 1 << 20;

/// The id that a text in a detail is.
pub fn text_in_detail(text: &str) -> Vec<u8> {
    [b"t", text.as_bytes()].concat()
}

/// The id that a number in a detail is. Numbers that are equal by value are one id.
pub fn number_in_detail(number: &Number) -> Vec<u8> {
    // Zero has two signs.
    let value = number.as_f64().map_or(f64::NAN, |value| if value == 0.0 { 0.0 } else { value });
    [&b"n"[..], &value.to_bits().to_le_bytes()].concat()
}

/// The ids of an entry, apart from those in its detail.
#[derive(Clone, Copy, Debug)]
pub(in crate::index) struct EntryIds<'a> {
    pub(in crate::index) activity: &'a str,
    pub(in crate::index) client: Option<&'a str>,
    pub(in crate::index) item: Option<&'a str>,
    pub(in crate::index) project: Option<i64>,
    pub(in crate::index) scope: &'a str,
    pub(in crate::index) user: Option<i64>,
}

/// Makes the filters of a file, stretch by stretch.
#[derive(Debug)]
pub(in crate::index) struct EntryIdsBuilder {
    num_rows: u64,
    /// None once they are over their budget.
    filters: Option<StretchFilters>,
    /// Of the stretch at hand.
    columns: Vec<u64>,
    /// Of the stretch at hand; none once there were too many.
    details: Option<Vec<u64>>,
    /// Of the columns, in their order, and of the values of details.
    seeds: [u64; 7],
}

impl EntryIdsBuilder {
    pub(in crate::index) fn new(limits: &SidecarLimits) -> Self {
        let [activity, client, item, project, scope, user] =
            ID_COLUMNS.map(|name| seed_of(IdSource::Column(name)));
        let detail = seed_of(IdSource::Column(DETAIL_VALUES));
        Self {
            num_rows: 0,
            filters: Some(StretchFilters::new(limits.max_id_bytes)),
            columns: Vec::new(),
            details: Some(Vec::new()),
            seeds: [activity, client, item, project, scope, user, detail],
        }
    }

    /// Adds the next entry of the file.
    pub(in crate::index) fn add_row(&mut self, ids: EntryIds<'_>, detail: Option<&Value>) {
        self.num_rows += 1;
        if self.filters.is_none() {
            return;
        }
        let [activity, client, item, project, scope, user, of_detail] = self.seeds;
        self.columns
            .extend([hash_of(activity, ids.activity.as_bytes()), hash_of(scope, ids.scope.as_bytes())]);
        let texts = [(client, ids.client), (item, ids.item)].into_iter();
        self.columns.extend(texts.filter_map(|(seed, text)| Some(hash_of(seed, text?.as_bytes()))));
        let numbers = [(project, ids.project), (user, ids.user)].into_iter();
        self.columns.extend(numbers.filter_map(|(seed, number)| Some(hash_of(seed, &number?.to_le_bytes()))));
        if let Some((details, detail)) = self.details.as_mut().zip(detail) {
            add_values(of_detail, detail, details);
            if details.len() > MAX_DETAIL_NUMBERS {
                details.sort_unstable();
                details.dedup();
                if details.len() > MAX_DETAIL_NUMBERS / 2 {
                    self.details = None;
                }
            }
        }
        if self.num_rows.is_multiple_of(STRETCH_ROWS) {
            self.end_stretch();
        }
    }

    pub(in crate::index) fn memory_bytes(&self) -> usize {
        let details = self.details.as_ref().map_or(0, Vec::capacity);
        self.filters.as_ref().map_or(0, StretchFilters::memory_bytes)
            + (self.columns.capacity() + details) * size_of::<u64>()
    }

    /// What became of the entries.
    pub(in crate::index) fn finish(mut self) -> Recipe<Ids> {
        if !self.num_rows.is_multiple_of(STRETCH_ROWS) {
            self.end_stretch();
        }
        let Some(filters) = self.filters else { return Recipe::Absent(Absence::OverBudget) };
        let mut keys = ID_COLUMNS.to_vec();
        keys.extend(self.details.is_some().then_some(DETAIL_VALUES));
        keys.sort_unstable();
        let keys = keys.into_iter().collect::<TextList>();
        Recipe::Present(Ids { num_rows: self.num_rows, keys, filters: filters.finish() }.into())
    }

    fn end_stretch(&mut self) {
        let mut numbers = std::mem::take(&mut self.columns);
        if let Some(details) = &mut self.details {
            numbers.append(details);
        }
        if self.filters.as_mut().is_some_and(|filters| !filters.push(numbers)) {
            self.filters = None;
        }
    }
}

/// Adds the numbers of all texts and numbers in a value.
fn add_values(seed: u64, value: &Value, numbers: &mut Vec<u64>) {
    match value {
        Value::String(text) => numbers.push(hash_of(seed, &text_in_detail(text))),
        Value::Number(number) => numbers.push(hash_of(seed, &number_in_detail(number))),
        Value::Array(elements) => elements.iter().for_each(|element| add_values(seed, element, numbers)),
        Value::Object(members) => members.values().for_each(|member| add_values(seed, member, numbers)),
        Value::Null | Value::Bool(_) => {}
    }
}
