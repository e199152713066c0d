//! A data file whose footer is known.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use crate::schema::{columns, dictionary_type};
use crate::storage::{DataFile, parse_column_name};

/// A stretch of a data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) row_group: usize,
    /// Within the row group.
    pub(super) rows: Range<usize>,
    /// Its first row's place in the file.
    pub(super) first_row: u64,
    /// Earliest `timestamp` of its rows, or less; microseconds.
    pub(super) min_us: i64,
    /// Latest `timestamp` of its rows, or more; microseconds.
    pub(super) max_us: i64,
}

/// A data file, its slices in order, and how its columns are decoded.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) file: Arc<DataFile>,
    pub(super) slices: Vec<Slice>,
    /// As the footer has it.
    pub(super) schema: SchemaRef,
    /// The same with dictionaries for promoted attributes that are stored with one.
    pub(super) metadata: ArrowReaderMetadata,
}

impl OpenFile {
    pub(super) fn new(file: Arc<DataFile>, parquet: Arc<ParquetMetaData>) -> Result<Self> {
        let plain = ArrowReaderMetadata::try_new(Arc::clone(&parquet), ArrowReaderOptions::new())?;
        let schema = Arc::clone(plain.schema());
        let decoded = ArrowReaderOptions::new().with_schema(decoded_schema(&schema, &parquet));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(&parquet), decoded)?;
        let slices = slices_of(&file, &schema, &parquet);
        Ok(Self { file, slices, schema, metadata })
    }

    /// The columns as they are decoded.
    pub(super) fn decoded_schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Memory it takes beside the footer.
    pub(super) fn memory_bytes(&self) -> usize {
        const FIELD_BYTES: usize = 256;
        size_of_val::<[_]>(&self.slices) + 2 * self.schema.fields().len() * FIELD_BYTES
    }
}

/// Texts with a dictionary are decoded to their places in it: less work, and a condition looks at each value once.
fn decoded_schema(schema: &Schema, parquet: &ParquetMetaData) -> SchemaRef {
    let roots = parquet.file_metadata().schema_descr();
    let has_dictionary = |root: usize| {
        let leaves = (0..roots.num_columns()).filter(|leaf| roots.get_column_root_idx(*leaf) == root);
        leaves.clone().count() == 1
            && leaves.into_iter().all(|leaf| {
                let mut chunks = parquet.row_groups().iter().map(|row_group| row_group.column(leaf));
                chunks.all(|chunk| chunk.dictionary_page_offset().is_some())
            })
    };
    let fields = schema.fields().iter().enumerate().map(|(root, field)| {
        let is_promoted = parse_column_name(field.name()).is_some() && *field.data_type() == DataType::Utf8;
        match is_promoted && has_dictionary(root) {
            true => Arc::new(Field::new(field.name(), dictionary_type(), field.is_nullable())),
            false => Arc::clone(field),
        }
    });
    Arc::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone()))
}

/// Where pages of the time end; whole row groups where the file does not say.
fn slices_of(file: &DataFile, schema: &Schema, parquet: &ParquetMetaData) -> Vec<Slice> {
    let descriptor = parquet.file_metadata().schema_descr();
    let root = schema.index_of(columns::TIMESTAMP).ok();
    let leaf = root.and_then(|root| {
        (0..descriptor.num_columns()).find(|leaf| descriptor.get_column_root_idx(*leaf) == root)
    });
    let (mut slices, mut first_row) = (Vec::new(), 0);
    for (row_group, facts) in parquet.row_groups().iter().enumerate() {
        let num_rows = usize::try_from(facts.num_rows()).unwrap_or_default();
        let pages = leaf.and_then(|leaf| pages_of(parquet, row_group, leaf, num_rows, first_row));
        let whole = || {
            let (min_us, max_us) = (file.min_timestamp_us, file.max_timestamp_us);
            vec![Slice { row_group, rows: 0..num_rows, first_row, min_us, max_us }]
        };
        slices.extend(pages.unwrap_or_else(whole));
        first_row += num_rows as u64;
    }
    slices
}

fn pages_of(
    parquet: &ParquetMetaData,
    row_group: usize,
    leaf: usize,
    num_rows: usize,
    first_row: u64,
) -> Option<Vec<Slice>> {
    let ColumnIndexMetaData::INT64(bounds) = parquet.column_index()?.get(row_group)?.get(leaf)? else {
        return None;
    };
    let pages = parquet.offset_index()?.get(row_group)?.get(leaf)?.page_locations();
    let starts: Option<Vec<usize>> =
        pages.iter().map(|page| usize::try_from(page.first_row_index).ok()).collect();
    let starts = starts?;
    let ends = starts.iter().copied().skip(1).chain([num_rows]);
    let slices = starts.iter().zip(ends).enumerate().map(|(page, (start, end))| {
        let (min_us, max_us) = (*bounds.min_value(page)?, *bounds.max_value(page)?);
        let first_row = first_row + *start as u64;
        (*start < end).then_some(Slice { row_group, rows: *start..end, first_row, min_us, max_us })
    });
    slices.collect()
}
