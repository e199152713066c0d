//! The rows of several data files in order of time, slice by slice.
//!
//! Row groups are slices of time, so each is read when its earliest row is due and dropped when its last one has
//! gone out: memory holds the row groups that overlap in time and not the files.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::schema::{columns, logs_schema};
use crate::storage::{DataFile, KeyCounts, RowAddress, Storage, cannot_read, slice_len, to_whole_rows};

/// What is left of the rows a merge reads: says which of whole rows stay.
pub(crate) type Keep = dyn Fn(&RecordBatch) -> Result<BooleanArray> + Send + Sync;

/// A failure, and the input that it is about.
#[derive(Debug)]
pub(crate) struct ReadFailure {
    pub(crate) file_id: Uuid,
    pub(crate) error: Error,
}

/// An input whose footer has been read.
#[derive(Clone)]
struct Input {
    file: Arc<DataFile>,
    metadata: ArrowReaderMetadata,
}

/// A row group that has not been read yet.
#[derive(Clone, Copy, Debug)]
struct RowGroup {
    input: usize,
    index: usize,
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
    inputs: Vec<Input>,
    /// In order of their earliest rows.
    unread: VecDeque<RowGroup>,
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
        files: &[Arc<DataFile>],
        keep: Option<Arc<Keep>>,
    ) -> Result<Self, ReadFailure> {
        let mut inputs = Vec::with_capacity(files.len());
        let mut unread = Vec::new();
        for (input, file) in files.iter().enumerate() {
            let metadata =
                ArrowReaderMetadata::load_async(&mut storage.parquet_reader(file), ArrowReaderOptions::new())
                    .await
                    .map_err(|error| ReadFailure { file_id: file.id, error: cannot_read(file, error) })?;
            for (index, row_group) in metadata.metadata().row_groups().iter().enumerate() {
                unread.push(RowGroup::of(file, input, index, row_group));
            }
            inputs.push(Input { file: Arc::clone(file), metadata });
        }
        unread.sort_by_key(|row_group| row_group.min_timestamp_us);
        Ok(Self {
            storage: storage.clone(),
            inputs,
            unread: unread.into(),
            batches: Arc::default(),
            pending: Vec::new(),
            keep,
        })
    }

    /// An upper bound of the uncompressed bytes of row groups that are in memory at one time.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let mut edges: Vec<(i64, bool, u64)> = Vec::new();
        for row_group in &self.unread {
            edges.push((row_group.min_timestamp_us, false, row_group.num_bytes));
            edges.push((row_group.max_timestamp_us, true, row_group.num_bytes));
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
            let Some(row_group) = self.unread.pop_front() else { return Ok(None) };
            let file_id = self.inputs[row_group.input].file.id;
            self.read(row_group).await.map_err(|error| ReadFailure { file_id, error })?;
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

    async fn read(&mut self, row_group: RowGroup) -> Result<()> {
        let input = &self.inputs[row_group.input];
        let file = Arc::clone(&input.file);
        let reader = self.storage.parquet_reader(&file);
        let rows = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, input.metadata.clone())
            .with_row_groups(vec![row_group.index])
            .build()
            .map_err(|error| cannot_read(&file, error))?;
        let columns: Vec<RecordBatch> =
            rows.try_collect().await.map_err(|error| cannot_read(&file, error))?;
        let whole = columns.iter().map(to_whole_rows).collect::<Result<Vec<_>>>()?;
        let mut whole = concat_batches(&logs_schema(), &whole).map_err(cannot_merge)?;
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

impl RowGroup {
    /// Without statistics a row group may hold any time of its file.
    fn of(file: &DataFile, input: usize, index: usize, metadata: &RowGroupMetaData) -> Self {
        let times =
            metadata.columns().iter().find(|column| column.column_path().string() == columns::TIMESTAMP);
        let bounds = match times.and_then(|column| column.statistics()) {
            Some(Statistics::Int64(times)) => times.min_opt().copied().zip(times.max_opt().copied()),
            _ => None,
        };
        let (min_timestamp_us, max_timestamp_us) =
            bounds.unwrap_or((file.min_timestamp_us, file.max_timestamp_us));
        let num_bytes = u64::try_from(metadata.total_byte_size()).unwrap_or(0);
        Self { input, index, min_timestamp_us, max_timestamp_us, num_bytes }
    }
}

fn cannot_merge(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot merge rows of data files").with_source(error)
}
