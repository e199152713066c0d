//! The rows of several data files in order of time, slice by slice.
//!
//! The pages of the time column are stretches of time, so the rows of each are read when its earliest row is due and
//! dropped when its last one has gone out: memory holds the stretches that overlap in time and not the files.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, RowSelection, RowSelector};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{Dataset, columns};
use crate::storage::{
    DataFile, KeyCounts, ObjectReader, RowAddress, Storage, cannot_read, slice_len, to_whole_rows,
};

/// What is left of the rows a merge reads: says which of whole rows stay.
pub(crate) type Keep = dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync;

/// A failure, and the input that it is about.
#[derive(Debug)]
pub(crate) struct ReadFailure {
    pub(crate) file_id: Uuid,
    pub(crate) error: Error,
}

/// An input whose footer has been read.
struct Input {
    file: Arc<DataFile>,
    /// Knows the checksums of the footer.
    reader: ObjectReader,
    metadata: ArrowReaderMetadata,
}

/// Neighbouring rows of one row group that have not been read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stretch {
    input: usize,
    row_group: usize,
    /// Place of the first row in its row group.
    first_row: usize,
    num_rows: usize,
    min_timestamp_us: i64,
    max_timestamp_us: i64,
    num_bytes: u64,
}

/// Rows of one slice: addresses into batches, in order of time.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) batches: Arc<Vec<RecordBatch>>,
    pub(crate) rows: Vec<RowAddress>,
}

/// A merge that is under way.
pub(crate) struct TimeMerge {
    storage: Storage,
    dataset: Dataset,
    inputs: Vec<Input>,
    /// In order of their earliest rows.
    unread: VecDeque<Stretch>,
    /// Whole rows that have been read and are not out yet.
    batches: Arc<Vec<RecordBatch>>,
    /// Their order: time, and where they are.
    pending: Vec<(i64, RowAddress)>,
    keep: Option<Arc<Keep>>,
}

impl TimeMerge {
    /// Reads the footers of the inputs. `keep` says which rows stay; all do without it.
    ///
    /// # Errors
    /// `CorruptData` or `Unavailable` naming the file that cannot be read.
    pub(crate) async fn open(
        storage: &Storage,
        dataset: Dataset,
        files: &[Arc<DataFile>],
        keep: Option<Arc<Keep>>,
    ) -> Result<Self, ReadFailure> {
        let mut inputs = Vec::with_capacity(files.len());
        let mut unread = Vec::new();
        for (input, file) in files.iter().enumerate() {
            let mut reader = storage.parquet_reader(file);
            let metadata = ArrowReaderMetadata::load_async(&mut reader, ArrowReaderOptions::new())
                .await
                .map_err(|error| ReadFailure { file_id: file.id, error: cannot_read(file, error) })?;
            unread.extend(stretches(file, input, metadata.metadata()));
            inputs.push(Input { file: Arc::clone(file), reader, metadata });
        }
        unread.sort_by_key(|stretch| stretch.min_timestamp_us);
        Ok(Self {
            storage: storage.clone(),
            dataset,
            inputs,
            unread: unread.into(),
            batches: Arc::default(),
            pending: Vec::new(),
            keep,
        })
    }

    /// An upper bound of the uncompressed bytes of the rows that are in memory at one time.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let mut edges: Vec<(i64, bool, u64)> = Vec::new();
        for stretch in &self.unread {
            edges.push((stretch.min_timestamp_us, false, stretch.num_bytes));
            edges.push((stretch.max_timestamp_us, true, stretch.num_bytes));
        }
        edges.sort_unstable();
        let (mut now, mut peak) = (0, 0);
        for (_, is_end, num_bytes) in edges {
            if is_end {
                now -= num_bytes;
            } else {
                now += num_bytes;
                peak = peak.max(now);
            }
        }
        peak
    }

    /// How many rows have each promoted key, by the footers.
    pub(crate) fn promoted_counts(&self) -> KeyCounts {
        let mut counts = KeyCounts::default();
        for input in &self.inputs {
            for row_group in input.metadata.metadata().row_groups() {
                for column in row_group.columns() {
                    let nulls = column.statistics().and_then(Statistics::null_count_opt).unwrap_or(0);
                    let name = &column.column_path().parts()[0];
                    counts.add_promoted(name, (row_group.num_rows() as u64).saturating_sub(nulls));
                }
            }
        }
        counts
    }

    /// The next slice; `None` after the last one.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) async fn next_slice(&mut self) -> Result<Option<Slice>, ReadFailure> {
        loop {
            let complete = self.num_complete();
            if complete > 0 {
                let rows: Vec<RowAddress> = self.pending[..complete].iter().map(|(_, row)| *row).collect();
                let batches: Vec<&RecordBatch> = self.batches.iter().collect();
                let len = slice_len(&batches, &rows)
                    .map_err(|error| ReadFailure { file_id: Uuid::nil(), error })?;
                // A slice that ends with the complete rows could still grow.
                if len < complete || self.unread.is_empty() {
                    return Ok(Some(self.take_slice(len)));
                }
            }
            let Some(stretch) = self.unread.pop_front() else { return Ok(None) };
            let file_id = self.inputs[stretch.input].file.id;
            self.read(stretch).await.map_err(|error| ReadFailure { file_id, error })?;
        }
    }

    /// How many pending rows come before every row that has not been read.
    fn num_complete(&self) -> usize {
        match self.unread.front() {
            Some(next) => self.pending.partition_point(|(time, _)| *time < next.min_timestamp_us),
            None => self.pending.len(),
        }
    }

    fn take_slice(&mut self, len: usize) -> Slice {
        let rows = self.pending.drain(..len).map(|(_, row)| row).collect();
        let slice = Slice { batches: Arc::clone(&self.batches), rows };
        self.drop_used_batches();
        slice
    }

    /// Lets go of batches that no pending row is in.
    fn drop_used_batches(&mut self) {
        let mut is_used = vec![false; self.batches.len()];
        self.pending.iter().for_each(|(_, (batch, _))| is_used[*batch] = true);
        if is_used.iter().all(|used| *used) {
            return;
        }
        let mut places = Vec::with_capacity(is_used.len());
        let mut kept = Vec::new();
        for (batch, used) in self.batches.iter().zip(is_used) {
            places.push(kept.len());
            if used {
                kept.push(batch.clone());
            }
        }
        self.pending.iter_mut().for_each(|(_, (batch, _))| *batch = places[*batch]);
        self.batches = Arc::new(kept);
    }

    async fn read(&mut self, stretch: Stretch) -> Result<()> {
        let input = &self.inputs[stretch.input];
        let file = Arc::clone(&input.file);
        let reader = self.storage.parquet_reader(&file).with_blocks_of(&input.reader);
        let rows = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, input.metadata.clone())
            .with_row_groups(vec![stretch.row_group])
            .with_row_selection(RowSelection::from(vec![
                RowSelector::skip(stretch.first_row),
                RowSelector::select(stretch.num_rows),
            ]))
            .build()
            .map_err(|error| cannot_read(&file, error))?;
        let columns: Vec<RecordBatch> =
            rows.try_collect().await.map_err(|error| cannot_read(&file, error))?;
        let whole =
            columns.iter().map(|columns| to_whole_rows(self.dataset, columns)).collect::<Result<Vec<_>>>()?;
        let mut whole = concat_batches(&self.dataset.schema(), &whole).map_err(cannot_merge)?;
        if let Some(keep) = &self.keep {
            whole = filter_record_batch(&whole, &keep(&whole)?).map_err(cannot_merge)?;
        }
        let times = whole
            .column_by_name(columns::TIMESTAMP)
            .and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>())
            .ok_or_else(|| Error::internal("rows without a timestamp column"))?;
        let batch = self.batches.len();
        self.pending.extend(times.values().iter().enumerate().map(|(row, time)| (*time, (batch, row))));
        Arc::make_mut(&mut self.batches).push(whole);
        // What was there is in order already, so that this merges rather than sorts.
        self.pending.sort();
        Ok(())
    }
}

/// The stretches of an input: the pages of its time column, or whole row groups where the indexes do not tell.
fn stretches(file: &DataFile, input: usize, metadata: &ParquetMetaData) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for (index, row_group) in metadata.row_groups().iter().enumerate() {
        let whole = Stretch {
            input,
            row_group: index,
            first_row: 0,
            num_rows: usize::try_from(row_group.num_rows()).unwrap_or(usize::MAX),
            min_timestamp_us: file.min_timestamp_us,
            max_timestamp_us: file.max_timestamp_us,
            num_bytes: u64::try_from(row_group.total_byte_size()).unwrap_or(0),
        };
        match pages(metadata, index, whole) {
            Some(pages) => stretches.extend(pages),
            None => stretches.push(whole),
        }
    }
    stretches
}

fn pages(metadata: &ParquetMetaData, row_group: usize, whole: Stretch) -> Option<Vec<Stretch>> {
    let columns = metadata.row_group(row_group).columns();
    let time = columns.iter().position(|column| column.column_path().string() == columns::TIMESTAMP)?;
    let locations = metadata.offset_index()?.get(row_group)?.get(time)?.page_locations();
    let ColumnIndexMetaData::INT64(bounds) = metadata.column_index()?.get(row_group)?.get(time)? else {
        return None;
    };
    let starts: Vec<usize> =
        locations.iter().map(|page| usize::try_from(page.first_row_index).ok()).collect::<Option<_>>()?;
    let ends = starts.iter().copied().skip(1).chain([whole.num_rows]);
    let pages = starts.iter().zip(ends).enumerate().map(|(page, (&first_row, end))| {
        let num_rows = end.checked_sub(first_row)?;
        Some(Stretch {
            first_row,
            num_rows,
            min_timestamp_us: *bounds.min_value(page)?,
            max_timestamp_us: *bounds.max_value(page)?,
            num_bytes: whole.num_bytes / whole.num_rows.max(1) as u64 * num_rows as u64,
            ..whole
        })
    });
    pages.collect()
}

fn cannot_merge(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot merge rows of data files").with_source(error)
}
