//! The recipes of some rows, of a file or in memory.

use arrow::array::RecordBatch;
use bytes::Bytes;
use uuid::Uuid;

use super::absence::{Absence, Recipe};
use super::attribute_values::AttributeValues;
use super::builder::SidecarBuilder;
use super::facts::FileFacts;
use super::format::{self, PackedRecipe, RecipeId};
use super::ids::Ids;
use super::limits::SidecarLimits;
use super::overview::Overview;
use super::rollup::Rollup;
use super::words::Words;
use crate::error::Result;

/// What was made of some rows. Rows in memory have the same recipes as files, so their answers add up.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipes {
    pub(super) totals: Totals,
    /// Rows by time, service and severity.
    pub rollup: Recipe<Rollup>,
    /// Keys and values.
    pub attribute_values: Recipe<AttributeValues>,
    /// Words of bodies. They are of rows in an order, so that those of two files do not add up.
    pub words: Recipe<Words>,
    /// Ids by stretches of rows, which do not add up either.
    pub ids: Recipe<Ids>,
    /// What entries can be filtered by; of logs there is none.
    pub overview: Recipe<Overview>,
}

/// An encoded sidecar, and the facts that stay in memory.
#[derive(Clone, Debug)]
pub struct BuiltSidecar {
    /// The object to store at [`DataFile::sidecar_path`](crate::storage::DataFile::sidecar_path).
    pub bytes: Bytes,
    /// For the catalog.
    pub facts: FileFacts,
}

/// What all rows have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) num_rows: u64,
    pub(super) min_timestamp_us: i64,
    pub(super) max_timestamp_us: i64,
    pub(super) bytes_uncompressed: u64,
}

impl Totals {
    /// None without rows.
    pub(super) fn of(timestamps: &[i64], sizes: &[u32]) -> Option<Self> {
        let (min, max) = (timestamps.iter().min(), timestamps.iter().max());
        min.zip(max).map(|(&min_timestamp_us, &max_timestamp_us)| Self {
            num_rows: timestamps.len() as u64,
            min_timestamp_us,
            max_timestamp_us,
            bytes_uncompressed: sizes.iter().map(|&size| u64::from(size)).sum(),
        })
    }

    /// Of the rows of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            num_rows: self.num_rows + other.num_rows,
            min_timestamp_us: self.min_timestamp_us.min(other.min_timestamp_us),
            max_timestamp_us: self.max_timestamp_us.max(other.max_timestamp_us),
            bytes_uncompressed: self.bytes_uncompressed + other.bytes_uncompressed,
        }
    }
}

impl Recipes {
    pub(super) fn new(
        totals: Totals,
        rollup: Recipe<Rollup>,
        attribute_values: AttributeValues,
        words: Recipe<Words>,
        ids: Recipe<Ids>,
    ) -> Self {
        let attribute_values = Recipe::Present(attribute_values.into());
        Self { totals, rollup, attribute_values, words, ids, overview: Recipe::Absent(Absence::NotMade) }
    }

    /// Those of entries of the audit trail.
    pub(super) fn of_entries(
        totals: Totals,
        words: Recipe<Words>,
        ids: Recipe<Ids>,
        overview: Recipe<Overview>,
    ) -> Self {
        let rollup = Recipe::Absent(Absence::NotMade);
        let attribute_values = Recipe::Absent(Absence::NotMade);
        Self { totals, rollup, attribute_values, words, ids, overview }
    }

    /// The recipes of rows in memory; none without rows.
    ///
    /// # Errors
    /// `Internal` when rows lack a column of the schema of logs.
    pub fn of_rows<'a>(
        batches: impl IntoIterator<Item = &'a RecordBatch>,
        limits: &SidecarLimits,
    ) -> Result<Option<Self>> {
        let mut builder = SidecarBuilder::new(limits);
        for batch in batches {
            builder.add(batch)?;
        }
        Ok(builder.into_recipes())
    }

    /// Number of rows; at least 1.
    pub fn num_rows(&self) -> u64 {
        self.totals.num_rows
    }

    /// Memory that they take.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.rollup.present().map_or(0, Rollup::memory_bytes)
            + self.attribute_values.present().map_or(0, AttributeValues::memory_bytes)
            + self.words.present().map_or(0, Words::memory_bytes)
            + self.ids.present().map_or(0, Ids::memory_bytes)
            + self.overview.present().map_or(0, Overview::memory_bytes)
    }

    /// The recipes of the rows of both. One that either lacks is lacking.
    #[must_use]
    pub fn merge(&self, other: &Self, limits: &SidecarLimits) -> Self {
        let rollup = merge(&self.rollup, &other.rollup, |left, right| left.merge(right, limits));
        let attribute_values = merge(&self.attribute_values, &other.attribute_values, |left, right| {
            Recipe::Present(left.merge(right, limits).into())
        });
        let (words, ids) = (Recipe::Absent(Absence::NotMade), Recipe::Absent(Absence::NotMade));
        let overview = Recipe::Absent(Absence::NotMade);
        Self { totals: self.totals.and(other.totals), rollup, attribute_values, words, ids, overview }
    }

    pub(super) fn encode(&self, file_id: Uuid) -> BuiltSidecar {
        let mut packed = vec![
            pack(RecipeId::Rollup, &self.rollup, Rollup::encode),
            pack(RecipeId::AttributeValues, &self.attribute_values, AttributeValues::encode),
            pack(RecipeId::Words, &self.words, Words::encode),
            pack(RecipeId::Ids, &self.ids, Ids::encode),
            pack(RecipeId::Overview, &self.overview, Overview::encode),
        ];
        // What the dataset has not is not told of.
        packed.retain(|recipe| !matches!(recipe.content, Err(Absence::NotMade)));
        let (bytes, directory) = format::encode(file_id, self.totals.num_rows, &packed);
        BuiltSidecar { bytes, facts: FileFacts::of(self, directory) }
    }
}

fn merge<T>(left: &Recipe<T>, right: &Recipe<T>, merge: impl Fn(&T, &T) -> Recipe<T>) -> Recipe<T> {
    match (left, right) {
        (Recipe::Present(left), Recipe::Present(right)) => merge(left, right),
        (Recipe::Absent(absence), _) | (_, Recipe::Absent(absence)) => Recipe::Absent(absence.clone()),
    }
}

fn pack<T>(id: RecipeId, recipe: &Recipe<T>, encode: impl Fn(&T) -> Vec<u8>) -> PackedRecipe {
    let content = match recipe {
        Recipe::Present(recipe) => Ok(encode(recipe)),
        Recipe::Absent(absence) => Err(absence.clone()),
    };
    PackedRecipe { id, content }
}
