//! Makes a sidecar while the rows of a file pass by.
//!
//! Which recipes there are is the dataset's: all but the overview for logs, words, ids and the overview for entries of the
//! audit trail.

use arrow::array::RecordBatch;
use uuid::Uuid;

use super::attribute_values::ValuesBuilder;
use super::columns_of::{sizes, timestamps};
use super::entries::EntriesBuilder;
use super::ids::IdsBuilder;
use super::limits::SidecarLimits;
use super::recipes::{BuiltSidecar, Recipes, Totals};
use super::rollup::RollupBuilder;
use super::words::WordsBuilder;
use crate::error::{Error, Result};
use crate::schema::{Dataset, columns};

/// Makes the recipes of rows, which come in batches of any size and order.
///
/// Memory does not grow with the rows. It is at most about three times the budgets of keys, values and names
/// of the [`SidecarLimits`], and 128 bytes for each cell of a rollup: with the default limits below
/// [`Self::MAX_MEMORY_BYTES`], whatever the rows hold.
#[derive(Debug)]
pub struct SidecarBuilder {
    totals: Option<Totals>,
    parts: Parts,
}

#[derive(Debug)]
enum Parts {
    Logs(Box<LogsBuilder>),
    Activity(Box<EntriesBuilder>),
}

/// Makes the recipes of logs.
#[derive(Debug)]
struct LogsBuilder {
    rollup: RollupBuilder,
    values: ValuesBuilder,
    words: WordsBuilder,
    ids: IdsBuilder,
}

impl SidecarBuilder {
    /// What a builder takes at most with the default limits.
    pub const MAX_MEMORY_BYTES: usize = 48 << 20;

    /// Begins with no rows of logs.
    pub fn new(limits: &SidecarLimits) -> Self {
        Self::of(Dataset::Logs, limits)
    }

    /// Begins with no rows of a dataset.
    pub fn of(dataset: Dataset, limits: &SidecarLimits) -> Self {
        let parts = match dataset {
            Dataset::Logs => Parts::Logs(Box::new(LogsBuilder {
                rollup: RollupBuilder::new(limits),
                values: ValuesBuilder::new(limits),
                words: WordsBuilder::new(limits),
                ids: IdsBuilder::new(limits),
            })),
            Dataset::Activity => Parts::Activity(Box::new(EntriesBuilder::new(limits))),
        };
        Self { totals: None, parts }
    }

    /// Adds rows, in the order of the file. They have the columns of the dataset's schema, of which only some are looked at.
    ///
    /// # Errors
    /// `Internal` when a column is missing or has another type; then nothing is to be made of the builder.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let timestamps = timestamps(batch, columns::TIMESTAMP)?.values();
        let sizes = sizes(batch, columns::BYTES_UNCOMPRESSED)?.values();
        if let Some(totals) = Totals::of(timestamps, sizes) {
            self.totals = Some(self.totals.map_or(totals, |before| before.and(totals)));
        }
        match &mut self.parts {
            Parts::Logs(logs) => logs.add(batch),
            Parts::Activity(entries) => entries.add(batch),
        }
    }

    /// Memory that is taken now.
    pub fn memory_bytes(&self) -> usize {
        let of_parts = match &self.parts {
            Parts::Logs(logs) => size_of::<LogsBuilder>() + logs.memory_bytes(),
            Parts::Activity(entries) => size_of::<EntriesBuilder>() + entries.memory_bytes(),
        };
        size_of::<Self>() + of_parts
    }

    /// What became of the rows; none without rows.
    pub fn into_recipes(self) -> Option<Recipes> {
        let totals = self.totals?;
        Some(match self.parts {
            Parts::Logs(logs) => logs.finish(totals),
            Parts::Activity(entries) => entries.finish(totals),
        })
    }

    /// The sidecar of the data file that holds exactly the added rows.
    ///
    /// # Errors
    /// `Internal` when there were no rows, or not as many as the file has.
    pub fn finish(self, file_id: Uuid, num_rows: u64) -> Result<BuiltSidecar> {
        let added = self.totals.map_or(0, |totals| totals.num_rows);
        match self.into_recipes() {
            Some(recipes) if added == num_rows => Ok(recipes.encode(file_id)),
            _ => Err(Error::internal(format!(
                "a sidecar was made of {added} rows, and its data file {file_id} has {num_rows}"
            ))),
        }
    }
}

impl LogsBuilder {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.rollup.add(batch)?;
        self.values.add(batch)?;
        self.words.add(batch)?;
        self.ids.add(batch)
    }

    fn memory_bytes(&self) -> usize {
        self.rollup.memory_bytes()
            + self.values.memory_bytes()
            + self.words.memory_bytes()
            + self.ids.memory_bytes()
    }

    fn finish(self, totals: Totals) -> Recipes {
        let (rollup, attribute_values) = (self.rollup.finish(), self.values.finish());
        Recipes::new(totals, rollup, attribute_values, self.words.finish(), self.ids.finish())
    }
}
