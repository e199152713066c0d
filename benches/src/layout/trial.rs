//! One column alone in a file, in one encoding: columns do not affect each other, so most questions about
//! encodings need no whole file.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;

use super::coding::{Codec, ColumnCoding, FileCoding};
use super::order::OrderedRows;
use super::read::OpenFile;

/// The one column of the file.
const COLUMN: &str = "column";
const REPETITIONS: usize = 3;

/// The values of one column, by row group.
#[derive(Clone, Debug)]
pub(crate) struct ColumnValues {
    row_groups: Vec<Vec<ArrayRef>>,
    num_rows: usize,
}

impl ColumnValues {
    /// What `take` makes of every batch.
    ///
    /// # Errors
    /// Those of `take`.
    pub(crate) fn take(rows: &OrderedRows, take: impl Fn(&RecordBatch) -> Result<ArrayRef>) -> Result<Self> {
        let group = |batches: &Vec<RecordBatch>| batches.iter().map(&take).collect::<Result<Vec<_>>>();
        let row_groups = rows.row_groups.iter().map(group).collect::<Result<Vec<_>>>()?;
        Ok(Self { row_groups, num_rows: rows.num_rows() })
    }

    /// The same rows with other values.
    ///
    /// # Errors
    /// Those of `change`.
    pub(crate) fn map(&self, change: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Self> {
        let group = |arrays: &Vec<ArrayRef>| arrays.iter().map(&change).collect::<Result<Vec<_>>>();
        let row_groups = self.row_groups.iter().map(group).collect::<Result<Vec<_>>>()?;
        Ok(Self { row_groups, num_rows: self.num_rows })
    }

    /// A column as it is.
    ///
    /// # Errors
    /// When it is missing.
    pub(crate) fn of(rows: &OrderedRows, name: &str) -> Result<Self> {
        Self::take(rows, |batch| {
            batch.column_by_name(name).cloned().with_context(|| format!("no column {name}"))
        })
    }
}

/// What one encoding of a column costs.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    /// What is stored, and how.
    pub(crate) name: String,
    /// Bytes of the file for each row.
    pub(crate) bytes_per_row: f64,
    /// Time to write all rows.
    pub(crate) write: Duration,
    /// Time to read all rows; the median of several times.
    pub(crate) read: Duration,
}

/// Stores a column in one way.
///
/// # Errors
/// When the encoding does not suit the type, or the file cannot be written or read.
pub(crate) fn try_column(
    folder: &Path,
    name: impl Into<String>,
    values: &ColumnValues,
    coding: ColumnCoding,
) -> Result<Trial> {
    let name = name.into();
    let path = folder.join("trial.parquet");
    let first = values.row_groups.first().and_then(|group| group.first()).context("no rows to write")?;
    let schema =
        Arc::new(Schema::new(vec![Field::new(COLUMN, first.data_type().clone(), has_nulls(values))]));
    let file_coding = FileCoding {
        codec: Codec::Zstd(3),
        page_bytes: 1 << 20,
        page_rows: usize::MAX,
        columns: vec![(vec![COLUMN.to_owned()], coding)],
        promoted: None,
    };
    let started = Instant::now();
    let properties = file_coding.properties(usize::MAX)?;
    let mut writer = ArrowWriter::try_new(File::create(&path)?, Arc::clone(&schema), Some(properties))?;
    for row_group in &values.row_groups {
        for array in row_group {
            writer.write(&RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)])?)?;
        }
        writer.flush()?;
    }
    writer.close().with_context(|| name.clone())?;
    let write = started.elapsed();
    let bytes_per_row = fs::metadata(&path)?.len() as f64 / values.num_rows as f64;
    let read = read_time(&path, &file_coding, values.num_rows).with_context(|| name.clone())?;
    fs::remove_file(&path)?;
    Ok(Trial { name, bytes_per_row, write, read })
}

fn has_nulls(values: &ColumnValues) -> bool {
    values.row_groups.iter().flatten().any(|array| array.null_count() > 0)
}

fn read_time(path: &Path, coding: &FileCoding, expected_rows: usize) -> Result<Duration> {
    let file = OpenFile::open(path, coding)?;
    let mut times = Vec::new();
    for _ in 0..REPETITIONS {
        let started = Instant::now();
        let mut num_rows = 0;
        for batch in file.read(&[COLUMN], None)? {
            num_rows += batch?.num_rows();
        }
        anyhow::ensure!(num_rows == expected_rows, "{num_rows} rows were read instead of {expected_rows}");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times[REPETITIONS / 2])
}
