//! Writes files and tells what they weigh.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::ParquetMetaData;

use super::coding::FileCoding;
use super::form::FileForm;
use super::order::OrderedRows;

/// A file and what it took to write it.
#[derive(Clone, Debug)]
pub(crate) struct WrittenFile {
    /// Its size.
    pub(crate) num_bytes: u64,
    /// Its rows.
    pub(crate) num_rows: u64,
    /// From ordered rows in memory to the closed file.
    pub(crate) elapsed: Duration,
    /// Bytes of each column; a map or a Variant is one column.
    pub(crate) column_bytes: BTreeMap<String, u64>,
}

/// Writes rows as one file.
///
/// # Errors
/// When the rows have other columns than the engine gives them, or the file cannot be written.
pub(crate) fn write_file(
    path: &Path,
    rows: &OrderedRows,
    form: &FileForm,
    coding: &FileCoding,
) -> Result<WrittenFile> {
    let started = Instant::now();
    let first = rows.batches().next().context("no rows to write")?;
    let schema = form.shape(&first.slice(0, 0))?.schema();
    let largest = rows.row_groups.iter().map(|group| group.iter().map(|batch| batch.num_rows()).sum()).max();
    let properties = coding.properties(largest.unwrap_or(1))?;
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))?;
    for row_group in &rows.row_groups {
        for batch in row_group {
            writer.write(&form.shape(batch)?)?;
        }
        writer.flush()?;
    }
    let metadata = writer.close()?;
    let elapsed = started.elapsed();
    Ok(WrittenFile {
        num_bytes: std::fs::metadata(path)?.len(),
        num_rows: rows.num_rows() as u64,
        elapsed,
        column_bytes: column_bytes(&metadata),
    })
}

fn column_bytes(metadata: &ParquetMetaData) -> BTreeMap<String, u64> {
    let mut bytes = BTreeMap::new();
    for column in metadata.row_groups().iter().flat_map(|row_group| row_group.columns()) {
        let name = column.column_path().parts().first().cloned().unwrap_or_default();
        *bytes.entry(name).or_default() += column.compressed_size() as u64;
    }
    bytes
}
