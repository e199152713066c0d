//! Opens written files and reads columns and rows from them, one thread, Parquet's own reader.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};

use parquet::file::metadata::PageIndexPolicy;

use super::coding::{FileCoding, reading_schema};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// A file with its footer and page indexes in memory, as an engine would hold them.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    file: Arc<File>,
    metadata: ArrowReaderMetadata,
}

/// What has to be read to answer a question, from the indexes of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Row groups with at least one page.
    pub(crate) num_row_groups: u64,
    /// Pages with data.
    pub(crate) num_pages: u64,
    /// Bytes of these pages and of the dictionaries they need.
    pub(crate) num_bytes: u64,
}

impl std::ops::AddAssign for Touched {
    fn add_assign(&mut self, other: Self) {
        self.num_row_groups += other.num_row_groups;
        self.num_pages += other.num_pages;
        self.num_bytes += other.num_bytes;
    }
}

impl OpenFile {
    /// Reads the footer and the page indexes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn open(path: &Path, coding: &FileCoding) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let metadata = ArrowReaderMetadata::load(&file, options.clone())?;
        let schema = Arc::new(reading_schema(metadata.schema(), |name| coding.is_dictionary(name)));
        let metadata =
            ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(schema))?;
        Ok(Self { file: Arc::new(file), metadata })
    }

    /// The number of row groups.
    pub(crate) fn num_row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// The latest value of a time column in a row group.
    pub(crate) fn latest(&self, column: &str, row_group: usize) -> Option<i64> {
        let row_group = self.metadata.metadata().row_group(row_group);
        let column = row_group.columns().iter().find(|chunk| chunk.column_path().string() == column)?;
        let bytes = column.statistics()?.max_bytes_opt()?;
        Some(i64::from_le_bytes(bytes.try_into().ok()?))
    }

    /// The leaves at or below a path.
    fn mask(&self, path: &[&str]) -> ProjectionMask {
        let schema = self.metadata.parquet_schema();
        let leaves = schema.columns().iter().enumerate();
        let leaves = leaves.filter(|(_, leaf)| {
            let parts = leaf.path().parts();
            parts.len() >= path.len() && parts.iter().zip(path).all(|(part, wanted)| part == wanted)
        });
        ProjectionMask::leaves(schema, leaves.map(|(index, _)| index))
    }

    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<File>> {
        let file = self.file.try_clone()?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
        Ok(builder.with_batch_size(BATCH_ROWS))
    }

    /// Reads what is at or below a path, in some row groups or all.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(
        &self,
        path: &[&str],
        row_groups: Option<Vec<usize>>,
    ) -> Result<ParquetRecordBatchReader> {
        let mut builder = self.builder()?.with_projection(self.mask(path));
        if let Some(row_groups) = row_groups {
            builder = builder.with_row_groups(row_groups);
        }
        Ok(builder.build()?)
    }

    /// Reads all columns of some rows. Row groups rise, and so do the rows in each.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read_rows(&self, rows: &[(usize, Vec<usize>)]) -> Result<Vec<RecordBatch>> {
        let mut ranges = Vec::new();
        let mut num_before = 0;
        for (row_group, rows) in rows {
            ranges.extend(rows.iter().map(|row| num_before + row..num_before + row + 1));
            num_before += self.num_rows(*row_group);
        }
        let selection = RowSelection::from_consecutive_ranges(ranges.into_iter(), num_before);
        let row_groups = rows.iter().map(|(row_group, _)| *row_group).collect();
        let reader = self.builder()?.with_row_groups(row_groups).with_row_selection(selection).build()?;
        Ok(reader.collect::<Result<_, _>>()?)
    }

    fn num_rows(&self, row_group: usize) -> usize {
        self.metadata.metadata().row_group(row_group).num_rows() as usize
    }

    /// The pages of the leaves at or below a path that hold some rows of a row group; all rows when left out.
    pub(crate) fn touched(&self, path: &[&str], row_group: usize, rows: Option<&[usize]>) -> Touched {
        let metadata = self.metadata.metadata();
        let mask = self.mask(path);
        let mut touched = Touched { num_row_groups: 1, ..Touched::default() };
        let num_rows = self.num_rows(row_group);
        for (leaf, chunk) in metadata.row_group(row_group).columns().iter().enumerate() {
            if !mask.leaf_included(leaf) {
                continue;
            }
            let pages = metadata.offset_index().map(|index| index[row_group][leaf].page_locations());
            let Some(pages) = pages else { continue };
            if let Some(dictionary) = chunk.dictionary_page_offset() {
                touched.num_bytes += (chunk.data_page_offset() - dictionary) as u64;
            }
            for (number, page) in pages.iter().enumerate() {
                let first = page.first_row_index as usize;
                let end = pages.get(number + 1).map_or(num_rows, |next| next.first_row_index as usize);
                let is_needed = rows.is_none_or(|rows| {
                    rows.get(rows.partition_point(|row| *row < first)).is_some_and(|row| *row < end)
                });
                if is_needed {
                    touched.num_pages += 1;
                    touched.num_bytes += page.compressed_page_size as u64;
                }
            }
        }
        touched
    }
}

/// Calls back with every text of a column and how often it is there in a row; a dictionary's texts once.
///
/// # Errors
/// When the column holds no text or integers.
pub(crate) fn tally<'a>(array: &'a ArrayRef, mut see: impl FnMut(&'a str, u64)) -> Result<()> {
    match array.data_type() {
        DataType::Dictionary(_, _) => {
            let dictionary: &DictionaryArray<Int32Type> =
                array.as_dictionary_opt().context("a dictionary with other keys than 32-bit integers")?;
            let values: &StringArray =
                dictionary.values().as_string_opt().context("no dictionary of texts")?;
            let mut counts = vec![0; values.len()];
            for key in dictionary.keys().iter().flatten() {
                counts[key as usize] += 1;
            }
            for (value, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
                see(values.value(value), count);
            }
        }
        DataType::Utf8View => array.as_string_view().iter().flatten().for_each(|text| see(text, 1)),
        _ => {
            let values = array.as_string_opt::<i32>().context("no column of texts")?;
            values.iter().flatten().for_each(|text| see(text, 1));
        }
    }
    Ok(())
}
