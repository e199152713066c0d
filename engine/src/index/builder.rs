//! Makes a sidecar while the rows of a file pass by.

use arrow::array::RecordBatch;
use uuid::Uuid;

use super::attribute_values::ValuesBuilder;
use super::columns_of::{sizes, timestamps};
use super::limits::SidecarLimits;
use super::recipes::{BuiltSidecar, Recipes, Totals};
use super::rollup::RollupBuilder;
use super::words::WordsBuilder;
use crate::error::{Error, Result};
use crate::schema::columns;

/// Makes the recipes of rows, which come in batches of any size and order.
///
/// Memory does not grow with the rows. It is at most about three times the budgets of keys, values and names
/// of the [`SidecarLimits`], and 128 bytes for each cell of a rollup: with the default limits below
/// [`Self::MAX_MEMORY_BYTES`], whatever the rows hold.
#[derive(Debug)]
pub struct SidecarBuilder {
    totals: Option<Totals>,
    rollup: RollupBuilder,
    values: ValuesBuilder,
    words: WordsBuilder,
}

impl SidecarBuilder {
    /// What a builder takes at most with the default limits.
    pub const MAX_MEMORY_BYTES: usize = 24 << 20;

    /// Begins with no rows.
    pub fn new(limits: &SidecarLimits) -> Self {
        Self {
            totals: None,
            rollup: RollupBuilder::new(limits),
            values: ValuesBuilder::new(limits),
            words: WordsBuilder::new(limits),
        }
    }

    /// Adds rows. They have the columns of the schema of logs, of which only some are looked at.
    ///
    /// # Errors
    /// `Internal` when a column is missing or has another type; then nothing is to be made of the builder.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let timestamps = timestamps(batch, columns::TIMESTAMP)?.values();
        let sizes = sizes(batch, columns::BYTES_UNCOMPRESSED)?.values();
        if let Some(totals) = Totals::of(timestamps, sizes) {
            self.totals = Some(self.totals.map_or(totals, |before| before.and(totals)));
        }
        self.rollup.add(batch)?;
        self.values.add(batch)?;
        self.words.add(batch)
    }

    /// Memory that is taken now.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.rollup.memory_bytes()
            + self.values.memory_bytes()
            + self.words.memory_bytes()
    }

    /// What became of the rows; none without rows.
    pub fn into_recipes(self) -> Option<Recipes> {
        let (rollup, attribute_values) = (self.rollup.finish(), self.values.finish());
        let words = self.words.finish();
        self.totals.map(|totals| Recipes::new(totals, rollup, attribute_values, words))
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
