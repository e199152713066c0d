//! The recipes of entries of the audit trail, made while they pass by.

use arrow::array::RecordBatch;
use serde_json::Value;

use super::columns_of::EntryColumns;
use super::ids::{EntryIds, EntryIdsBuilder};
use super::limits::SidecarLimits;
use super::overview::OverviewBuilder;
use super::recipes::{Recipes, Totals};
use super::words::WordsBuilder;
use crate::error::Result;

/// Makes the recipes of entries; their details are parsed once for all of them.
#[derive(Debug)]
pub(super) struct EntriesBuilder {
    words: WordsBuilder,
    ids: EntryIdsBuilder,
    overview: OverviewBuilder,
}

impl EntriesBuilder {
    pub(super) fn new(limits: &SidecarLimits) -> Self {
        Self {
            words: WordsBuilder::new(limits),
            ids: EntryIdsBuilder::new(limits),
            overview: OverviewBuilder::new(limits),
        }
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = EntryColumns::of(batch)?;
        let items = columns.items(batch)?;
        for row in 0..batch.num_rows() {
            let text = columns.detail(row);
            let detail: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
            let plain = text.and_then(|text| plain_text(text, detail.as_ref()));
            self.words.add_row(text.into_iter().chain(plain.as_deref()));
            let ids = EntryIds {
                activity: columns.activity.get(row).unwrap_or_default(),
                client: columns.client.get(row),
                item: items.get(row),
                project: columns.project(row),
                scope: columns.scope.get(row).unwrap_or_default(),
                user: columns.user(row),
            };
            self.ids.add_row(ids, detail.as_ref());
            self.overview.add_row(&columns, row, detail.as_ref());
        }
        Ok(())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.words.memory_bytes() + self.ids.memory_bytes() + self.overview.memory_bytes()
    }

    pub(super) fn finish(self, totals: Totals) -> Recipes {
        Recipes::of_entries(totals, self.words.finish(), self.ids.finish(), self.overview.finish())
    }
}

/// A detail as this program would write it, where its words may be others: a letter can be written as `\u` and its
/// number. Whatever else can be written in two ways in JSON has no letters, or the same ones.
fn plain_text(text: &str, detail: Option<&Value>) -> Option<String> {
    detail.filter(|_| text.contains("\\u")).map(Value::to_string)
}
