//! Columns of slices, from the cache or decoded.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use arrow::datatypes::Schema;
use datafusion::common::utils::memory::get_record_batch_memory_size;
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool};
use futures::TryStreamExt;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};

use super::super::cost::CostMeter;
use super::super::data_file_reader::DataFileReaderFactory;
use super::cache::SliceCache;
use super::open_file::{OpenFile, Slice};
use crate::storage::DataFile;

/// Reads slices of the files of one store, for one question.
pub(crate) struct SliceReader {
    files: DataFileReaderFactory,
    cache: Arc<SliceCache>,
    memory: Arc<dyn MemoryPool>,
    cost: Arc<CostMeter>,
}

impl fmt::Debug for SliceReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SliceReader").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl SliceReader {
    pub(crate) fn new(
        files: DataFileReaderFactory,
        cache: Arc<SliceCache>,
        memory: Arc<dyn MemoryPool>,
        cost: Arc<CostMeter>,
    ) -> Self {
        Self { files, cache, memory, cost }
    }

    /// A file with its footer: at most one read.
    pub(super) async fn open(&self, file: &Arc<DataFile>) -> Result<Arc<OpenFile>> {
        self.cost.add_scanned(file.id);
        if let Some(open) = self.cache.file(file.id) {
            return Ok(open);
        }
        let parquet = self.files.open(file)?.get_metadata(None).await?;
        let open = Arc::new(OpenFile::new(Arc::clone(file), parquet)?);
        self.cache.keep_file(&open);
        Ok(open)
    }

    /// Counts rows that are looked at.
    pub(super) fn add_rows(&self, num_rows: usize) {
        self.cost.add_segment_rows(num_rows as u64);
    }

    /// A column of all rows of a slice.
    pub(super) async fn named(&self, open: &OpenFile, slice: usize, name: &str) -> Result<RecordBatch> {
        let column = open.decoded_schema().index_of(name)?;
        self.columns(open, slice, &[column]).await
    }

    /// Columns of few rows of a slice, in their order, of the whole columns where those are at hand; `rows` rise.
    pub(super) async fn few_rows(
        &self,
        open: &OpenFile,
        slice: usize,
        rows: &[u32],
        wanted: &[usize],
    ) -> Result<RecordBatch> {
        match wanted.iter().all(|column| self.cache.column(open.file.id, slice, *column).is_some()) {
            true => taken(&self.columns(open, slice, wanted).await?, rows),
            false => self.some_rows(open, slice, rows, wanted).await,
        }
    }

    /// Columns of all rows of a slice, as they are decoded.
    pub(super) async fn columns(
        &self,
        open: &OpenFile,
        slice: usize,
        wanted: &[usize],
    ) -> Result<RecordBatch> {
        let file = open.file.id;
        let stretch = &open.slices[slice];
        let mut found: Vec<Option<ArrayRef>> =
            wanted.iter().map(|column| self.cache.column(file, slice, *column)).collect();
        let missing: Vec<usize> = wanted
            .iter()
            .zip(&found)
            .filter(|(_, array)| array.is_none())
            .map(|(column, _)| *column)
            .collect();
        if !missing.is_empty() {
            let selection =
                vec![RowSelector::skip(stretch.rows.start), RowSelector::select(stretch.rows.len())];
            let decoded = self.decode(open, stretch, selection.into(), stretch.rows.len(), &missing).await?;
            for (column, array) in wanted.iter().zip(&mut found) {
                if let Some(place) = missing.iter().position(|missing| missing == column) {
                    self.cache.keep_column(file, slice, *column, &decoded[place]);
                    *array = Some(Arc::clone(&decoded[place]));
                }
            }
        }
        let arrays: Vec<ArrayRef> = found.into_iter().flatten().collect();
        batch_of(open, wanted, arrays, stretch.rows.len())
    }

    /// Columns of some rows of a slice, in their order; `rows` rise.
    pub(super) async fn rows(
        &self,
        open: &OpenFile,
        slice: usize,
        rows: &[u32],
        wanted: &[usize],
    ) -> Result<RecordBatch> {
        // Where rows were taken from lately, more will be: the newest slice is in most answers.
        if self.cache.visit(open.file.id, slice) {
            return taken(&self.columns(open, slice, wanted).await?, rows);
        }
        self.some_rows(open, slice, rows, wanted).await
    }

    /// The same, decoded now and not kept.
    pub(super) async fn some_rows(
        &self,
        open: &OpenFile,
        slice: usize,
        rows: &[u32],
        wanted: &[usize],
    ) -> Result<RecordBatch> {
        let stretch = &open.slices[slice];
        let mut selectors = Vec::with_capacity(2 * rows.len());
        let mut next = 0;
        for row in rows {
            let place = stretch.rows.start + *row as usize;
            if place < next || place >= stretch.rows.end {
                return internal_err!("rows of a slice are out of order");
            }
            if place > next {
                selectors.push(RowSelector::skip(place - next));
            }
            selectors.push(RowSelector::select(1));
            next = place + 1;
        }
        let arrays = self.decode(open, stretch, selectors.into(), rows.len(), wanted).await?;
        batch_of(open, wanted, arrays, rows.len())
    }

    async fn decode(
        &self,
        open: &OpenFile,
        stretch: &Slice,
        selection: RowSelection,
        num_rows: usize,
        wanted: &[usize],
    ) -> Result<Vec<ArrayRef>> {
        let reader = self.files.open(&open.file)?;
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, open.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied());
        let batches: Vec<RecordBatch> = builder
            .with_row_groups(vec![stretch.row_group])
            .with_row_selection(selection)
            .with_projection(mask)
            .with_batch_size(num_rows.max(1))
            .build()?
            .try_collect()
            .await?;
        let num_decoded: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if num_decoded != num_rows {
            return internal_err!("{num_decoded} rows of a slice were decoded, and not {num_rows}");
        }
        // It is there while it is looked at; what of it is kept counts in the cache.
        let num_bytes: usize = batches.iter().map(get_record_batch_memory_size).sum();
        MemoryConsumer::new("columns of slices").register(&self.memory).try_grow(num_bytes)?;
        let mut arrays = Vec::with_capacity(wanted.len());
        for column in wanted {
            let name = open.decoded_schema().field(*column).name();
            let parts: Option<Vec<&ArrayRef>> =
                batches.iter().map(|batch| batch.column_by_name(name)).collect();
            arrays.push(match parts.as_deref() {
                Some([one]) => Arc::clone(*one),
                Some(parts) if !parts.is_empty() => {
                    concat(&parts.iter().map(|part| part.as_ref() as &dyn Array).collect::<Vec<_>>())?
                }
                _ => return internal_err!("the column {name} was not decoded"),
            });
        }
        Ok(arrays)
    }
}

/// Some rows of a slice's columns.
fn taken(whole: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    let rows = UInt32Array::from(rows.to_vec());
    let taken = whole.columns().iter().map(|column| take(column, &rows, None));
    Ok(RecordBatch::try_new(whole.schema(), taken.collect::<Result<_, _>>()?)?)
}

fn batch_of(
    open: &OpenFile,
    wanted: &[usize],
    arrays: Vec<ArrayRef>,
    num_rows: usize,
) -> Result<RecordBatch> {
    let fields = wanted.iter().map(|column| Arc::clone(&open.decoded_schema().fields()[*column]));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(num_rows));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}
