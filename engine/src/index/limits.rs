//! What a sidecar may cost.

use crate::schema::Dataset;

/// Memory that a key costs beside its text while it is counted.
pub(super) const KEY_OVERHEAD_BYTES: usize = 64;
/// Memory that a value costs beside its text while it is counted.
pub(super) const VALUE_OVERHEAD_BYTES: usize = 32;

/// The budgets of each recipe. They bound the memory of a [`SidecarBuilder`](super::SidecarBuilder) and the
/// size of what it makes. What is over a budget is left out and marked as left out, so no answer is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarLimits {
    /// Most cells of a rollup. With more, its time grain is made coarser; at the coarsest there is no rollup.
    pub max_cells: usize,
    /// Fewest rows per cell, on average. A rollup with almost as many cells as there are rows is no rollup.
    pub min_rows_per_cell: u64,
    /// Most bytes of the service and severity names of a rollup. With more there is no rollup.
    pub max_name_bytes: usize,
    /// Most bytes of the keys of a file, each counted as its text and 64 bytes. Keys met later are left out,
    /// and the table of keys is marked as incomplete.
    pub max_key_bytes: usize,
    /// Most distinct values of a key. A key with more keeps none.
    pub max_values_per_key: usize,
    /// Most bytes of the values of a key, each counted as its text and 32 bytes. A key with more keeps none.
    pub max_value_bytes_per_key: usize,
    /// Most bytes of the values of a file, counted alike. The keys with fewest rows for each byte keep none.
    pub max_value_bytes: usize,
    /// Most bytes of the values of a file for each of its rows, counted alike, so that the values of a small
    /// file are not as large as its data. Files may always have [`Self::min_value_bytes`].
    pub value_bytes_per_row: usize,
    /// The values of a file may have as many bytes, however few rows it has.
    pub min_value_bytes: usize,
    /// Most pairs of a word and a block of rows that has it; twelve bytes each while they are counted.
    pub max_word_entries: usize,
    /// Most bytes of all different words.
    pub max_word_bytes: usize,
    /// Rows for which one such pair is worth keeping.
    pub rows_per_word_entry: u64,
    /// Most bytes of the filters of a file's ids: a little more than one for each id.
    pub max_id_bytes: usize,
    /// Most different kinds of entries of an overview; about fifty bytes each while they are counted.
    pub max_kinds: usize,
    /// Most bytes of the names and paths of an overview, each path counted as its text and 64 bytes.
    pub max_overview_bytes: usize,
}

impl Default for SidecarLimits {
    /// Measured in `engine/decisions/0007-sidecars.md`.
    fn default() -> Self {
        Self {
            max_cells: 32 << 10,
            min_rows_per_cell: 16,
            max_name_bytes: 256 << 10,
            max_key_bytes: 2 << 20,
            max_values_per_key: 1000,
            max_value_bytes_per_key: 256 << 10,
            max_value_bytes: 4 << 20,
            value_bytes_per_row: 4,
            min_value_bytes: 16 << 10,
            max_word_entries: 512 << 10,
            max_word_bytes: 512 << 10,
            rows_per_word_entry: 8,
            max_id_bytes: 8 << 20,
            max_kinds: 256 << 10,
            max_overview_bytes: 2 << 20,
        }
    }
}

impl SidecarLimits {
    /// The budgets for a dataset. Entries are few beside logs, wide, and searched in their details: more is worth
    /// keeping of each.
    pub fn of(dataset: Dataset) -> Self {
        match dataset {
            Dataset::Logs => Self::default(),
            Dataset::Activity => Self {
                max_word_entries: 2 << 20,
                max_word_bytes: 4 << 20,
                rows_per_word_entry: 1,
                max_id_bytes: 24 << 20,
                ..Self::default()
            },
        }
    }

    /// Most cells that are worth keeping for a number of rows.
    pub(super) fn cells_for(&self, num_rows: u64) -> usize {
        let worth = num_rows / self.min_rows_per_cell.max(1);
        usize::try_from(worth).unwrap_or(usize::MAX).min(self.max_cells)
    }

    /// Most bytes of values that are worth keeping for a number of rows.
    pub(super) fn value_bytes_for(&self, num_rows: u64) -> usize {
        let rows = usize::try_from(num_rows).unwrap_or(usize::MAX);
        let worth = rows.saturating_mul(self.value_bytes_per_row);
        worth.max(self.min_value_bytes).min(self.max_value_bytes)
    }
}
